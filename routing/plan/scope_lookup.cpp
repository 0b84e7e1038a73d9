// Which table a name means, and what the configuration says of it.
#include <algorithm>

#include "routing/plan/refusal.h"
#include "routing/plan/scope.h"
#include "routing/plan/temp_names.h"

namespace pgweir::routing {
namespace {

bool system_schema(std::string_view schema) { return schema == "information_schema" || schema.substr(0, 3) == "pg_"; }

SqlError missing(const sql::RelationName& name) {
  const std::string full = name.schema.empty() ? name.name : name.schema + "." + name.name;
  return refuse(reason::kTableMissing, "relation \"" + full + "\" does not exist",
                "The configuration names this table; it is not in the database of this cluster's catalog shard.",
                "42P01");
}

// Tables whose rows or rules are not what their name says.
std::optional<SqlError> unusable(const CatalogTable& t, const config::Table* configured) {
  const std::string full = t.schema + "." + t.name;
  if (t.drifted) {
    return refuse(reason::kTableDrifted, "table " + full + " differs between the shards",
                  "Make its definition the same on every shard (pgweir check --live shows the difference).");
  }
  if (t.has_rules) {
    return refuse(reason::kTableRules, "table " + full + " has rules, which may read rows of other shards",
                  "Drop the rules.");
  }
  if (t.has_row_security && !(configured != nullptr && configured->local_triggers)) {
    return refuse(reason::kTableRowSecurity, "table " + full + " has row policies, which may read rows of other shards",
                  "Say triggers = \"shard\" for the table if its policies read only rows of the same shard.");
  }
  return std::nullopt;
}

}  // namespace

std::optional<ShardId> Binder::shard_named(std::string_view name) const {
  const auto& shards = cluster_.cluster->shards;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (shards[i].name == name) return ShardId{static_cast<std::uint16_t>(i)};
  }
  return std::nullopt;
}

ShardId Binder::home() const { return shard_named(cluster_.cluster->home).value_or(ShardId{0}); }

Result<BoundRelation> Binder::found(const sql::RelationName& name, const std::string& schema,
                                    const CatalogTable* t) const {
  BoundRelation r;
  r.visible = name.visible_name();
  r.schema = schema;
  r.name = name.name;
  r.table = t;
  const auto entry = cluster_.tables.find(schema + "." + name.name);
  const bool listed = entry != cluster_.tables.end();
  if (listed && t == nullptr) return missing(name);
  if (listed) r.entry = &entry->second;
  if (auto bad = unusable(*t, listed ? r.entry->table : nullptr)) return *bad;
  for (const auto& c : t->columns) r.columns.push_back(c.name);
  for (const std::string& key : listed ? r.entry->table->key : std::vector<std::string>{}) {
    const CatalogColumn* column = t->find_column(key);
    const auto& known = cluster_.catalog->collation_deterministic;
    const auto collation = column != nullptr ? known.find(column->collation) : known.end();
    if (collation != known.end() && !collation->second) {
      return refuse(reason::kCollation, "key column " + key + " has a collation under which different texts are equal",
                    "Give the column a deterministic collation.");
    }
  }
  for (std::size_t i = 0; i < name.column_aliases.size() && i < r.columns.size(); ++i)
    r.columns[i] = name.column_aliases[i];
  if (listed) {
    r.kind = r.entry->table->kind == config::TableKind::Sharded     ? RelationKind::Sharded
             : r.entry->table->kind == config::TableKind::Reference ? RelationKind::Reference
                                                                    : RelationKind::Local;
    if (r.kind == RelationKind::Local) r.shard = shard_named(r.entry->table->shard).value_or(home());
    return r;
  }
  if (t->kind == 'v' || t->kind == 'm') {
    return refuse(reason::kTableView, "view " + schema + "." + name.name + " may read tables of several shards",
                  "Write the view's query in the statement, or list the view as a local table if it reads only tables "
                  "of one shard.");
  }
  if (t->kind == 'S') {
    r.kind = RelationKind::Home;
    r.shard = home();
    return r;
  }
  if (t->has_inheritance) {
    return refuse(reason::kTableInheritance,
                  "table " + schema + "." + name.name + " is a parent or part of another table",
                  "Name the table in the configuration, or use the partitioned table itself.");
  }
  const auto unlisted = cluster_.cluster->unlisted ? shard_named(*cluster_.cluster->unlisted) : std::nullopt;
  if (!unlisted) {
    return refuse(reason::kTableUnlisted, "table " + schema + "." + name.name + " is not named in the configuration",
                  "Add a [[cluster." + cluster_.cluster->name + ".table]] entry, or unlisted = \"<shard>\".");
  }
  r.kind = RelationKind::Local;
  r.shard = *unlisted;
  return r;
}

Result<BoundRelation> Binder::lookup(const sql::RelationName& name) const {
  BoundRelation at_home;
  at_home.kind = RelationKind::Home;
  at_home.visible = name.visible_name();
  at_home.schema = name.schema;
  at_home.name = name.name;
  at_home.shard = home();
  const Catalog& catalog = *cluster_.catalog;
  if (!name.schema.empty()) {
    if (system_schema(name.schema)) {
      at_home.temporary = is_temp_schema(name.schema);
      return at_home;
    }
    const CatalogTable* t = catalog.find_table(name.schema, name.name);
    if (t == nullptr && !cluster_.tables.contains(name.schema + "." + name.name)) {
      at_home.unknown = true;
      return at_home;
    }
    return found(name, name.schema, t);
  }
  if (temp_name(name.name)) {
    at_home.temporary = true;
    return at_home;
  }
  if (path_.catalog_first && name.name.substr(0, 3) == "pg_") return at_home;
  for (const auto& schema : path_.schemas) {
    const CatalogTable* t = catalog.find_table(schema, name.name);
    if (t != nullptr || cluster_.tables.contains(schema + "." + name.name)) {
      if (system_schema(schema)) return at_home;
      return found(name, schema, t);
    }
  }
  at_home.unknown = true;
  return at_home;
}

}  // namespace pgweir::routing
