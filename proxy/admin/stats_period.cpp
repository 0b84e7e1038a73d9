#include "proxy/admin/stats_period.h"

#include <chrono>
#include <mutex>
#include <utility>

namespace pgweir::admin {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPeriod = std::chrono::seconds(60);

// Of the process's one registry; a test's next one begins anew.
struct Periods {
  std::mutex mutex;
  const metrics::Registry* of = nullptr;
  StatsPeriod last;
  ClusterStats begin;
  Clock::time_point since;
};

Periods& periods() {
  static Periods all;
  return all;
}

}  // namespace

ClusterStats stats_sums(const metrics::Registry& registry) {
  ClusterStats all;
  registry.each_cluster([&all](const std::string& name, const std::vector<metrics::ClusterCells>& workers) {
    StatsSums& sums = all[name];
    for (const metrics::ClusterCells& cells : workers) {
      sums.assignments += cells.assignments.get();
      sums.transactions += cells.transactions.get();
      sums.queries += cells.queries.get();
      sums.received += cells.received.get();
      sums.sent += cells.sent.get();
      sums.transaction_microseconds += cells.transaction_microseconds.get();
      sums.query_microseconds += cells.query_microseconds.get();
      sums.wait_microseconds += cells.wait_microseconds.get();
      sums.client_parses += cells.client_parses.get();
      sums.server_parses += cells.server_parses.get();
      sums.binds += cells.binds.get();
      sums.errors += cells.errors.get();
    }
  });
  return all;
}

void note_stats(const metrics::Registry& registry) {
  Periods& all = periods();
  const auto now = Clock::now();
  const std::lock_guard lock(all.mutex);
  if (all.of == &registry && now - all.since < kPeriod) return;
  ClusterStats sums = stats_sums(registry);
  if (all.of == &registry)
    all.last = {all.begin, sums, std::chrono::duration<double>(now - all.since).count()};
  else
    all.last = {};
  all.of = &registry;
  all.begin = std::move(sums);
  all.since = now;
}

StatsPeriod last_stats_period(const metrics::Registry& registry) {
  Periods& all = periods();
  const std::lock_guard lock(all.mutex);
  return all.of == &registry ? all.last : StatsPeriod{};
}

}  // namespace pgweir::admin
