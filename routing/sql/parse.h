// Text to statements, by PostgreSQL's own parser (libpg_query, grammar of PostgreSQL 15). Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "routing/sql/statement.h"

namespace pgweir::routing::sql {

struct ParseResult {
  std::vector<std::unique_ptr<Statement>> statements;  // empty for an empty query
  std::string error;                                   // not empty: the parser's message; statements is empty
};

// `text` must not hold a NUL byte (a text with one is an error, as for the server).
ParseResult parse(std::string_view text);

}  // namespace pgweir::routing::sql
