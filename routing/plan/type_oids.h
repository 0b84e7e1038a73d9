// OIDs of PostgreSQL's built-in types that routing speaks of. Source: src/include/catalog/pg_type.dat (fixed for ever).
#pragma once

#include <string_view>

#include "routing/types.h"

namespace pgweir::routing::oid {

inline constexpr Oid kBool = 16, kBytea = 17, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25,
                     kUnknown = 705, kBpchar = 1042, kVarchar = 1043, kDate = 1082, kTime = 1083, kTimestamp = 1114,
                     kTimestampTz = 1184, kTimeTz = 1266, kNumeric = 1700, kUuid = 2950;
inline constexpr Oid kFirstUser = 16384;

// The name as the parser writes it ("int8", not "bigint"); 0 for others than those above.
inline Oid by_name(std::string_view name) {
  struct Entry {
    std::string_view name;
    Oid oid;
  };
  static constexpr Entry kEntries[] = {
      {"bool", kBool},       {"bytea", kBytea}, {"name", kName},           {"int8", kInt8},
      {"int2", kInt2},       {"int4", kInt4},   {"text", kText},           {"bpchar", kBpchar},
      {"varchar", kVarchar}, {"date", kDate},   {"timestamp", kTimestamp}, {"timestamptz", kTimestampTz},
      {"numeric", kNumeric}, {"uuid", kUuid}};
  for (const auto& e : kEntries) {
    if (e.name == name) return e.oid;
  }
  return 0;
}

// The element type of a built-in array type of the above; 0 for others.
inline Oid element_of(Oid array) {
  switch (array) {
    case 1000:
      return kBool;
    case 1001:
      return kBytea;
    case 1005:
      return kInt2;
    case 1007:
      return kInt4;
    case 1016:
      return kInt8;
    case 1009:
      return kText;
    case 1015:
      return kVarchar;
    case 1182:
      return kDate;
    case 1115:
      return kTimestamp;
    case 1185:
      return kTimestampTz;
    case 1231:
      return kNumeric;
    case 2951:
      return kUuid;
    default:
      return 0;
  }
}

// text, varchar, bpchar, name: types whose order depends on a collation.
inline bool collatable(Oid type) { return type == kText || type == kVarchar || type == kBpchar || type == kName; }

}  // namespace pgweir::routing::oid
