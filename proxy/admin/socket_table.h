// The table of SHOW CLIENTS, SERVERS, SOCKETS and ACTIVE_SOCKETS: PgBouncer's columns, then our own. Pure functions.
#pragma once

#include <span>

#include "proxy/admin/table.h"
#include "proxy/metrics/pool_view.h"

namespace pgweir::admin {

// ptr and link stand for PgBouncer's addresses of objects: "C" or "S" and the id. What has no meaning here is 0 or empty
// (docs/operations.md). The pools come with their servers (metrics::pool_views()).
Table clients_table(std::span<const runtime::ClientInfo> clients);
Table servers_table(std::span<const metrics::PoolView> pools, std::span<const runtime::ClientInfo> clients);
// Both kinds, with states as "cl_active" and "sv_idle" and PgBouncer's buffer columns behind. active: only connections in use.
Table sockets_table(std::span<const metrics::PoolView> pools, std::span<const runtime::ClientInfo> clients, bool active);

}  // namespace pgweir::admin
