// What the planner decides about a statement on a sharded cluster before parameter values and session state are known.
// Immutable once built; thread-safe to read. Private to plan/.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "routing/plan/narrowing.h"
#include "routing/plan/route.h"

namespace pgweir::routing {

// Replace text[begin, end) by `text`. Splices of one statement do not overlap.
struct Splice {
  std::size_t begin = 0, end = 0;
  std::string text;
};

// A use of now() or a relative, replaced by a constant of its type when the statement is routed.
struct NowUse {
  enum class Form : std::uint8_t { TimestampTz, Timestamp, Date, Time, LocalTime } form = Form::TimestampTz;
  std::size_t begin = 0, end = 0;
  std::string label;  // " AS name" where the call's name would name the column
  int precision = -1;
};

struct LimitValue {
  enum class Kind : std::uint8_t { None, Constant, Parameter } kind = Kind::None;
  std::int64_t value = 0;
  int parameter = 0;
};

// What happens if more than one shard may be concerned.
struct MultiPlan {
  Route::Kind kind = Route::Kind::Scatter;
  MergePlan merge;
  LimitValue limit, offset;
  std::vector<Splice> splices;
  Route::Count count = Route::Count::Sum;
  bool returning = false;
};

struct InsertRow {
  std::vector<Term> key;
  std::size_t begin = 0, end = 0;  // of "( ... )"
};

struct InsertPlan {
  std::string table;
  std::shared_ptr<const Placement> placement;
  std::vector<InsertRow> rows;
  bool returning = false;
  bool returning_in_order = false;
  bool may_split = true;  // false: `split_refusal` if the rows go to several shards
  std::optional<SqlError> split_refusal;
  std::vector<std::string> now_columns;  // not given, default now(): one constant for all shards of a split
  std::size_t columns_end = 0;           // in front of the ")" of the column list
};

struct Plan {
  std::optional<SqlError> refusal;  // whatever the values
  std::optional<Route> fixed;       // the whole decision but for hints and role
  bool write = false, ddl = false, returning = false;
  bool follows_session = false;           // session commands: any shard, never narrowed by hints
  std::optional<ShardSet> allowed;        // shards that hold every table that is not sharded; nullopt: all do
  bool any_shard = false;                 // any member of `allowed` will do
  bool prefer_home = false;               // ... but the home shard's is taken unless a transaction runs elsewhere
  std::vector<Narrowing> narrowings;      // one per sharded relation in any query level
  std::vector<Splice> single_splices;     // for one shard
  std::vector<NowUse> nows;               // replaced if the statement runs on several shards or a key depends on them
  std::optional<SqlError> multi_refusal;  // set: more than one shard is refused
  std::unique_ptr<MultiPlan> multi;
  std::unique_ptr<InsertPlan> insert;
  std::string reference_table;           // schema.table of the reference table written
  std::vector<std::string> unqualified;  // names that a temp table could hide
  bool names_index = false;              // ... and an index of a temp table
  std::string explanation;
};

// Applies splices (any order) to text[begin, end).
std::string apply_splices(std::string_view text, std::size_t begin, std::size_t end, std::vector<Splice> splices);

// Stands for use `index` of Plan::nows in text that is written a second time.
std::string now_mark(std::size_t index);
// Replaces the marks by constants.
std::string expand_marks(std::string text, const std::vector<NowUse>& nows, std::int64_t microseconds);

// now() at this instant as a constant of the type of `use`.
Splice now_splice(const NowUse& use, std::int64_t microseconds);

}  // namespace pgweir::routing
