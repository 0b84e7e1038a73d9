// Names of pools. Value types.
#pragma once

#include <compare>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "routing/types.h"

namespace pgweir::pool {

// One server endpoint of a shard: its primary or one of its replicas.
struct EndpointId {
  routing::ShardId shard;
  std::int16_t replica = -1;  // -1: the primary; else index into config::Shard::replicas
  auto operator<=>(const EndpointId&) const = default;
};

// One pool: server connections in it are interchangeable but for their settings and prepared statements.
struct PoolKey {
  std::string cluster;
  EndpointId endpoint;
  std::string user;  // the client's login name (its server login may differ)
  auto operator<=>(const PoolKey&) const = default;
};

// Where and as whom to log in. Immutable; shared by the pool and the connections made from it.
struct ServerTarget {
  config::Endpoint endpoint;
  std::string database;
  std::string user;
  config::Secret password;
  config::ServerTls tls;
  std::string label;      // "eu1/primary", "eu1/replica0": for messages and metrics
  bool primary = true;    // in_hot_standby must be off
  // Further startup parameters; only of connections that are not shared (Pool::open_own).
  std::vector<std::pair<std::string, std::string>> startup = {};
  bool operator==(const ServerTarget&) const = default;
};

}  // namespace pgweir::pool
