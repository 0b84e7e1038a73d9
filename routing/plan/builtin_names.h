// Names that PostgreSQL's own operators and everyday types have: pg_operator.dat and pg_type.dat of PostgreSQL 12 to 18.
// Pure; thread-safe.
#pragma once

#include <string_view>

namespace pgweir::routing {

// False: if there is such an operator, users made it.
bool is_builtin_operator(std::string_view name);
// False: it may be a type of users, or a rare one of PostgreSQL's.
bool is_everyday_type(std::string_view name);

}  // namespace pgweir::routing
