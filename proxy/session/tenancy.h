// What sessions of one worker with the same cluster and user share, so that each of many holds one pointer. Made anew for
// every snapshot; a session keeps the one of its own. On the worker's thread only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "proxy/metrics/metrics.h"
#include "proxy/pool/pool.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::session {

struct Tenancy {
  config::Pool pool;                    // effective for this cluster and user
  std::vector<pool::Pool*> primaries;   // by shard; null: not looked up yet
  metrics::ClusterCells* cells = nullptr;   // of this worker; never null
};
using TenancyPtr = std::shared_ptr<Tenancy>;

class Tenancies {
 public:
  Tenancies(metrics::Registry& metrics, unsigned worker) : metrics_(metrics), worker_(worker) {}
  // Precondition: `cluster` is one of the snapshot's.
  TenancyPtr of(const runtime::SnapshotPtr& snapshot, const routing::ClusterRouting& cluster, const std::string& user);

  // Of a cluster that no snapshot has any more.
  TenancyPtr of_none(const std::string& cluster);

 private:
  void sweep();
  metrics::Registry& metrics_;
  const unsigned worker_;
  std::weak_ptr<const runtime::Snapshot> of_;  // the snapshot that they were made from
  std::map<std::pair<std::string, std::string>, TenancyPtr> known_;   // by cluster and user; those in use, and fewer others than that
  std::size_t sweep_at_ = 64;
};

}  // namespace pgweir::session
