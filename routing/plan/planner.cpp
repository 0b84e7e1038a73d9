// Queries: where their tables are decides what may happen to them.
#include "routing/plan/planner.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "routing/plan/functions.h"
#include "routing/plan/refusal.h"
#include "routing/sql/walk.h"

namespace pgweir::routing {
namespace {

using sql::Command;

bool is_insert_level(const QueryLevel& level) {
  return level.modify != nullptr && level.relations.size() > 1 && level.relations[1].visible == "excluded";
}

std::string list(const ClusterRouting& cluster, const ShardSet& shards) {
  std::string out;
  for (const ShardId s : shards) out += (out.empty() ? "" : ", ") + cluster.cluster->shards[s.value].name;
  return out;
}

}  // namespace

std::unique_ptr<const Plan> Planner::build(const sql::Statement& s) {
  plan_ = std::make_unique<Plan>();
  statement_ = &s;
  if (s.too_deep) {
    plan_->refusal = refuse(reason::kTooComplex, "the statement is nested too deeply or too large to be routed",
                            "Split it.", "54001");
  } else if (session_command(s)) {
    // done
  } else if (!cluster_.catalog || !cluster_.catalog->loaded) {
    plan_->refusal = refuse(reason::kCatalogMissing,
                            "the catalog of cluster \"" + cluster_.cluster->name + "\" has not been read yet",
                            "Try again when the catalog shard can be reached.", "57P03");
  } else if (s.opaque) {
    plan_->refusal = refuse(reason::kNotUnderstood, "the statement holds a construct that pgweir does not route",
                            "Write it another way, or run it on a shard's own address.");
  } else if (s.select || s.modify) {
    query(s);
  } else {
    utility(s);
  }
  return std::move(plan_);
}

void Planner::query(const sql::Statement& s) {
  plan_->write = s.command != Command::Select;
  if (s.modify) plan_->returning = !s.modify->returning.empty() && s.command != Command::Merge;
  if (auto f = bind(s)) {
    plan_->refusal = std::move(f);
    return;
  }
  if (s.select && s.select->into) return select_into(s);
  if (!s.modify && !any_sharded_) return;
  Failure multi;
  const bool sharded_target = s.modify && target().sharded();
  if (s.command == Command::Insert && sharded_target) {
    if (auto f = insert(s)) plan_->refusal = std::move(f);
    mark_parameters();
    return;
  }
  if (s.modify && target().kind == RelationKind::Reference) {
    if (auto f = reference_write(s)) plan_->refusal = std::move(f);
    return;
  }
  if (s.modify) {
    if (auto f = triggers(target())) {
      plan_->refusal = std::move(f);
      return;
    }
  }
  if (s.command == Command::Select) {
    multi = scatter(s);
  } else if (sharded_target && s.command != Command::Merge) {
    multi = change(s);
    if (plan_->refusal) return;
  } else if (any_sharded_) {
    multi = refuse(s.command == Command::Merge ? reason::kMerge : reason::kInsertSelect,
                   "this statement reads or writes rows of several shards", narrow_hint());
  }
  if (multi) {
    plan_->multi_refusal = std::move(multi);
    plan_->multi.reset();
  }
  mark_parameters();
}

Planner::Failure Planner::bind(const sql::Statement& s) {
  bound_ = binder_.bind(s);
  plan_->unqualified = bound_.unqualified;
  if (bound_.refusal) return bound_.refusal;
  uses_ = collect_uses(cluster_, path_, s);
  if (uses_.refusal) return uses_.refusal;
  if (auto f = place_relations(s)) return f;
  if (auto f = check_modifies(s)) return f;
  explain_relations();
  return nows();
}

// Sharded relations are narrowed each on its own; the others say which shards hold them.
Planner::Failure Planner::place_relations(const sql::Statement& s) {
  bool reference = false, fixed = !uses_.home_function.empty(), temporary = false, tables = false, unknown = false;
  ShardSet allowed = ShardSet::all(cluster_.cluster->shards.size());
  if (fixed) allowed = ShardSet::single(binder_.home());
  for (const auto& level : bound_.levels) {
    for (std::size_t i = 0; i < level->relations.size(); ++i) {
      const BoundRelation& r = level->relations[i];
      tables |= r.kind != RelationKind::Derived;
      temporary |= r.temporary;
      if (r.kind == RelationKind::Reference) reference = true;
      unknown |= r.unknown;
      if ((r.kind == RelationKind::Local || r.kind == RelationKind::Home) && !r.unknown) {
        allowed = allowed & ShardSet::single(r.shard);
        fixed = true;
      }
      if (!r.sharded()) continue;
      any_sharded_ = true;
      const bool insert_target = is_insert_level(*level) && i == 0;
      if (!insert_target) plan_->narrowings.push_back(Narrowing::compile(*level, i));
    }
  }
  if (unknown && !fixed && (any_sharded_ || reference)) {
    allowed = ShardSet::single(binder_.home());
    fixed = true;
  }
  if (temporary && any_sharded_)
    return refuse(reason::kTempTable, "a temp table lives on the home shard and cannot be joined with a sharded table",
                  "Read the rows in two statements.");
  if (allowed.empty()) {
    return refuse(reason::kTablesApart, "the tables of this statement are on different shards: " + relation_list(),
                  "Split the statement, or make one of them a reference table.");
  }
  if (fixed) {
    plan_->allowed = allowed;
  } else if (unknown) {
    // The home shard says that there is no such table, or finds one that the catalog lacks; in a transaction its shard.
    plan_->allowed = allowed;
    plan_->any_shard = plan_->prefer_home = true;
  } else if (!any_sharded_) {
    // Without tables, and with functions that give the same everywhere, a transaction may stay where it is; else home.
    const bool anywhere = !tables && s.command == Command::Select && !uses_.node_dependent;
    const bool home_only = !anywhere && (!tables || !reference);
    plan_->allowed = home_only ? ShardSet::single(binder_.home()) : allowed;
    plan_->any_shard = !home_only && s.command == Command::Select;
    plan_->prefer_home = anywhere;
  }
  return std::nullopt;
}

// Statements in WITH that change rows, and changes that read other kinds of tables than they write.
Planner::Failure Planner::check_modifies(const sql::Statement& s) {
  for (const auto& level : bound_.levels) {
    if (level->modify == nullptr) continue;
    const BoundRelation& t = level->relations.front();
    const bool main = s.modify.get() == level->modify;
    plan_->write = true;
    if (main) continue;
    if (t.kind == RelationKind::Reference || (t.sharded() && is_insert_level(*level))) {
      return refuse(reason::kWith,
                    "WITH changes rows of " + t.schema + "." + t.name + ", which pgweir must route itself",
                    "Send it as a statement of its own.");
    }
    if (auto f = triggers(t)) return f;
  }
  return std::nullopt;
}

Planner::Failure Planner::nows() {
  if (!uses_.nows.empty() && text_.find('\x01') != std::string_view::npos && !uses_.node_dependent) {
    uses_.node_dependent =
        refuse(reason::kNotUnderstood, "control characters in a statement that uses now()", "Leave them out.");
  }
  for (const sql::Expr* e : uses_.nows) {
    auto use = now_use(text_, *e, statement_->end);
    if (!use) {
      if (!uses_.node_dependent)
        uses_.node_dependent = refuse(reason::kNodeDependent, "a use of now() cannot be replaced by a constant",
                                      "Pass the time as a parameter.");
      continue;
    }
    plan_->nows.push_back(*use);
  }
  // The call names its column; so the constant in its place must be named.
  const std::vector<sql::Target>* targets = statement_->select   ? &statement_->select->targets
                                            : statement_->modify ? &statement_->modify->returning
                                                                 : nullptr;
  if (targets == nullptr || plan_->nows.empty()) return std::nullopt;
  for (const auto& t : *targets) {
    if (!t.name.empty() || !t.expr) continue;
    bool holds_now = false;
    sql::each_local(*t.expr, [&](const sql::Expr& e) {
      holds_now |= std::find(uses_.nows.begin(), uses_.nows.end(), &e) != uses_.nows.end();
    });
    if (!holds_now) continue;
    if (std::find(uses_.nows.begin(), uses_.nows.end(), t.expr.get()) != uses_.nows.end()) {
      for (auto& use : plan_->nows) {
        if (use.begin == static_cast<std::size_t>(t.expr->location))
          use.label = " AS " + sql::quote_identifier(column_label(*t.expr));
      }
    } else if (t.expr->kind == sql::ExprKind::Cast && !uses_.node_dependent) {
      uses_.node_dependent = refuse(reason::kNodeDependent, "an unnamed column made of now() would change its name",
                                    "Name the column: AS name.");
    }
  }
  return std::nullopt;
}

// An undeclared parameter takes the type of its first use: where it is used elsewhere too, the key's reading of its
// text may not be the server's.
void Planner::mark_parameters() {
  std::set<std::pair<int, Oid>> types;
  std::set<std::pair<int, int>> places;
  const auto each = [&](auto&& fn) {
    for (Narrowing& n : plan_->narrowings) each_term(n.predicate, fn);
    if (plan_->insert) {
      for (InsertRow& row : plan_->insert->rows) {
        for (Term& t : row.key) fn(t);
      }
    }
  };
  each([&](Term& t) {
    if (t.parameter() <= 0) return;
    types.emplace(t.parameter(), t.parameter_type());
    places.emplace(t.parameter(), t.location());
  });
  const auto count = [](const auto& set, int parameter) {
    return std::distance(set.lower_bound({parameter, {}}), set.lower_bound({parameter + 1, {}}));
  };
  each([&](Term& t) {
    const auto n = static_cast<std::size_t>(std::max(t.parameter(), 0));
    if (n == 0 || n >= uses_.parameter_uses.size()) return;
    if (count(types, t.parameter()) > 1 || count(places, t.parameter()) < uses_.parameter_uses[n])
      t.set_shared_parameter();
  });
}

void Planner::explain_relations() {
  for (const auto& level : bound_.levels) {
    for (const BoundRelation& r : level->relations) {
      if (r.kind == RelationKind::Derived) continue;
      const std::string name = r.schema.empty() ? r.name : r.schema + "." + r.name;
      std::string line = "table " + name + ": ";
      switch (r.kind) {
        case RelationKind::Sharded:
          line += "sharded by " + r.entry->table->placement;
          break;
        case RelationKind::Reference:
          line += "reference, the same on every shard";
          break;
        case RelationKind::Local:
          line += "local on " + list(cluster_, ShardSet::single(r.shard));
          break;
        default:
          line += "on the home shard";
          break;
      }
      if (plan_->explanation.find(line + "\n") == std::string::npos) plan_->explanation += line + "\n";
    }
  }
}

std::string Planner::relation_list() const {
  std::string out;
  for (const auto& level : bound_.levels) {
    for (const BoundRelation& r : level->relations) {
      if (r.kind == RelationKind::Local || r.kind == RelationKind::Home) {
        out += (out.empty() ? "" : ", ") + r.name + " on " + list(cluster_, ShardSet::single(r.shard));
      }
    }
  }
  if (!uses_.home_function.empty()) out += (out.empty() ? "" : ", ") + uses_.home_function + "() on the home shard";
  return out;
}

}  // namespace pgweir::routing
