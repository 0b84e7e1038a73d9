#include "proxy/runtime/runtime.h"

#include <random>

namespace pgweir::runtime {
namespace {

std::string random_bytes(std::size_t count) {
  std::random_device source;
  std::string out;
  while (out.size() < count) {
    const unsigned word = source();
    out.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  out.resize(count);
  return out;
}

std::uint64_t random_word() {
  std::random_device source;
  return (std::uint64_t{source()} << 32) | source();
}

// More entries than this come from clients that vary their startup settings without end.
constexpr std::size_t kMaxWelcomes = 10'000;
// More than this are passwords that were changed long ago.
constexpr std::size_t kMaxVerifiers = 100'000;

}  // namespace

std::optional<protocol::ScramVerifier> VerifierCache::find(const std::string& user, const config::Secret& secret) const {
  const std::lock_guard lock(mutex_);
  auto found = verifiers_.find({user, secret.value});
  if (found == verifiers_.end()) return std::nullopt;
  return found->second;
}

void VerifierCache::put(const std::string& user, const config::Secret& secret, const protocol::ScramVerifier& verifier) {
  const std::lock_guard lock(mutex_);
  if (verifiers_.size() >= kMaxVerifiers) verifiers_.clear();
  verifiers_[{user, secret.value}] = verifier;
}

pool::SettingsPtr WelcomeCache::find(const pool::PoolKey& key, const pool::SettingsPtr& settings) const {
  const std::lock_guard lock(mutex_);
  auto found = entries_.find({key, settings});
  return found == entries_.end() ? nullptr : found->second;
}

void WelcomeCache::put(const pool::PoolKey& key, const pool::SettingsPtr& settings, const pool::SettingsPtr& parameters) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kMaxWelcomes) entries_.clear();
  entries_[{key, settings}] = parameters;
}

void WelcomeCache::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

Runtime::Runtime(std::vector<net::Worker*> workers_in, SnapshotPtr first)
    : workers(std::move(workers_in)),
      pools(workers, login_services),
      metrics(static_cast<unsigned>(workers.size())),
      statement_key{random_word(), random_word()},
      process_secret(random_bytes(32)),
      snapshot_(std::move(first)) {
  memory.set_limit(snapshot_->config->listen.memory_budget, workers.size());
  for (net::Worker* worker : workers) worker->memory().bind(&memory);
}

Runtime::~Runtime() {
  for (net::Worker* worker : workers) worker->memory().bind(nullptr);
}

SnapshotPtr Runtime::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void Runtime::publish(SnapshotPtr next) {
  memory.set_limit(next->config->listen.memory_budget, workers.size());
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(next);
  version_.fetch_add(1, std::memory_order_release);
}

pool::Pool& Runtime::pool_for(const Snapshot& callers, const config::Cluster& cluster, pool::EndpointId endpoint,
                              const std::string& user) {
  const pool::PoolKey key{cluster.name, endpoint, user};
  return pools.get(key, [&] {
    // The caller may have come before a reload, which has looked at the pools that there were.
    auto made = pool_settings(*snapshot()->config, key);
    if (!made) made = pool_settings(*callers.config, key);
    return std::move(*made);  // the session exists, so its cluster, endpoint and user do
  });
}

std::optional<std::pair<std::shared_ptr<const pool::ServerTarget>, pool::PoolLimits>> Runtime::pool_settings(
    const config::Config& config, const pool::PoolKey& key) {
  const config::Cluster* cluster = config.find_cluster(key.cluster);
  if (!cluster || key.endpoint.shard.value >= cluster->shards.size()) return std::nullopt;
  const config::Shard& shard = cluster->shards[key.endpoint.shard.value];
  if (key.endpoint.replica >= static_cast<int>(shard.replicas.size())) return std::nullopt;
  const config::User* user = config.find_user(key.user);
  auto target = std::make_shared<pool::ServerTarget>();
  target->primary = key.endpoint.replica < 0;
  target->endpoint = target->primary ? shard.primary : shard.replicas[static_cast<std::size_t>(key.endpoint.replica)];
  target->label = shard.name + (target->primary ? "/primary" : "/replica" + std::to_string(key.endpoint.replica));
  target->database = cluster->database;
  target->user = user && !user->server_user.empty() ? user->server_user : key.user;
  if (user) target->password = user->server_password.kind != config::Secret::Kind::None ? user->server_password : user->password;
  target->tls = config.tls_server;
  const config::Pool effective = config::effective_pool(*cluster, user);
  pool::PoolLimits limits;
  limits.size = effective.size;
  limits.reserve = effective.reserve_size;
  limits.reserve_delay = effective.reserve_delay;
  limits.min = effective.min_size;
  limits.connect_timeout = effective.server_connect_timeout;
  limits.idle_timeout = effective.server_idle_timeout;
  limits.lifetime = effective.server_lifetime;
  limits.max_prepared_statements = effective.max_prepared_statements;
  limits.max_pinned = effective.max_pinned;
  limits.round_robin = effective.server_round_robin;
  limits.caps = {effective.max_connections, cluster->max_server_connections, config.listen.max_server_connections};
  return std::make_pair(std::shared_ptr<const pool::ServerTarget>(std::move(target)), limits);
}

}  // namespace pgweir::runtime
