#include "proxy/control/control_plane.h"

#include <condition_variable>
#include <map>
#include <shared_mutex>
#include <thread>

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "proxy/control/auth_query.h"
#include "proxy/control/cluster_watch.h"
#include "proxy/control/snapshot_update.h"
#include "proxy/log/log.h"

namespace pgweir::control {

struct ControlPlane::Impl {
  explicit Impl(runtime::Runtime& shared) : runtime(shared), work(context.get_executor()) {}

  using WatchPtr = std::shared_ptr<ClusterWatch>;
  WatchPtr find(const std::string& cluster) const {
    const std::shared_lock lock(mutex);
    const auto found = watches.find(cluster);
    return found == watches.end() ? nullptr : found->second;
  }
  // On the control thread: starts and stops watches so that they are those of the current configuration.
  void adopt_config();
  void publish(const std::string& name, const config::Cluster& cluster,
               std::shared_ptr<const routing::Catalog> catalog);
  bool settled() const;
  void progressed() {
    const std::lock_guard lock(settle_mutex);
    settle_changed.notify_all();
  }

  runtime::Runtime& runtime;
  asio::io_context context{1};
  asio::executor_work_guard<Executor> work;
  net::Resolver resolver;           // own: its answers never outlive the context
  AuthQuery auth_query{context, resolver};
  mutable std::shared_mutex mutex;  // guards watches
  std::map<std::string, WatchPtr> watches;
  std::atomic<bool> adopted{false};
  std::mutex settle_mutex;
  std::condition_variable settle_changed;
  std::thread thread;
};

namespace {

// What a watch depends on.
bool same_watch(const ClusterWatch& watch, const config::Config& config, const config::Cluster& cluster) {
  const config::Cluster& old = watch.cluster();
  return old.database == cluster.database && old.shards == cluster.shards && old.home == cluster.home &&
         old.unlisted == cluster.unlisted && old.tables == cluster.tables &&
         old.catalog_shard == cluster.catalog_shard && old.recovery_user == cluster.recovery_user &&
         old.recovery_password == cluster.recovery_password &&
         old.recovery_user_configured == cluster.recovery_user_configured &&
         watch.config()->tls_server == config.tls_server && watch.config()->users == config.users;
}

}  // namespace

void ControlPlane::Impl::adopt_config() {
  const auto config = runtime.snapshot()->config;
  std::map<std::string, WatchPtr> next;
  std::vector<WatchPtr> fresh, gone;
  {
    const std::shared_lock lock(mutex);
    for (const config::Cluster& cluster : config->clusters) {
      const auto found = watches.find(cluster.name);
      if (found != watches.end() && same_watch(*found->second, *config, cluster)) {
        next.insert(*found);
        continue;
      }
      auto watch = std::make_shared<ClusterWatch>(
          context, resolver, config, cluster,
          [this](const std::string& name, const config::Cluster& watched,
                 std::shared_ptr<const routing::Catalog> catalog) { publish(name, watched, std::move(catalog)); },
          [this] { progressed(); });
      if (found != watches.end()) watch->inherit(*found->second);
      next.emplace(cluster.name, watch);
      fresh.push_back(std::move(watch));
    }
    for (const auto& [name, watch] : watches)
      if (const auto kept = next.find(name); kept == next.end() || kept->second != watch) gone.push_back(watch);
  }
  {
    const std::unique_lock lock(mutex);
    watches = std::move(next);
  }
  auth_query.adopt(config);
  for (const auto& watch : gone) watch->stop();
  for (const auto& watch : fresh) watch->start();
  adopted = true;
  progressed();
}

void ControlPlane::Impl::publish(const std::string& name, const config::Cluster& cluster,
                                 std::shared_ptr<const routing::Catalog> catalog) {
  update_snapshot(runtime, [&](runtime::Snapshot& next) {
    const config::Cluster* current = next.config->find_cluster(name);
    // A reload may have moved the cluster to other servers; the watch of those is on its way.
    if (current == nullptr || current->shards != cluster.shards || current->database != cluster.database) return false;
    auto routing = routing::ClusterRouting::make(next.config, *current, catalog, next_routing_version());
    if (!routing.ok()) {
      log::error("cluster {}: the schema does not fit the configuration: {}", name, routing.error().message);
      return false;
    }
    next.clusters[name] = routing.value();
    return true;
  });
  log::info("cluster {}: schema read: {} tables, epoch {}", name, catalog->tables.size(), catalog->epoch);
}

bool ControlPlane::Impl::settled() const {
  const std::shared_lock lock(mutex);
  bool all = adopted;
  for (const auto& [name, watch] : watches) all &= watch->settled();
  return all;
}

ControlPlane::ControlPlane(runtime::Runtime& runtime) : impl_(std::make_unique<Impl>(runtime)) {}
ControlPlane::~ControlPlane() { stop(); }

void ControlPlane::start() {
  impl_->thread = std::thread([impl = impl_.get()] {
    pthread_setname_np(pthread_self(), "pgweir-control");
    impl->context.run();
  });
  reconfigure();
}

void ControlPlane::stop() {
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

bool ControlPlane::wait_for_catalogs(std::chrono::milliseconds bound) {
  std::unique_lock lock(impl_->settle_mutex);
  return impl_->settle_changed.wait_for(lock, bound, [this] { return impl_->settled(); });
}

void ControlPlane::reconfigure() {
  asio::post(impl_->context, [impl = impl_.get()] { impl->adopt_config(); });
}

void ControlPlane::refresh_catalog(const std::string& cluster, net::Worker& worker, std::function<void()> done) {
  auto request = std::make_shared<RefreshRequest>(worker, std::move(done));
  asio::post(impl_->context, [impl = impl_.get(), cluster, request] {
    if (const auto watch = impl->find(cluster))
      watch->refresh(request);
    else
      request->complete();
  });
}

std::optional<protocol::SqlError> ControlPlane::distributed_writes_refusal(const std::string& cluster) {
  const auto watch = impl_->find(cluster);
  if (watch) return watch->writes_refusal();
  return routing::refuse("two_phase_unavailable", "cluster \"" + cluster + "\" is not watched", "");
}

int ControlPlane::choose_replica(const std::string& cluster, routing::ShardId shard) {
  const auto watch = impl_->find(cluster);
  return watch ? watch->choose_replica(shard) : -1;
}

void ControlPlane::recover_soon(const std::string& cluster) {
  asio::post(impl_->context, [impl = impl_.get(), cluster] {
    if (const auto watch = impl->find(cluster)) watch->recover_soon();
  });
}

void ControlPlane::look_up_secret(const std::string& cluster, const std::string& user, net::Worker& worker,
                                  std::function<void(runtime::SecretAnswer)> done) {
  asio::post(impl_->context, [impl = impl_.get(), cluster, user, &worker, done = std::move(done)] {
    impl->auth_query.look_up(cluster, user, [&worker, done](runtime::SecretAnswer answer) {
      worker.post([done, answer = std::move(answer)] { done(answer); });
    });
  });
}

void ControlPlane::distrust_secret(const std::string& cluster, const std::string& user) {
  asio::post(impl_->context, [impl = impl_.get(), cluster, user] { impl->auth_query.distrust(cluster, user); });
}

std::vector<metrics::EndpointState> ControlPlane::health() const {
  std::vector<metrics::EndpointState> states;
  const auto config = impl_->runtime.snapshot()->config;
  for (const config::Cluster& cluster : config->clusters)
    if (const auto watch = impl_->find(cluster.name)) watch->append_health(states);
  return states;
}

std::uint64_t ControlPlane::old_prepared_transactions() const {
  const std::shared_lock lock(impl_->mutex);
  std::uint64_t sum = 0;
  for (const auto& [name, watch] : impl_->watches) sum += watch->old_prepared();
  return sum;
}

}  // namespace pgweir::control
