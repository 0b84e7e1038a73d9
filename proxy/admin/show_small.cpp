// PgBouncer's smaller tables: USERS, STATE, PEERS, PEER_POOLS, MEM, DNS_HOSTS, DNS_ZONES, and FDS, which is refused.
#include <map>

#include "config/names.h"
#include "proxy/admin/command.h"
#include "proxy/metrics/pool_view.h"

namespace pgweir::admin {
namespace {

constexpr ColumnType kInt4 = ColumnType::Int4;
constexpr ColumnType kInt8 = ColumnType::Int8;

}  // namespace

// pool_size, reserve_pool_size and pool_mode are NULL where the user has none of its own.
void show_users(const Invocation& invocation, Done done) {
  collect_clients(invocation, [&runtime = invocation.runtime, done = std::move(done)](const auto& clients) {
    std::map<std::string, unsigned> connections, by_user;
    for (const metrics::PoolView& pool : metrics::pool_views(runtime)) connections[pool.user] += pool.stats.total;
    for (const runtime::ClientInfo& client : clients) ++by_user[client.user];
    Table table{{{"name"}, {"pool_size"}, {"reserve_pool_size"}, {"pool_mode"}, {"max_user_connections", kInt4},
                 {"current_connections", kInt4}, {"max_user_client_connections", kInt4},
                 {"current_client_connections", kInt4}}};
    const auto snapshot = runtime.snapshot();
    for (const config::User& user : snapshot->config->users)
      table.add(user.name, user.pool.size ? cell(*user.pool.size) : Value(),
                user.pool.reserve_size ? cell(*user.pool.reserve_size) : Value(),
                user.pool.mode ? cell(config::to_word(*user.pool.mode)) : Value(),
                user.pool.max_connections.value_or(0), connections[user.name],
                user.max_client_connections, by_user[user.name]);
    done(std::move(table));
  });
}

void show_state(const Invocation& invocation, Done done) {
  const bool paused = invocation.runtime.pools.holds().all_paused();
  Table table{{{"key"}, {"value"}}};
  table.add("active", paused ? "no" : "yes");
  table.add("paused", paused ? "yes" : "no");
  table.add("suspended", "no");
  done(std::move(table));
}

void show_peers(const Invocation& invocation, Done done) {
  const auto snapshot = invocation.runtime.snapshot();
  Table table{{{"peer_id", kInt4}, {"host"}, {"port", kInt4}, {"pool_size", kInt4}}};
  for (const auto& peer : snapshot->config->peers) table.add(peer.node_id, peer.address.host, peer.address.port, 0);
  done(std::move(table));
}

// Cancel requests for peers go over connections of their own, made for each: there is no pool of them.
void show_peer_pools(const Invocation&, Done done) {
  done(Table{{{"peer_id", kInt4}, {"cl_active_cancel_req", kInt4}, {"cl_waiting_cancel_req", kInt4},
              {"sv_active_cancel", kInt4}, {"sv_login", kInt4}}});
}

// One row: the buffers of all workers, against listen.memory_budget.
void show_mem(const Invocation& invocation, Done done) {
  const auto used = invocation.runtime.memory.charged();
  const auto limit = invocation.runtime.snapshot()->config->listen.memory_budget;
  Table table{{{"name"}, {"size", kInt4}, {"used", kInt8}, {"free", kInt8}, {"memtotal", kInt8}}};
  table.add("buffers", 1, used, limit > used ? limit - used : 0, limit);
  done(std::move(table));
}

// Names are asked of the system's resolver and its answers are not kept by name: there is nothing to list.
void show_dns_hosts(const Invocation&, Done done) { done(Table{{{"hostname"}, {"ttl", kInt8}, {"addrs"}}}); }
void show_dns_zones(const Invocation&, Done done) {
  done(Table{{{"zonename"}, {"serial", kInt8}, {"count", kInt4}}});
}

void show_fds(const Invocation&, Done done) {
  done(protocol::SqlError{"0A000", "SHOW FDS is not supported",
                          "It would tell cancel keys and hand sockets to another process.", {}, {}, {}});
}

}  // namespace pgweir::admin
