// Aggregates, GROUP BY and DISTINCT over several shards: every shard gives its groups with partial results in hidden
// columns, the merger makes one row of each group.
#include <algorithm>

#include "routing/plan/functions.h"
#include "routing/plan/planner.h"
#include "routing/plan/refusal.h"
#include "routing/sql/walk.h"

namespace pgweir::routing {
namespace {

using sql::Expr;
using sql::ExprKind;

std::optional<AggregateFunction> mergeable(std::string_view name) {
  if (name == "count") return AggregateFunction::Count;
  if (name == "sum") return AggregateFunction::Sum;
  if (name == "min") return AggregateFunction::Min;
  if (name == "max") return AggregateFunction::Max;
  if (name == "avg") return AggregateFunction::Avg;
  return std::nullopt;
}

// A LIMIT or OFFSET that is cut out of the pushed text must still mention its parameters, or the server cannot know
// their types. The value is always NULL: no limit.
std::string mention(const LimitValue& limit, const LimitValue& offset) {
  std::string text;
  for (const LimitValue* v : {&limit, &offset}) {
    if (v->kind != LimitValue::Kind::Parameter) continue;
    text += (text.empty() ? "" : " OR ") + ("$" + std::to_string(v->parameter)) + "::pg_catalog.int8 IS NULL";
  }
  return text.empty() ? "" : " LIMIT CASE WHEN " + text + " THEN NULL::pg_catalog.int8 END";
}

}  // namespace

bool Planner::is_aggregate(const Expr& e) const {
  return e.kind == ExprKind::Call && !e.call->over && function_facts(cluster_, path_, e).aggregate;
}

bool Planner::contains_aggregate(const Expr& e) const {
  bool found = false;
  sql::each_local(e, [&](const Expr& node) { found |= is_aggregate(node); });
  return found;
}

bool Planner::same_value(const Expr& a, const Expr& b) const {
  if (&a == &b || sql::same(a, b)) return true;
  const QueryLevel& main = *bound_.levels.front();
  const auto x = main.resolve(a), y = main.resolve(b);
  return x && y && *x == *y;
}

// Made of group keys, constants and functions that give the same for the same key.
bool Planner::over_keys(const Expr& e) const {
  for (const Item& key : keys_) {
    if (key.expr != nullptr && same_value(*key.expr, e)) return true;
    const auto column = bound_.levels.front()->resolve(e);
    if (key.column && column && *column == *key.column) return true;
  }
  switch (e.kind) {
    case ExprKind::Column:
    case ExprKind::SubLink:
    case ExprKind::Opaque:
    case ExprKind::Grouping:
    case ExprKind::Default:
      return false;
    case ExprKind::Call: {
      const FunctionFacts f = function_facts(cluster_, path_, e);
      if (f.aggregate || f.window || f.returns_set || f.volatility == 'v' || e.call->over) return false;
      break;
    }
    default:
      break;
  }
  return std::all_of(e.args.begin(), e.args.end(), [&](const auto& a) { return !a || over_keys(*a); });
}

Planner::Failure Planner::grouped(const sql::Select& s, MultiPlan& multi) {
  if (s.having)
    return refuse(reason::kHaving, "HAVING over groups whose rows are on several shards",
                  "Group by all key columns, or " + narrow_hint());
  multi.merge.kind = MergePlan::Kind::Group;
  multi.merge.global_aggregate = s.group_by.empty();
  if (auto f = group_keys(s, multi)) return f;
  if (auto f = group_targets(s, multi)) return f;
  if (auto f = group_order(s, multi)) return f;
  if (ranges_->order_begin < ranges_->end)
    multi.splices.push_back({ranges_->order_begin, ranges_->end, mention(multi.limit, multi.offset)});
  return std::nullopt;
}

Planner::Failure Planner::group_keys(const sql::Select& s, MultiPlan& multi) {
  for (std::size_t i = 0; i < s.group_by.size(); ++i) {
    auto item = group_item(*s.group_by[i], ranges_->group_by[i]);
    if (!item.ok()) return item.error();
    if (item->expr != nullptr && contains_aggregate(*item->expr))
      return SqlError{"42803", "aggregate functions are not allowed in GROUP BY", {}, {}, {}, {}};
    if (!deterministic(item->expr, item->column)) return collation_refusal(item->text);
    multi.merge.group_by.push_back(static_cast<std::uint16_t>(hidden_.size()));
    hidden_.push_back(item->text);
    keys_.push_back(std::move(*item));
  }
  return std::nullopt;
}

Result<std::size_t> Planner::aggregate(const Expr& e, std::int32_t visible, MultiPlan& multi) {
  const auto function = mergeable(e.name());
  const bool plain = e.names.size() == 1 || e.names.front() == "pg_catalog";
  const auto call =
      e.location < 0 ? std::nullopt : find_call(text_, static_cast<std::size_t>(e.location), statement_->end);
  const FunctionFacts facts = function_facts(cluster_, path_, e);
  if (!function || !plain || !call || facts.known != FunctionFacts::Known::BuiltIn || e.call->within_group ||
      !e.call->order.empty() || e.call->variadic) {
    return refuse(reason::kAggregate, "aggregate " + e.name() + " over rows of several shards is not merged",
                  "Group by all key columns, or " + narrow_hint());
  }
  if (e.call->distinct)
    return refuse(reason::kAggregate, "DISTINCT in " + e.name() + " over rows of several shards is not merged",
                  "Group by all key columns, or " + narrow_hint());
  bool sublinks = false;
  sql::each_expr(e, [&](const Expr& node) { sublinks |= node.kind == ExprKind::SubLink; });
  if (sublinks)
    return refuse(reason::kAggregateExpression, "a sub-select inside an aggregate over several shards", narrow_hint());
  MergeAggregate merged;
  merged.function = *function;
  merged.first = static_cast<std::uint16_t>(hidden_.size());
  merged.visible = visible;
  const std::string arguments = "(" + copy(call->arguments) + ")" +
                                (call->filter.end > call->filter.begin ? " " + copy(call->filter) : std::string());
  if (*function == AggregateFunction::Avg) {
    merged.second = static_cast<std::uint16_t>(hidden_.size() + 1);
    // avg(real) adds up in double precision; a sum in real would already be rounded.
    const auto column = e.args.empty() ? std::nullopt : bound_.levels.front()->resolve(*e.args.front());
    constexpr Oid kFloat4 = 700;
    const bool real = column && column->level->column(*column).type == kFloat4;
    const std::string filter = call->filter.end > call->filter.begin ? " " + copy(call->filter) : std::string();
    hidden_.push_back(real ? "pg_catalog.sum((" + copy(call->arguments) + ")::pg_catalog.float8)" + filter : "pg_catalog.sum" + arguments);
    hidden_.push_back("pg_catalog.count" + arguments);
  } else {
    hidden_.push_back("pg_catalog." + e.name() + arguments);
  }
  if (*function == AggregateFunction::Min || *function == AggregateFunction::Max) {
    const TextOrder order = e.args.empty()
                                ? TextOrder::Unknown
                                : text_order(e.args.front().get(), bound_.levels.front()->resolve(*e.args.front()));
    if (order == TextOrder::Linguistic) return *collation_refusal(std::string(call->arguments.of(text_)));
    merged.bytewise_text = order == TextOrder::Bytewise;
  }
  multi.merge.aggregates.push_back(merged);
  aggregate_calls_.push_back(&e);
  return multi.merge.aggregates.size() - 1;
}

Planner::Failure Planner::group_targets(const sql::Select&, MultiPlan& multi) {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const OutputColumn& o = outputs_[i];
    if (o.expr != nullptr && is_aggregate(*o.expr)) {
      auto added = aggregate(*o.expr, static_cast<std::int32_t>(i), multi);
      if (!added.ok()) return added.error();
      continue;
    }
    if (o.expr != nullptr && contains_aggregate(*o.expr)) {
      return refuse(reason::kAggregateExpression, "an expression over aggregates of several shards is not computed",
                    "Select the aggregates themselves.");
    }
    const bool key_column = std::any_of(keys_.begin(), keys_.end(),
                                        [&](const Item& k) { return k.column && o.column && *k.column == *o.column; });
    if (!key_column && (o.expr == nullptr || !over_keys(*o.expr))) {
      return refuse(
          reason::kAggregate,
          "column " + o.label + " is neither grouped by nor an aggregate, and its group has rows on several shards",
          "Add it to GROUP BY.");
    }
  }
  return std::nullopt;
}

Planner::Failure Planner::group_order(const sql::Select& s, MultiPlan& multi) {
  for (std::size_t i = 0; i < s.order_by.size(); ++i) {
    const auto& sort = s.order_by[i];
    if (sort.with_operator)
      return refuse(reason::kOrderBy, "ORDER BY ... USING over several shards is not merged", "Use ASC or DESC.");
    auto item = order_item(*sort.expr, ranges_->order_by[i]);
    if (!item.ok()) return item.error();
    MergeKey key;
    key.descending = sort.descending;
    key.nulls_first = sort.nulls_first;
    if (item->expr != nullptr && is_aggregate(*item->expr)) {
      const auto known = std::find_if(aggregate_calls_.begin(), aggregate_calls_.end(),
                                      [&](const Expr* c) { return same_value(*c, *item->expr); });
      std::size_t index = static_cast<std::size_t>(known - aggregate_calls_.begin());
      if (known == aggregate_calls_.end()) {
        auto added = aggregate(*item->expr, -1, multi);
        if (!added.ok()) return added.error();
        index = *added;
      }
      key.source = MergeKey::Source::Aggregate;
      key.index = static_cast<std::uint16_t>(index);
      key.bytewise_text = multi.merge.aggregates[index].bytewise_text;
      multi.merge.order.push_back(key);
      continue;
    }
    const auto match = std::find_if(keys_.begin(), keys_.end(), [&](const Item& k) {
      return (k.column && item->column && *k.column == *item->column) ||
             (k.expr && item->expr && same_value(*k.expr, *item->expr)) || k.text == item->text;
    });
    if (match == keys_.end())
      return refuse(reason::kOrderBy, "ORDER BY " + item->text + " is neither a group key nor an aggregate",
                    "Order by what is selected.");
    const TextOrder order = text_order(match->expr, match->column);
    if (order == TextOrder::Linguistic) return collation_refusal(item->text);
    key.index = multi.merge.group_by[static_cast<std::size_t>(match - keys_.begin())];
    key.bytewise_text = order == TextOrder::Bytewise;
    multi.merge.order.push_back(key);
  }
  return std::nullopt;
}

// Duplicates on one shard only, if the full key is selected; else groups without aggregates.
Planner::Failure Planner::distinct(const sql::Select& s, MultiPlan& multi) {
  for (const OutputColumn& o : outputs_) {
    keys_.push_back({o.text, o.expr, o.column});
  }
  const bool key_selected = std::all_of(anchor_classes_.begin(), anchor_classes_.end(), [&](const auto& members) {
    return std::any_of(outputs_.begin(), outputs_.end(), [&](const OutputColumn& o) {
      return o.column && std::find(members.begin(), members.end(), *o.column) != members.end();
    });
  });
  for (std::size_t i = 0; i < s.order_by.size(); ++i) {
    auto item = order_item(*s.order_by[i].expr, ranges_->order_by[i]);
    if (!item.ok()) return item.error();
    const bool selected = std::any_of(keys_.begin(), keys_.end(), [&](const Item& k) {
      return (k.column && item->column && *k.column == *item->column) ||
             (k.expr && item->expr && same_value(*k.expr, *item->expr));
    });
    if (!selected)
      return SqlError{"42P10", "for SELECT DISTINCT, ORDER BY expressions must appear in select list", {}, {}, {}, {}};
  }
  if (key_selected) {
    if (auto f = scatter_order(s, multi)) return f;
    push_limit(multi);
    return std::nullopt;
  }
  multi.merge.kind = MergePlan::Kind::Group;
  for (const Item& key : keys_) {
    bool sets = false;
    if (key.expr != nullptr)
      sql::each_local(*key.expr, [&](const Expr& e) {
        sets |= e.kind == ExprKind::Call && function_facts(cluster_, path_, e).returns_set;
      });
    if (sets)
      return refuse(reason::kNotUnderstood, "DISTINCT over a set-returning function on several shards", narrow_hint());
    if (!deterministic(key.expr, key.column)) return collation_refusal(key.text);
    multi.merge.group_by.push_back(static_cast<std::uint16_t>(hidden_.size()));
    hidden_.push_back(key.text);
  }
  if (auto f = group_order(s, multi)) return f;
  if (ranges_->order_begin < ranges_->end)
    multi.splices.push_back({ranges_->order_begin, ranges_->end, mention(multi.limit, multi.offset)});
  return std::nullopt;
}

}  // namespace pgweir::routing
