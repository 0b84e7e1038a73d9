// The SQL that asks a server where code that may leave state in the session runs unseen: behind defaults, checks, index
// expressions, policies, views, operators, casts and types. For PostgreSQL 12 to 18.
//
// Taken to leave state behind: the built-in functions that do; functions of users that are volatile or whose body names what
// does. Known to be harmless though volatile: the functions of uuid-ossp and pgcrypto.
#pragma once

#include <string>

#include "proxy/control/row_set.h"
#include "routing/catalog/catalog.h"

namespace pgweir::control {

// Columns: kind, schema, name. Kinds: w a table that runs such code when it is written, r one (or a view) when it is read,
// t a type, o an operator, f a function that does not show it by itself, a anywhere (casts, operator classes; no name).
std::string session_code_query();

// Adds the rows to what is known of other shards.
void read_session_code(const RowSet& rows, routing::SessionCode& code);

}  // namespace pgweir::control
