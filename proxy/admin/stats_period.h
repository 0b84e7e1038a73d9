// Counters of all workers by cluster, also at the two ends of the last full minute: what averages are made of.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "proxy/metrics/metrics.h"

namespace pgweir::admin {

struct StatsSums {
  std::uint64_t assignments = 0, transactions = 0, queries = 0, received = 0, sent = 0, transaction_microseconds = 0,
                query_microseconds = 0, wait_microseconds = 0, client_parses = 0, server_parses = 0, binds = 0, errors = 0;
};
using ClusterStats = std::map<std::string, StatsSums>;   // clusters that had clients
struct StatsPeriod {
  ClusterStats begin, end;
  double seconds = 0;  // 0: the first minute is not over
};

// Any thread.
ClusterStats stats_sums(const metrics::Registry& registry);
// Called every now and then by one thread: begins a new period once a minute is over.
void note_stats(const metrics::Registry& registry);
StatsPeriod last_stats_period(const metrics::Registry& registry);

}  // namespace pgweir::admin
