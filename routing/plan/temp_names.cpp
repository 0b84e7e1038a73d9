#include "routing/plan/temp_names.h"

#include "routing/plan/refusal.h"

namespace pgweir::routing {
namespace {

constexpr Oid kFirstUserOid = 16384;  // FirstNormalObjectId of PostgreSQL's access/transam.h

bool system_schema(std::string_view schema) { return schema == "information_schema" || schema.substr(0, 3) == "pg_"; }

}  // namespace

bool is_temp_schema(std::string_view schema) {
  return schema == "pg_temp" || schema.substr(0, 8) == "pg_temp_";
}

bool creates_temp(const sql::RelationName& name, const SearchPath& path) {
  return name.temporary || is_temp_schema(name.schema) || (name.schema.empty() && path.creates_temp);
}

std::unordered_set<std::string> names_beyond_home(const config::Cluster& cluster, const Catalog& catalog) {
  std::unordered_set<std::string> names;
  if (cluster.shards.size() < 2) return names;
  ShardId home;
  for (std::size_t i = 0; i < cluster.shards.size(); ++i) {
    if (cluster.shards[i].name == cluster.home) home.value = static_cast<std::uint16_t>(i);
  }
  std::unordered_set<std::string> at_home;
  for (const auto& table : cluster.tables) {
    const bool local = table.kind == config::TableKind::Local && table.shard == cluster.home;
    if (local) {
      at_home.insert(table.schema + "." + table.name);
    } else {
      names.insert(table.name);
    }
  }
  for (const CatalogTable& t : catalog.tables) {
    if (system_schema(t.schema) || at_home.contains(t.schema + "." + t.name)) continue;
    if (t.present_on != std::vector<ShardId>{home}) names.insert(t.name);
  }
  for (const auto& [oid, type] : catalog.types) {
    if (oid >= kFirstUserOid && type.relation == 0 && !system_schema(type.schema)) names.insert(type.name);
  }
  return names;
}

SqlError temp_shadows(const std::string& name) {
  return refuse(reason::kTempShadows,
                "a temp relation \"" + name + "\" would hide the table or type of that name on the home shard only",
                "Choose another name for the temp relation; where there is one already, write pg_temp." + name +
                    " or the schema of the lasting one.");
}

}  // namespace pgweir::routing
