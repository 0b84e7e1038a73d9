// Questions about a KeyConstraint; private to placement/. Pure functions; thread-safe.
#pragma once

#include <optional>

#include "routing/placement/placement.h"

namespace pgweir::routing {

// Whether our order of the type's values is PostgreSQL's, so that bounds may narrow. Not for text: collations.
bool ordered(config::KeyType type);
// Whether a row with this key can satisfy the bounds (the values are not looked at). False for NULL.
bool admits(const KeyConstraint& constraint, const KeyValue& value);
// No row can satisfy it.
bool admits_nothing(const KeyConstraint& constraint);
// The value that both bounds allow, where it is only one.
std::optional<KeyValue> only_value(const KeyConstraint& constraint);

}  // namespace pgweir::routing
