// KeyConstraint: intersection, and the questions that levels ask of one.
#include "routing/placement/constraint.h"

#include <algorithm>

namespace pgweir::routing {
namespace {

// Whether `left` as a lower bound admits less than `right`.
bool tighter_lower(const KeyBound& left, const KeyBound& right) {
  const auto order = left.value <=> right.value;
  return order > 0 || (order == 0 && !left.inclusive);
}

bool tighter_upper(const KeyBound& left, const KeyBound& right) {
  const auto order = left.value <=> right.value;
  return order < 0 || (order == 0 && !left.inclusive);
}

bool orders(const KeyValue& value) { return !value.null && ordered(value.type); }

}  // namespace

void KeyConstraint::intersect(const KeyConstraint& other) {
  if (other.values) {
    if (values) {
      std::erase_if(*values, [&](const KeyValue& value) {
        return std::find(other.values->begin(), other.values->end(), value) == other.values->end();
      });
    } else {
      values = other.values;
    }
  }
  // Text is ordered by a collation we do not apply: of two such bounds either may stay, none is tighter.
  if (other.lower && (!lower || (orders(lower->value) && tighter_lower(*other.lower, *lower)))) lower = other.lower;
  if (other.upper && (!upper || (orders(upper->value) && tighter_upper(*other.upper, *upper)))) upper = other.upper;
}

bool ordered(config::KeyType type) { return type != config::KeyType::Text; }

bool admits(const KeyConstraint& constraint, const KeyValue& value) {
  if (value.null) return false;
  if (constraint.lower) {
    if (constraint.lower->value.null) return false;  // a comparison with NULL holds for no row
    if (orders(value)) {
      const auto order = value <=> constraint.lower->value;
      if (order < 0 || (order == 0 && !constraint.lower->inclusive)) return false;
    }
  }
  if (constraint.upper) {
    if (constraint.upper->value.null) return false;
    if (orders(value)) {
      const auto order = value <=> constraint.upper->value;
      if (order > 0 || (order == 0 && !constraint.upper->inclusive)) return false;
    }
  }
  return true;
}

bool admits_nothing(const KeyConstraint& constraint) {
  if (constraint.values) {
    return std::none_of(constraint.values->begin(), constraint.values->end(),
                        [&](const KeyValue& value) { return admits(constraint, value); });
  }
  const auto &lower = constraint.lower, &upper = constraint.upper;
  if ((lower && lower->value.null) || (upper && upper->value.null)) return true;
  if (!lower || !upper || !orders(lower->value)) return false;
  const auto order = lower->value <=> upper->value;
  return order > 0 || (order == 0 && !(lower->inclusive && upper->inclusive));
}

std::optional<KeyValue> only_value(const KeyConstraint& constraint) {
  const auto &lower = constraint.lower, &upper = constraint.upper;
  if (!lower || !upper || !orders(lower->value) || !lower->inclusive || !upper->inclusive) return std::nullopt;
  return lower->value == upper->value ? std::optional(lower->value) : std::nullopt;
}

}  // namespace pgweir::routing
