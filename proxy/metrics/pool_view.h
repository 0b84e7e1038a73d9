// What one pool looks like at a moment: the input of every table and family about pools. Value type.
#pragma once

#include <string>
#include <vector>

#include "proxy/pool/pool.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::metrics {

struct PoolView {
  std::string cluster, user;   // user: the client's login name
  std::string shard;           // by name
  std::string label;           // "eu1/primary", "eu1/replica0"
  bool primary = true;
  config::Endpoint endpoint;
  std::string server_user;
  unsigned size = 0;
  pool::PoolStats stats;
  pool::PinCounts pins;
  bool paused = false;
  std::vector<pool::ServerRow> servers;  // where they were asked for

  unsigned active() const {  // leased, or on the way to a client
    const unsigned other = stats.idle + stats.connecting;
    return stats.total > other ? stats.total - other : 0;
  }
  std::string_view role() const { return primary ? "primary" : "replica"; }
};

// Of every pool that was ever used, in the order of cluster, shard, endpoint and user. Takes each pool's short mutex in
// turn. Any thread.
std::vector<PoolView> pool_views(const runtime::Runtime& runtime, bool with_servers = false);

}  // namespace pgweir::metrics
