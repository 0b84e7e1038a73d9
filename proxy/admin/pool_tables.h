// The tables about pools, made of views of them: pure functions, so that what they show can be tested without servers.
#pragma once

#include <span>

#include "proxy/admin/table.h"
#include "proxy/metrics/pool_view.h"

namespace pgweir::admin {

// SHOW POOLS, with PgBouncer's columns: one row for each database (cluster) and user that has a pool or a client. Its
// server connections to all shards add up; sv_active counts also what is on its way to a client.
Table pools_table(const config::Config& config, std::span<const metrics::PoolView> pools,
                  std::span<const runtime::ClientInfo> clients);

// SHOW DATABASES, with PgBouncer's columns: one row for each cluster, with its home shard's primary as host and port,
// and one for the console itself.
Table databases_table(const config::Config& config, std::span<const metrics::PoolView> pools,
                      std::span<const runtime::ClientInfo> clients, const pool::Holds& holds);

}  // namespace pgweir::admin
