// SHOW DATABASES: see pool_tables.h.
#include "proxy/admin/command.h"
#include "proxy/admin/pool_tables.h"

namespace pgweir::admin {

void show_databases(const Invocation& invocation, Done done) {
  collect_clients(invocation, [&runtime = invocation.runtime, done = std::move(done)](const auto& clients) {
    done(databases_table(*runtime.snapshot()->config, metrics::pool_views(runtime), clients, runtime.pools.holds()));
  });
}

}  // namespace pgweir::admin
