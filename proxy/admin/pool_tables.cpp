#include "proxy/admin/pool_tables.h"

#include <algorithm>
#include <map>
#include <utility>

#include "config/names.h"

namespace pgweir::admin {
namespace {

using metrics::PoolView;
using runtime::ClientInfo;

constexpr ColumnType kInt4 = ColumnType::Int4;

struct PoolSums {
  unsigned clients_active = 0, clients_waiting = 0, active = 0, idle = 0, connecting = 0, pinned = 0;
  std::chrono::microseconds oldest_wait{0};
};

std::string pool_mode(const config::Config& config, const std::string& cluster, const std::string& user) {
  const config::Cluster* found = config.find_cluster(cluster);
  if (!found) return "removed";  // by a reload; what is in use ends with its transaction
  return std::string(config::to_word(config::effective_pool(*found, config.find_user(user)).mode));
}

const config::Shard* home_shard(const config::Cluster& cluster) {
  const auto found = std::ranges::find(cluster.shards, cluster.home, &config::Shard::name);
  return found == cluster.shards.end() ? nullptr : &*found;
}

}  // namespace

Table pools_table(const config::Config& config, std::span<const PoolView> pools, std::span<const ClientInfo> clients) {
  std::map<std::pair<std::string, std::string>, PoolSums> sums;
  for (const PoolView& pool : pools) {
    PoolSums& sum = sums[{pool.cluster, pool.user}];
    sum.active += pool.active();
    sum.idle += pool.stats.idle;
    sum.connecting += pool.stats.connecting;
    sum.pinned += pool.pins.all();
    sum.clients_waiting += pool.stats.waiting;
    sum.oldest_wait = std::max(sum.oldest_wait, pool.stats.oldest_wait);
  }
  std::map<std::pair<std::string, std::string>, unsigned> waiting;  // as the sessions themselves say
  for (const ClientInfo& client : clients) {
    PoolSums& sum = sums[{client.database, client.user}];
    client.state == "waiting" ? ++waiting[{client.database, client.user}] : ++sum.clients_active;
  }
  Table table{{{"database"}, {"user"}, {"cl_active", kInt4}, {"cl_waiting", kInt4}, {"cl_active_cancel_req", kInt4},
               {"cl_waiting_cancel_req", kInt4}, {"sv_active", kInt4}, {"sv_active_cancel", kInt4},
               {"sv_being_canceled", kInt4}, {"sv_idle", kInt4}, {"sv_used", kInt4}, {"sv_tested", kInt4},
               {"sv_login", kInt4}, {"maxwait", kInt4}, {"maxwait_us", kInt4}, {"pool_mode"},
               {"load_balance_hosts"}, {"sv_pinned", kInt4}}};
  for (const auto& [key, sum] : sums) {
    // A client that waits for several shards at once may stand in none of their queues, or in one.
    const auto said = waiting.find(key);
    const unsigned waits = std::max(sum.clients_waiting, said == waiting.end() ? 0u : said->second);
    const auto micros = sum.oldest_wait.count();
    table.add(key.first, key.second, sum.clients_active, waits, 0, 0, sum.active, 0, 0, sum.idle, 0, 0, sum.connecting,
              micros / 1'000'000, micros % 1'000'000, pool_mode(config, key.first, key.second), Value(), sum.pinned);
  }
  return table;
}

Table databases_table(const config::Config& config, std::span<const PoolView> pools, std::span<const ClientInfo> clients,
                      const pool::Holds& holds) {
  Table table{{{"name"}, {"host"}, {"port", kInt4}, {"database"}, {"force_user"}, {"pool_size", kInt4},
               {"min_pool_size", kInt4}, {"reserve_pool_size", kInt4}, {"server_lifetime", kInt4}, {"pool_mode"},
               {"load_balance_hosts"}, {"max_connections", kInt4}, {"current_connections", kInt4},
               {"max_client_connections", kInt4}, {"current_client_connections", kInt4}, {"paused", kInt4},
               {"disabled", kInt4},
               {"shards", kInt4}, {"home"}}};
  for (const config::Cluster& cluster : config.clusters) {
    unsigned connections = 0;
    for (const PoolView& pool : pools) connections += pool.cluster == cluster.name ? pool.stats.total : 0;
    const config::Shard* home = home_shard(cluster);
    const auto lifetime = std::chrono::duration_cast<std::chrono::seconds>(cluster.pool.server_lifetime).count();
    table.add(cluster.name, home ? cell(home->primary.host) : Value(), home ? cell(home->primary.port) : Value(),
              cluster.database, Value(), cluster.pool.size, cluster.pool.min_size, cluster.pool.reserve_size, lifetime,
              config::to_word(cluster.pool.mode), Value(), cluster.max_server_connections, connections,
              cluster.max_client_connections,
              std::ranges::count(clients, cluster.name, &ClientInfo::database), holds.paused(cluster.name) ? 1 : 0,
              holds.disabled(cluster.name) ? 1 : 0,
              cluster.shards.size(), cluster.home);
  }
  table.add(config.admin.database, Value(), Value(), config.admin.database, config.admin.database, 0, 0, 0, 0,
            "statement", Value(), 0, 0, 0, 0, 0, 0, 0, Value());
  return table;
}

}  // namespace pgweir::admin
