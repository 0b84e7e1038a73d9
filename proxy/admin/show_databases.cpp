// SHOW DATABASES: see pool_tables.h.
#include "proxy/admin/command.h"
#include "proxy/admin/pool_tables.h"

namespace pgweir::admin {

void show_databases(const Invocation& invocation, Done done) {
  const auto snapshot = invocation.runtime.snapshot();
  done(databases_table(*snapshot->config, metrics::pool_views(invocation.runtime)));
}

}  // namespace pgweir::admin
