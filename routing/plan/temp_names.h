// Temp relations on a sharded cluster: they live on the home shard, and PostgreSQL looks their unqualified names up
// before those of lasting tables (PostgreSQL 15 documentation, 5.9.3, and search_path in 20.11.1). A temp relation with
// the name of a table of other shards would hide it on the home shard alone; so such names are refused. Pure;
// thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "config/config.h"
#include "routing/catalog/catalog.h"
#include "routing/plan/search_path.h"
#include "routing/sql/ast.h"

namespace pgweir::routing {

// pg_temp, or the schema that it stands for (pg_temp_<n>).
bool is_temp_schema(std::string_view schema);

// True: CREATE of this name makes a temp relation: TEMP was said, or the schema is a temp one, by name or by the path.
bool creates_temp(const sql::RelationName& name, const SearchPath& path);

// Unqualified names of relations and user-defined types that are, or may come to be, on other shards than the home one:
// a temp relation must not have them. Empty where there is one shard.
std::unordered_set<std::string> names_beyond_home(const config::Cluster& cluster, const Catalog& catalog);

SqlError temp_shadows(const std::string& name);

}  // namespace pgweir::routing
