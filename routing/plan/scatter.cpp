// SELECT over several shards: what may be scattered, and how the streams are merged.
#include <algorithm>

#include "routing/plan/functions.h"
#include "routing/plan/planner.h"
#include "routing/plan/refusal.h"
#include "routing/plan/type_oids.h"
#include "routing/sql/walk.h"

namespace pgweir::routing {
namespace {

using sql::Expr;
using sql::ExprKind;
using sql::FromItem;
using sql::Select;

// How the rows of a FROM tree stand to the shards: each row on exactly one (Anchored), the same rows on all
// (Replicated), or rows that a copy per shard would multiply or null-extend.
enum class Spread : std::uint8_t { Replicated, Anchored, Wrong };

Spread spread(const FromItem& item, const QueryLevel& level, std::size_t& next) {
  if (item.kind != FromItem::Kind::Join) {
    const std::size_t index = next++;
    return level.relations[index].sharded() ? Spread::Anchored : Spread::Replicated;
  }
  const Spread left = spread(*item.left, level, next);
  const Spread right = spread(*item.right, level, next);
  if (left == Spread::Wrong || right == Spread::Wrong) return Spread::Wrong;
  const bool both = left == Spread::Replicated && right == Spread::Replicated;
  switch (item.join) {
    case sql::JoinForm::Inner:
      return both ? Spread::Replicated : Spread::Anchored;
    case sql::JoinForm::Left:
      return both ? Spread::Replicated : left == Spread::Anchored ? Spread::Anchored : Spread::Wrong;
    case sql::JoinForm::Right:
      return both ? Spread::Replicated : right == Spread::Anchored ? Spread::Anchored : Spread::Wrong;
    case sql::JoinForm::Full:
      return both ? Spread::Replicated : Spread::Wrong;
  }
  return Spread::Wrong;
}

bool aliased_join(const FromItem& item) {
  return item.aliased || (item.left && aliased_join(*item.left)) || (item.right && aliased_join(*item.right));
}

bool on_nullable_side(const QueryLevel& level, std::size_t relation) {
  for (const JoinCondition& j : level.joins) {
    if (std::find(j.applies_to.begin(), j.applies_to.end(), relation) != j.applies_to.end()) return true;
  }
  return false;
}

}  // namespace

Planner::Failure Planner::scatter(const sql::Statement& s) {
  const Select& select = *s.select;
  if (auto f = scatter_shape(select)) return f;
  if (plan_->allowed) {
    return refuse(reason::kTablesApart,
                  "tables of one shard are joined with rows of several shards: " + relation_list(), narrow_hint());
  }
  if (uses_.node_dependent) return uses_.node_dependent;
  if (auto f = scatter_from(select)) return f;
  if (auto f = find_anchor()) return f;
  if (auto f = scatter_sublevels()) return f;
  if (auto f = scatter_windows(select)) return f;
  if (auto f = per_row_values(select)) return f;
  ranges_ = ClauseRanges::find(text_, s);
  if (!ranges_)
    return refuse(reason::kNotUnderstood, "the clauses of this SELECT cannot be found in its text",
                  "Write SELECT ... FROM ... without parentheses around it.");
  if (auto f = output_columns(select)) return f;
  auto multi = std::make_unique<MultiPlan>();
  if (auto f = scatter_limit(select, *multi)) return f;
  bool aggregates = !select.group_by.empty() || select.having;
  for (const auto& t : select.targets) aggregates |= contains_aggregate(*t.expr);
  for (const auto& o : select.order_by) aggregates |= contains_aggregate(*o.expr);
  std::vector<const Expr*> group;
  for (const auto& e : select.group_by) group.push_back(e.get());
  if (aggregates && select.distinct)
    return refuse(reason::kAggregate, "SELECT DISTINCT over aggregates of several shards is not merged", narrow_hint());
  if (aggregates && !full_key(group)) {
    if (auto f = grouped(select, *multi)) return f;
  } else if (select.distinct) {
    if (auto f = distinct(select, *multi)) return f;
  } else {
    if (auto f = scatter_order(select, *multi)) return f;
    push_limit(*multi);
  }
  multi->merge.hidden = static_cast<std::uint16_t>(hidden_.size());
  for (Splice& splice : hidden_splices(hidden_)) multi->splices.push_back(std::move(splice));
  plan_->multi = std::move(multi);
  return std::nullopt;
}

Planner::Failure Planner::scatter_shape(const Select& s) {
  if (s.with) return refuse(reason::kWith, "WITH over several shards is not merged", narrow_hint());
  if (s.operation != sql::SetOperation::None)
    return refuse(reason::kSetOperation, "UNION, INTERSECT and EXCEPT over several shards are not merged",
                  narrow_hint());
  if (s.into) return refuse(reason::kInto, "SELECT INTO from several shards", narrow_hint());
  if (s.locking) return refuse(reason::kLocking, "row locks on several shards", narrow_hint());
  if (s.with_ties)
    return refuse(reason::kLimit, "FETCH ... WITH TIES over several shards is not merged", narrow_hint());
  if (!s.distinct_on.empty())
    return refuse(reason::kDistinctOn, "DISTINCT ON over several shards is not merged", narrow_hint());
  if (s.targets.empty() || !s.values.empty())
    return refuse(reason::kNotUnderstood, "a SELECT without columns over several shards", "Name a column.");
  if (s.group_distinct)
    return refuse(reason::kGrouping, "GROUP BY DISTINCT over several shards is not merged", narrow_hint());
  for (const auto& e : s.group_by) {
    if (e->kind == ExprKind::Grouping)
      return refuse(reason::kGrouping, "grouping sets over several shards are not merged", narrow_hint());
  }
  if (!s.windows.empty())
    return refuse(reason::kWindow, "named windows over several shards are not merged", "Write the window after OVER.");
  return std::nullopt;
}

Planner::Failure Planner::scatter_from(const Select& s) {
  const QueryLevel& level = *bound_.levels.front();
  if (level.select != &s) return refuse(reason::kWith, "WITH over several shards is not merged", narrow_hint());
  if (s.from.empty())
    return refuse(reason::kSubselect, "a SELECT without tables whose sub-selects read several shards", narrow_hint());
  for (const auto& item : s.from) {
    if (aliased_join(*item))
      return refuse(reason::kJoin, "a join with an alias over several shards", "Leave out the alias of the join.");
  }
  for (const BoundRelation& r : level.relations) {
    if (r.kind == RelationKind::Derived)
      return refuse(reason::kSubselect, "a sub-select or function in FROM over several shards is not merged",
                    narrow_hint());
  }
  bool anchored = false, wrong = false;
  std::size_t next = 0;
  for (const auto& item : s.from) {
    const Spread spread_of = spread(*item, level, next);
    anchored |= spread_of == Spread::Anchored;
    wrong |= spread_of == Spread::Wrong;
  }
  if (wrong) {
    return refuse(reason::kOuterJoin,
                  "an outer join keeps rows of a reference table (or of both sides): a copy per shard would give them "
                  "once per shard",
                  narrow_hint());
  }
  if (!anchored)
    return refuse(reason::kSubselect, "only sub-selects of this statement read several shards", narrow_hint());
  return std::nullopt;
}

bool Planner::colocated(const QueryLevel& level, std::size_t relation, std::size_t anchor) const {
  const QueryLevel& main = *bound_.levels.front();
  const BoundRelation &r = level.relations[relation], &a = main.relations[anchor];
  if (r.entry->table->placement != a.entry->table->placement) return false;
  for (std::size_t i = 0; i < r.entry->placement->levels(); ++i) {
    const auto own = key_column_index(r, i), other = key_column_index(a, i);
    if (!own || !other) return false;
    const auto members = equal_columns({&level, relation, *own});
    if (std::find(members.begin(), members.end(), ColumnId{&main, anchor, *other}) == members.end()) return false;
  }
  return true;
}

// The table that all others are joined to on its whole key.
Planner::Failure Planner::find_anchor() {
  const QueryLevel& main = *bound_.levels.front();
  for (std::size_t a = 0; a < main.relations.size(); ++a) {
    if (!main.relations[a].sharded() || on_nullable_side(main, a)) continue;
    bool all = true;
    for (std::size_t i = 0; i < main.relations.size() && all; ++i) {
      if (i != a && main.relations[i].sharded()) all = colocated(main, i, a);
    }
    if (!all) continue;
    anchor_ = a;
    anchor_classes_.clear();
    for (std::size_t i = 0; i < main.relations[a].entry->placement->levels(); ++i) {
      const auto column = key_column_index(main.relations[a], i);
      anchor_classes_.push_back(column ? equal_columns({&main, a, *column}) : std::vector<ColumnId>{});
    }
    return std::nullopt;
  }
  return refuse(reason::kJoin, "sharded tables are joined without equality on all their key columns",
                "Join on every key column of both tables, or " + narrow_hint());
}

Planner::Failure Planner::scatter_sublevels() {
  for (std::size_t l = 1; l < bound_.levels.size(); ++l) {
    const QueryLevel& level = *bound_.levels[l];
    bool sharded = false;
    for (std::size_t i = 0; i < level.relations.size(); ++i) {
      const BoundRelation& r = level.relations[i];
      if (r.kind == RelationKind::Local || r.kind == RelationKind::Home)
        return refuse(reason::kTablesApart, "a sub-select reads a table of one shard", narrow_hint());
      if (!r.sharded()) continue;
      sharded = true;
      if (!colocated(level, i, anchor_)) {
        return refuse(reason::kSubselect, "a sub-select reads rows of other shards than the row it is evaluated for",
                      "Correlate it by equality on all key columns, or " + narrow_hint());
      }
    }
    if (level.full_join && sharded)
      return refuse(reason::kOuterJoin, "a full join in a sub-select over several shards", narrow_hint());
    if (!sharded && level.select != nullptr && (level.select->limit || level.select->offset)) {
      return refuse(reason::kLimit, "LIMIT in a sub-select may pick other rows on each shard", narrow_hint());
    }
  }
  return std::nullopt;
}

bool Planner::full_key(const std::vector<const Expr*>& exprs) const {
  const QueryLevel& main = *bound_.levels.front();
  for (const auto& key_class : anchor_classes_) {
    const bool held = std::any_of(exprs.begin(), exprs.end(), [&](const Expr* e) {
      std::optional<ColumnId> id = main.resolve(*e);
      // GROUP BY 1 and GROUP BY alias.
      if (!id && e->kind == ExprKind::Integer) {
        const auto n = static_cast<std::size_t>(std::atoll(e->text.c_str()));
        if (n >= 1 && n <= outputs_.size()) id = outputs_[n - 1].column;
      }
      return id && std::find(key_class.begin(), key_class.end(), *id) != key_class.end();
    });
    if (!held) return false;
  }
  return !anchor_classes_.empty();
}

// A window sees whole partitions only where each is on one shard.
Planner::Failure Planner::scatter_windows(const Select& s) {
  bool bad = false;
  for (const Expr* e : sql::level_expressions(s)) {
    sql::each_local(*e, [&](const Expr& node) {
      if (!node.call || !node.call->over) return;
      std::vector<const Expr*> partition;
      for (const auto& p : node.call->over->partition) {
        if (p->kind == ExprKind::Column) partition.push_back(p.get());
      }
      bad |= !node.call->over->name.empty() || !node.call->over->base.empty() || !full_key(partition);
    });
  }
  if (bad)
    return refuse(reason::kWindow, "a window function sees only one shard's rows",
                  "Put all key columns into PARTITION BY, or " + narrow_hint());
  return std::nullopt;
}

// random() and the like may differ per row, where nothing depends on them but the row itself.
Planner::Failure Planner::per_row_values(const Select& s) const {
  if (uses_.per_row.empty()) return std::nullopt;
  std::size_t in_targets = 0;
  for (const auto& t : s.targets) {
    sql::each_local(*t.expr, [&](const Expr& e) {
      in_targets += std::find(uses_.per_row.begin(), uses_.per_row.end(), &e) != uses_.per_row.end();
    });
  }
  if (in_targets == uses_.per_row.size() && !s.distinct && s.group_by.empty() && s.order_by.empty() &&
      !uses_.aggregates)
    return std::nullopt;
  return refuse(reason::kNodeDependent, "a volatile function decides about rows of several shards", narrow_hint());
}

Planner::Failure Planner::scatter_order(const Select& s, MultiPlan& multi) {
  multi.merge.kind = s.order_by.empty() ? MergePlan::Kind::Concat : MergePlan::Kind::Ordered;
  for (std::size_t i = 0; i < s.order_by.size(); ++i) {
    const auto& sort = s.order_by[i];
    if (sort.with_operator)
      return refuse(reason::kOrderBy, "ORDER BY ... USING over several shards is not merged", "Use ASC or DESC.");
    auto item = order_item(*sort.expr, ranges_->order_by[i]);
    if (!item.ok()) return item.error();
    const TextOrder order = text_order(item->expr, item->column);
    if (order == TextOrder::Linguistic) return collation_refusal(item->text);
    MergeKey key;
    key.index = static_cast<std::uint16_t>(hidden_.size());
    key.descending = sort.descending;
    key.nulls_first = sort.nulls_first;
    key.bytewise_text = order == TextOrder::Bytewise;
    hidden_.push_back(item->text);
    multi.merge.order.push_back(key);
  }
  return std::nullopt;
}

// An integer, a parameter, NULL, or one of them (or a text) under a cast to an integer type.
Planner::Failure Planner::scatter_limit(const Select& s, MultiPlan& multi) {
  const auto refused = [] {
    return refuse(reason::kLimit, "LIMIT and OFFSET over several shards must be integers or parameters",
                  "Compute the value first.");
  };
  const auto read = [&](const sql::ExprPtr& e, LimitValue& out) -> Failure {
    if (!e) return std::nullopt;
    const Oid type = e->kind == ExprKind::Cast ? key_cast_type(*e) : oid::kInt8;
    const Expr& value = e->kind == ExprKind::Cast && type != 0 ? *e->args.front() : *e;
    if (type != oid::kInt8 && type != oid::kInt4 && type != oid::kInt2) return refused();
    if (value.kind == ExprKind::Null) return std::nullopt;
    if (value.kind == ExprKind::Parameter) {
      if (type != oid::kInt8) return refused();  // it would be declared to the client as another type
      out.kind = LimitValue::Kind::Parameter;
      out.parameter = value.number;
      return std::nullopt;
    }
    const bool text = value.kind == ExprKind::String;
    if (!text && value.kind != ExprKind::Integer && value.kind != ExprKind::Float) return refused();
    const auto key_type = type == oid::kInt8   ? config::KeyType::BigInt
                          : type == oid::kInt4 ? config::KeyType::Int
                                               : config::KeyType::SmallInt;
    const auto number = key_from_text(key_type, value.text, {});
    if (number.ok()) {
      out.kind = LimitValue::Kind::Constant;
      out.value = std::get<std::int64_t>(number->value);
      return std::nullopt;
    }
    if (!text || number.error() == KeyError::Undecidable) return refused();
    const std::string name = key_type_name(key_type);
    const bool fraction = value.text.find_first_of(".eE") != std::string::npos;
    if (number.error() == KeyError::Invalid || fraction) return key_text_error(key_type, name, value.text, {});
    return SqlError{"22003", "value \"" + value.text + "\" is out of range for type " + name, {}, {}, {}, {}};
  };
  if (auto f = read(s.limit, multi.limit)) return f;
  return read(s.offset, multi.offset);
}

// Every shard may have to give limit + offset rows; the cut itself is the merger's. Sums saturate at int64.
void Planner::push_limit(MultiPlan& multi) {
  using Kind = LimitValue::Kind;
  if (multi.limit.kind == Kind::None && multi.offset.kind == Kind::None) return;
  std::string text;
  const auto parameter = [](const LimitValue& v) { return "$" + std::to_string(v.parameter) + "::pg_catalog.int8"; };
  if (multi.limit.kind == Kind::Constant && multi.offset.kind != Kind::Parameter) {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(multi.limit.value, std::max<std::int64_t>(multi.offset.value, 0), &sum)) sum = INT64_MAX;
    text = " LIMIT " + std::to_string(sum);
  } else if (multi.limit.kind == Kind::Parameter && multi.offset.kind == Kind::None) {
    text = " LIMIT " + parameter(multi.limit);
  } else if (multi.limit.kind == Kind::None && multi.offset.kind == Kind::Constant) {
    text = "";
  } else {
    const auto value = [&](const LimitValue& v) {
      return v.kind == Kind::Parameter  ? parameter(v)
             : v.kind == Kind::Constant ? std::to_string(v.value) + "::pg_catalog.int8"
                                        : std::string("NULL::pg_catalog.int8");
    };
    const std::string offset = "COALESCE(" + value(multi.offset) + ", 0)";
    // NULL + anything is NULL, which is no limit; CASE keeps the sum within int64.
    text = " LIMIT CASE WHEN " + value(multi.limit) + " > 9223372036854775807 - " + offset +
           " THEN 9223372036854775807 ELSE " + value(multi.limit) + " + " + offset + " END";
  }
  multi.splices.push_back({ranges_->limit_begin, ranges_->end, text});
}

std::string Planner::copy(TextRange range) const {
  std::vector<Splice> marks;
  for (std::size_t i = 0; i < plan_->nows.size(); ++i) {
    const NowUse& use = plan_->nows[i];
    if (use.begin >= range.begin && use.end <= range.end) marks.push_back({use.begin, use.end, now_mark(i)});
  }
  return apply_splices(text_, range.begin, range.end, std::move(marks));
}

std::vector<Splice> Planner::hidden_splices(const std::vector<std::string>& hidden) const {
  if (hidden.empty()) return {};
  std::string text;
  for (std::size_t i = 0; i < hidden.size(); ++i) text += ", " + hidden[i] + " AS pgweir_h" + std::to_string(i);
  return {{ranges_->targets_end, ranges_->targets_end, text}};
}

}  // namespace pgweir::routing
