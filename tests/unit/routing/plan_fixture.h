// A cluster of three shards for tests of the router, and a printer of routes.
#pragma once

#include <memory>
#include <string>

#include "routing/plan/router.h"

namespace pgweir::routing {

// Shards eu1 (home), us1, archive. Tables: users, courses, enrollments, federation_identities (by tenant), activities
// (by time, then tenant), content (by region), orders and items (by a bigint), tenants (reference), jobs (local on
// eu1).
std::shared_ptr<const ClusterRouting> fediflow();
// One shard, no tables, one replica.
std::shared_ptr<const ClusterRouting> plain_cluster();

std::string print(const ClusterRouting& cluster, const Result<Route>& route);

}  // namespace pgweir::routing
