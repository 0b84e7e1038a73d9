// The errors of COPY in PostgreSQL's words; private to copy/. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "routing/copy/copy_plan.h"
#include "routing/copy/line_splitter.h"

namespace pgweir::routing {

inline constexpr const char* kBadCopyFileFormat = "22P04";

// `fields` and `expected` are used by SplitError::FieldCount.
SqlError split_failure(SplitError error, CopyFormat format, int fields, std::size_t expected);
// A key column's text or bytes that cannot be read as the key's type.
SqlError key_failure(KeyError error, config::KeyType type, const std::string& column, std::string_view value,
                     bool binary);
// NULL in a key column by which the row would be placed.
SqlError null_failure(const std::string& column, const std::string& table);
// "COPY table, line N" into the context (field W), where PostgreSQL says it.
SqlError at_copy_line(SqlError error, const std::string& table, std::uint64_t line);

}  // namespace pgweir::routing
