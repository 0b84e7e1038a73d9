// DDL, TRUNCATE and maintenance: on every shard that the tables' kinds call for.
#include <algorithm>

#include "routing/plan/planner.h"
#include "routing/plan/refusal.h"
#include "routing/plan/temp_names.h"
#include "routing/plan/type_oids.h"

namespace pgweir::routing {
namespace {

using sql::Command;
using sql::DdlObject;

ShardSet present_on(const CatalogTable& t, const ShardSet& fallback) {
  ShardSet set;
  for (const ShardId s : t.present_on) set.add(s);
  return set.empty() ? fallback : set;
}

}  // namespace

void Planner::finish_ddl(const sql::Statement& s, ShardSet shards) {
  Route route;
  route.kind = shards.size() == 1 ? Route::Kind::OneShard : Route::Kind::Broadcast;
  route.shards = std::move(shards);
  route.write = true;
  route.count = Route::Count::First;
  route.ddl = s.command == Command::Ddl || s.command == Command::CreateTableAs || s.command == Command::Select;
  route.explanation = plan_->explanation;
  plan_->write = true;
  plan_->ddl = route.ddl;
  plan_->fixed = std::move(route);
}

// The shards of a table that exists (or that PostgreSQL will say does not).
Planner::Failure Planner::old_relation(const sql::Statement&, const sql::RelationName& name, ShardSet& shards) {
  const ShardSet all = ShardSet::all(cluster_.cluster->shards.size());
  const ShardSet home = ShardSet::single(binder_.home());
  shards = home;
  if (name.schema.substr(0, 3) == "pg_" || name.schema == "information_schema") return std::nullopt;
  if (name.schema.empty()) {
    plan_->unqualified.push_back(name.name);
    if (binder_.temp_name(name.name)) return std::nullopt;
  }
  const auto at = [&](const std::string& schema) {
    const auto entry = cluster_.tables.find(schema + "." + name.name);
    const CatalogTable* t = cluster_.catalog->find_table(schema, name.name);
    if (entry != cluster_.tables.end()) {
      const config::Table& table = *entry->second.table;
      shards = table.kind == config::TableKind::Local
                   ? ShardSet::single(binder_.shard_named(table.shard).value_or(binder_.home()))
                   : all;
      return true;
    }
    if (t != nullptr) shards = present_on(*t, home);
    return t != nullptr;
  };
  if (!name.schema.empty()) {
    at(name.schema);
    return std::nullopt;
  }
  for (const auto& schema : path_.schemas) {
    if (at(schema)) return std::nullopt;
  }
  return std::nullopt;
}

Planner::Failure Planner::new_temp(const sql::Statement& s, const sql::RelationName& name, ShardSet& shards) {
  shards = ShardSet::single(binder_.home());
  if (cluster_.names_beyond_home.contains(name.name)) return temp_shadows(name.name);
  const bool inherits =
      std::any_of(s.options.begin(), s.options.end(), [](const auto& o) { return o.name == "inherits"; });
  for (std::size_t i = 1; inherits && i < s.relations.size(); ++i) {
    ShardSet parent;
    if (auto f = old_relation(s, s.relations[i], parent)) return f;
    if (parent != shards) {
      return refuse(reason::kTempTable, "a temp table as a part of " + s.relations[i].name + " would add rows at home",
                    "Write LIKE instead of INHERITS.");
    }
  }
  return std::nullopt;
}

// `name` is created; the statement's relations behind the first are parents, models or targets of foreign keys.
Planner::Failure Planner::new_table(const sql::Statement& s, const sql::RelationName& name, ShardSet& shards) {
  const ShardSet all = ShardSet::all(cluster_.cluster->shards.size());
  if (creates_temp(name, path_)) return new_temp(s, name, shards);
  const std::string schema = !name.schema.empty()     ? name.schema
                             : !path_.schemas.empty() ? path_.schemas.front()
                                                      : "public";
  const auto entry = cluster_.tables.find(schema + "." + name.name);
  if (entry != cluster_.tables.end()) {
    const config::Table& table = *entry->second.table;
    shards = table.kind == config::TableKind::Local
                 ? ShardSet::single(binder_.shard_named(table.shard).value_or(binder_.home()))
                 : all;
  } else if (cluster_.cluster->unlisted) {
    shards = ShardSet::single(binder_.shard_named(*cluster_.cluster->unlisted).value_or(binder_.home()));
  } else {
    return refuse(
        reason::kTableUnlisted, "table " + schema + "." + name.name + " is not named in the configuration",
        "Add a [[cluster." + cluster_.cluster->name + ".table]] entry and reload, or set unlisted = \"<shard>\".");
  }
  for (std::size_t i = 1; i < s.relations.size(); ++i) {
    if (s.relations[i].name == name.name && s.relations[i].schema == name.schema) continue;
    ShardSet other;
    if (auto f = old_relation(s, s.relations[i], other)) return f;
    if (!other.contains_all(shards)) {
      return refuse(reason::kTablesApart, "table " + s.relations[i].name + " is not on every shard of " + name.name,
                    "Refer only to tables on the same shards.");
    }
  }
  return std::nullopt;
}

// A relation that comes to bear the name of a table of other shards.
Planner::Failure Planner::renamed_to(const sql::Statement& s, const std::string& name) {
  if (!cluster_.names_beyond_home.contains(name)) return std::nullopt;
  const auto r = binder_.lookup(s.relations.front());
  if (r.ok() && r->kind == RelationKind::Home) return temp_shadows(name);
  return refuse(reason::kDdl, "\"" + name + "\" is the name of a table of other shards", "Choose another name.");
}

Planner::Failure Planner::rename_checks(const sql::Statement& s) {
  if (s.relations.empty()) return std::nullopt;
  for (const auto& option : s.options) {
    const bool to_listed = option.name == "new_schema" && !s.relations.empty() &&
                           cluster_.tables.contains(option.text + "." + s.relations.front().name);
    if (to_listed) {
      return refuse(reason::kDdl, "the configuration names a table " + option.text + "." + s.relations.front().name,
                    "Choose another schema.");
    }
    if (option.name != "rename") continue;
    if (auto f = renamed_to(s, option.text)) return f;
  }
  auto r = binder_.lookup(s.relations.front());
  if (!r.ok() || r->entry == nullptr) return std::nullopt;
  for (const auto& option : s.options) {
    const bool renamed = option.name == "rename" || option.name == "new_schema";
    if (renamed && s.object == DdlObject::Relation && s.relations.front().name == r->name) {
      return refuse(
          reason::kDdl,
          "table " + r->name + " is named in the configuration: another name or schema would leave it unrouted",
          "Change the configuration and the shards together, with the proxy stopped.");
    }
    if (option.name == "renamed_column" && std::find(r->entry->table->key.begin(), r->entry->table->key.end(),
                                                     option.text) != r->entry->table->key.end()) {
      return refuse(reason::kDdl, "column " + option.text + " is a key column of " + r->name + " in the configuration",
                    "Change the configuration and the shards together.");
    }
  }
  return std::nullopt;
}

// A default that is evaluated for existing rows on every shard.
Planner::Failure Planner::reference_ddl(const sql::Statement& s) {
  if (s.object != DdlObject::Relation || s.relations.empty()) return std::nullopt;
  auto r = binder_.lookup(s.relations.front());
  if (!r.ok() || (r->kind != RelationKind::Reference && r->kind != RelationKind::Sharded)) return std::nullopt;
  const bool identity =
      std::any_of(s.options.begin(), s.options.end(), [](const auto& o) { return o.name == "identity"; });
  uses_ = collect_uses(cluster_, path_, s);
  const bool own_value = !uses_.nows.empty() || uses_.node_dependent || identity;
  if (r->kind == RelationKind::Reference && (own_value || !uses_.per_row.empty())) {
    return refuse(reason::kReferenceWrite,
                  "a default that each shard computes would make the copies of " + r->name + " differ",
                  "Add the column without it, then UPDATE it with a constant.");
  }
  if (r->kind == RelationKind::Sharded && identity && !r->entry->table->local_constraints &&
      r->entry->table->ids != "unique_id") {
    return refuse(reason::kIdentity, "a serial or identity column on a sharded table counts on each shard by itself",
                  "Say ids = \"unique_id\" or local_constraints = true for the table.");
  }
  return std::nullopt;
}

Planner::Failure Planner::ddl_relations(const sql::Statement& s, ShardSet& shards) {
  const sql::RelationName* first = s.relations.empty() ? nullptr : &s.relations.front();
  const bool temp = first != nullptr && (is_temp_schema(first->schema) ||
                                         (first->schema.empty() && binder_.temp_name(first->name)));
  for (std::size_t i = 0; i < s.relations.size(); ++i) {
    ShardSet one;
    if (auto f = old_relation(s, s.relations[i], one)) return f;
    if (i == 0) {
      shards = one;
    } else if (one != shards && (temp || s.object != DdlObject::Relation || !one.contains_all(shards))) {
      return refuse(reason::kTablesApart, "the tables of this command are on different shards",
                    "Send one command for each.");
    }
  }
  return std::nullopt;
}

// Commands on indexes go where the indexes' tables are. Unknown names do not matter beside known ones; alone they go to
// the home shard, for PostgreSQL's error and for indexes of temp tables.
Planner::Failure Planner::ddl_indexes(const sql::Statement& s, ShardSet& shards) {
  // The table's schema is the index's. nullopt: no shard has the index.
  const auto table_of = [&](const sql::RelationName& name) -> std::optional<sql::RelationName> {
    const auto& known = cluster_.catalog->index_tables;
    for (const auto& schema : name.schema.empty() ? path_.schemas : std::vector<std::string>{name.schema}) {
      const auto found = known.find(schema + "." + name.name);
      if (found == known.end()) continue;
      sql::RelationName table;
      table.schema = schema;
      if (!found->second.empty()) table.name = found->second.substr(schema.size() + 1);
      return table;
    }
    return std::nullopt;
  };
  bool any = false;
  for (const auto& name : s.relations) {
    const auto table = table_of(name);
    if (!table) continue;
    plan_->names_index |= name.schema.empty();
    if (table->name.empty()) {
      return refuse(reason::kTablesApart, "index " + name.name + " is on different tables of different shards",
                    "Run the command on each shard's own address.");
    }
    ShardSet one;
    if (auto f = old_relation(s, *table, one)) return f;
    if (any && one != shards) {
      return refuse(reason::kTablesApart, "the indexes of this command are on different shards",
                    "Send one command for each.");
    }
    shards = one;
    any = true;
  }
  if (!any) shards = ShardSet::single(binder_.home());
  return std::nullopt;
}

// The query is bound: the new table's shard must have all that it reads.
Planner::Failure Planner::table_as(const sql::Statement& s, const sql::RelationName& name, ShardSet& shards) {
  if (any_sharded_) {
    return refuse(reason::kInto, "a new table from the rows of sharded tables",
                  "Create the table, then fill it by INSERT or COPY.");
  }
  if (auto f = new_table(s, name, shards)) return f;
  if (shards.size() == 1 && plan_->allowed->contains_all(shards)) return std::nullopt;
  return refuse(reason::kTablesApart, "the query's tables are not on the new table's shard",
                "Create the table, then fill it by COPY.");
}

// PostgreSQL makes a view over a temp relation temp, too.
Planner::Failure Planner::new_view(const sql::Statement& s, ShardSet& shards) {
  bool temp = creates_temp(s.relations.front(), path_);
  for (const auto& level : bound_.levels) {
    for (const BoundRelation& r : level->relations) temp |= r.temporary;
  }
  if (!temp) {
    shards = any_sharded_ ? ShardSet::all(cluster_.cluster->shards.size()) : *plan_->allowed;
    return std::nullopt;
  }
  if (auto f = new_temp(s, s.relations.front(), shards)) return f;
  if (any_sharded_) {
    return refuse(reason::kTempTable, "a temp view lives on the home shard and would see only its rows",
                  "Write the view's query in the statement.");
  }
  if (plan_->allowed->contains_all(shards)) return std::nullopt;
  return refuse(reason::kTablesApart, "the view's tables are not on the home shard",
                "Write the view's query in the statement.");
}

void Planner::select_into(const sql::Statement& s) {
  ShardSet shards;
  if (auto f = table_as(s, s.select->into_relation, shards)) {
    plan_->refusal = std::move(f);
    return;
  }
  plan_->narrowings.clear();
  plan_->nows.clear();
  plan_->allowed.reset();
  finish_ddl(s, std::move(shards));
}

void Planner::ddl(const sql::Statement& s) {
  const ShardSet all = ShardSet::all(cluster_.cluster->shards.size());
  ShardSet shards = all;
  Failure f;
  if (s.command == Command::CreateTableAs || (s.object == DdlObject::View && s.inner)) {
    if (!s.inner || !(s.inner->select || s.inner->modify))
      f = refuse(reason::kDdl, "CREATE TABLE AS of this command is not routed", "Write the query itself.");
    if (!f) f = bind(*s.inner);
    if (!f) f = s.command == Command::CreateTableAs ? table_as(s, s.relations.front(), shards) : new_view(s, shards);
    plan_->narrowings.clear();
    plan_->nows.clear();
    plan_->allowed.reset();
  } else {
    switch (s.object) {
      case DdlObject::NewTable:
        f = new_table(s, s.relations.front(), shards);
        break;
      case DdlObject::Relation:
      case DdlObject::View:
      case DdlObject::DropRelations:
      case DdlObject::Sequence:
        f = s.creates && creates_temp(s.relations.front(), path_) ? new_temp(s, s.relations.front(), shards)
                                                                  : ddl_relations(s, shards);
        break;
      case DdlObject::DropIndex:
        f = ddl_indexes(s, shards);
        break;
      case DdlObject::Everywhere:
        break;
      case DdlObject::Database:
        f = refuse(reason::kDatabase, "this command is about a whole server", "Run it on each shard's own address.");
        break;
      case DdlObject::Unknown:
        f = refuse(reason::kDdl, "this command is not routed on a sharded cluster",
                   "Run it on each shard's own address.");
        break;
    }
    if (!f) f = rename_checks(s);
    if (!f) f = reference_ddl(s);
  }
  if (f) {
    plan_->refusal = std::move(f);
    return;
  }
  finish_ddl(s, std::move(shards));
}

void Planner::truncate(const sql::Statement& s) {
  ShardSet shards;
  std::vector<std::string> locks;
  for (std::size_t i = 0; i < s.relations.size(); ++i) {
    if (s.relations[i].schema.empty()) plan_->unqualified.push_back(s.relations[i].name);
    auto r = binder_.lookup(s.relations[i]);
    if (!r.ok()) {
      plan_->refusal = r.error();
      return;
    }
    if (auto f = triggers(*r)) {
      plan_->refusal = std::move(f);
      return;
    }
    const bool everywhere = r->kind == RelationKind::Sharded || r->kind == RelationKind::Reference;
    const ShardSet one = everywhere ? ShardSet::all(cluster_.cluster->shards.size()) : ShardSet::single(r->shard);
    if (i > 0 && one != shards) {
      plan_->refusal =
          refuse(reason::kTablesApart, "the tables to truncate are on different shards", "Send one TRUNCATE for each.");
      return;
    }
    shards = one;
    if (r->kind == RelationKind::Reference) locks.push_back(r->schema + "." + r->name);
  }
  finish_ddl(s, std::move(shards));
  std::sort(locks.begin(), locks.end());
  plan_->fixed->reference_locks = std::move(locks);
}

void Planner::maintenance(const sql::Statement& s) {
  ShardSet shards = ShardSet::all(cluster_.cluster->shards.size());
  if (!s.relations.empty()) {
    if (auto f = s.object == DdlObject::DropIndex ? ddl_indexes(s, shards) : ddl_relations(s, shards)) {
      plan_->refusal = std::move(f);
      return;
    }
  }
  finish_ddl(s, std::move(shards));
}

}  // namespace pgweir::routing
