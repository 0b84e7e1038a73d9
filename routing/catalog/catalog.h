// What the proxy knows of one cluster's schema: a snapshot, loaded over libpq by the control plane and never changed
// afterwards (shared as std::shared_ptr<const Catalog>; thread-safe to read). OIDs are those of `catalog_shard` unless a
// member says otherwise. Names are as stored in the system catalogs (already folded).
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "routing/catalog/custom_settings.h"
#include "routing/types.h"

namespace pgweir::routing {

struct CatalogColumn {
  std::string name;
  Oid type = 0;
  std::int32_t typmod = -1;
  Oid collation = 0;             // 0: the type has none
  bool not_null = false;
  bool generated = false;        // GENERATED ALWAYS AS (...) STORED
  bool identity = false;
  bool has_default = false;
  bool default_nextval = false;  // the default calls nextval()
  bool default_volatile = false; // the default holds anything but constants and immutable functions
  std::string default_text;      // pg_get_expr; empty without default
};

struct CatalogIndex {            // unique and exclusion constraints and unique indexes only
  std::string name;
  std::vector<std::string> columns;  // empty string for an expression
  bool partial = false, exclusion = false;
};

struct CatalogForeignKey {
  std::string name;
  std::vector<std::string> columns;
  std::string target_schema, target_table;
  std::vector<std::string> target_columns;
};

struct CatalogTable {
  std::string schema, name;
  Oid oid = 0;
  char kind = 'r';               // pg_class.relkind: r p v m f S
  std::vector<CatalogColumn> columns;  // in attnum order, dropped ones left out
  std::vector<CatalogIndex> unique_indexes;
  std::vector<CatalogForeignKey> foreign_keys;
  bool has_user_triggers = false, has_rules = false, has_row_security = false, has_inheritance = false;
  std::uint64_t fingerprint = 0;       // over columns, types, defaults; the same on every shard unless drifted
  bool drifted = false;                // shards disagree about it
  std::vector<ShardId> present_on;     // shards that have it
  const CatalogColumn* find_column(std::string_view column) const {
    for (const auto& c : columns) if (c.name == column) return &c;
    return nullptr;
  }
};

struct CatalogFunction {
  std::string schema, name;
  Oid oid = 0, return_type = 0;
  std::vector<Oid> argument_types;     // IN arguments
  std::uint8_t defaults = 0;           // how many trailing arguments have a default
  bool variadic = false;
  bool returns_set = false;
  char kind = 'f';                     // pg_proc.prokind: f p a w
  char volatility = 'v';               // i s v
  bool names_session_state = false;    // its body names functions that change session state: also stable ones may call them
  bool built_in = false;               // oid < 16384 and schema pg_catalog
  std::string language;
};

struct CatalogOperator {               // user-defined operators outside pg_catalog (they may shadow built-in ones)
  std::string schema, name;
};

struct CatalogType {
  std::string schema, name;
  Oid oid = 0, element = 0, array = 0, base = 0, relation = 0;
  char type = 'b';                     // pg_type.typtype: b c d e p r m
  std::int16_t length = -1;            // pg_type.typlen
  std::vector<std::pair<Oid, std::string>> enum_labels;  // in sort order
};

// OIDs of one shard <-> OIDs of catalog_shard, for types and relations >= 16384.
struct OidMap {
  bool identity = true;
  std::unordered_map<Oid, Oid> to_canonical, from_canonical;
  Oid canonical(Oid oid) const { if (identity) return oid; auto i = to_canonical.find(oid); return i == to_canonical.end() ? oid : i->second; }
  Oid local(Oid oid) const { if (identity) return oid; auto i = from_canonical.find(oid); return i == from_canonical.end() ? oid : i->second; }
};

// Where code that may leave state in the session runs without a statement that says so, on any shard. Names are
// "schema.name", those of types and operators without their schema.
struct SessionCode {
  std::unordered_set<std::string> written;    // tables: behind INSERT, UPDATE, DELETE, COPY (defaults, checks, triggers, ...)
  std::unordered_set<std::string> read;       // views and tables with policies
  std::unordered_set<std::string> types;      // domains with checks, and what is made of them
  std::unordered_set<std::string> operators;
  std::unordered_set<std::string> functions;  // that their volatility and body do not show: aggregates, arguments of `types`
  bool anywhere = false;                      // casts, operator classes: any expression may
};

struct Catalog {
  std::uint64_t epoch = 0;             // grows with every load that found a change
  bool loaded = false;                 // false: nothing is known yet; sharded clusters refuse with 57P03
  std::string server_version;          // of the home shard
  int server_version_num = 0;
  std::string encoding;                // server encoding, the same on all shards
  bool database_collation_c = false;   // the database default collation sorts bytewise (C or POSIX) on every shard
  Oid database_collation = 100;        // pg_collation OID 100 stands for the database default
  std::unordered_map<Oid, bool> collation_is_c;  // collations known to sort bytewise (950 C, 951 POSIX, ...)
  std::unordered_map<Oid, bool> collation_deterministic;
  std::unordered_map<Oid, std::string> collation_names;
  std::vector<CatalogTable> tables;
  std::unordered_map<std::string, std::size_t> table_index;  // "schema.name" -> index into tables
  // "schema.index" -> "schema.table" of every index on any shard; empty where shards have it on different tables.
  std::unordered_map<std::string, std::string> index_tables;
  std::unordered_multimap<std::string, std::size_t> function_index;  // name -> index into functions
  std::vector<CatalogFunction> functions;  // all, built-in ones too
  std::vector<CatalogOperator> operators;
  std::unordered_map<Oid, CatalogType> types;  // all
  std::vector<OidMap> oid_maps;        // by ShardId
  std::vector<std::string> schemas;
  std::vector<bool> two_phase;         // by ShardId: max_prepared_transactions > 0
  SessionCode session_code;
  CustomSettings custom_settings;      // what functions, rules and defaults set on any shard; parameters are unused
  // By ShardId: the oldest transaction (its 32-bit id in decimal) whose functions custom_settings may not know; empty: all.
  std::vector<std::string> code_horizon;

  const CatalogTable* find_table(std::string_view schema, std::string_view name) const {
    auto i = table_index.find(std::string(schema) + "." + std::string(name));
    return i == table_index.end() ? nullptr : &tables[i->second];
  }
};

}  // namespace pgweir::routing
