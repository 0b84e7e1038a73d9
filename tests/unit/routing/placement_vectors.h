// What PostgreSQL 15 computes for these keys: the type's extended hash function with the seed of PARTITION BY HASH,
// and the remainder that satisfies_hash_partition() accepts for 1024 and for 997 partitions. Hash 0: bytea's function
// cannot be called from SQL, only its remainders can be seen.
#pragma once

#include <cstdint>

#include "config/config.h"

namespace pgweir::routing::vectors {

using config::KeyType;

struct Vector {
  KeyType type;
  const char* text;
  std::uint64_t hash;
  unsigned bucket_1024, bucket_997;
};

inline constexpr Vector kPostgres[] = {
    {KeyType::SmallInt, "0", 0xc2e34bda39f0f0cdull, 432, 156},
    {KeyType::SmallInt, "1", 0x52d621058124e6d5ull, 952, 6},
    {KeyType::SmallInt, "-1", 0xba5fc748095606c2ull, 933, 733},
    {KeyType::SmallInt, "7", 0x17b6109c145c1c34ull, 279, 439},
    {KeyType::SmallInt, "-32768", 0x51ac94e226a0db9aull, 125, 460},
    {KeyType::SmallInt, "32767", 0xa6ac42e1ee4bb5ebull, 718, 900},
    {KeyType::SmallInt, "1234", 0x7b4283f45883b2b7ull, 922, 481},
    {KeyType::Int, "0", 0xc2e34bda39f0f0cdull, 432, 156},
    {KeyType::Int, "1", 0x52d621058124e6d5ull, 952, 6},
    {KeyType::Int, "-1", 0xba5fc748095606c2ull, 933, 733},
    {KeyType::Int, "7", 0x17b6109c145c1c34ull, 279, 439},
    {KeyType::Int, "2147483647", 0xac09237e4899f89cull, 383, 824},
    {KeyType::Int, "-2147483648", 0x44893a0f1e949193ull, 630, 269},
    {KeyType::Int, "123456789", 0xf3311fb2440a2aeaull, 973, 742},
    {KeyType::BigInt, "0", 0xc2e34bda39f0f0cdull, 432, 156},
    {KeyType::BigInt, "1", 0x52d621058124e6d5ull, 952, 6},
    {KeyType::BigInt, "-1", 0xba5fc748095606c2ull, 933, 733},
    {KeyType::BigInt, "7", 0x17b6109c145c1c34ull, 279, 439},
    {KeyType::BigInt, "2147483648", 0x44893a0f1e949193ull, 630, 269},
    {KeyType::BigInt, "-2147483649", 0xac09237e4899f89cull, 383, 824},
    {KeyType::BigInt, "9223372036854775807", 0x44893a0f1e949193ull, 630, 269},
    {KeyType::BigInt, "-9223372036854775808", 0xac09237e4899f89cull, 383, 824},
    {KeyType::BigInt, "1234567890123456789", 0x81a3be9c9985a7adull, 144, 893},
    {KeyType::Uuid, "00000000-0000-0000-0000-000000000000", 0xb6b5d3c4aa5d92c2ull, 933, 971},
    {KeyType::Uuid, "0b9c1c1e-0000-4000-8000-000000000001", 0x1da3c34cfe6acd96ull, 633, 331},
    {KeyType::Uuid, "ffffffff-ffff-ffff-ffff-ffffffffffff", 0xfdeeb1999c98549eull, 385, 185},
    {KeyType::Uuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", 0x05e42c7f7f75bcedull, 464, 420},
    {KeyType::Text, "", 0xb0e33d0b543fbfc3ull, 166, 597},
    {KeyType::Text, "a", 0xa2f240f8823ba67bull, 862, 553},
    {KeyType::Text, "ab", 0x0845730e49baf33dull, 32, 492},
    {KeyType::Text, "abc", 0x325c02d16f43e1c2ull, 677, 725},
    {KeyType::Text, "abcd", 0x37eb4043f6fdb06eull, 337, 83},
    {KeyType::Text, "abcdefg", 0xeaf53e7fbf379baeull, 145, 637},
    {KeyType::Text, "abcdefgh", 0x94619c573ca212b2ull, 917, 28},
    {KeyType::Text, "abcdefghi", 0x92e90b933de8cba0ull, 131, 27},
    {KeyType::Text, "abcdefghij", 0x8cba26807c1916a1ull, 900, 799},
    {KeyType::Text, "abcdefghijk", 0xe39999edea562278ull, 859, 325},
    {KeyType::Text, "abcdefghijkl", 0x92b003d370554786ull, 105, 233},
    {KeyType::Text, "abcdefghijklm", 0xa1d42895caa786b3ull, 918, 576},
    {KeyType::Text, "tenant-00000042", 0xe76064192e43a77aull, 93, 457},
    {KeyType::Text, "größe", 0xb914c763f2d6e4a6ull, 393, 968},
    {KeyType::Text, "the quick brown fox jumps over the lazy dog", 0xf572687ac9855b6bull, 78, 290},
    {KeyType::Bytea, "", 0x0000000000000000ull, 166, 597},
    {KeyType::Bytea, "\\x00", 0x0000000000000000ull, 442, 235},
    {KeyType::Bytea, "\\xdeadbeef", 0x0000000000000000ull, 835, 456},
    {KeyType::Bytea, "\\x000102030405060708090a0b0c0d0e0f1011", 0x0000000000000000ull, 860, 112},
    {KeyType::Numeric, "0", 0x7a5b22367996dcfcull, 479, 793},
    {KeyType::Numeric, "1", 0xd32735c3aa01325eull, 833, 516},
    {KeyType::Numeric, "-1", 0xd32735c3aa01325eull, 833, 516},
    {KeyType::Numeric, "7", 0x7188be89fa084de5ull, 712, 36},
    {KeyType::Numeric, "9999", 0xf2392f64187ad3a6ull, 137, 333},
    {KeyType::Numeric, "10000", 0xd32735c3aa01325full, 834, 517},
    {KeyType::Numeric, "10001", 0xbeba550e655e38a0ull, 387, 905},
    {KeyType::Numeric, "100000000", 0xd32735c3aa01325cull, 831, 514},
    {KeyType::Numeric, "12345678901234567890", 0xd0ec0568bd338250ull, 819, 257},
    {KeyType::Numeric, "1.5", 0x11203748b4839213ull, 758, 741},
    {KeyType::Numeric, "0.0001", 0x2cd8ca3c55fecda1ull, 644, 758},
    {KeyType::Numeric, "0.00001234", 0xd97d9d6d0e9f91b5ull, 664, 886},
    {KeyType::Numeric, "-123456.789", 0x8b8f7397da253bb1ull, 148, 232},
    {KeyType::Numeric, "1e20", 0xd32735c3aa01325bull, 830, 513},
    {KeyType::Numeric, "NaN", 0x7a5b22367996dcfdull, 480, 794},
    {KeyType::Numeric, "Infinity", 0x7a5b22367996dcfdull, 480, 794},
    {KeyType::Numeric, "-Infinity", 0x7a5b22367996dcfdull, 480, 794},
    {KeyType::Date, "2000-01-01", 0xc2e34bda39f0f0cdull, 432, 156},
    {KeyType::Date, "1970-01-01", 0x93e05a4ea7c93e27ull, 778, 281},
    {KeyType::Date, "2024-02-29", 0x98f4c43666df1404ull, 231, 206},
    {KeyType::Date, "1999-12-31", 0xba5fc748095606c2ull, 933, 733},
    {KeyType::Date, "infinity", 0xac09237e4899f89cull, 383, 824},
    {KeyType::Date, "-infinity", 0x44893a0f1e949193ull, 630, 269},
    {KeyType::Date, "0001-01-01", 0x97b1e7d375a3a268ull, 843, 312},
    {KeyType::Timestamp, "2000-01-01 00:00:00", 0xc2e34bda39f0f0cdull, 432, 156},
    {KeyType::Timestamp, "1999-12-31 23:59:59.999999", 0xba5fc748095606c2ull, 933, 733},
    {KeyType::Timestamp, "2024-06-01 12:34:56.789", 0x174dd66a8afb0b02ull, 997, 160},
    {KeyType::Timestamp, "infinity", 0x44893a0f1e949193ull, 630, 269},
    {KeyType::Timestamp, "-infinity", 0xac09237e4899f89cull, 383, 824},
    {KeyType::TimestampTz, "2000-01-01 00:00:00+00", 0xc2e34bda39f0f0cdull, 432, 156},
    {KeyType::TimestampTz, "2024-06-01 12:34:56.789+02", 0x4794dc70036728e1ull, 452, 961},
    {KeyType::TimestampTz, "1969-12-31 23:00:00Z", 0x08aa7a83c7e832f4ull, 983, 926},
    {KeyType::TimestampTz, "infinity", 0x44893a0f1e949193ull, 630, 269},
    {KeyType::Bool, "true", 0x52d621058124e6d5ull, 952, 6},
    {KeyType::Bool, "false", 0xc2e34bda39f0f0cdull, 432, 156},
};

}  // namespace pgweir::routing::vectors
