#include "routing/plan/decide.h"

#include <algorithm>

#include "routing/plan/refusal.h"
#include "routing/plan/type_oids.h"

namespace pgweir::routing {
namespace {

std::optional<ShardId> find_shard(const ClusterRouting& cluster, std::string_view name) {
  const auto& shards = cluster.cluster->shards;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (shards[i].name == name) return ShardId{static_cast<std::uint16_t>(i)};
  }
  return std::nullopt;
}

// The shard that hints ask for: by name, or by a key of a one-level placement.
Result<std::optional<ShardId>> hinted_shard(const Decision& d) {
  const std::string_view name =
      !d.statement.hint_shard.empty() ? std::string_view(d.statement.hint_shard) : d.context.hint_shard;
  const std::string_view key = !d.statement.hint_sharding_key.empty() ? std::string_view(d.statement.hint_sharding_key)
                                                                      : d.context.hint_sharding_key;
  if (!name.empty()) {
    const auto shard = find_shard(d.cluster, name);
    if (!shard)
      return refuse(reason::kHintUnknown,
                    "cluster \"" + d.cluster.cluster->name + "\" has no shard \"" + std::string(name) + "\"",
                    "Correct the hint.");
    return shard;
  }
  const std::shared_ptr<const Placement> placement = d.plan.insert                ? d.plan.insert->placement
                                                     : !d.plan.narrowings.empty() ? d.plan.narrowings.front().placement
                                                                                  : nullptr;
  if (key.empty() || !placement) return std::optional<ShardId>{};
  if (placement->levels() != 1)
    return refuse(reason::kHintUnknown, "a sharding_key hint needs a placement of one level", "Use a shard hint.");
  auto value = key_from_text(placement->key_type(0), key, d.context.literals);
  if (!value.ok())
    return refuse(
        reason::kHintUnknown,
        "the sharding_key hint \"" + std::string(key) + "\" is not a " + key_type_name(placement->key_type(0)),
        "Correct the hint.");
  auto shard = placement->shard_for(std::span<const KeyValue>(&*value, 1));
  if (!shard.ok()) return shard.error();
  return std::optional<ShardId>(*shard);
}

SqlError contradiction(const Decision& d, ShardId hint, const ShardSet& shards) {
  return refuse(reason::kHintContradicts,
                "the hint names shard " + d.cluster.cluster->shards[hint.value].name +
                    ", but the statement belongs to " + shard_names(d.cluster, shards),
                "Correct or drop the hint.");
}

Result<Route> fixed(const Decision& d, std::optional<ShardId> hint) {
  Route route = *d.plan.fixed;
  if (route.kind == Route::Kind::Local || d.plan.follows_session) return route;
  if (hint) {
    if (!route.shards.contains(*hint) || (!route.any_shard && route.shards.size() > 1))
      return contradiction(d, *hint, route.shards);
    route.shards = ShardSet::single(*hint);
    route.any_shard = false;
  }
  return route;
}

// LIMIT and OFFSET as the merger gets them: -1 and 0 for none.
std::optional<SqlError> limit_value(const LimitValue& limit, const Decision& d, std::int64_t none, const char* name,
                                    const char* sqlstate, std::int64_t& out) {
  out = none;
  if (limit.kind == LimitValue::Kind::None) return std::nullopt;
  if (limit.kind == LimitValue::Kind::Constant) {
    out = limit.value;
  } else {
    const auto index = static_cast<std::size_t>(limit.parameter);
    if (!d.context.parameters_known || index == 0 || index > d.parameters.size() || d.parameters[index - 1].null)
      return std::nullopt;
    Parameter p = d.parameters[index - 1];
    if (p.type == 0) p.type = oid::kInt8;
    if (p.type != oid::kInt8 && p.type != oid::kInt4 && p.type != oid::kInt2) {
      return refuse(reason::kLimit, std::string("the parameter of ") + name + " is not an integer",
                    "Declare it as bigint.");
    }
    const auto value = key_from_parameter(config::KeyType::BigInt, p, d.context.literals);
    if (!value.ok())
      return SqlError{"22P02", "invalid input syntax for type bigint: \"" + std::string(p.binary ? "" : p.value) + "\"",
                      {},      {},
                      {},      {}};
    out = std::get<std::int64_t>(value->value);
  }
  if (out < 0) return SqlError{sqlstate, std::string(name) + " must not be negative", {}, {}, {}, {}};
  return std::nullopt;
}

Result<Route> several(const Decision& d, ShardSet shards) {
  const MultiPlan& multi = *d.plan.multi;
  Route route;
  route.kind = multi.kind;
  route.shards = std::move(shards);
  route.write = d.plan.write;
  route.count = multi.count;
  route.returning = multi.returning;
  std::vector<Splice> splices = multi.splices;
  if (!d.plan.nows.empty()) {
    if (d.context.in_transaction) {
      return refuse(reason::kNow, "now() inside a transaction block would be another time on each shard",
                    "Pass the time as a parameter.");
    }
    for (Splice& s : splices) s.text = expand_marks(std::move(s.text), d.plan.nows, d.context.now_microseconds);
    for (const NowUse& use : d.plan.nows) splices.push_back(now_splice(use, d.context.now_microseconds));
  }
  if (!splices.empty()) route.pushed_sql = apply_splices(d.text, d.facts.begin, d.facts.end, std::move(splices));
  auto merge = std::make_shared<MergePlan>(multi.merge);
  if (auto e = limit_value(multi.limit, d, -1, "LIMIT", "2201W", merge->limit)) return *e;
  if (auto e = limit_value(multi.offset, d, 0, "OFFSET", "2201X", merge->offset)) return *e;
  if (route.kind == Route::Kind::Scatter || route.returning) route.merge = std::move(merge);
  return route;
}

Result<Route> reference_write(const Decision& d, std::optional<ShardId> hint) {
  if (hint) return contradiction(d, *hint, *d.plan.allowed);
  auto route = several(d, *d.plan.allowed);
  if (route.ok()) route->reference_locks.push_back(d.plan.reference_table);
  return route;
}

struct Concerned {
  ShardSet shards, reach;
  std::string lines;
};

Result<Concerned> narrow(const Decision& d, const TermInput& input) {
  Concerned c;
  for (const Narrowing& n : d.plan.narrowings) {
    NarrowResult r = n.evaluate(input);
    if (r.error) return *r.error;
    if (d.context.want_explanation) {
      c.lines += "rows of " + n.table + ": " +
                 (r.shards.empty() ? std::string("none can match") : shard_names(d.cluster, r.shards));
      for (std::size_t i = 0; i < r.single.size(); ++i) {
        if (!r.single[i]) continue;
        if (const auto bucket = n.placement->bucket(i, *r.single[i])) c.lines += ", bucket " + std::to_string(*bucket);
      }
      c.lines += "\n";
    }
    c.shards = c.shards | r.shards;
    c.reach = c.reach | n.placement->reach();
  }
  return c;
}

Route one_shard(const Decision& d, ShardSet shards, bool any) {
  Route route;
  route.shards = std::move(shards);
  route.any_shard = any && route.shards.size() > 1;
  route.prefer_home = d.plan.prefer_home;
  route.write = d.plan.write;
  route.returning = d.plan.returning;
  if (!d.plan.single_splices.empty())
    route.pushed_sql = apply_splices(d.text, d.facts.begin, d.facts.end, d.plan.single_splices);
  return route;
}

// A SELECT, UPDATE or DELETE by what its sharded tables are narrowed to.
Result<Route> narrowed(const Decision& d, Concerned c, std::optional<ShardId> hint) {
  if (d.plan.narrowings.empty()) {
    ShardSet shards = *d.plan.allowed;
    if (hint) {
      if (!shards.contains(*hint)) return contradiction(d, *hint, shards);
      shards = ShardSet::single(*hint);
    }
    return one_shard(d, std::move(shards), d.plan.any_shard);
  }
  if (hint && !c.shards.empty()) {
    if (!c.shards.contains(*hint)) return contradiction(d, *hint, c.shards);
    c.shards = ShardSet::single(*hint);
  }
  if (c.shards.empty()) {
    // No row can match: every shard gives the right answer.
    if (d.plan.allowed) return one_shard(d, *d.plan.allowed, false);
    return one_shard(d, c.reach, true);
  }
  if (d.plan.allowed && !d.plan.allowed->contains_all(c.shards)) {
    // Which rows are meant may change with the parameters; the other tables are where they are.
    if (!d.context.parameters_known && d.facts.max_parameter > 0) return one_shard(d, *d.plan.allowed, true);
    return refuse(reason::kTablesApart,
                  "the rows of this statement are on shard " + shard_names(d.cluster, c.shards) +
                      ", its other tables or functions on shard " + shard_names(d.cluster, *d.plan.allowed),
                  "Split the statement, or make the other table a reference table.");
  }
  if (c.shards.size() == 1) return one_shard(d, std::move(c.shards), false);
  if (d.plan.multi) return several(d, std::move(c.shards));
  if (!d.context.parameters_known && d.facts.max_parameter > 0) return one_shard(d, std::move(c.shards), true);
  return *d.plan.multi_refusal;
}

}  // namespace

std::string shard_names(const ClusterRouting& cluster, const ShardSet& shards) {
  std::string out;
  for (const ShardId s : shards) out += (out.empty() ? "" : ", ") + cluster.cluster->shards[s.value].name;
  return out;
}

Result<Role> decide_role(const ClusterRouting& cluster, const StatementFacts& facts, const StatementTemplate& statement,
                         const RouteContext& context) {
  const std::string_view hint =
      !statement.hint_role.empty() ? std::string_view(statement.hint_role) : context.hint_role;
  if (!hint.empty() && hint != "primary" && hint != "replica") {
    return refuse(reason::kHintUnknown, "the role hint \"" + std::string(hint) + "\" is neither primary nor replica",
                  "Correct the hint.");
  }
  // BEGIN READ ONLY asks for a replica, too.
  const bool read_only_block = context.in_transaction && context.read_only_transaction;
  const bool asked = hint.empty() ? read_only_block || context.reads.value_or(cluster.cluster->reads) == config::Reads::Replica
                                  : hint == "replica";
  if (!asked) return Role::Primary;
  if (facts.read_only) return context.in_transaction && !context.read_only_transaction ? Role::Primary : Role::Replica;
  const bool touches_rows = facts.kind == StatementKind::Select || facts.kind == StatementKind::Insert ||
                            facts.kind == StatementKind::Update || facts.kind == StatementKind::Delete ||
                            facts.kind == StatementKind::Merge || facts.kind == StatementKind::Copy ||
                            facts.kind == StatementKind::Truncate || facts.kind == StatementKind::Ddl;
  if (hint == "replica" && touches_rows && !(context.in_transaction && !context.read_only_transaction)) {
    return refuse(reason::kHintContradicts, "the statement is not provably read-only, but the hint asks for a replica",
                  "Drop the hint for this statement.");
  }
  return Role::Primary;
}

Result<Route> decide(const Decision& d) {
  const Plan& plan = d.plan;
  if (!d.statement.hint_unknown.empty()) {
    return refuse(reason::kHintUnknown, "unknown hint \"" + d.statement.hint_unknown + "\"",
                  "There are shard, sharding_key and role.");
  }
  if (plan.refusal) return *plan.refusal;
  auto hint = plan.follows_session ? Result<std::optional<ShardId>>(std::optional<ShardId>{}) : hinted_shard(d);
  if (!hint.ok()) return hint.error();
  auto role = decide_role(d.cluster, d.facts, d.statement, d.context);
  if (!role.ok()) return role.error();
  TermInput input;
  input.parameters = d.parameters;
  input.literals = &d.context.literals;
  input.parameters_known = d.context.parameters_known;
  input.server_encoding = d.context.server_encoding;
  input.now_known = !d.context.in_transaction;
  input.now_microseconds = d.context.now_microseconds;
  Concerned concerned;
  auto route = [&]() -> Result<Route> {
    if (plan.fixed) return fixed(d, *hint);
    if (!plan.reference_table.empty()) return reference_write(d, *hint);
    auto narrowed_to = narrow(d, input);
    if (!narrowed_to.ok()) return narrowed_to.error();
    concerned = std::move(*narrowed_to);
    if (plan.insert) return decide_insert(d, input, concerned.shards, *hint);
    return narrowed(d, concerned, *hint);
  }();
  if (!route.ok()) return route;
  route->role = route->write ? Role::Primary : *role;
  route->no_transaction_block = d.facts.no_transaction_block;
  if (d.context.want_explanation && route->kind != Route::Kind::Local) {
    route->explanation = plan.explanation + concerned.lines + route->explanation +
                         "shards: " + shard_names(d.cluster, route->shards) + (route->any_shard ? " (any one)" : "") +
                         ", " + (route->role == Role::Replica ? "replica" : "primary") + "\n";
  }
  return route;
}

}  // namespace pgweir::routing
