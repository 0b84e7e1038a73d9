#include "protocol/client_statements.h"

namespace pgweir::protocol {

SqlError duplicate_statement(std::string_view name) {
  return SqlError{"42P05", "prepared statement \"" + std::string(name) + "\" already exists", {}, {}, {}, {}};
}

SqlError undefined_statement(std::string_view name) {
  if (name.empty()) return SqlError{"26000", "unnamed prepared statement does not exist", {}, {}, {}, {}};
  return SqlError{"26000", "prepared statement \"" + std::string(name) + "\" does not exist", {}, {}, {}, {}};
}

SqlError too_many_statements(std::size_t count, std::size_t bytes, std::size_t max_count, std::size_t max_bytes) {
  return SqlError{"54000", "too many prepared statements",
                  "This client has " + std::to_string(count) + " of at most " + std::to_string(max_count) +
                      " statements, " + std::to_string(bytes) + " of at most " + std::to_string(max_bytes) + " bytes.",
                  "Close or deallocate statements that are not needed any more.", {}, {}};
}

}  // namespace pgweir::protocol
