// UPDATE and DELETE of sharded rows, and every change of reference tables.
#include <algorithm>

#include "routing/plan/planner.h"
#include "routing/plan/refusal.h"
#include "routing/sql/walk.h"

namespace pgweir::routing {
namespace {

using sql::Expr;
using sql::ExprKind;

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

Planner::Failure Planner::triggers(const BoundRelation& t) const {
  if (t.table == nullptr || !t.table->has_user_triggers) return std::nullopt;
  if (t.entry != nullptr && t.entry->table->local_triggers) return std::nullopt;
  return refuse(reason::kTableTriggers,
                "table " + t.schema + "." + t.name + " has triggers, which may read tables of other shards",
                "Say triggers = \"shard\" for the table if its triggers use only rows of the same shard.");
}

// Constraints that one PostgreSQL would check over all rows, but each shard only over its own, as far as `written`
// matters.
Planner::Failure Planner::table_constraints(const BoundRelation& t, const std::vector<std::string>& written) {
  if (!t.sharded() || t.table == nullptr || t.entry->table->local_constraints) return std::nullopt;
  const auto& key = t.entry->table->key;
  const std::string hint =
      "Put all key columns into it, or say local_constraints = true for the table if that is what is wanted.";
  for (const CatalogIndex& index : t.table->unique_indexes) {
    const bool holds_key =
        std::all_of(key.begin(), key.end(), [&](const auto& k) { return contains(index.columns, k); });
    if (holds_key && !index.exclusion) continue;
    const bool touched = written.empty() || std::any_of(index.columns.begin(), index.columns.end(), [&](const auto& c) {
                           return c.empty() || contains(written, c);
                         });
    if (touched) {
      return refuse(reason::kLocalConstraint,
                    "unique constraint " + index.name + " of " + t.schema + "." + t.name +
                        " lacks the sharding key: each shard would check its own rows only",
                    hint);
    }
  }
  for (const CatalogForeignKey& fk : t.table->foreign_keys) {
    const bool touched = written.empty() || std::any_of(fk.columns.begin(), fk.columns.end(),
                                                        [&](const auto& c) { return contains(written, c); });
    const auto other = cluster_.tables.find(fk.target_schema + "." + fk.target_table);
    bool fine = other != cluster_.tables.end() && other->second.table->kind == config::TableKind::Reference;
    if (other != cluster_.tables.end() && other->second.table->kind == config::TableKind::Sharded &&
        other->second.table->placement == t.entry->table->placement) {
      fine = true;
      for (std::size_t i = 0; i < key.size(); ++i) {
        const auto at =
            static_cast<std::size_t>(std::find(fk.columns.begin(), fk.columns.end(), key[i]) - fk.columns.begin());
        fine &= at < fk.columns.size() && at < fk.target_columns.size() && i < other->second.table->key.size() &&
                fk.target_columns[at] == other->second.table->key[i];
      }
    }
    if (touched && !fine) {
      return refuse(reason::kLocalConstraint,
                    "foreign key " + fk.name + " of " + t.schema + "." + t.name + " may point to rows of another shard",
                    "Make it hold the full key, or refer to a reference table, or say local_constraints = true.");
    }
  }
  return std::nullopt;
}

// Setting a key column may move the row: allowed where the value is the one the row must have already.
Planner::Failure Planner::key_assignments(const sql::Modify& m, const BoundRelation& t) {
  for (const auto& set : m.set) {
    if (!contains(t.entry->table->key, set.name)) continue;
    const QueryLevel& level = *bound_.levels.front();
    const auto column = set.expr ? level.resolve(*set.expr) : std::nullopt;
    bool same = column && column->level == &level && column->relation == 0 && level.column(*column).name == set.name;
    for (const Expr* e : level.where) {
      if (same || !set.expr || e->kind != ExprKind::Operator || e->op != sql::OperatorForm::Plain ||
          e->names != std::vector<std::string>{"="} || !e->args[0] || !e->args[1])
        continue;
      for (const auto& [c, v] :
           {std::pair{e->args[0].get(), e->args[1].get()}, std::pair{e->args[1].get(), e->args[0].get()}}) {
        const auto id = level.resolve(*c);
        same |= id && id->level == &level && id->relation == 0 && level.column(*id).name == set.name &&
                (v->constant() || v->kind == ExprKind::Parameter || v->kind == ExprKind::Cast) &&
                sql::same(*v, *set.expr);
      }
    }
    if (!same || set.indirection) {
      return refuse(reason::kKeyUpdate, "setting key column " + set.name + " could move the row to another shard",
                    "Delete the row and insert it again.");
    }
  }
  return std::nullopt;
}

Planner::Failure Planner::change(const sql::Statement& s) {
  const sql::Modify& m = *s.modify;
  const BoundRelation& t = target();
  std::vector<std::string> written;
  for (const auto& set : m.set) written.push_back(set.name);
  Failure fatal = triggers(t);
  if (!fatal && s.command == sql::Command::Update) fatal = key_assignments(m, t);
  if (!fatal && s.command == sql::Command::Update) fatal = table_constraints(t, written);
  if (fatal) {
    plan_->refusal = std::move(fatal);
    return std::nullopt;
  }
  if (m.current_of) return refuse(reason::kCursor, "WHERE CURRENT OF over several shards", narrow_hint());
  if (m.with) return refuse(reason::kWith, "WITH over several shards is not merged", narrow_hint());
  if (plan_->allowed)
    return refuse(reason::kTablesApart,
                  "tables of one shard are joined with rows of several shards: " + relation_list(), narrow_hint());
  if (uses_.node_dependent) return uses_.node_dependent;
  for (const Expr* e : uses_.per_row) {
    bool in_where = false;
    if (m.where) sql::each_expr(*m.where, [&](const Expr& node) { in_where |= &node == e; });
    if (in_where || !m.from.empty())
      return refuse(reason::kNodeDependent, "a volatile function decides about rows of several shards", narrow_hint());
  }
  // FROM and USING: co-located tables, or reference tables, inner-joined with the target.
  const QueryLevel& main = *bound_.levels.front();
  for (const BoundRelation& r : main.relations) {
    if (r.kind == RelationKind::Derived)
      return refuse(reason::kSubselect, "a sub-select or function in FROM over several shards", narrow_hint());
  }
  if (!main.joins.empty() || main.full_join)
    return refuse(reason::kOuterJoin, "an outer join in a change of rows on several shards", narrow_hint());
  if (auto f = find_anchor()) return f;
  if (auto f = scatter_sublevels()) return f;
  for (const auto& r : m.returning) {
    bool bad = false;
    sql::each_local(*r.expr, [&](const Expr& e) { bad |= e.call && e.call->over; });
    if (bad) return refuse(reason::kWindow, "a window function sees only one shard's rows", narrow_hint());
  }
  plan_->multi = std::make_unique<MultiPlan>();
  plan_->multi->kind = Route::Kind::Broadcast;
  plan_->multi->returning = !m.returning.empty();
  return std::nullopt;
}

// Values that every shard must store alike: what each would compute for itself is refused.
Planner::Failure Planner::reference_values(const sql::Modify& m, const BoundRelation& t, bool insert) {
  if (uses_.node_dependent) return uses_.node_dependent;
  if (!uses_.per_row.empty())
    return refuse(reason::kReferenceWrite, "a volatile function would give each copy of " + t.name + " another value",
                  "Compute the value first and pass it as a parameter.");
  const std::string hint = "Pass a value for it, as a constant or parameter.";
  if (!insert) {
    for (const auto& set : m.set) {
      const CatalogColumn* c = t.table->find_column(set.name);
      if (set.expr && set.expr->kind == ExprKind::Default && c != nullptr &&
          (c->default_volatile || c->default_nextval || c->identity)) {
        return refuse(reason::kReferenceWrite, "the default of column " + set.name + " is computed on each shard",
                      hint);
      }
    }
    return std::nullopt;
  }
  for (std::size_t i = 0; i < t.table->columns.size(); ++i) {
    const CatalogColumn& c = t.table->columns[i];
    if (!c.default_volatile && !c.default_nextval && !c.identity) continue;
    std::size_t position = i;
    if (!m.columns.empty()) {
      const auto at =
          std::find_if(m.columns.begin(), m.columns.end(), [&](const auto& target) { return target.name == c.name; });
      position = static_cast<std::size_t>(at - m.columns.begin());
      if (at == m.columns.end()) position = SIZE_MAX;
    }
    bool given = position != SIZE_MAX && m.source != nullptr;
    if (given && !m.source->values.empty()) {
      for (const auto& row : m.source->values)
        given &= position < row.size() && row[position]->kind != ExprKind::Default;
    } else if (given) {
      given = position < m.source->targets.size();
    }
    if (!given)
      return refuse(reason::kReferenceWrite,
                    "the default of column " + c.name + " of reference table " + t.name + " is computed on each shard",
                    hint);
  }
  return std::nullopt;
}

Planner::Failure Planner::reference_write(const sql::Statement& s) {
  const sql::Modify& m = *s.modify;
  const BoundRelation& t = target();
  if (auto f = triggers(t)) return f;
  if (m.with || s.command == sql::Command::Merge || m.current_of) {
    return refuse(reason::kReferenceWrite,
                  "this form of a write to reference table " + t.name + " is not sent to every shard",
                  "Write it as a plain INSERT, UPDATE or DELETE.");
  }
  if (any_sharded_ || plan_->allowed != ShardSet::all(cluster_.cluster->shards.size())) {
    return refuse(reason::kReferenceWrite, "a write to reference table " + t.name + " may read reference tables only",
                  "Read the rows first and pass them as values.");
  }
  for (const auto& level : bound_.levels) {
    if (level->select != nullptr && (level->select->limit || level->select->offset || level->select->distinct)) {
      return refuse(reason::kReferenceWrite,
                    "LIMIT or DISTINCT in a write to a reference table may pick other rows on each shard",
                    "Read the rows first and pass them as values.");
    }
  }
  // Aggregates and windows that depend on the order of rows may differ from copy to copy.
  bool ordered = false;
  const auto look = [&](const Expr& e) {
    if (!e.call) return;
    const bool exact = e.name() == "count" || e.name() == "min" || e.name() == "max";
    ordered |= e.call->over != nullptr || (is_aggregate(e) && !exact);
  };
  for (const auto& level : bound_.levels) {
    for (const Expr* e :
         level->select ? sql::level_expressions(*level->select) : sql::level_expressions(*level->modify))
      sql::each_local(*e, look);
  }
  if (ordered)
    return refuse(reason::kReferenceWrite,
                  "an aggregate or window in a write to a reference table may differ from copy to copy",
                  "Read the value first and pass it as a parameter.");
  const bool insert = s.command == sql::Command::Insert;
  if (auto f = reference_values(m, t, insert)) return f;
  if (s.command == sql::Command::Update && !m.from.empty()) {
    return refuse(reason::kReferenceWrite,
                  "UPDATE ... FROM of a reference table may take another of several matching rows on each shard",
                  "Use a sub-select by a unique key.");
  }
  plan_->multi = std::make_unique<MultiPlan>();
  plan_->multi->kind = Route::Kind::Broadcast;
  plan_->multi->count = Route::Count::First;
  plan_->multi->returning = !m.returning.empty();
  plan_->multi->merge.kind = MergePlan::Kind::First;
  plan_->any_shard = false;
  plan_->reference_table = t.schema + "." + t.name;
  return std::nullopt;
}

}  // namespace pgweir::routing
