// SHOW SERVERS, SOCKETS and ACTIVE_SOCKETS: a row for each connection; see socket_table.h. Clients are asked for to say who
// has which server.
#include "proxy/admin/command.h"
#include "proxy/admin/socket_table.h"

namespace pgweir::admin {
namespace {

void show_sockets(const Invocation& invocation, Done done, bool active) {
  collect_clients(invocation, [&runtime = invocation.runtime, done = std::move(done), active](const auto& clients) {
    done(sockets_table(metrics::pool_views(runtime, true), clients, active));
  });
}

}  // namespace

void show_servers(const Invocation& invocation, Done done) {
  collect_clients(invocation, [&runtime = invocation.runtime, done = std::move(done)](const auto& clients) {
    done(servers_table(metrics::pool_views(runtime, true), clients));
  });
}

void show_all_sockets(const Invocation& invocation, Done done) { show_sockets(invocation, std::move(done), false); }
void show_active_sockets(const Invocation& invocation, Done done) { show_sockets(invocation, std::move(done), true); }

}  // namespace pgweir::admin
