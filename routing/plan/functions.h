// What the router knows of a function that a statement calls: by name, schema and number of arguments, from the
// catalog, the configuration's [[cluster.X.function]] entries and the lists in functions.cpp. Pure; thread-safe.
#pragma once

#include "routing/plan/router.h"
#include "routing/plan/search_path.h"
#include "routing/sql/ast.h"

namespace pgweir::routing {

struct FunctionFacts {
  enum class Known : std::uint8_t {
    BuiltIn,     // every candidate is PostgreSQL's own
    Declared,    // named by the configuration
    Undeclared,  // user-defined and not declared
    Missing,     // no function of that name
    NoCatalog    // the catalog is not loaded: nothing is known
  } known = Known::NoCatalog;
  bool aggregate = false, window = false, returns_set = false;
  char volatility = 'v';        // the worst of the candidates
  bool read_only = false;       // cannot write, lock or change session state
  bool names_session_state = false;  // a candidate's body names functions that do
  bool session_state = true;    // may leave session state behind
  bool sequence_state = false;  // nextval, setval, currval, lastval
  bool home = false;            // belongs to the home shard: sequences, advisory locks, large objects, notifications
  bool reads_tables = false;    // built in, and reads tables that its arguments name
  bool reads_shard = false;     // declared: reads tables of the shard it runs on
  bool now = false;             // now() or one of the functions equal to it outside of a transaction block
  bool per_row = false;         // random(), gen_random_uuid(): each row may have a value of its own
  bool node_dependent = false;  // another value on another shard or backend (now and per_row not counted)
};

FunctionFacts function_facts(const ClusterRouting& cluster, const SearchPath& path, const sql::Expr& call);

// now, transaction_timestamp, statement_timestamp.
bool is_now_function(std::string_view name);

}  // namespace pgweir::routing
