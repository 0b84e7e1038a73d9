// SHOW CLIENTS: a row for each authenticated client of a cluster; see socket_table.h.
#include "proxy/admin/command.h"
#include "proxy/admin/socket_table.h"

namespace pgweir::admin {

void show_clients(const Invocation& invocation, Done done) {
  collect_clients(invocation, [done = std::move(done)](const auto& clients) { done(clients_table(clients)); });
}

}  // namespace pgweir::admin
