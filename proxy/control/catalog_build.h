// From the rows of catalog_queries.h to a Catalog. Pure; no I/O.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proxy/control/row_set.h"
#include "routing/catalog/catalog.h"

namespace pgweir::control {

// Rows of the catalog shard, each from the query of that name.
struct CatalogRows {
  RowSet server, schemas, relations, columns, unique_indexes, foreign_keys, functions, operators, types, enum_labels,
      collations;
};

// What every shard is asked for, the catalog shard too.
struct ShardFacts {
  bool known = false;  // false: the shard never answered; it is then taken to be like the catalog shard
  std::string version, encoding;
  int version_num = 0;
  bool collation_c = false, two_phase = false;
  routing::CustomSettings custom_settings;  // of functions, rules and defaults
  routing::SessionCode session_code;
  std::string code_horizon;                 // as Catalog::code_horizon
  std::map<std::pair<std::string, std::string>, std::string> fingerprints;  // (schema, name) -> text
  std::map<std::string, std::string> index_tables;                          // as Catalog::index_tables
  struct Named {
    char kind;
    std::string schema, name;
    auto operator<=>(const Named&) const = default;
  };
  std::map<Named, routing::Oid> oids;
};

ShardFacts read_shard_facts(const RowSet& server, const RowSet& fingerprints, const RowSet& oids,
                            const RowSet& indexes = {});
void read_custom_settings(const RowSet& token, const RowSet& custom_code, ShardFacts& facts);
std::vector<routing::CatalogFunction> read_functions(const RowSet& rows);
routing::OidMap map_oids(const ShardFacts& canonical, const ShardFacts& shard);

// Everything that stands on the catalog shard. `built_in` are its built-in functions.
routing::Catalog build_catalog(const CatalogRows& rows, const std::vector<routing::CatalogFunction>& built_in);
// Adds the tables of another shard (its relations, columns, unique_indexes and foreign_keys) that `catalog` does not
// have, with the shard's OIDs of user-defined types replaced by the canonical ones; their own OID is 0. Before
// compare_shards().
void add_foreign_tables(routing::Catalog& catalog, const CatalogRows& rows, const routing::OidMap& oids);
// Adds what the shards say in comparison: presence, drift, indexes, OIDs, two-phase commit, collation of the whole
// cluster.
void compare_shards(routing::Catalog& catalog, const std::vector<ShardFacts>& shards, std::size_t catalog_shard);

}  // namespace pgweir::control
