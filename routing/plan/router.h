// Statement text to Route. One Router per worker (it owns the statement cache): not thread-safe. The snapshots it reads
// (ClusterRouting) are immutable and shared.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "config/config.h"
#include "routing/catalog/catalog.h"
#include "routing/placement/placement.h"
#include "routing/plan/route.h"
#include "routing/types.h"

namespace pgweir::routing {

// One cluster's configuration compiled for routing, and the newest catalog. A new one is made on reload and on every
// catalog load; `version` differs then, which invalidates cached analyses.
struct ClusterRouting {
  std::shared_ptr<const config::Config> config;  // owns *cluster
  const config::Cluster* cluster = nullptr;
  std::shared_ptr<const Catalog> catalog;
  std::uint64_t version = 0;
  // Compiled from *cluster: placements by name, tables by "schema.name". plain: one shard and no tables (a pooler).
  bool plain = false;
  struct TableEntry {
    const config::Table* table;
    std::shared_ptr<const Placement> placement;
  };
  std::unordered_map<std::string, TableEntry> tables;
  std::unordered_set<std::string> names_beyond_home;  // that temp relations must not have: plan/temp_names.h
  static Result<std::shared_ptr<const ClusterRouting>> make(std::shared_ptr<const config::Config>,
                                                            const config::Cluster&, std::shared_ptr<const Catalog>,
                                                            std::uint64_t version);
};

enum class StatementKind : std::uint8_t {
  Empty,
  Select,
  Insert,
  Update,
  Delete,
  Merge,
  Copy,
  Ddl,
  Truncate,
  Begin,
  Commit,
  Rollback,
  Savepoint,
  Release,
  RollbackTo,
  PrepareTransaction,
  CommitPrepared,
  RollbackPrepared,
  SetTransaction,
  SetConstraints,
  Set,
  SetLocal,
  Reset,
  Show,
  Discard,
  Prepare,
  Execute,
  Deallocate,
  Listen,
  Unlisten,
  Notify,
  Declare,
  Fetch,
  CloseCursor,
  Lock,
  Explain,
  Maintenance /* VACUUM, ANALYZE, REINDEX, CLUSTER */,
  Do,
  Call,
  Load,
  Utility /* anything else */,
  Unparsable /* the parser refused it: syntax error or newer grammar */
};

// Where a command names a prepared statement: PREPARE, DEALLOCATE name, EXECUTE, EXPLAIN or CREATE TABLE AS of an EXECUTE.
struct PreparedName {
  std::size_t begin = 0, end = 0;  // the name as it is written, in the text; end 0: none, or its place cannot be told
  std::size_t query = 0;           // PREPARE: where the statement behind AS begins
  std::string executes;            // EXECUTE, and within the others: the name as stored
  bool quiet = false;              // EXECUTE: its arguments leave no state behind and run no code of users
  bool shown = false;              // the text mentions pg_prepared_statements
  // Where it is read from: the range of its name, with the schema. aliased: another name for it follows.
  struct View { std::size_t begin, end; bool aliased; };
  std::vector<View> views;
};

// What the session must know of a statement before and after it runs. Computed once per text.
struct StatementFacts {
  StatementKind kind = StatementKind::Empty;
  std::size_t begin = 0, end = 0;  // byte range of the statement in the text, without the semicolon
  bool read_only = false;    // provably: SELECT/SHOW/EXPLAIN/... without row locks, only functions known not to write
  bool plain_begin = false;  // BEGIN / START TRANSACTION (options allowed)
  bool begin_read_only = false;     // ... READ ONLY
  bool begin_serializable = false;  // ... ISOLATION LEVEL SERIALIZABLE
  bool begin_repeatable_read = false;
  bool begin_read_committed = false;  // ... or READ UNCOMMITTED, which is the same
  bool to_default = false;           // Set, SetLocal, Reset: RESET or ... TO DEFAULT
  bool chain = false;                // COMMIT/ROLLBACK AND CHAIN
  bool may_change_session = false;   // may leave session state behind (SET, temp tables, advisory locks, DO, unknown
                                     // functions, ...): census before release
  bool runs_code = false;  // may run functions, triggers, views or operators of users, DO or CALL: they may do anything
  bool uses_sequence_state = false;  // nextval, setval, currval, lastval
  bool no_transaction_block = false;
  bool has_now = false;  // now(), current_timestamp and relatives
  std::string
      name;  // Prepare/Execute/Deallocate: statement (empty: ALL); Set/Reset/Show: setting; Declare/Fetch: cursor
  unsigned max_parameter = 0;  // highest $n
  // CREATE TEMP TABLE/VIEW/SEQUENCE, SELECT INTO TEMP, also by schema pg_temp and by a path that begins with it, and a
  // rename of pg_temp.x: `name` is the relation's name.
  bool creates_temp = false;
  PreparedName prepared;
};

class StatementTemplate;  // private to plan/: facts plus the analysed tree in our own form

// One statement text: one entry per statement in it, or the parser's complaint. Shared with the cache.
struct Analysis {
  std::string text;
  std::uint64_t cluster_version =
      0;  // what it was analysed against; route() repeats the analysis where that has changed
  std::string path_key;
  std::vector<StatementFacts> statements;                           // empty for an empty query
  std::vector<std::shared_ptr<const StatementTemplate>> templates;  // parallel to statements
  // Set when the text does not parse; statements then holds one Unparsable entry. The message is the parser's.
  std::string parse_error;
};

// Session state that a decision depends on.
struct RouteContext {
  std::string_view search_path = "\"$user\", public";  // value of the setting
  std::string_view user;
  LiteralContext literals;
  bool standard_conforming_strings = true;
  bool in_transaction = false;  // explicit block
  bool read_only_transaction = false;
  std::string_view hint_shard, hint_sharding_key,
      hint_role;                       // empty: none. From SET pgweir.*; comments are read by the router
  std::optional<config::Reads> reads;  // override of the cluster's (user or session)
  std::int64_t now_microseconds = 0;   // since 2000-01-01 UTC: the value that stands for now() in a scatter
  // Names of the session's temp relations as stored (folded). They hide tables of the same unqualified name and live at
  // home.
  std::span<const std::string> temp_tables;
  bool server_encoding = true;  // client_encoding is the servers' encoding; else text keys beyond ASCII are not read
  // false: Parse/Describe time, Bind has not come. Where parameters decide, the route is then OneShard with any_shard
  // and all candidate shards (any of them can describe the client's text), or a Scatter/Broadcast over them; never a
  // refusal that depends on their values. False: Parse/Describe time, Bind has not come. Where parameters decide, the
  // route is then OneShard with any_shard and all candidate shards (any of them can describe the client's text), or a
  // Scatter/Broadcast over them; never a refusal that depends on their values.
  bool parameters_known = true;
  bool want_explanation = true;  // fill Route::explanation; false on the hot path
};

class Router {
 public:
  explicit Router(std::size_t cache_bytes = 16u << 20);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Never fails: text that does not parse gives an Unparsable statement. Cached by exact text,
  // standard_conforming_strings and cluster version; bounded in bytes.
  std::shared_ptr<const Analysis> analyze(const ClusterRouting& cluster, std::string_view text,
                                          const RouteContext& context);

  // Decides statement `index` of the analysis. `parameters` are empty for the simple protocol.
  Result<Route> route(const ClusterRouting& cluster, const Analysis& analysis, std::size_t index,
                      std::span<const Parameter> parameters, const RouteContext& context);

  struct CacheStats {
    std::uint64_t hits = 0, misses = 0, evictions = 0, bytes = 0;
  };
  CacheStats cache_stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgweir::routing
