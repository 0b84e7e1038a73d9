// SHOW LISTS: how many there are of what. Names are PgBouncer's where the thing is the same.
#include <algorithm>

#include "proxy/admin/command.h"
#include "proxy/metrics/pool_view.h"

namespace pgweir::admin {

void show_lists(const Invocation& invocation, Done done) {
  const runtime::Runtime& runtime = invocation.runtime;
  const auto snapshot = runtime.snapshot();
  const auto pools = metrics::pool_views(runtime);
  std::size_t shards = 0, servers = 0;
  for (const config::Cluster& cluster : snapshot->config->clusters) shards += cluster.shards.size();
  for (const metrics::PoolView& pool : pools) servers += pool.stats.total;
  Table table{{{"list"}, {"items", ColumnType::Int4}}};
  table.add("databases", snapshot->config->clusters.size());
  table.add("users", snapshot->config->users.size());
  table.add("peers", snapshot->config->peers.size());
  table.add("pools", pools.size());
  table.add("peer_pools", 0);
  table.add("free_clients", 0);
  table.add("used_clients", std::max(runtime.clients.load(std::memory_order_relaxed), 0));
  table.add("login_clients", runtime.unauthenticated.load(std::memory_order_relaxed));
  table.add("free_servers", 0);
  table.add("used_servers", servers);
  for (const char* dns : {"dns_names", "dns_zones", "dns_queries", "dns_pending"}) table.add(dns, 0);
  table.add("shards", shards);
  table.add("workers", runtime.workers.size());
  done(std::move(table));
}

}  // namespace pgweir::admin
