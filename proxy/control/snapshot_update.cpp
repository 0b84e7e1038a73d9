#include "proxy/control/snapshot_update.h"

#include <atomic>
#include <mutex>

namespace pgweir::control {
namespace {

std::mutex update_mutex;
std::atomic<std::uint64_t> routing_version{0};

bool same_servers(const config::Cluster& a, const config::Cluster& b) {
  return a.database == b.database && a.catalog_shard == b.catalog_shard && a.shards == b.shards;
}

}  // namespace

bool update_snapshot(runtime::Runtime& runtime, const std::function<bool(runtime::Snapshot&)>& change) {
  const std::lock_guard lock(update_mutex);
  auto next = std::make_shared<runtime::Snapshot>(*runtime.snapshot());
  ++next->version;
  if (!change(*next)) return false;
  runtime.publish(std::move(next));
  return true;
}

std::uint64_t next_routing_version() { return routing_version.fetch_add(1, std::memory_order_relaxed) + 1; }

routing::Result<std::shared_ptr<const routing::ClusterRouting>> make_routing(
    std::shared_ptr<const config::Config> config, const config::Cluster& cluster,
    const routing::ClusterRouting* before) {
  std::shared_ptr<const routing::Catalog> catalog;
  if (before != nullptr && before->catalog && same_servers(*before->cluster, cluster)) catalog = before->catalog;
  if (!catalog) catalog = std::make_shared<const routing::Catalog>();
  return routing::ClusterRouting::make(std::move(config), cluster, std::move(catalog), next_routing_version());
}

routing::Result<runtime::SnapshotPtr> make_snapshot(std::shared_ptr<const config::Config> config,
                                                    const runtime::Snapshot* before) {
  auto snapshot = std::make_shared<runtime::Snapshot>();
  snapshot->config = config;
  if (before != nullptr) snapshot->client_tls = before->client_tls, snapshot->version = before->version + 1;
  for (const config::Cluster& cluster : config->clusters) {
    auto routing = make_routing(config, cluster, before != nullptr ? before->cluster(cluster.name).get() : nullptr);
    if (!routing.ok()) return routing.error();
    snapshot->clusters[cluster.name] = routing.value();
  }
  return runtime::SnapshotPtr(std::move(snapshot));
}

}  // namespace pgweir::control
