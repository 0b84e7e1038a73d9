// From a plan, the values of one execution and the session's state to a Route. Pure; thread-safe.
#pragma once

#include <span>
#include <string_view>

#include "routing/plan/plan.h"
#include "routing/plan/router.h"
#include "routing/plan/template.h"

namespace pgweir::routing {

// One statement, its plan, and everything a decision depends on. Views live during the call.
struct Decision {
  const ClusterRouting& cluster;
  std::string_view text;
  const StatementFacts& facts;
  const StatementTemplate& statement;
  const Plan& plan;
  std::span<const Parameter> parameters;
  const RouteContext& context;
};

// On a sharded cluster.
Result<Route> decide(const Decision& decision);
// INSERT into a sharded table (decide_insert.cpp). `hint`: the shard of a hint, if any.
Result<Route> decide_insert(const Decision& decision, const TermInput& input, const ShardSet& read,
                            std::optional<ShardId> hint);
// Replica only for what is provably read-only and where replicas are asked for; a hint that a statement cannot follow
// is an error.
Result<Role> decide_role(const ClusterRouting& cluster, const StatementFacts& facts, const StatementTemplate& statement,
                         const RouteContext& context);

std::string shard_names(const ClusterRouting& cluster, const ShardSet& shards);

}  // namespace pgweir::routing
