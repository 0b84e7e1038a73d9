// XXH64 (seed 0) of a key value's canonical bytes: integers, dates, timestamps and bool as eight bytes in little-endian
// order, everything else as its string (uuid its 16 bytes, numeric its canonical text). Pure function.
#pragma once

#include <cstdint>

#include "routing/placement/key_value.h"

namespace pgweir::routing {

// Precondition: not null.
std::uint64_t xxh64_key(const KeyValue& value);

}  // namespace pgweir::routing
