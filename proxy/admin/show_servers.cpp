// SHOW SERVERS: one row for each pool and state, with a count; see pool_tables.h for why.
#include "proxy/admin/command.h"
#include "proxy/admin/pool_tables.h"

namespace pgweir::admin {

void show_servers(const Invocation& invocation, Done done) {
  done(servers_table(metrics::pool_views(invocation.runtime)));
}

}  // namespace pgweir::admin
