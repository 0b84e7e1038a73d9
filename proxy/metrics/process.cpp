#include "proxy/metrics/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

namespace pgweir::metrics {
namespace {

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");  // pages: total, resident, ...
  std::uint64_t total = 0, resident = 0;
  if (!(statm >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

unsigned open_fds() {
  std::error_code error;
  unsigned count = 0;
  std::filesystem::directory_iterator entries("/proc/self/fd", error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) ++count;
  return count == 0 ? 0 : count - 1;  // one of them is the iterator's
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

std::string_view version() { return PGWEIR_VERSION; }

ProcessUsage process_usage() {
  ProcessUsage usage;
  usage.resident_bytes = resident_bytes();
  usage.open_fds = open_fds();
  rusage self{};
  if (::getrusage(RUSAGE_SELF, &self) == 0) usage.cpu_seconds = seconds(self.ru_utime) + seconds(self.ru_stime);
  return usage;
}

}  // namespace pgweir::metrics
