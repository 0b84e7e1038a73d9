// PostgreSQL's extended hash functions and the row hash of PARTITION BY HASH, so that a bucket computed here is the
// remainder that satisfies_hash_partition() computes inside the database. The byte hash is Bob Jenkins' lookup3
// (public domain, 2006) in the seeded form that PostgreSQL documents in its hash functions. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "routing/placement/key_value.h"

namespace pgweir::routing {

// Seed of PARTITION BY HASH (HASH_PARTITION_SEED).
inline constexpr std::uint64_t kHashPartitionSeed = 0x7A5B22367996DCFDull;

// hashtextextended, uuid_hash_extended, ...
std::uint64_t pg_hash_bytes(std::string_view bytes, std::uint64_t seed);
std::uint64_t pg_hash_uint32(std::uint32_t value, std::uint64_t seed);         // hashint4extended
// hashint8extended, timestamp_hash_extended
std::uint64_t pg_hash_int64(std::int64_t value, std::uint64_t seed);
std::uint64_t pg_hash_numeric(std::string_view canonical, std::uint64_t seed); // hash_numeric_extended

// The extended hash of the value's type. Precondition: not null.
std::uint64_t pg_hash_key(const KeyValue& value, std::uint64_t seed);
// What PARTITION BY HASH takes modulo the number of partitions, for a single key column. Precondition: not null.
std::uint64_t pg_partition_hash(const KeyValue& value);

}  // namespace pgweir::routing
