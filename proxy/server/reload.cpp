#include "proxy/server/reload.h"

#include <algorithm>

#include "proxy/control/snapshot_update.h"
#include "proxy/log/log.h"
#include "proxy/server/client_tls.h"

namespace pgweir::server {

std::shared_ptr<const config::Config> keep_fixed_settings(const config::Config& running, const config::Config& wanted,
                                                          std::vector<std::string>& kept) {
  auto config = std::make_shared<config::Config>(wanted);
  const auto keep = [&kept](auto& target, const auto& value, const char* name) {
    if (target == value) return;
    kept.emplace_back(name);
    target = value;
  };
  keep(config->listen.addresses, running.listen.addresses, "listen.address");
  keep(config->listen.workers, running.listen.workers, "listen.workers");
  keep(config->listen.reuse_port, running.listen.reuse_port, "listen.reuse_port");
  keep(config->listen.unix_socket_mode, running.listen.unix_socket_mode, "listen.unix_socket_mode");
  keep(config->listen.node_id, running.listen.node_id, "listen.node_id");
  return config;
}

std::string moved_shard(const config::Config& running, const config::Config& wanted) {
  for (const auto& cluster : wanted.clusters) {
    const auto* before = running.find_cluster(cluster.name);
    if (!before) continue;
    for (std::size_t i = 0; i < std::min(before->shards.size(), cluster.shards.size()); ++i) {
      if (before->shards[i].name == cluster.shards[i].name) continue;
      return "cluster \"" + cluster.name + "\": shard \"" + cluster.shards[i].name + "\" stands in the place of shard \"" + before->shards[i].name +
             "\"; a reload adds shards behind the others and takes away the last ones, another order needs a restart";
    }
  }
  return {};
}

std::string apply_config(runtime::Runtime& runtime, const std::shared_ptr<const config::Config>& wanted) {
  auto tls = client_tls(wanted->tls_client);
  if (!tls.ok()) return tls.error().text;
  std::string problem;
  const bool published = control::update_snapshot(runtime, [&](runtime::Snapshot& next) {
    auto made = control::make_snapshot(wanted, &next);
    if (!made.ok()) {
      problem = made.error().message;
      return false;
    }
    next = *made.value();
    next.client_tls = tls.value();
    return true;
  });
  if (!published) return problem;
  log::configure(wanted->log.level, wanted->log.format);
  runtime.pools.reconfigure([&](const pool::PoolKey& key) { return runtime::Runtime::pool_settings(*wanted, key); });
  runtime.welcomes.clear();
  return {};
}

}  // namespace pgweir::server
