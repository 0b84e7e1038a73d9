#include "routing/plan/functions.h"

#include <array>

namespace pgweir::routing {
namespace {

template <std::size_t N>
bool one_of(std::string_view name, const std::array<std::string_view, N>& list) {
  for (const std::string_view item : list) {
    if (name == item) return true;
  }
  return false;
}
bool starts(std::string_view name, std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; }

// PostgreSQL 15 documentation, 9.15.3 (mapping tables to XML) and 12.4 (ts_stat, ts_rewrite): they run SQL given as
// text.
bool runs_sql(std::string_view name) {
  return starts(name, "query_to_xml") || starts(name, "table_to_xml") || starts(name, "schema_to_xml") ||
         starts(name, "database_to_xml") || starts(name, "cursor_to_xml") || name == "ts_stat" || name == "ts_rewrite";
}

bool advisory(std::string_view name) { return starts(name, "pg_advisory_") || starts(name, "pg_try_advisory_"); }
bool sequence(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kNames{"nextval", "setval", "currval", "lastval",
                                                          "pg_sequence_last_value"};
  return one_of(name, kNames);
}
bool large_object(std::string_view name) { return starts(name, "lo_") || name == "loread" || name == "lowrite"; }

bool changes_session(std::string_view name) {
  static constexpr std::array<std::string_view, 4> kNames{"set_config", "setseed", "pg_create_logical_replication_slot",
                                                          "pg_create_physical_replication_slot"};
  if (one_of(name, kNames)) return true;
  return advisory(name) && name.find("_xact_") == std::string_view::npos;
}

// Volatile functions that write nothing and leave nothing behind.
bool harmless_volatile(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kNames{"random",    "gen_random_uuid", "clock_timestamp",
                                                          "timeofday", "pg_sleep",        "pg_backend_pid"};
  return one_of(name, kNames);
}

// Built-in functions whose value depends on the node, the backend, its catalogs' OIDs or the text of the statement.
bool node_dependent(std::string_view name, std::size_t arguments) {
  static constexpr std::array<std::string_view, 7> kPgFine{
      "pg_typeof",          "pg_column_size",        "pg_size_pretty",   "pg_size_bytes",
      "pg_client_encoding", "pg_column_compression", "pg_input_is_valid"};
  static constexpr std::array<std::string_view, 16> kNames{
      "format_type",         "obj_description", "col_description", "shobj_description", "current_query",
      "row_security_active", "mxid_age",        "to_regclass",     "version",           "current_database",
      "acldefault",          "aclexplode",      "makeaclitem",     "currtid2",          "satisfies_hash_partition",
      "icu_unicode_version"};
  if (name == "age" && arguments == 1) return true;  // relative to current_date, or of a transaction id
  if (starts(name, "pg_")) return !one_of(name, kPgFine);
  if (starts(name, "has_") || starts(name, "to_reg") || starts(name, "txid_") || starts(name, "inet_server") ||
      starts(name, "inet_client"))
    return true;
  return one_of(name, kNames);
}

bool accepts(const CatalogFunction& f, const sql::Expr& call) {
  const std::size_t given = call.args.size();
  const std::size_t takes = f.argument_types.size();
  if (call.call != nullptr && call.call->within_group) return true;
  if (f.variadic && given + 1 >= takes) return true;
  return given <= takes && given + f.defaults >= takes;
}

const config::Function* declared(const ClusterRouting& cluster, const CatalogFunction& f) {
  if (cluster.cluster == nullptr) return nullptr;
  for (const auto& d : cluster.cluster->functions) {
    if (d.name == f.name && d.schema == f.schema) return &d;
  }
  return nullptr;
}

bool visible(const SearchPath& path, const CatalogFunction& f, const std::vector<std::string>& names) {
  if (names.size() > 1) return f.schema == names[names.size() - 2];
  if (f.schema == "pg_catalog") return true;
  for (const auto& s : path.schemas) {
    if (s == f.schema) return true;
  }
  return false;
}

void add_candidate(const ClusterRouting& cluster, const CatalogFunction& f, FunctionFacts& facts, bool first) {
  facts.aggregate |= f.kind == 'a';
  facts.window |= f.kind == 'w';
  facts.returns_set |= f.returns_set;
  const auto rank = [](char c) { return c == 'i' ? 0 : c == 's' ? 1 : 2; };
  if (first || rank(f.volatility) > rank(facts.volatility)) facts.volatility = f.volatility;
  if (f.built_in) return;
  facts.names_session_state |= f.names_session_state || cluster.catalog->session_code.functions.contains(f.schema + "." + f.name);
  const config::Function* d = declared(cluster, f);
  if (d == nullptr) {
    facts.known = FunctionFacts::Known::Undeclared;
  } else if (facts.known != FunctionFacts::Known::Undeclared) {
    facts.known = FunctionFacts::Known::Declared;
    facts.reads_shard |= d->reads == config::FunctionReads::Shard;
  }
}

}  // namespace

bool is_now_function(std::string_view name) {
  return name == "now" || name == "transaction_timestamp" || name == "statement_timestamp";
}

FunctionFacts function_facts(const ClusterRouting& cluster, const SearchPath& path, const sql::Expr& call) {
  FunctionFacts facts;
  const std::string& name = call.name();
  if (!cluster.catalog || !cluster.catalog->loaded) {
    facts.sequence_state = sequence(name);
    return facts;
  }
  const Catalog& catalog = *cluster.catalog;
  facts.known = FunctionFacts::Known::Missing;
  const auto [begin, end] = catalog.function_index.equal_range(name);
  for (auto i = begin; i != end; ++i) {
    const CatalogFunction& f = catalog.functions[i->second];
    if (!visible(path, f, call.names) || !accepts(f, call)) continue;
    const bool first = facts.known == FunctionFacts::Known::Missing;
    if (first) facts.known = FunctionFacts::Known::BuiltIn;
    add_candidate(cluster, f, facts, first);
  }
  if (facts.known != FunctionFacts::Known::BuiltIn) {
    // Declared functions are taken at their word about tables, but only their volatility says that they do not write.
    facts.read_only = facts.known == FunctionFacts::Known::Declared && facts.volatility != 'v';
    // PostgreSQL refuses commands that write in functions that are not volatile, but they may call functions that do.
    facts.session_state = facts.known == FunctionFacts::Known::Missing || facts.volatility == 'v' || facts.names_session_state;
    facts.node_dependent = facts.volatility == 'v';
    return facts;
  }
  facts.sequence_state = sequence(name);
  facts.session_state = changes_session(name);
  facts.home = facts.sequence_state || advisory(name) || large_object(name) || name == "pg_notify" ||
               name == "pg_listening_channels";
  facts.reads_tables = runs_sql(name);
  facts.now = is_now_function(name) && call.args.empty();
  facts.per_row = name == "random" || name == "gen_random_uuid";
  facts.read_only = (facts.volatility != 'v' || harmless_volatile(name)) && !facts.home && !facts.session_state &&
                    !facts.reads_tables;
  facts.node_dependent =
      !facts.now && !facts.per_row && (facts.volatility == 'v' || facts.home || node_dependent(name, call.args.size()));
  return facts;
}

}  // namespace pgweir::routing
