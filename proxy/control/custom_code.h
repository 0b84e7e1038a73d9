// The SQL that asks a server for code that may set custom settings (routing/catalog/custom_settings.h). Constants of
// PostgreSQL 12 to 18.
#pragma once

#include <string>
#include <string_view>

namespace pgweir::control {

// In the first column: the second one is a setting's name, not code.
inline constexpr std::string_view kNameOfSetting = "=";

// kind, text: bodies of functions, rules and column defaults, and the names that functions have in their SET clauses.
// `which`: an SQL condition on x.row_xmin and x.schema (an oid). Everything is qualified; takes no search_path for granted.
std::string custom_code_query(std::string_view which);

}  // namespace pgweir::control
