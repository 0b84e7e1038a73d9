// OIDs of the built-in types that merges know (pg_type.dat; fixed for all versions of PostgreSQL).
#pragma once

#include "routing/types.h"

namespace pgweir::routing::type_oid {

inline constexpr Oid kBool = 16, kBytea = 17, kChar = 18, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25,
                     kOid = 26, kCidr = 650, kFloat4 = 700, kFloat8 = 701, kMacaddr8 = 774, kMoney = 790,
                     kMacaddr = 829, kInet = 869, kBpchar = 1042, kVarchar = 1043, kDate = 1082, kTime = 1083,
                     kTimestamp = 1114, kTimestamptz = 1184, kInterval = 1186, kTimetz = 1266, kNumeric = 1700,
                     kUuid = 2950, kPgLsn = 3220, kXid8 = 5069;

}  // namespace pgweir::routing::type_oid
