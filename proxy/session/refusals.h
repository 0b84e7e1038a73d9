// Errors that PostgreSQL gives and the proxy says in its place, word for word. Values; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "protocol/result.h"

namespace pgweir::session {

inline protocol::SqlError failed_block_error() {
  return {"25P02", "current transaction is aborted, commands ignored until end of transaction block", {}, {}, {}, {}};
}

// Of a prepared statement that would give other columns than when it was prepared. Drivers go by the routine, too.
inline protocol::SqlError changed_result_error() {
  return {"0A000", "cached plan must not change result type", {}, {}, "RevalidateCachedQuery", {}};
}

// A Bind with `given` values for a statement of `required` parameters.
inline protocol::SqlError parameter_count_error(std::size_t given, std::string_view statement, std::size_t required) {
  return {"08P01", "bind message supplies " + std::to_string(given) + " parameters, but prepared statement \"" + std::string(statement) +
                       "\" requires " + std::to_string(required), {}, {}, {}, {}};
}

}  // namespace pgweir::session
