#include "routing/merge/aggregate.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "routing/merge/float_text.h"
#include "routing/merge/type_oids.h"

namespace pgweir::routing {
namespace {

using wire::load;

SqlError disagree(const char* what) {
  return SqlError{"XX000", std::string("merge plan does not fit the rows: ") + what, {}, {}, {}, {}};
}

SqlError no_exact_merge(Oid type) {
  return refuse("merge_type", "cannot merge an aggregate over type " + std::to_string(type) + " from several shards",
                "Narrow the statement to one shard, group by the sharding key, or cast the argument to numeric.");
}

// Binary floats, widened to double (exact).
double read_float4(const char* at) { return std::bit_cast<float>(load<std::uint32_t>(at)); }
double read_float8(const char* at) { return std::bit_cast<double>(load<std::uint64_t>(at)); }

void append_integer_text(std::int64_t value, std::string& out) {
  char text[24];
  auto end = std::to_chars(text, text + sizeof text, value);
  out.append(text, end.ptr);
}

}  // namespace

bool sorts_bytewise(const MergePlan& plan, std::size_t hidden, bool proven, const MergeTypes& types) {
  if (proven) return true;
  return hidden < plan.hidden_collations.size() && plan.hidden_collations[hidden] != 0 &&
         types.sorts_bytewise(plan.hidden_collations[hidden]);
}

SqlError aggregate_error(AggregateError error) {
  auto range = [](const char* message) { return SqlError{"22003", message, {}, {}, {}, {}}; };
  switch (error) {
    case AggregateError::BigintRange:
      return range("bigint out of range");
    case AggregateError::FloatOverflow:
      return range("value out of range: overflow");
    case AggregateError::NumericOverflow:
      return range("value overflows numeric format");
    case AggregateError::None:
    case AggregateError::Malformed:
      break;
  }
  return SqlError{"08P01", "malformed partial aggregate from a shard", {}, {}, {}, {}};
}

std::size_t AggregateState::heap_bytes() const {
  std::size_t bytes = 0;
  if (numeric) bytes += sizeof(NumericSum) + numeric->heap_bytes();
  if (extreme) bytes += sizeof(AggregateExtreme) + extreme->key.capacity() + extreme->visible.capacity();
  return bytes;
}

Result<Aggregate> Aggregate::create(const MergePlan& plan, const MergeAggregate& source,
                                    std::span<const MergeColumn> hidden, std::span<const MergeColumn> outputs,
                                    bool ordered, int extra_float_digits, const MergeTypes& types) {
  bool average = source.function == AggregateFunction::Avg;
  if (source.first >= hidden.size() || (average && source.second >= hidden.size()))
    return disagree("no such hidden column");
  if (source.visible >= static_cast<std::int32_t>(outputs.size())) return disagree("no such visible column");
  Aggregate aggregate;
  aggregate.source_ = source;
  aggregate.extra_float_digits_ = extra_float_digits;
  if (source.visible >= 0) aggregate.binary_ = outputs[static_cast<std::size_t>(source.visible)].binary;
  const Oid input = hidden[source.first].type;
  aggregate.result_ = input;
  switch (source.function) {
    case AggregateFunction::Min:
    case AggregateFunction::Max: {
      auto key = KeyType::create(input, sorts_bytewise(plan, source.first, source.bytewise_text, types), types);
      if (!key) return key.error();
      aggregate.accumulator_ = Accumulator::Extreme;
      aggregate.key_ = std::move(*key);
      return aggregate;  // the visible column's own bytes are the result, whatever its type
    }
    case AggregateFunction::Count:
      if (input != type_oid::kInt8) return no_exact_merge(input);
      aggregate.accumulator_ = Accumulator::Integer;
      break;
    case AggregateFunction::Sum:
    case AggregateFunction::Avg:
      switch (input) {
        case type_oid::kInt8:
          aggregate.accumulator_ = Accumulator::Integer;
          break;
        case type_oid::kNumeric:
          aggregate.accumulator_ = Accumulator::Numeric;
          break;
        case type_oid::kFloat4:
          aggregate.accumulator_ = Accumulator::Float4;
          break;
        case type_oid::kFloat8:
          aggregate.accumulator_ = Accumulator::Float8;
          break;
        default:
          return no_exact_merge(input);
      }
      if (!average) break;
      if (input == type_oid::kFloat4) return no_exact_merge(input);  // it was rounded to float4 already
      if (hidden[source.second].type != type_oid::kInt8) return disagree("the count of an average is no bigint");
      if (input == type_oid::kInt8) aggregate.result_ = type_oid::kNumeric;
  }
  if (source.visible >= 0 && outputs[static_cast<std::size_t>(source.visible)].type != aggregate.result_)
    return no_exact_merge(outputs[static_cast<std::size_t>(source.visible)].type);
  if (ordered) {
    auto key = KeyType::create(aggregate.result_, true, types);
    if (!key) return key.error();
    aggregate.key_ = std::move(*key);
  }
  return aggregate;
}

AggregateError Aggregate::add(AggregateState& state, std::span<const wire::Field> fields, std::size_t visible) const {
  if (accumulator_ == Accumulator::Extreme) return add_extreme(state, fields, visible);
  if (source_.function == AggregateFunction::Avg) {
    const auto& count = fields[visible + source_.second];
    if (!count.null) {
      if (count.bytes.size() != 8) return AggregateError::Malformed;
      auto rows = static_cast<std::int64_t>(load<std::uint64_t>(count.bytes.data()));
      if (rows < 0) return AggregateError::Malformed;
      if (__builtin_add_overflow(state.count, rows, &state.count)) return AggregateError::BigintRange;
    }
  }
  const auto& first = fields[visible + source_.first];
  return first.null ? AggregateError::None : add_value(state, first.bytes);
}

AggregateError Aggregate::add_value(AggregateState& state, std::string_view value) const {
  double real = 0;
  switch (accumulator_) {
    case Accumulator::Integer:
      if (value.size() != 8) return AggregateError::Malformed;
      state.integer += static_cast<std::int64_t>(load<std::uint64_t>(value.data()));
      break;
    case Accumulator::Numeric:
      if (!state.numeric) state.numeric = std::make_unique<NumericSum>();
      if (!state.numeric->add(value)) return AggregateError::Malformed;
      break;
    case Accumulator::Float4:
    case Accumulator::Float8: {
      bool single = accumulator_ == Accumulator::Float4;
      if (value.size() != (single ? 4u : 8u)) return AggregateError::Malformed;
      real = single ? read_float4(value.data()) : read_float8(value.data());
      // The first value of a sum is taken as it is, so that -0 stays -0; PostgreSQL's avg adds to 0.
      bool lone = !state.seen && source_.function == AggregateFunction::Sum;
      auto sum = lone     ? real
                 : single ? double{static_cast<float>(state.real) + static_cast<float>(real)}
                          : state.real + real;
      if (std::isinf(sum) && !std::isinf(real) && !std::isinf(state.real)) return AggregateError::FloatOverflow;
      state.real = sum;
      break;
    }
    case Accumulator::Extreme:
      break;
  }
  state.seen = true;
  return AggregateError::None;
}

AggregateError Aggregate::add_extreme(AggregateState& state, std::span<const wire::Field> fields,
                                      std::size_t visible) const {
  const auto& value = fields[visible + source_.first];
  if (value.null) return AggregateError::None;
  std::string key;
  if (!key_->encode(value.bytes, key)) return AggregateError::Malformed;
  bool wins = !state.seen;
  if (state.seen) {
    auto order = key.compare(state.extreme->key);
    wins = source_.function == AggregateFunction::Min ? order < 0 : order > 0;
  }
  if (!wins) return AggregateError::None;
  if (!state.extreme) state.extreme = std::make_unique<AggregateExtreme>();
  state.extreme->key = std::move(key);
  if (source_.visible >= 0) {
    const auto& shown = fields[static_cast<std::size_t>(source_.visible)];
    state.extreme->visible.assign(shown.bytes);
    state.extreme->visible_null = shown.null;
  }
  state.seen = true;
  return AggregateError::None;
}

AggregateError Aggregate::check(const AggregateState& state) const {
  if (accumulator_ == Accumulator::Integer && source_.function != AggregateFunction::Avg) {
    bool fits = state.integer >= std::numeric_limits<std::int64_t>::min() &&
                state.integer <= std::numeric_limits<std::int64_t>::max();
    return fits ? AggregateError::None : AggregateError::BigintRange;
  }
  if (accumulator_ == Accumulator::Numeric && state.numeric && state.numeric->may_overflow() &&
      !state.numeric->total().fits())
    return AggregateError::NumericOverflow;
  return AggregateError::None;
}

bool Aggregate::is_null(const AggregateState& state) const {
  if (source_.function == AggregateFunction::Count) return false;
  return !state.seen || (source_.function == AggregateFunction::Avg && state.count == 0);
}

Numeric Aggregate::numeric_result(const AggregateState& state) const {
  auto sum = accumulator_ == Accumulator::Integer ? Numeric::from_integer(state.integer) : state.numeric->total();
  return source_.function == AggregateFunction::Avg ? sum.divided_by(static_cast<std::uint64_t>(state.count)) : sum;
}

double Aggregate::real_result(const AggregateState& state) const {
  return source_.function == AggregateFunction::Avg ? state.real / static_cast<double>(state.count) : state.real;
}

void Aggregate::append_value(const AggregateState& state, bool binary, std::string& out) const {
  switch (result_) {
    case type_oid::kInt8: {
      auto value = static_cast<std::int64_t>(state.integer);
      if (binary)
        wire::append<std::uint64_t>(out, static_cast<std::uint64_t>(value));
      else
        append_integer_text(value, out);
      return;
    }
    case type_oid::kFloat4: {
      auto value = static_cast<float>(real_result(state));
      if (binary)
        wire::append<std::uint32_t>(out, std::bit_cast<std::uint32_t>(value));
      else
        append_float4_text(value, extra_float_digits_, out);
      return;
    }
    case type_oid::kFloat8:
      if (binary)
        wire::append<std::uint64_t>(out, std::bit_cast<std::uint64_t>(real_result(state)));
      else
        append_float8_text(real_result(state), extra_float_digits_, out);
      return;
    default: {
      auto value = numeric_result(state);
      if (binary)
        value.append_binary(out);
      else
        value.append_text(out);
    }
  }
}

void Aggregate::append_result(const AggregateState& state, std::string& out) const {
  if (is_null(state)) return wire::append_field(out, wire::Field{});
  if (accumulator_ == Accumulator::Extreme)
    return wire::append_field(out, wire::Field{state.extreme->visible, state.extreme->visible_null});
  auto at = out.size();
  out.append(4, '\0');
  append_value(state, binary_, out);
  wire::store<std::uint32_t>(out.data() + at, static_cast<std::uint32_t>(out.size() - at - 4));
}

void Aggregate::append_component(const AggregateState& state, KeyOrder order, std::string& out) const {
  if (is_null(state)) return routing::append_component(order, {}, true, out);
  if (accumulator_ == Accumulator::Extreme) return routing::append_component(order, state.extreme->key, false, out);
  std::string value;
  append_value(state, true, value);
  [[maybe_unused]] bool encoded = routing::append_component(*key_, order, value, false, out);
}

}  // namespace pgweir::routing
