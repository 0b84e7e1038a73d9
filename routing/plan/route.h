// Route: the whole decision about one statement. Later stages never look at SQL again. Immutable value; thread-safe to
// read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "routing/merge/merge_plan.h"
#include "routing/types.h"

namespace pgweir::routing {

class CopyPlan;  // copy/copy_plan.h

// The statement one shard gets where it differs from the client's text.
struct ShardStatement {
  ShardId shard;
  std::string sql;
  std::vector<std::uint16_t> parameters;  // $1..$n of `sql` are these parameters of the client (0-based)
  std::vector<std::uint32_t>
      row_numbers;  // INSERT ... VALUES: row k of this shard is row row_numbers[k] of the client's list
};

// Answered by the proxy itself.
struct LocalAction {
  enum class Kind : std::uint8_t { SetHint, ResetHint, ShowHint, ExplainRoute } kind = Kind::SetHint;
  std::string name;                // "shard", "sharding_key" or "role"
  std::string value;               // SetHint: the new value; ExplainRoute: the statement to explain
  bool transaction_local = false;  // SET LOCAL
};

struct Route {
  enum class Kind : std::uint8_t {
    OneShard,   // the client's own text (or pushed_sql when not empty) on one shard of `shards` (see any_shard)
    Scatter,    // read: pushed_sql (or the client's text) on every shard of `shards`, merged by `merge`
    Broadcast,  // write: the client's text (or pushed_sql) on every shard of `shards`, atomically
    Split,      // write: `statements`, one per shard, atomically
    CopyIn,  // COPY FROM STDIN, rows routed by `copy`. `copy` null: a reference table, the same bytes to every shard of
             // `shards` under pushed_sql
    CopyOut,  // COPY TO STDOUT from every shard of `shards` (pushed_sql if not empty), concatenated as copy->options
              // say
    Local     // `local`
  };
  Kind kind = Kind::OneShard;
  ShardSet shards;         // never empty except for Local
  bool any_shard = false;  // OneShard: any member of `shards` gives the answer (the session prefers one it holds); else
                           // shards.size() == 1
  bool prefer_home = false;  // any_shard: the home shard, unless the session holds another one for its transaction
  Role role = Role::Primary;  // Replica only if the statement is provably read-only and replicas were asked for
  bool write = false;         // may change rows or schema

  std::string pushed_sql;                  // empty: the client's text
  std::shared_ptr<const MergePlan> merge;  // Scatter; for writes with RETURNING: Concat or First
  enum class Count : std::uint8_t {
    Sum,
    First
  } count = Count::Sum;  // command tag of a Broadcast or Split: rows summed, or the same on every shard
  std::vector<ShardStatement> statements;  // Split; ascending shards
  bool returning = false;                  // a write that returns rows
  bool returning_in_values_order = false;  // Split: give rows back in VALUES order
  std::vector<std::string>
      reference_locks;  // "schema.table" of reference tables written: locked on every shard, in this order
  bool no_transaction_block =
      false;         // cannot run inside a transaction block (VACUUM, CREATE INDEX CONCURRENTLY ...): shard by shard
  bool ddl = false;  // the catalog must be re-read afterwards
  std::shared_ptr<const CopyPlan> copy;
  LocalAction local;

  std::string explanation;  // one line per fact: tables, key values, buckets, why; for ROUTE and EXPLAIN (ROUTE)
};

}  // namespace pgweir::routing
