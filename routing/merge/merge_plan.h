// How the rows of several shards become the rows of one answer. Made by plan/, carried in a Route, executed by
// merge/merger.h. Immutable value.
//
// A shard's row is [visible columns, in the client's formats][hidden columns, always binary]. Hidden columns are
// appended by the rewriter and cut off before the client sees the row; they are addressed by their index among the
// hidden ones, because the number of visible columns is known only from the shards' RowDescription (SELECT *).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "routing/types.h"

namespace pgweir::routing {

enum class AggregateFunction : std::uint8_t { Count, Sum, Min, Max, Avg };

// One merged aggregate. Inputs are hidden columns that hold each shard's partial result:
//   Count: first = count(...) (int8)           Sum: first = sum(x)            Min, Max: first = min(x) / max(x)
//   Avg:   first = sum(x), second = count(x)   (sum in the type PostgreSQL's sum gives: int8 or numeric -> avg numeric,
//          float8 -> avg float8; for avg(float4) push sum(x::float8), as PostgreSQL's avg adds float4 up in float8)
// bool_and, every / bool_or are Min / Max over the shards' bool.
// The result replaces the visible column `visible` (if >= 0; the pushed SQL keeps a column there so that names,
// positions and types stay) or only serves ordering (visible < 0).
struct MergeAggregate {
  AggregateFunction function = AggregateFunction::Count;
  std::uint16_t first = 0, second = 0;
  std::int32_t visible = -1;
  // Min, Max: proven at plan time that IF the type is a collatable one (text, varchar, bpchar, name), its collation
  // sorts bytewise. False and a collatable type at run time: the merger refuses (reason "merge_collation").
  bool bytewise_text = false;
};

struct MergeKey {
  enum class Source : std::uint8_t { Hidden, Aggregate } source = Source::Hidden;
  std::uint16_t index = 0;  // hidden column or position in MergePlan::aggregates
  bool descending = false;
  bool nulls_first = false;    // PostgreSQL's default: true for DESC, false for ASC (the planner has resolved it)
  bool bytewise_text = false;  // as in MergeAggregate: the order of a collatable key type is proven bytewise
};

struct MergePlan {
  enum class Kind : std::uint8_t {
    Concat,   // rows as they come, any order
    Ordered,  // every shard's stream is sorted by `order`
    Group,    // one row per distinct group key (none: exactly one row); also DISTINCT (aggregates empty, group_by = all
              // visible columns' hidden copies)
    First     // the answer of one shard stands for all (reference tables); the others' rows are read and dropped
  };
  Kind kind = Kind::Concat;
  std::uint16_t hidden = 0;
  // Collation OIDs of the hidden columns, optional; 0 or missing: not known. A known bytewise collation serves as well
  // as bytewise_text; a known nondeterministic one in group_by is refused (without it, plan/ has proven it
  // deterministic).
  std::vector<Oid> hidden_collations;
  std::vector<std::uint16_t> group_by;  // hidden columns
  std::vector<MergeAggregate> aggregates;
  std::vector<MergeKey> order;    // Ordered: how streams are sorted. Group: how the merged groups are sorted
  bool global_aggregate = false;  // Group without GROUP BY: exactly one row even if every shard gave an empty input
  std::int64_t limit = -1;        // -1: none
  std::int64_t offset = 0;
};

}  // namespace pgweir::routing
