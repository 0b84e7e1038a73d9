// Merging the shards' partial results of one aggregate. An Aggregate is the immutable description, an AggregateState
// what one group has gathered of it. Results follow PostgreSQL's own rules: sum(int8 partials) is int8, sum(numeric)
// and avg of integers and numerics are numeric with PostgreSQL's scales, sum(float4) is float4, sum and avg of float8
// are float8.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/merge/comparator.h"
#include "routing/merge/merge_plan.h"
#include "routing/merge/merger.h"
#include "routing/merge/numeric.h"
#include "routing/merge/wire.h"

namespace pgweir::routing {

// The winning row of min or max so far.
struct AggregateExtreme {
  std::string key;      // encoding of the winning value
  std::string visible;  // its visible column, in the client's format
  bool visible_null = false;
};

struct AggregateState {
  Int128 integer = 0;      // Count, and sums of int8
  double real = 0;         // sums of float4 and float8
  std::int64_t count = 0;  // Avg
  std::unique_ptr<NumericSum> numeric;
  std::unique_ptr<AggregateExtreme> extreme;
  bool seen = false;  // a partial result that is not null came
  std::size_t heap_bytes() const;
};

enum class AggregateError : std::uint8_t { None, Malformed, BigintRange, FloatOverflow, NumericOverflow };

class Aggregate {
 public:
  // hidden, outputs: as for Merger::create. `ordered`: a merge key refers to the aggregate, so its result must have an
  // order.
  static Result<Aggregate> create(const MergePlan& plan, const MergeAggregate& source,
                                  std::span<const MergeColumn> hidden, std::span<const MergeColumn> outputs,
                                  bool ordered, int extra_float_digits, const MergeTypes& types);

  // Takes one row's partial result in. fields: all columns of the row; visible: how many of them are visible ones.
  [[nodiscard]] AggregateError add(AggregateState& state, std::span<const wire::Field> fields,
                                   std::size_t visible) const;
  // Whether the result can be written; BigintRange and NumericOverflow are known only when all partials are in.
  [[nodiscard]] AggregateError check(const AggregateState& state) const;
  // Appends the result as a DataRow column (int32 length, bytes) in the output's format. Precondition: check() gave
  // None.
  void append_result(const AggregateState& state, std::string& out) const;
  // Appends the result as a component of a sort key. Precondition: created with `ordered`, check() gave None.
  void append_component(const AggregateState& state, KeyOrder order, std::string& out) const;

  std::int32_t visible() const { return source_.visible; }

 private:
  enum class Accumulator : std::uint8_t { Integer, Float4, Float8, Numeric, Extreme };

  AggregateError add_extreme(AggregateState& state, std::span<const wire::Field> fields, std::size_t visible) const;
  AggregateError add_value(AggregateState& state, std::string_view value) const;
  bool is_null(const AggregateState& state) const;
  Numeric numeric_result(const AggregateState& state) const;
  double real_result(const AggregateState& state) const;
  void append_value(const AggregateState& state, bool binary, std::string& out) const;

  MergeAggregate source_;
  Accumulator accumulator_ = Accumulator::Integer;
  Oid result_ = 0;
  bool binary_ = false;
  int extra_float_digits_ = 1;
  std::optional<KeyType> key_;  // Min, Max: of the input; else of the result, if ordered
};

// The SQL error of an AggregateError other than None.
SqlError aggregate_error(AggregateError error);

// Type and collation checks of merge keys: `bytewise` of the plan or of the hidden column's known collation.
bool sorts_bytewise(const MergePlan& plan, std::size_t hidden, bool proven, const MergeTypes& types);

}  // namespace pgweir::routing
