// The SQL that reads a server's catalogs (PostgreSQL 12 to 18). Every text is one SELECT whose columns are listed
// beside it; sessions have search_path = pg_catalog (login.cpp), so names in definitions come out qualified. Constants
// only.
#pragma once

#include <string>

namespace pgweir::control {

// version, version_num, encoding, C collation, max_prepared_transactions
std::string server_query();
// One text that differs as soon as a definition in the database differs (costs a scan of the catalogs); the oldest
// transaction whose effects the snapshot may lack.
std::string change_token_query();
// nspname
std::string schemas_query();
// oid, schema, name, kind, user triggers, rules, row security, inheritance
std::string relations_query();
// relation oid, name, type, typmod, collation, not null, generated, identity, default text, nextval, volatile
std::string columns_query();
// relation oid, name, columns (array text; empty string for an expression), partial, exclusion
std::string unique_indexes_query();
// relation oid, name, columns (array text), target schema, target table, target columns (array text)
std::string foreign_keys_query();
// oid, schema, name, return type, argument types (space-separated), defaults, variadic, set, kind, volatility, language,
// names session state
std::string functions_query(bool built_in);
// schema, name
std::string operators_query();
// oid, schema, name, element, array, base, relation, typtype, length
std::string types_query();
// type oid, label oid, label
std::string enum_labels_query();
// oid, name, bytewise, deterministic
std::string collations_query();

// For every shard, comparable between shards. schema, name, fingerprint of one table or view:
std::string fingerprints_query();
// schema, name, table (which is in the same schema)
std::string indexes_query();
// 't' (type) or 'r' (relation), oid, schema, name: what has an OID >= 16384
std::string oids_query();

}  // namespace pgweir::control
