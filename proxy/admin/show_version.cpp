// SHOW VERSION: one row, "pgweir 0.1.0".
#include "proxy/admin/command.h"
#include "proxy/metrics/process.h"

namespace pgweir::admin {

void show_version(const Invocation&, Done done) {
  Table table{{{"version"}}};
  table.add("pgweir " + std::string(metrics::version()));
  done(std::move(table));
}

}  // namespace pgweir::admin
