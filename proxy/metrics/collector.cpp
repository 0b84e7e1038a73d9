#include "proxy/metrics/collector.h"

#include <algorithm>
#include <map>

#include "proxy/metrics/families.h"
#include "proxy/metrics/pool_view.h"
#include "proxy/metrics/process.h"

namespace pgweir::metrics {
namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

// Samples by family and labels. Equal labels add up: after a reload two pools may stand for the same server.
class Sheet {
 public:
  void add(FamilyId id, Labels labels, double value) {
    samples_[static_cast<std::size_t>(id)][std::move(labels)].value += value;
  }
  void add(FamilyId id, Labels labels, std::uint64_t value) { add(id, std::move(labels), static_cast<double>(value)); }
  void add(FamilyId id, prometheus::ClientMetric::Histogram histogram) {
    samples_[static_cast<std::size_t>(id)][{}].histogram = std::move(histogram);
  }
  std::vector<prometheus::MetricFamily> families() const;

 private:
  struct Sample {
    double value = 0;
    prometheus::ClientMetric::Histogram histogram;
  };
  std::array<std::map<Labels, Sample>, kFamilyCount> samples_;
};

prometheus::MetricType metric_type(FamilyType type) {
  switch (type) {
    case FamilyType::Counter: return prometheus::MetricType::Counter;
    case FamilyType::Histogram: return prometheus::MetricType::Histogram;
    case FamilyType::Gauge: break;
  }
  return prometheus::MetricType::Gauge;
}

std::vector<prometheus::MetricFamily> Sheet::families() const {
  std::vector<prometheus::MetricFamily> out;
  for (const Family& family : kFamilies) {
    prometheus::MetricFamily& made = out.emplace_back();
    made.name = family.name;
    made.help = family.help;
    made.type = metric_type(family.type);
    for (const auto& [labels, sample] : samples_[static_cast<std::size_t>(family.id)]) {
      prometheus::ClientMetric& metric = made.metric.emplace_back();
      metric.label = labels;
      if (family.type == FamilyType::Counter) metric.counter.value = sample.value;
      if (family.type == FamilyType::Gauge) metric.gauge.value = sample.value;
      if (family.type == FamilyType::Histogram) metric.histogram = sample.histogram;
    }
  }
  return out;
}

// A worker may count between two reads of its cells: sums may differ from each other by what is under way.
void add_cells(const WorkerCells& cells, Sheet& sheet) {
  sheet.add(FamilyId::ClientsTotal, {}, cells.clients_accepted.get());
  sheet.add(FamilyId::LoginsFailed, {}, cells.logins_failed.get());
  for (std::size_t i = 0; i < cells.queries.size(); ++i) {
    sheet.add(FamilyId::Queries, {{"route", std::string(route_kind_name(static_cast<RouteKind>(i)))}},
              cells.queries[i].get());
  }
  sheet.add(FamilyId::Transactions, {}, cells.transactions.get());
  sheet.add(FamilyId::Bytes, {{"side", "client"}, {"direction", "received"}}, cells.bytes_from_clients.get());
  sheet.add(FamilyId::Bytes, {{"side", "client"}, {"direction", "sent"}}, cells.bytes_to_clients.get());
  sheet.add(FamilyId::Bytes, {{"side", "server"}, {"direction", "received"}}, cells.bytes_from_servers.get());
  sheet.add(FamilyId::Bytes, {{"side", "server"}, {"direction", "sent"}}, cells.bytes_to_servers.get());
  for (std::size_t slot = 0; slot < cells.errors_by_class.size(); ++slot) {
    const std::string name = error_slot_name(slot);
    if (!name.empty()) sheet.add(FamilyId::Errors, {{"class", name}}, cells.errors_by_class[slot].get());
  }
  sheet.add(FamilyId::StatementsPrepared, {}, cells.statements_prepared.get());
  sheet.add(FamilyId::Distributed, {{"outcome", "committed"}}, cells.distributed_commits.get());
  sheet.add(FamilyId::Distributed, {{"outcome", "aborted"}}, cells.distributed_aborts.get());
  sheet.add(FamilyId::Cancels, {{"step", "received"}}, cells.cancels_received.get());
  sheet.add(FamilyId::Cancels, {{"step", "forwarded"}}, cells.cancels_forwarded.get());
  sheet.add(FamilyId::InjectedCommands, {}, cells.injected_commands.get());
  sheet.add(FamilyId::ServerAfterTransaction, {{"server", "released"}}, cells.transactions_released.get());
  sheet.add(FamilyId::ServerAfterTransaction, {{"server", "kept"}}, cells.transactions_kept.get());
  sheet.add(FamilyId::MemoryRefusals, {}, cells.memory_refusals.get());
  const auto closed = cells.listening_closed.get();  // read first: never more than were opened
  sheet.add(FamilyId::Listening, {}, cells.listening_opened.get() - closed);
  sheet.add(FamilyId::ListeningLost, {}, cells.listening_lost.get());
  sheet.add(FamilyId::Notifications, {}, cells.notifications.get());
}

void add_clusters(const Registry& registry, Sheet& sheet) {
  registry.each_cluster([&sheet](const std::string& name, const std::vector<ClusterCells>& workers) {
    const Labels cluster = {{"cluster", name}};
    const auto seconds = [](const Cell& cell) { return static_cast<double>(cell.get()) / 1e6; };
    for (const ClusterCells& cells : workers) {
      sheet.add(FamilyId::ClusterAssignments, cluster, cells.assignments.get());
      sheet.add(FamilyId::ClusterTransactions, cluster, cells.transactions.get());
      sheet.add(FamilyId::ClusterQueries, cluster, cells.queries.get());
      sheet.add(FamilyId::ClusterBytes, {{"cluster", name}, {"direction", "received"}}, cells.received.get());
      sheet.add(FamilyId::ClusterBytes, {{"cluster", name}, {"direction", "sent"}}, cells.sent.get());
      sheet.add(FamilyId::ClusterTransactionSeconds, cluster, seconds(cells.transaction_microseconds));
      sheet.add(FamilyId::ClusterQuerySeconds, cluster, seconds(cells.query_microseconds));
      sheet.add(FamilyId::ClusterWaitSeconds, cluster, seconds(cells.wait_microseconds));
      sheet.add(FamilyId::ClusterClientParses, cluster, cells.client_parses.get());
      sheet.add(FamilyId::ClusterServerParses, cluster, cells.server_parses.get());
      sheet.add(FamilyId::ClusterBinds, cluster, cells.binds.get());
      sheet.add(FamilyId::ClusterErrors, cluster, cells.errors.get());
    }
  });
}

void add_waits(const std::vector<WorkerCells>& workers, Sheet& sheet) {
  std::array<std::uint64_t, kWaitBuckets.size() + 1> counts{};
  std::uint64_t micros = 0;
  for (const WorkerCells& cells : workers) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += cells.waits[i].get();
    micros += cells.wait_microseconds.get();
  }
  prometheus::ClientMetric::Histogram histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < kWaitBuckets.size(); ++i) {
    cumulative += counts[i];
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = cumulative;
    bucket.upper_bound = static_cast<double>(kWaitBuckets[i]) / 1e6;
    histogram.bucket.push_back(bucket);
  }
  histogram.sample_count = cumulative + counts.back();  // the serializer makes the +Inf bucket of it
  histogram.sample_sum = static_cast<double>(micros) / 1e6;
  sheet.add(FamilyId::CheckoutWait, std::move(histogram));
}

void add_session_servers(const std::vector<WorkerCells>& workers, Sheet& sheet) {
  prometheus::ClientMetric::Histogram histogram;
  std::uint64_t cumulative = 0, sum = 0;
  for (std::size_t i = 0; i <= kServerBuckets.size(); ++i) {
    for (const WorkerCells& cells : workers) cumulative += cells.session_servers[i].get();
    if (i == kServerBuckets.size()) break;
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = cumulative;
    bucket.upper_bound = static_cast<double>(kServerBuckets[i]);
    histogram.bucket.push_back(bucket);
  }
  for (const WorkerCells& cells : workers) sum += cells.servers_of_sessions.get();
  histogram.sample_count = cumulative;
  histogram.sample_sum = static_cast<double>(sum);
  sheet.add(FamilyId::SessionServers, std::move(histogram));
}

void add_pins(const PoolView& pool, const Labels& labels, Sheet& sheet) {
  for (std::size_t i = 0; i < pool.pins.now.size(); ++i) {
    Labels with_reason = labels;
    with_reason.push_back({"reason", std::string(pool::pin_reason_name(static_cast<pool::PinReason>(i)))});
    sheet.add(FamilyId::Pinned, with_reason, std::uint64_t{pool.pins.now[i]});
    sheet.add(FamilyId::PinnedTotal, std::move(with_reason), pool.pins.total[i]);
  }
  sheet.add(FamilyId::PinsRefused, labels, pool.pins.refused);
}

// Returns how many clients wait.
unsigned add_pools(const std::vector<PoolView>& pools, Sheet& sheet) {
  unsigned waiting = 0;
  for (const PoolView& pool : pools) {
    const Labels labels = {{"cluster", pool.cluster},
                           {"shard", pool.shard},
                           {"role", std::string(pool.role())},
                           {"endpoint", pool.endpoint.to_string()},
                           {"user", pool.user}};
    const auto servers = [&](const char* state, unsigned count) {
      Labels with_state = labels;
      with_state.push_back({"state", state});
      sheet.add(FamilyId::Servers, std::move(with_state), std::uint64_t{count});
    };
    servers("active", pool.active());
    servers("idle", pool.stats.idle);
    servers("connecting", pool.stats.connecting);
    sheet.add(FamilyId::PoolSize, labels, std::uint64_t{pool.size});
    sheet.add(FamilyId::PoolWaiting, labels, std::uint64_t{pool.stats.waiting});
    sheet.add(FamilyId::PoolOldestWait, labels, static_cast<double>(pool.stats.oldest_wait.count()) / 1e6);
    sheet.add(FamilyId::Migrations, labels, pool.stats.migrations);
    sheet.add(FamilyId::ServerConnects, labels, pool.stats.connects);
    sheet.add(FamilyId::ServerConnectFailures, labels, pool.stats.connect_failures);
    sheet.add(FamilyId::HandOffs, labels, pool.stats.hand_offs);
    add_pins(pool, labels, sheet);
    waiting += pool.stats.waiting;
  }
  return waiting;
}

void add_clients(const runtime::Runtime& runtime, unsigned waiting, Sheet& sheet) {
  const int sessions = std::max(runtime.clients.load(std::memory_order_relaxed), 0);
  const int others = std::max(sessions - static_cast<int>(waiting), 0);
  const std::uint64_t logins = runtime.unauthenticated.load(std::memory_order_relaxed);
  sheet.add(FamilyId::Clients, {{"state", "login"}}, logins);
  sheet.add(FamilyId::Clients, {{"state", "waiting"}}, std::uint64_t{waiting});
  sheet.add(FamilyId::Clients, {{"state", "connected"}}, static_cast<std::uint64_t>(others));
}

void add_process(const runtime::Runtime& runtime, Sheet& sheet) {
  sheet.add(FamilyId::Info, {{"version", std::string(version())}}, 1.0);
  const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - runtime.started;
  sheet.add(FamilyId::Uptime, {}, uptime.count());
  sheet.add(FamilyId::BufferBytes, {}, std::uint64_t{runtime.memory.charged()});
  sheet.add(FamilyId::BufferLimit, {}, std::uint64_t{runtime.memory.limit()});
  const ProcessUsage usage = process_usage();
  sheet.add(FamilyId::ResidentMemory, {}, usage.resident_bytes);
  sheet.add(FamilyId::OpenFds, {}, std::uint64_t{usage.open_fds});
  sheet.add(FamilyId::CpuSeconds, {}, usage.cpu_seconds);
}

}  // namespace

std::vector<prometheus::MetricFamily> Collector::Collect() const {
  Sheet sheet;
  for (const WorkerCells& cells : runtime_.metrics.all()) add_cells(cells, sheet);
  add_clusters(runtime_.metrics, sheet);
  add_waits(runtime_.metrics.all(), sheet);
  add_session_servers(runtime_.metrics.all(), sheet);
  add_clients(runtime_, add_pools(pool_views(runtime_), sheet), sheet);
  if (health_) {
    for (const EndpointState& state : health_()) {
      sheet.add(FamilyId::EndpointUp,
                {{"cluster", state.cluster},
                 {"shard", state.shard},
                 {"role", state.role},
                 {"endpoint", state.endpoint}},
                state.state == EndpointState::State::Up ? 1.0 : 0.0);
    }
  }
  add_process(runtime_, sheet);
  return sheet.families();
}

}  // namespace pgweir::metrics
