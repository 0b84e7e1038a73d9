#include "proxy/metrics/pool_view.h"

namespace pgweir::metrics {

std::vector<PoolView> pool_views(const runtime::Runtime& runtime, bool with_servers) {
  std::vector<PoolView> views;
  for (const pool::Pool* pool : runtime.pools.all()) {
    const auto target = pool->target();
    PoolView view;
    view.cluster = pool->key().cluster;
    view.user = pool->key().user;
    view.label = target->label;
    // The target's label, not the key's index, names the shard: after a reload that took the shard away, the
    // configuration has another shard at that index.
    view.shard = target->label.substr(0, target->label.rfind('/'));
    view.primary = target->primary;
    view.endpoint = target->endpoint;
    view.server_user = target->user;
    view.size = pool->limits().size;
    view.stats = pool->stats();
    view.pins = pool->pins();
    view.paused = pool->paused();
    if (with_servers) view.servers = pool->servers();
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace pgweir::metrics
