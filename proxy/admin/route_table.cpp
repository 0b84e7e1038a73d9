#include "proxy/admin/route_table.h"

#include <algorithm>

namespace pgweir::admin {
namespace {

using routing::AggregateFunction;
using routing::MergeAggregate;
using routing::MergeKey;
using routing::MergePlan;
using routing::Route;

Table properties() { return Table{{{"property"}, {"value"}}, {}, "ROUTE"}; }

std::string_view kind_name(Route::Kind kind) {
  switch (kind) {
    case Route::Kind::OneShard: return "one_shard";
    case Route::Kind::Scatter: return "scatter";
    case Route::Kind::Broadcast: return "broadcast";
    case Route::Kind::Split: return "split";
    case Route::Kind::CopyIn: return "copy_in";
    case Route::Kind::CopyOut: return "copy_out";
    case Route::Kind::Local: return "local";
  }
  return "?";
}

std::string_view kind_name(MergePlan::Kind kind) {
  switch (kind) {
    case MergePlan::Kind::Concat: return "concat";
    case MergePlan::Kind::Ordered: return "ordered";
    case MergePlan::Kind::Group: return "group";
    case MergePlan::Kind::First: return "first";
  }
  return "?";
}

std::string_view function_name(AggregateFunction function) {
  switch (function) {
    case AggregateFunction::Count: return "count";
    case AggregateFunction::Sum: return "sum";
    case AggregateFunction::Min: return "min";
    case AggregateFunction::Max: return "max";
    case AggregateFunction::Avg: return "avg";
  }
  return "?";
}

std::string shard_name(const config::Cluster& cluster, routing::ShardId shard) {
  return shard.value < cluster.shards.size() ? cluster.shards[shard.value].name : "#" + std::to_string(shard.value);
}

void join(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

std::string shard_names(const config::Cluster& cluster, const routing::ShardSet& shards) {
  std::string names;
  for (const routing::ShardId shard : shards) join(names, shard_name(cluster, shard));
  return names;
}

// "hidden 1 desc nulls first": a key is a column that the rewriter has appended, or a merged aggregate.
std::string key_text(const MergeKey& key) {
  std::string text = key.source == MergeKey::Source::Hidden ? "hidden " : "aggregate ";
  text += std::to_string(key.index);
  if (key.descending) text += " desc";
  if (key.nulls_first != key.descending) text += key.nulls_first ? " nulls first" : " nulls last";
  return text;
}

void add_merge(const MergePlan& plan, Table& table) {
  table.add("merge", kind_name(plan.kind));
  std::string groups, aggregates, order;
  for (const std::uint16_t column : plan.group_by) join(groups, "hidden " + std::to_string(column));
  for (const MergeAggregate& aggregate : plan.aggregates) {
    const std::string place =
        aggregate.visible >= 0 ? "column " + std::to_string(aggregate.visible + 1) : std::string("order only");
    join(aggregates, std::string(function_name(aggregate.function)) + " (" + place + ")");
  }
  for (const MergeKey& key : plan.order) join(order, key_text(key));
  if (!groups.empty()) table.add("merge group by", groups);
  if (plan.global_aggregate) table.add("merge group by", "(all rows)");
  if (!aggregates.empty()) table.add("merge aggregates", aggregates);
  if (!order.empty()) table.add("merge order by", order);
  if (plan.limit >= 0) table.add("merge limit", plan.limit);
  if (plan.offset > 0) table.add("merge offset", plan.offset);
  if (plan.hidden > 0) table.add("merge hidden columns", plan.hidden);
}

void add_local(const routing::LocalAction& action, Table& table) {
  using Kind = routing::LocalAction::Kind;
  switch (action.kind) {
    case Kind::SetHint: table.add("local", "set pgweir." + action.name + " = " + action.value); break;
    case Kind::ResetHint: table.add("local", "reset pgweir." + action.name); break;
    case Kind::ShowHint: table.add("local", "show pgweir." + action.name); break;
    case Kind::ExplainRoute: table.add("local", "explain the route"); break;
  }
}

void add_lines(std::string_view property, std::string_view text, Table& table) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (!line.empty()) table.add(property, line);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
}

void add_write_facts(const Route& route, Table& table) {
  if (route.no_transaction_block) table.add("atomic", "no: cannot run in a transaction block, shard by shard");
  std::string locks;
  for (const std::string& name : route.reference_locks) join(locks, name);
  if (!locks.empty()) table.add("reference locks", locks);
  if (route.ddl) table.add("ddl", "yes");
}

}  // namespace

Table route_table(const config::Cluster& cluster, const Route& route) {
  Table table = properties();
  table.add("kind", kind_name(route.kind));
  table.add("cluster", cluster.name);
  if (route.kind == Route::Kind::Local) {
    add_local(route.local, table);
  } else {
    table.add("shards", shard_names(cluster, route.shards));
    if (route.any_shard) table.add("any shard", "yes: each of them gives the answer");
    table.add("role", route.role == routing::Role::Replica ? "replica" : "primary");
    table.add("write", route.write ? "yes" : "no");
  }
  if (!route.pushed_sql.empty()) table.add("sql", route.pushed_sql);
  for (const routing::ShardStatement& statement : route.statements)
    table.add("sql for " + shard_name(cluster, statement.shard), statement.sql);
  if (route.merge) add_merge(*route.merge, table);
  add_write_facts(route, table);
  add_lines("explanation", route.explanation, table);
  return table;
}

Table refusal_table(const config::Cluster& cluster, const protocol::SqlError& refusal) {
  Table table = properties();
  table.add("kind", "refused");
  table.add("cluster", cluster.name);
  table.add("sqlstate", refusal.sqlstate);
  if (!refusal.reason.empty()) table.add("reason", refusal.reason);
  table.add("message", refusal.message);
  if (!refusal.detail.empty()) table.add("detail", refusal.detail);
  if (!refusal.hint.empty()) table.add("hint", refusal.hint);
  return table;
}

}  // namespace pgweir::admin
