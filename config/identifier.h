// SQL names in the configuration: "users", "public.users", "public.\"Odd Name\"".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgweir::config {

// Splits into parts with quotes resolved and returns an empty string, or says what is wrong. A part without quotes
// must be lower case: SQL would fold it, a reader would not, so neither reading is taken silently.
[[nodiscard]] std::string parse_identifier(std::string_view text, std::size_t max_parts,
                                           std::vector<std::string>& parts);

// The reverse: parts quoted where SQL needs it.
std::string format_identifier(const std::string& part);
std::string format_identifier(const std::string& schema, const std::string& name);

// PostgreSQL's NAMEDATALEN - 1: longer names would be cut there.
inline constexpr std::size_t kMaxIdentifier = 63;

}  // namespace pgweir::config
