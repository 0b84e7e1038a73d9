// SHOW SHARDS: every server of every shard, as configured, with what the health monitor last saw. state: up,
// recovering, down, or unknown when nothing has looked at it yet.
#include <algorithm>

#include "proxy/admin/command.h"

namespace pgweir::admin {
namespace {

using metrics::EndpointState;

class ShardRows {
 public:
  ShardRows(Table& table, const std::vector<EndpointState>& states) : table_(table), states_(states) {}

  void add(const config::Cluster& cluster, const config::Shard& shard, const config::Endpoint& endpoint,
           std::string_view role) {
    const std::string address = endpoint.to_string();
    const auto found = std::ranges::find_if(states_, [&](const EndpointState& state) {
      return state.cluster == cluster.name && state.shard == shard.name && state.role == role &&
             state.endpoint == address;
    });
    const bool known = found != states_.end();
    table_.add(cluster.name, shard.name, shard.region, shard.tier, address, role,
               known ? metrics::endpoint_state_name(found->state) : "unknown",
               known ? found->last_error : std::string());
  }

 private:
  Table& table_;
  const std::vector<EndpointState>& states_;
};

}  // namespace

void show_shards(const Invocation& invocation, Done done) {
  Table table{{{"database"}, {"shard"}, {"region"}, {"tier"}, {"endpoint"}, {"role"}, {"state"}, {"last_error"}}};
  const std::vector<EndpointState> states =
      invocation.sources.health ? invocation.sources.health() : std::vector<EndpointState>();
  ShardRows rows(table, states);
  const auto snapshot = invocation.runtime.snapshot();
  for (const config::Cluster& cluster : snapshot->config->clusters) {
    for (const config::Shard& shard : cluster.shards) {
      rows.add(cluster, shard, shard.primary, "primary");
      for (const config::Endpoint& replica : shard.replicas) rows.add(cluster, shard, replica, "replica");
    }
  }
  done(std::move(table));
}

}  // namespace pgweir::admin
