// Merging the CommandComplete tags of one statement that ran on several shards. Pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pgweir::routing {

// The number of rows at the end of a tag that carries one (INSERT, DELETE, UPDATE, MERGE, SELECT, MOVE, FETCH, COPY),
// or -1. At most 2^63-1; a number that does not fit counts as no number.
long long tag_rows(std::string_view tag);

// "INSERT 0 3" and "INSERT 0 2" give "INSERT 0 5"; UPDATE, DELETE, SELECT, COPY, MERGE, MOVE and FETCH likewise
// (saturating). Tags that carry no count, or that are of different commands, give the first one unchanged. No tags: an
// empty string.
std::string merge_command_tags(std::span<const std::string> tags);

// The tag with its count replaced ("SELECT 7" with 3 gives "SELECT 3"); a tag without a count is returned unchanged.
std::string with_tag_rows(std::string_view tag, unsigned long long rows);

}  // namespace pgweir::routing
