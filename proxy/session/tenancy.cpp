#include "proxy/session/tenancy.h"

#include <algorithm>

namespace pgweir::session {

TenancyPtr Tenancies::of(const runtime::SnapshotPtr& snapshot, const routing::ClusterRouting& cluster, const std::string& user) {
  if (of_.lock() != snapshot) {
    known_.clear();
    of_ = snapshot;
  }
  if (known_.size() >= sweep_at_) sweep();
  auto& tenancy = known_[{cluster.cluster->name, user}];
  if (!tenancy) {
    tenancy = of_none(cluster.cluster->name);
    tenancy->pool = config::effective_pool(*cluster.cluster, snapshot->config->find_user(user));
    tenancy->primaries.assign(cluster.cluster->shards.size(), nullptr);
  }
  return tenancy;
}

TenancyPtr Tenancies::of_none(const std::string& cluster) {
  auto tenancy = std::make_shared<Tenancy>();
  tenancy->cells = &metrics_.cluster(worker_, cluster);
  return tenancy;
}

// Users who have left are forgotten.
void Tenancies::sweep() {
  std::erase_if(known_, [](const auto& entry) { return entry.second.use_count() == 1; });
  sweep_at_ = std::max<std::size_t>(64, known_.size() * 2);
}

}  // namespace pgweir::session
