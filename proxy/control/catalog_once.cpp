#include "proxy/control/catalog_once.h"

namespace pgweir::control {

routing::Result<std::shared_ptr<const routing::Catalog>> load_catalog_once(const config::Config&, const config::Cluster&,
                                                                          std::chrono::milliseconds) {
  return routing::SqlError{"0A000", "schemas cannot be loaded yet", {}, {}, {}, {}};
}

}  // namespace pgweir::control
