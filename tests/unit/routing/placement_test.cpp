// Compiled placements: one row to one shard, constraints to a superset of shards.
#include "routing/placement/placement.h"

#include <gtest/gtest.h>

#include <random>

#include "routing/placement/pg_hash.h"

namespace pgweir::routing {
namespace {

using config::Branch;
using config::KeyType;
using config::PlacementType;

Branch shard(std::string name) { return {std::move(name), ""}; }
Branch further(std::string name) { return {"", std::move(name)}; }

// region -> tenant (hash, one pin) for eu; us is one shard; times: archive, then tenants.
config::Cluster cluster() {
  config::Cluster c;
  for (const char* name : {"eu1", "eu2", "us1", "archive"}) {
    config::Shard s;
    s.name = name;
    c.shards.push_back(s);
  }
  config::Placement tenant;
  tenant.name = "tenant";
  tenant.key_type = KeyType::BigInt;
  tenant.bucket_map = {{0, 511, shard("eu1")}, {512, 1023, shard("eu2")}};
  tenant.pins = {{" 0042", shard("us1")}};
  config::Placement region;
  region.name = "region";
  region.type = PlacementType::List;
  region.key_type = KeyType::Text;
  region.entries = {{"eu", further("tenant")}, {"us", shard("us1")}};
  config::Placement time;
  time.name = "time";
  time.type = PlacementType::Range;
  time.key_type = KeyType::TimestampTz;
  time.ranges = {{std::nullopt, "2024-01-01", shard("archive")}, {"2024-01-01", "2025-01-01", further("tenant")},
                 {"2026-01-01", "2027-01-01", shard("us1")}};
  c.placements = {region, tenant, time};
  return c;
}

KeyValue key(KeyType type, std::string_view text) {
  auto read = key_from_text(type, text, LiteralContext{});
  EXPECT_TRUE(read.ok()) << text;
  return *read;
}
KeyValue tenant(int id) { return key(KeyType::BigInt, std::to_string(id)); }
KeyValue at(std::string_view text) { return key(KeyType::TimestampTz, text); }

std::shared_ptr<const Placement> compile(const config::Cluster& c, const std::string& name) {
  auto compiled = Placement::compile(c, name);
  EXPECT_TRUE(compiled.ok()) << (compiled.ok() ? "" : compiled.error().message);
  return *compiled;
}

std::string names(const ShardSet& shards) {
  const config::Cluster c = cluster();
  std::string out;
  for (const ShardId s : shards) out += (out.empty() ? "" : " ") + c.shards[s.value].name;
  return out;
}
std::string where(const Placement& placement, std::vector<KeyValue> row) {
  const auto found = placement.shard_for(row);
  return found.ok() ? names(ShardSet::single(*found)) : found.error().reason;
}
KeyConstraint equal(std::vector<KeyValue> values) {
  KeyConstraint c;
  c.values = std::move(values);
  return c;
}
KeyConstraint between(std::optional<KeyBound> lower, std::optional<KeyBound> upper) {
  KeyConstraint c;
  c.lower = std::move(lower);
  c.upper = std::move(upper);
  return c;
}
std::string narrowed(const Placement& placement, std::vector<KeyConstraint> constraints) {
  return names(placement.shards_for(constraints));
}

TEST(Placement, HashFollowsBucketsAndPins) {
  const auto p = compile(cluster(), "tenant");
  EXPECT_EQ(p->levels(), 1u);
  EXPECT_EQ(names(p->reach()), "eu1 eu2 us1");
  EXPECT_EQ(where(*p, {tenant(42)}), "us1");
  int seen[2] = {};
  for (int id = 0; id < 200; ++id) {
    if (id == 42) continue;
    const unsigned bucket = *p->bucket(0, tenant(id));
    EXPECT_EQ(bucket, pg_partition_hash(tenant(id)) % 1024);
    EXPECT_EQ(where(*p, {tenant(id)}), bucket < 512 ? "eu1" : "eu2");
    ++seen[bucket < 512 ? 0 : 1];
  }
  EXPECT_GT(seen[0], 50);
  EXPECT_GT(seen[1], 50);
}

TEST(Placement, HashNarrowsByEqualityOnly) {
  const auto p = compile(cluster(), "tenant");
  EXPECT_EQ(narrowed(*p, {{}}), "eu1 eu2 us1");
  EXPECT_EQ(narrowed(*p, {equal({tenant(42)})}), "us1");
  EXPECT_EQ(narrowed(*p, {equal({})}), "");
  EXPECT_EQ(narrowed(*p, {between(KeyBound{tenant(42)}, KeyBound{tenant(42)})}), "us1");
  EXPECT_EQ(narrowed(*p, {between(KeyBound{tenant(50)}, KeyBound{tenant(90)})}), "eu1 eu2");  // the pin lies outside
  EXPECT_EQ(narrowed(*p, {between(KeyBound{tenant(5)}, KeyBound{tenant(4)})}), "");
  EXPECT_EQ(narrowed(*p, {between(KeyBound{tenant(5), false}, KeyBound{tenant(5)})}), "");
}

TEST(Placement, ListRefusesWhatItDoesNotName) {
  const auto p = compile(cluster(), "region");
  EXPECT_EQ(p->levels(), 2u);
  EXPECT_EQ(p->key_type(0), KeyType::Text);
  EXPECT_EQ(p->key_type(1), KeyType::BigInt);
  EXPECT_EQ(where(*p, {key(KeyType::Text, "us"), tenant(1)}), "us1");
  EXPECT_EQ(where(*p, {key(KeyType::Text, "eu"), tenant(42)}), "us1");
  EXPECT_EQ(where(*p, {key(KeyType::Text, "xx"), tenant(1)}), "key_unmapped");
  KeyValue null;
  null.null = true;
  EXPECT_EQ(where(*p, {null, tenant(1)}), "key_null");
  EXPECT_EQ(where(*p, {key(KeyType::Text, "eu"), null}), "key_null");
}

TEST(Placement, NestedLevelsNarrowOneByOne) {
  const auto p = compile(cluster(), "region");
  const KeyValue eu = key(KeyType::Text, "eu"), us = key(KeyType::Text, "us"), xx = key(KeyType::Text, "xx");
  EXPECT_EQ(narrowed(*p, {equal({us}), {}}), "us1");
  EXPECT_EQ(narrowed(*p, {equal({eu}), {}}), "eu1 eu2 us1");
  EXPECT_EQ(narrowed(*p, {equal({eu}), equal({tenant(42)})}), "us1");
  EXPECT_EQ(narrowed(*p, {equal({xx}), {}}), "");
  EXPECT_EQ(narrowed(*p, {equal({us}), equal({})}), "");  // a contradiction also where the level is not reached
  const std::string of_1 = where(*p, {eu, tenant(1)});
  EXPECT_EQ(narrowed(*p, {{}, equal({tenant(1)})}), of_1 + " us1");
  // The order of text is the collation's: bounds do not narrow.
  EXPECT_EQ(narrowed(*p, {between(KeyBound{key(KeyType::Text, "zz")}, std::nullopt), {}}), "eu1 eu2 us1");
}

TEST(Placement, RangeIsHalfOpenAndGapsAreRefused) {
  const auto p = compile(cluster(), "time");
  EXPECT_EQ(where(*p, {at("2023-12-31 23:59:59.999999Z"), tenant(42)}), "archive");
  EXPECT_EQ(where(*p, {at("2024-01-01 00:00Z"), tenant(42)}), "us1");  // the pin
  EXPECT_EQ(where(*p, {at("-infinity"), tenant(1)}), "archive");
  EXPECT_EQ(where(*p, {at("2025-06-01 00:00Z"), tenant(1)}), "key_unmapped");
  EXPECT_EQ(where(*p, {at("2027-01-01 00:00Z"), tenant(1)}), "key_unmapped");
  EXPECT_EQ(where(*p, {at("infinity"), tenant(1)}), "key_unmapped");
  EXPECT_EQ(narrowed(*p, {between(std::nullopt, KeyBound{at("2024-01-01 00:00Z"), false}), {}}), "archive");
  EXPECT_EQ(narrowed(*p, {between(std::nullopt, KeyBound{at("2024-01-01 00:00Z"), true}), {}}), "eu1 eu2 us1 archive");
  EXPECT_EQ(narrowed(*p, {between(KeyBound{at("2025-01-01 00:00Z")}, std::nullopt), {}}), "us1");
  EXPECT_EQ(narrowed(*p, {between(KeyBound{at("2025-02-01 00:00Z")}, KeyBound{at("2025-03-01 00:00Z")}), {}}), "");
  EXPECT_EQ(narrowed(*p, {equal({at("2023-01-01 00:00Z"), at("2026-05-01 00:00Z")}), {}}), "us1 archive");
  KeyConstraint both = equal({at("2023-01-01 00:00Z"), at("2026-05-01 00:00Z")});
  both.lower = KeyBound{at("2024-01-01 00:00Z")};
  EXPECT_EQ(narrowed(*p, {both, {}}), "us1");
}

TEST(Placement, ShardsForHoldsTheShardOfEveryMatchingRow) {
  const auto p = compile(cluster(), "time");
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {
    const auto moment = [&] {
      return at("20" + std::to_string(22 + random() % 6) + "-0" + std::to_string(1 + random() % 9) + "-01 00:00Z");
    };
    const KeyValue when = moment(), who = tenant(static_cast<int>(random() % 50));
    std::vector<KeyConstraint> constraints(2);
    if (random() % 2) constraints[0].lower = KeyBound{moment(), random() % 2 == 0};
    if (random() % 2) constraints[0].upper = KeyBound{moment(), random() % 2 == 0};
    if (random() % 2) constraints[1].values = {tenant(static_cast<int>(random() % 50)), who};
    const auto &lower = constraints[0].lower, &upper = constraints[0].upper;
    const bool matches = (!lower || lower->value < when || (lower->inclusive && lower->value == when)) &&
                         (!upper || when < upper->value || (upper->inclusive && upper->value == when));
    const auto row = p->shard_for(std::vector<KeyValue>{when, who});
    if (matches && row.ok()) { EXPECT_TRUE(p->shards_for(constraints).contains(*row)); }
  }
}

TEST(KeyConstraint, Intersects) {
  KeyConstraint c = equal({tenant(1), tenant(2), tenant(3)});
  c.intersect(equal({tenant(3), tenant(2), tenant(9)}));
  ASSERT_TRUE(c.values);
  EXPECT_EQ(*c.values, (std::vector<KeyValue>{tenant(2), tenant(3)}));
  c.intersect(between(KeyBound{tenant(3)}, std::nullopt));
  c.intersect(between(KeyBound{tenant(2)}, KeyBound{tenant(7), false}));
  EXPECT_EQ(c.lower->value, tenant(3));
  EXPECT_EQ(c.upper->value, tenant(7));
  EXPECT_FALSE(c.upper->inclusive);
  c.intersect(equal({tenant(8)}));
  EXPECT_TRUE(c.values->empty());
  EXPECT_TRUE(KeyConstraint{}.unconstrained());
}

TEST(Placement, CompileNamesTheBadLiteral) {
  config::Cluster c = cluster();
  c.placements[1].pins = {{"forty-two", shard("us1")}};
  auto compiled = Placement::compile(c, "tenant");
  ASSERT_FALSE(compiled.ok());
  EXPECT_NE(compiled.error().message.find("forty-two"), std::string::npos);
}

TEST(Placement, CompileRefusesWhatCannotWork) {
  config::Cluster circle = cluster();
  circle.placements[1].pins = {{"1", further("region")}};
  EXPECT_FALSE(Placement::compile(circle, "region").ok());
  config::Cluster twice = cluster();
  twice.placements[1].pins = {{"7", shard("us1")}, {" 07", shard("eu1")}};
  EXPECT_FALSE(Placement::compile(twice, "tenant").ok());
  config::Cluster overlap = cluster();
  overlap.placements[2].ranges[1].from = "2023-01-01";
  EXPECT_FALSE(Placement::compile(overlap, "time").ok());
  config::Cluster text_range = cluster();
  text_range.placements[2].key_type = KeyType::Text;
  EXPECT_FALSE(Placement::compile(text_range, "time").ok());
  EXPECT_FALSE(Placement::compile(cluster(), "nowhere").ok());
}

}  // namespace
}  // namespace pgweir::routing
