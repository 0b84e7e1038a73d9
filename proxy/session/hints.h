// Where the client has asked for its statements to run: the settings pgweir.shard, pgweir.sharding_key and pgweir.role, empty
// where it has not. Value types.
#pragma once

#include <optional>
#include <string>

namespace pgweir::session {

struct RoutingHints {
  std::string shard, key, role;
  bool none() const { return shard.empty() && key.empty() && role.empty(); }
};

struct Hints {
  RoutingHints now;
  std::optional<RoutingHints> before_local;   // SET LOCAL pgweir.*: restored at the end of the transaction
  bool none() const { return now.none() && !before_local; }
};

}  // namespace pgweir::session
