#include "proxy/control/catalog_build.h"

#include <algorithm>

#include "proxy/control/custom_code.h"
#include "routing/plan/array_value.h"

namespace pgweir::control {
namespace {

using namespace routing;  // NOLINT(google-build-using-namespace): this file fills their types

std::vector<std::string> names(const std::string& array) {
  std::vector<std::optional<std::string>> elements;
  std::vector<std::string> out;
  if (array.empty() || !read_array_text(array, elements)) return out;
  for (auto& element : elements) out.push_back(element.value_or(""));
  return out;
}

using TablesByOid = std::unordered_map<Oid, std::size_t>;

CatalogTable* table_of(Catalog& catalog, const TablesByOid& by_oid, Oid oid) {
  const auto found = by_oid.find(oid);
  return found == by_oid.end() ? nullptr : &catalog.tables[found->second];
}

TablesByOid add_tables(Catalog& catalog, const RowSet& rows) {
  TablesByOid by_oid;
  catalog.tables.reserve(rows.rows());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    CatalogTable table;
    table.oid = rows.number<Oid>(i, 0);
    table.schema = rows.text(i, 1);
    table.name = rows.text(i, 2);
    table.kind = rows.letter(i, 3);
    table.has_user_triggers = rows.flag(i, 4);
    table.has_rules = rows.flag(i, 5);
    table.has_row_security = rows.flag(i, 6);
    table.has_inheritance = rows.flag(i, 7);
    by_oid[table.oid] = catalog.tables.size();
    catalog.table_index[table.schema + "." + table.name] = catalog.tables.size();
    catalog.tables.push_back(std::move(table));
  }
  return by_oid;
}

void add_columns(Catalog& catalog, const TablesByOid& by_oid, const RowSet& rows) {
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    CatalogTable* table = table_of(catalog, by_oid, rows.number<Oid>(i, 0));
    if (table == nullptr) continue;
    CatalogColumn column;
    column.name = rows.text(i, 1);
    column.type = rows.number<Oid>(i, 2);
    column.typmod = rows.number<std::int32_t>(i, 3);
    column.collation = rows.number<Oid>(i, 4);
    column.not_null = rows.flag(i, 5);
    column.generated = rows.flag(i, 6);
    column.identity = rows.flag(i, 7);
    column.has_default = !rows.null(i, 8);
    column.default_text = rows.text(i, 8);
    column.default_nextval = column.has_default && rows.flag(i, 9);
    column.default_volatile = column.has_default && rows.flag(i, 10);
    table->columns.push_back(std::move(column));
  }
}

void add_constraints(Catalog& catalog, const TablesByOid& by_oid, const CatalogRows& rows) {
  const RowSet& indexes = rows.unique_indexes;
  for (std::size_t i = 0; i < indexes.rows(); ++i) {
    CatalogTable* table = table_of(catalog, by_oid, indexes.number<Oid>(i, 0));
    if (table == nullptr) continue;
    table->unique_indexes.push_back(
        {indexes.text(i, 1), names(indexes.text(i, 2)), indexes.flag(i, 3), indexes.flag(i, 4)});
  }
  const RowSet& keys = rows.foreign_keys;
  for (std::size_t i = 0; i < keys.rows(); ++i) {
    CatalogTable* table = table_of(catalog, by_oid, keys.number<Oid>(i, 0));
    if (table == nullptr) continue;
    table->foreign_keys.push_back(
        {keys.text(i, 1), names(keys.text(i, 2)), keys.text(i, 3), keys.text(i, 4), names(keys.text(i, 5))});
  }
}

void add_types(Catalog& catalog, const RowSet& rows, const RowSet& labels) {
  catalog.types.reserve(rows.rows());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    CatalogType type;
    type.oid = rows.number<Oid>(i, 0);
    type.schema = rows.text(i, 1);
    type.name = rows.text(i, 2);
    type.element = rows.number<Oid>(i, 3);
    type.array = rows.number<Oid>(i, 4);
    type.base = rows.number<Oid>(i, 5);
    type.relation = rows.number<Oid>(i, 6);
    type.type = rows.letter(i, 7);
    type.length = rows.number<std::int16_t>(i, 8);
    catalog.types.emplace(type.oid, std::move(type));
  }
  for (std::size_t i = 0; i < labels.rows(); ++i) {
    const auto found = catalog.types.find(labels.number<Oid>(i, 0));
    if (found != catalog.types.end())
      found->second.enum_labels.emplace_back(labels.number<Oid>(i, 1), labels.text(i, 2));
  }
}

std::vector<Oid> oid_list(const std::string& text) {
  std::vector<Oid> out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    Oid oid = 0;
    const auto result = std::from_chars(at, end, oid);
    if (result.ec != std::errc{}) break;
    out.push_back(oid);
    at = result.ptr + (result.ptr < end ? 1 : 0);
  }
  return out;
}

}  // namespace

std::vector<CatalogFunction> read_functions(const RowSet& rows) {
  std::vector<CatalogFunction> out;
  out.reserve(rows.rows());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    CatalogFunction function;
    function.oid = rows.number<Oid>(i, 0);
    function.schema = rows.text(i, 1);
    function.name = rows.text(i, 2);
    function.return_type = rows.number<Oid>(i, 3);
    function.argument_types = oid_list(rows.text(i, 4));
    function.defaults = rows.number<std::uint8_t>(i, 5);
    function.variadic = rows.flag(i, 6);
    function.returns_set = rows.flag(i, 7);
    function.kind = rows.letter(i, 8);
    function.volatility = rows.letter(i, 9);
    function.language = rows.text(i, 10);
    function.names_session_state = rows.columns > 11 && rows.flag(i, 11);
    function.built_in = function.oid < 16384 && function.schema == "pg_catalog";
    out.push_back(std::move(function));
  }
  return out;
}

ShardFacts read_shard_facts(const RowSet& server, const RowSet& fingerprints, const RowSet& oids,
                            const RowSet& indexes) {
  ShardFacts facts;
  facts.known = true;
  if (server.rows() > 0) {
    facts.version = server.text(0, 0);
    facts.version_num = server.number<int>(0, 1);
    facts.encoding = server.text(0, 2);
    facts.collation_c = server.flag(0, 3);
    facts.two_phase = server.number<int>(0, 4) > 0;
  }
  for (std::size_t i = 0; i < fingerprints.rows(); ++i)
    facts.fingerprints[{fingerprints.text(i, 0), fingerprints.text(i, 1)}] = fingerprints.text(i, 2);
  for (std::size_t i = 0; i < oids.rows(); ++i)
    facts.oids[{oids.letter(i, 0), oids.text(i, 2), oids.text(i, 3)}] = oids.number<Oid>(i, 1);
  for (std::size_t i = 0; i < indexes.rows(); ++i)
    facts.index_tables[indexes.text(i, 0) + "." + indexes.text(i, 1)] = indexes.text(i, 0) + "." + indexes.text(i, 2);
  return facts;
}

void read_custom_settings(const RowSet& token, const RowSet& custom_code, ShardFacts& facts) {
  for (std::size_t i = 0; i < custom_code.rows(); ++i) {
    if (custom_code.text(i, 0) == kNameOfSetting) {
      facts.custom_settings.add(custom_code.text(i, 1));
    } else {
      find_custom_settings(custom_code.text(i, 1), facts.custom_settings);
    }
  }
  // A body's $1 is its argument.
  if (!facts.custom_settings.parameters.empty()) facts.custom_settings.unknown = true;
  facts.code_horizon = std::to_string(token.number<std::uint64_t>(0, 1) & 0xffffffff);
}

OidMap map_oids(const ShardFacts& canonical, const ShardFacts& shard) {
  OidMap map;
  for (const auto& [name, oid] : shard.oids) {  // relations before types: a type wins where both have one number
    const auto found = canonical.oids.find(name);
    if (found == canonical.oids.end()) continue;
    map.identity &= found->second == oid;
    map.to_canonical[oid] = found->second;
    map.from_canonical[found->second] = oid;
  }
  if (map.identity) map.to_canonical.clear(), map.from_canonical.clear();
  return map;
}

Catalog build_catalog(const CatalogRows& rows, const std::vector<CatalogFunction>& built_in) {
  Catalog catalog;
  catalog.loaded = true;
  const ShardFacts server = read_shard_facts(rows.server, {}, {});
  catalog.server_version = server.version;
  catalog.server_version_num = server.version_num;
  catalog.encoding = server.encoding;
  catalog.database_collation_c = server.collation_c;
  for (std::size_t i = 0; i < rows.schemas.rows(); ++i) catalog.schemas.push_back(rows.schemas.text(i, 0));
  const TablesByOid by_oid = add_tables(catalog, rows.relations);
  add_columns(catalog, by_oid, rows.columns);
  add_constraints(catalog, by_oid, rows);
  add_types(catalog, rows.types, rows.enum_labels);
  catalog.functions = built_in;
  for (auto& function : read_functions(rows.functions)) catalog.functions.push_back(std::move(function));
  catalog.function_index.reserve(catalog.functions.size());
  for (std::size_t i = 0; i < catalog.functions.size(); ++i)
    catalog.function_index.emplace(catalog.functions[i].name, i);
  for (std::size_t i = 0; i < rows.operators.rows(); ++i)
    catalog.operators.push_back({rows.operators.text(i, 0), rows.operators.text(i, 1)});
  const RowSet& collations = rows.collations;
  for (std::size_t i = 0; i < collations.rows(); ++i) {
    const Oid oid = collations.number<Oid>(i, 0);
    catalog.collation_names[oid] = collations.text(i, 1);
    catalog.collation_is_c[oid] = collations.flag(i, 2);
    catalog.collation_deterministic[oid] = collations.flag(i, 3);
  }
  catalog.collation_names[catalog.database_collation] = "default";
  catalog.collation_deterministic[catalog.database_collation] = true;  // PostgreSQL allows no other default
  return catalog;
}

void add_foreign_tables(Catalog& catalog, const CatalogRows& rows, const OidMap& oids) {
  Catalog other;
  const TablesByOid by_oid = add_tables(other, rows.relations);
  add_columns(other, by_oid, rows.columns);
  add_constraints(other, by_oid, rows);
  for (CatalogTable& table : other.tables) {
    if (table.oid < 16384 ||
        !catalog.table_index.emplace(table.schema + "." + table.name, catalog.tables.size()).second)
      continue;
    table.oid = 0;
    for (CatalogColumn& column : table.columns) column.type = oids.canonical(column.type);
    catalog.tables.push_back(std::move(table));
  }
}

namespace {

void add_session_code(const SessionCode& of_shard, SessionCode& all) {
  all.written.insert(of_shard.written.begin(), of_shard.written.end());
  all.read.insert(of_shard.read.begin(), of_shard.read.end());
  all.types.insert(of_shard.types.begin(), of_shard.types.end());
  all.operators.insert(of_shard.operators.begin(), of_shard.operators.end());
  all.functions.insert(of_shard.functions.begin(), of_shard.functions.end());
  all.anywhere |= of_shard.anywhere;
}

}  // namespace

void compare_shards(Catalog& catalog, const std::vector<ShardFacts>& shards, std::size_t catalog_shard) {
  for (std::size_t s = 0; s < shards.size(); ++s) {
    catalog.oid_maps.push_back(s == catalog_shard ? OidMap{} : map_oids(shards[catalog_shard], shards[s]));
    catalog.two_phase.push_back(shards[s].two_phase);
    for (const auto& name : shards[s].custom_settings.names) catalog.custom_settings.add(name);
    catalog.custom_settings.unknown |= shards[s].custom_settings.unknown;
    add_session_code(shards[s].session_code, catalog.session_code);
    catalog.code_horizon.push_back(shards[s].code_horizon);
    if (shards[s].known) catalog.database_collation_c &= shards[s].collation_c;
    for (const auto& [name, fingerprint] : shards[s].fingerprints)
      if (std::find(catalog.schemas.begin(), catalog.schemas.end(), name.first) == catalog.schemas.end())
        catalog.schemas.push_back(name.first);
  }
  for (const ShardFacts& shard : shards) {
    for (const auto& [index, table] : shard.index_tables) {
      const auto [known, added] = catalog.index_tables.emplace(index, table);
      if (!added && known->second != table) known->second.clear();
    }
  }
  catalog.collation_is_c[catalog.database_collation] = catalog.database_collation_c;
  for (CatalogTable& table : catalog.tables) {
    const std::string* first = nullptr;
    for (std::size_t s = 0; s < shards.size(); ++s) {
      const auto found = shards[s].fingerprints.find({table.schema, table.name});
      // System tables and sequences have no fingerprint: they stand where the catalog was read.
      const bool system = table.oid != 0 && table.oid < 16384;
      const bool assumed = !shards[s].known || system || (table.kind == 'S' && s == catalog_shard);
      if (found == shards[s].fingerprints.end() && !assumed) continue;
      table.present_on.push_back(ShardId{static_cast<std::uint16_t>(s)});
      if (found == shards[s].fingerprints.end()) continue;
      if (first == nullptr) first = &found->second;
      table.drifted |= *first != found->second;
    }
    if (first != nullptr) table.fingerprint = std::hash<std::string>{}(*first);
  }
}

}  // namespace pgweir::control
