#include "proxy/admin/stats_period.h"

#include <chrono>
#include <mutex>

namespace pgweir::admin {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPeriod = std::chrono::seconds(60);

// Of the process's one registry; a test's next one begins anew.
struct Periods {
  std::mutex mutex;
  const metrics::Registry* of = nullptr;
  StatsPeriod last;
  StatsSums begin;
  Clock::time_point since;
};

Periods& periods() {
  static Periods all;
  return all;
}

}  // namespace

StatsSums stats_sums(const metrics::Registry& registry) {
  StatsSums sums;
  for (const metrics::WorkerCells& cells : registry.all()) {
    sums.transactions += cells.transactions.get();
    for (const metrics::Cell& count : cells.queries) sums.queries += count.get();
    sums.received += cells.bytes_from_clients.get();
    sums.sent += cells.bytes_to_clients.get();
    sums.wait_microseconds += cells.wait_microseconds.get();
    for (const metrics::Cell& count : cells.waits) sums.assignments += count.get();
    for (const metrics::Cell& count : cells.errors_by_class) sums.errors += count.get();
    sums.parsed += cells.statements_prepared.get();
  }
  return sums;
}

void note_stats(const metrics::Registry& registry) {
  Periods& all = periods();
  const auto now = Clock::now();
  const std::lock_guard lock(all.mutex);
  if (all.of == &registry && now - all.since < kPeriod) return;
  const StatsSums sums = stats_sums(registry);
  if (all.of == &registry)
    all.last = {all.begin, sums, std::chrono::duration<double>(now - all.since).count()};
  else
    all.last = {};
  all.of = &registry;
  all.begin = sums;
  all.since = now;
}

StatsPeriod last_stats_period(const metrics::Registry& registry) {
  Periods& all = periods();
  const std::lock_guard lock(all.mutex);
  return all.of == &registry ? all.last : StatsPeriod{};
}

}  // namespace pgweir::admin
