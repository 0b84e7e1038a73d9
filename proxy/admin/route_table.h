// The answer of ROUTE: a decision of the router as rows (property, value). Pure functions.
#pragma once

#include "config/config.h"
#include "proxy/admin/table.h"
#include "routing/plan/route.h"

namespace pgweir::admin {

// kind, cluster, shards by name, role, the SQL that is sent where it differs from the client's, how results are merged,
// and the router's explanation, a row for each line.
Table route_table(const config::Cluster& cluster, const routing::Route& route);
// kind "refused", sqlstate, reason, message, detail, hint: those that are set.
Table refusal_table(const config::Cluster& cluster, const protocol::SqlError& refusal);

}  // namespace pgweir::admin
