#include "proxy/control/cluster_watch.h"

#include "proxy/log/log.h"

namespace pgweir::control {
namespace {

using namespace std::chrono_literals;
using State = metrics::EndpointState::State;

constexpr auto kProbeInterval = 500ms;
constexpr auto kCatalogInterval = 30s;
constexpr auto kCatalogRetry = 1s;  // until every shard's schema was read once, and after a failure
constexpr auto kRefreshLimit = 5s;  // how long a session waits for a refresh
constexpr auto kRecoveryInterval = 5s;
constexpr auto kRecoveryHurry = 500ms;
constexpr auto kHurryFor = 5s;  // longer than a transaction must be old before it is touched
constexpr auto kCleanInterval = 10s;

}  // namespace

ClusterWatch::ClusterWatch(asio::io_context& context, net::Resolver& resolver,
                           std::shared_ptr<const config::Config> config, const config::Cluster& cluster,
                           Publish publish, std::function<void()> progressed)
    : context_(context),
      resolver_(resolver),
      config_(std::move(config)),
      cluster_(cluster),
      publish_(std::move(publish)),
      progressed_(std::move(progressed)),
      catalog_wanted_(context),
      recovery_wanted_(context) {
  const auto add = [this](std::size_t shard, int replica, const config::Endpoint& address) {
    Endpoint endpoint;
    endpoint.shard = shard;
    endpoint.replica = replica;
    endpoint.state.cluster = cluster_.name;
    endpoint.state.shard = cluster_.shards[shard].name;
    endpoint.state.endpoint = address.to_string();
    endpoint.state.role = replica < 0 ? "primary" : "replica";
    endpoints_.push_back(std::move(endpoint));
  };
  for (std::size_t shard = 0; shard < cluster.shards.size(); ++shard) {
    add(shard, -1, cluster.shards[shard].primary);
    for (std::size_t r = 0; r < cluster.shards[shard].replicas.size(); ++r)
      add(shard, static_cast<int>(r), cluster.shards[shard].replicas[r]);
  }
  if (cluster.shards.size() > 1)
    refusal_ = routing::refuse("two_phase_unavailable",
                               "writes on several shards are not possible yet: the shards were not asked",
                               "Repeat it shortly.");
  else
    writes_settled_ = true;
  if (cluster.recovery_user.empty())
    catalog_settled_ = writes_settled_ = true;  // nothing can be asked, so nothing is awaited
}

void ClusterWatch::inherit(const ClusterWatch& old) {
  if (old.cluster_.shards != cluster_.shards || old.cluster_.database != cluster_.database) return;
  const std::scoped_lock lock(mutex_, old.mutex_);
  endpoints_ = old.endpoints_;
  refusal_ = old.refusal_;
  old_prepared_ = old.old_prepared_.load();
}

void ClusterWatch::start() {
  for (std::size_t i = 0; i < endpoints_.size(); ++i) spawn(context_, watch_endpoint(i), "health probe");
  spawn(context_, keep_catalog(), "schema loop");
  if (cluster_.shards.size() > 1) spawn(context_, keep_transactions(), "recovery loop");
}

void ClusterWatch::stop() {
  stopped_ = true;
  catalog_wanted_.set();
  recovery_wanted_.set();
  for (const auto& request : waiting_) request->complete();
  waiting_.clear();
}

Async<void> ClusterWatch::limit(std::shared_ptr<RefreshRequest> request) {
  ControlTimer timer(context_.get_executor(), kRefreshLimit);
  co_await timer.async_wait(kAwait);
  request->complete();
}

void ClusterWatch::refresh(std::shared_ptr<RefreshRequest> request) {
  spawn(context_, limit(request), "refresh limit");
  waiting_.push_back(std::move(request));
  catalog_wanted_.set();
}

void ClusterWatch::recover_soon() {
  hurry_until_ = Clock::now() + kHurryFor;
  recovery_wanted_.set();
}

Async<void> ClusterWatch::watch_endpoint(std::size_t index) {
  const auto self = shared_from_this();
  const std::size_t shard = endpoints_[index].shard;
  const int replica = endpoints_[index].replica;
  const config::Shard& names = cluster_.shards[shard];
  const config::Endpoint& address = replica < 0 ? names.primary : names.replicas[static_cast<std::size_t>(replica)];
  HealthProbe probe(context_, resolver_, recovery_login(*config_, cluster_, address), replica < 0);
  ControlTimer timer(context_.get_executor());
  while (!stopped_) {
    record(index, co_await probe.run());
    timer.expires_after(kProbeInterval);
    co_await timer.async_wait(kAwait);
  }
}

void ClusterWatch::record(std::size_t index, Probe probe) {
  Endpoint& endpoint = endpoints_[index];  // only this thread writes
  const bool changed = !endpoint.seen || endpoint.state.state != probe.state;
  const bool was_seen = endpoint.seen;
  {
    const std::lock_guard lock(mutex_);
    endpoint.seen = true;
    endpoint.state.state = probe.state;
    endpoint.state.last_error = probe.error;
  }
  if (!changed) return;
  const auto name = metrics::endpoint_state_name(probe.state);
  if (probe.state == State::Up)
    log::info("cluster {}: {} of shard {} ({}) is up", cluster_.name, endpoint.state.role, endpoint.state.shard,
              endpoint.state.endpoint);
  else
    log::warning("cluster {}: {} of shard {} ({}) is {}: {}", cluster_.name, endpoint.state.role, endpoint.state.shard,
                 endpoint.state.endpoint, name, probe.error);
  if (was_seen && probe.state == State::Up &&
      endpoint.replica < 0) {  // it may have another schema, and transactions of ours
    catalog_wanted_.set();
    recovery_wanted_.set();
  }
}

Async<void> ClusterWatch::keep_catalog() {
  const auto self = shared_from_this();
  CatalogLoader loader(context_, resolver_, config_, cluster_);
  std::shared_ptr<const routing::Catalog> published;
  std::string last_error;
  while (!stopped_) {
    const auto serving = std::exchange(waiting_, {});
    const auto outcome = co_await loader.load();
    if (stopped_) {
      for (const auto& request : serving) request->complete();
      break;
    }
    if (outcome.catalog && outcome.catalog != published) {
      published = outcome.catalog;
      publish_(cluster_.name, cluster_, published);
    }
    const std::string error = outcome.error ? outcome.error->message : "";
    if (error != last_error && !error.empty())
      log::warning("cluster {}: the schema was not read: {}", cluster_.name, error);
    last_error = error;
    if (published && !catalog_settled_.exchange(true)) progressed_();
    for (const auto& request : serving) request->complete();
    const bool retry = outcome.error || !outcome.complete;
    (void)co_await catalog_wanted_.wait(retry ? std::chrono::milliseconds(kCatalogRetry)
                                              : std::chrono::milliseconds(kCatalogInterval));
  }
}

Async<void> ClusterWatch::keep_transactions() {
  const auto self = shared_from_this();
  Recovery recovery(context_, resolver_, config_, cluster_);
  Clock::time_point clean_at = Clock::now() + kCleanInterval;
  std::string last_refusal;
  while (!stopped_) {
    const bool clean = Clock::now() >= clean_at;
    if (clean) clean_at = Clock::now() + kCleanInterval;
    auto outcome = co_await recovery.pass(clean);
    const std::string refusal = outcome.refusal ? outcome.refusal->message : "";
    if (refusal != last_refusal && !refusal.empty()) log::warning("cluster {}: {}", cluster_.name, refusal);
    last_refusal = refusal;
    old_prepared_.store(outcome.old, std::memory_order_relaxed);
    {
      const std::lock_guard lock(mutex_);
      refusal_ = std::move(outcome.refusal);
    }
    if (!writes_settled_.exchange(true)) progressed_();
    const bool hurry = Clock::now() < hurry_until_ || !refusal.empty();
    (void)co_await recovery_wanted_.wait(hurry ? std::chrono::milliseconds(kRecoveryHurry)
                                               : std::chrono::milliseconds(kRecoveryInterval));
  }
}

void ClusterWatch::append_health(std::vector<metrics::EndpointState>& to) const {
  const std::lock_guard lock(mutex_);
  for (const Endpoint& endpoint : endpoints_) to.push_back(endpoint.state);
}

std::optional<protocol::SqlError> ClusterWatch::writes_refusal() const {
  const std::lock_guard lock(mutex_);
  return refusal_;
}

int ClusterWatch::choose_replica(routing::ShardId shard) const {
  const std::lock_guard lock(mutex_);
  unsigned up = 0;
  for (const Endpoint& endpoint : endpoints_)
    up += endpoint.shard == shard.value && endpoint.replica >= 0 && endpoint.state.state == State::Up;
  if (up == 0) return -1;
  unsigned turn = turn_.fetch_add(1, std::memory_order_relaxed) % up;
  for (const Endpoint& endpoint : endpoints_) {
    if (endpoint.shard != shard.value || endpoint.replica < 0 || endpoint.state.state != State::Up) continue;
    if (turn-- == 0) return endpoint.replica;
  }
  return -1;
}

}  // namespace pgweir::control
