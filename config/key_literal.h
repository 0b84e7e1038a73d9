// Key values written in the configuration (list entries, pins, range bounds): are they of the key's type, are two of
// them the same key, which comes first. A subset of PostgreSQL's input syntax on purpose: a file has no session, so
// nothing that depends on one (DateStyle, TimeZone names, 'today') is accepted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.h"

namespace pgweir::config {

struct KeyLiteral {
  std::string canonical;   // equal strings: equal keys
  std::int64_t order = 0;  // ascending for integers, dates (days) and timestamps (microseconds, UTC); else 0
};

// Fills `literal` and returns an empty string, or says what the type expects.
[[nodiscard]] std::string read_key_literal(KeyType type, std::string_view text, KeyLiteral& literal);

// Types whose values `order` sorts: those a range placement takes.
bool is_ordered(KeyType type);

}  // namespace pgweir::config
