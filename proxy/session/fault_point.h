// Named places where a crash test may kill the proxy: PGWEIR_FAULT=<name> ends the process there as SIGKILL would. Compiled
// in with PGWEIR_FAULT_POINTS; costs nothing on the path of a query, since all of them stand in distributed commits.
#pragma once

#include <csignal>
#include <cstdlib>
#include <string_view>

namespace pgweir::session {

inline void fault_point([[maybe_unused]] std::string_view name) {
#ifdef PGWEIR_FAULT_POINTS
  static const char* const wanted = std::getenv("PGWEIR_FAULT");
  if (wanted && name == wanted) std::raise(SIGKILL);
#endif
}

}  // namespace pgweir::session
