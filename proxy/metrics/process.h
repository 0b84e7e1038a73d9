// Facts about this process for the exporter and the console. Thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace pgweir::metrics {

// Of the build, "0.1.0".
std::string_view version();

// A member is 0 when the system does not tell.
struct ProcessUsage {
  std::uint64_t resident_bytes = 0;
  unsigned open_fds = 0;
  double cpu_seconds = 0;  // user and system
};

// Reads /proc/self and getrusage; some tens of microseconds and more with many descriptors: not for a worker's thread.
ProcessUsage process_usage();

}  // namespace pgweir::metrics
