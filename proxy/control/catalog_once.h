// One catalog load without a running proxy: for `pgweir route` and tests.
#pragma once

#include <chrono>
#include <memory>

#include "config/config.h"
#include "routing/catalog/catalog.h"

namespace pgweir::control {

// Blocks for at most about `bound`. Errors: 08006 and the server's own. Any thread that has no event loop.
routing::Result<std::shared_ptr<const routing::Catalog>> load_catalog_once(const config::Config& config,
                                                                           const config::Cluster& cluster,
                                                                           std::chrono::milliseconds bound);

}  // namespace pgweir::control
