// The hashes against what PostgreSQL computes.
#include <gtest/gtest.h>

#include "routing/placement/pg_hash.h"
#include "routing/placement/xx_hash.h"
#include "tests/unit/routing/placement_vectors.h"

namespace pgweir::routing {
namespace {

using config::KeyType;

KeyValue key(KeyType type, std::string_view text) {
  auto value = key_from_text(type, text, LiteralContext{});
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : KeyValue{};
}

TEST(PgHash, EqualsPostgresForEveryType) {
  for (const auto& v : vectors::kPostgres) {
    const KeyValue value = key(v.type, v.text);
    if (v.hash != 0) { EXPECT_EQ(pg_hash_key(value, kHashPartitionSeed), v.hash) << v.text; }
    EXPECT_EQ(pg_partition_hash(value) % 1024, v.bucket_1024) << v.text;
    EXPECT_EQ(pg_partition_hash(value) % 997, v.bucket_997) << v.text;
  }
}

TEST(PgHash, IntegersOfEveryWidthHashAlike) {
  for (const char* text : {"0", "7", "-7", "32767", "-32768"}) {
    const auto hash = pg_partition_hash(key(KeyType::SmallInt, text));
    EXPECT_EQ(pg_partition_hash(key(KeyType::Int, text)), hash) << text;
    EXPECT_EQ(pg_partition_hash(key(KeyType::BigInt, text)), hash) << text;
  }
}

TEST(XxHash, KnownVectorsOfTheReferenceImplementation) {
  EXPECT_EQ(xxh64_key(key(KeyType::Text, "")), 0xef46db3751d8e999ull);
  EXPECT_EQ(xxh64_key(key(KeyType::Text, "abc")), 0x44bc2cf5ad770999ull);
}

TEST(XxHash, NumbersAreEightLittleEndianBytes) {
  const std::string bytes("\x07\0\0\0\0\0\0\0", 8);
  KeyValue text;
  text.type = KeyType::Text;
  text.value = bytes;
  EXPECT_EQ(xxh64_key(key(KeyType::Int, "7")), xxh64_key(text));
  EXPECT_EQ(xxh64_key(key(KeyType::BigInt, "7")), xxh64_key(text));
}

}  // namespace
}  // namespace pgweir::routing
