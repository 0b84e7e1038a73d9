#include "routing/merge/group_merger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "merge_support.h"

namespace pgweir::routing {
namespace {

using namespace merge_test;

// select k, count(*) ... group by k: visible k and count, hidden k and count.
MergePlan counted() {
  MergePlan plan;
  plan.kind = MergePlan::Kind::Group;
  plan.hidden = 2;
  plan.group_by = {0};
  plan.aggregates = {{AggregateFunction::Count, 1, 0, 1}};
  return plan;
}

std::vector<MergeColumn> columns_of(Oid key) {
  return {{key}, {type_oid::kInt8}, {key, -1, true}, {type_oid::kInt8, -1, true}};
}
std::vector<MergeColumn> outputs_of(Oid key) { return {{key}, {type_oid::kInt8}}; }

// "key=count" of each row.
std::string text(const std::vector<Row>& rows) {
  std::string out;
  for (const auto& row : rows) out += row.at(0).value_or("NULL") + "=" + row.at(1).value_or("NULL") + " ";
  return out;
}

Row group(const std::string& shown, const std::string& key, std::int64_t count) {
  return {shown, "?", key, int8(count)};
}

TEST(GroupMerge, KeysAreEqualByTheirTypeNotByTheirBytes) {
  auto merger = make(counted(), columns_of(type_oid::kNumeric), outputs_of(type_oid::kNumeric), 2);
  auto rows = merge(*merger, {{group("1.0", numeric(1, 0, 1), 2), group("2", numeric(2), 1)},
                              {group("1.00", numeric(1, 0, 2), 3), {kNull, "?", kNull, int8(4)}}});
  EXPECT_EQ(text(rows), "1.0=5 2=1 NULL=4 ");

  merger = make(counted(), columns_of(type_oid::kFloat8), outputs_of(type_oid::kFloat8), 2);
  rows = merge(*merger, {{group("0", float8(0), 1), group("NaN", float8(std::nan("")), 1)},
                         {group("-0", float8(-0.0), 1), group("NaN", float8(-std::nan("1")), 1)}});
  EXPECT_EQ(text(rows), "0=2 NaN=2 ");

  merger = make(counted(), columns_of(type_oid::kInterval), outputs_of(type_oid::kInterval), 2);
  rows = merge(*merger, {{group("1 day", int8(0) + int4(1) + int4(0), 1)},
                         {group("24:00:00", int8(86'400'000'000) + int8(0), 1)}});
  EXPECT_EQ(text(rows), "1 day=2 ");

  merger = make(counted(), columns_of(type_oid::kBpchar), outputs_of(type_oid::kBpchar), 2);
  rows = merge(*merger, {{group("ab  ", "ab  ", 1)}, {group("ab", "ab", 1)}});
  EXPECT_EQ(text(rows), "ab  =2 ");
}

TEST(GroupMerge, SortsByKeysAndAggregatesAndCutsAfterwards) {
  auto plan = counted();
  plan.order.resize(2);
  plan.order[0] = {MergeKey::Source::Aggregate, 0, true, true};
  plan.order[1] = {MergeKey::Source::Hidden, 0, false, false};
  const std::vector<std::vector<Row>> streams{
      {group("3", int8(3), 1), group("1", int8(1), 5), group("2", int8(2), 1)},
      {group("2", int8(2), 1), group("4", int8(4), 2), {kNull, "?", kNull, int8(2)}}};
  auto run = [&] {
    return text(merge(*make(plan, columns_of(type_oid::kInt8), outputs_of(type_oid::kInt8), 2), streams));
  };
  EXPECT_EQ(run(), "1=5 2=2 4=2 NULL=2 3=1 ");
  plan.limit = 2;
  plan.offset = 1;
  EXPECT_EQ(run(), "2=2 4=2 ");
  plan.limit = std::numeric_limits<std::int64_t>::max();
  plan.offset = 4;
  EXPECT_EQ(run(), "3=1 ");
  plan.offset = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(run(), "");
  plan.offset = 0;
  plan.limit = 0;
  EXPECT_EQ(run(), "");
}

TEST(GroupMerge, SortsByAnAverageThatIsNotShown) {
  MergePlan plan;
  plan.kind = MergePlan::Kind::Group;
  plan.hidden = 4;
  plan.group_by = {0};
  plan.aggregates = {{AggregateFunction::Avg, 1, 2, -1}, {AggregateFunction::Max, 3, 0, 1}};
  plan.order = {{MergeKey::Source::Aggregate, 0, true, false}, {MergeKey::Source::Aggregate, 1, false, false}};
  std::vector<MergeColumn> columns{{type_oid::kInt4},           {type_oid::kInt4},
                                   {type_oid::kInt4, -1, true}, {type_oid::kInt8, -1, true},
                                   {type_oid::kInt8, -1, true}, {type_oid::kInt4, -1, true}};
  auto merger = make(plan, columns, {{type_oid::kInt4}, {type_oid::kInt4}}, 2);
  auto row = [](int key, std::int64_t sum, std::int64_t count, int maximum) {
    return Row{std::to_string(key), std::to_string(maximum), int4(key), int8(sum), int8(count), int4(maximum)};
  };
  // Averages 10/4, 2.5, null, 7.
  auto rows = merge(*merger, {{row(1, 9, 1, 9), row(2, 5, 2, 3), {"3", kNull, int4(3), kNull, int8(0), kNull}},
                              {row(1, 1, 3, 1), row(4, 7, 1, 7)}});
  EXPECT_EQ(text(rows), "4=7 2=3 1=9 3=NULL ");
}

TEST(GroupMerge, DistinctKeepsTheFirstRowOfEachKey) {
  MergePlan plan;
  plan.kind = MergePlan::Kind::Group;
  plan.hidden = 1;
  plan.group_by = {0};
  plan.order = {{MergeKey::Source::Hidden, 0, true, true, true}};
  auto merger = make(plan, {{type_oid::kText}, {type_oid::kText, -1, true}}, {{type_oid::kText}}, 2);
  auto rows = merge(*merger, {{{"a", "a"}, {"b", "b"}}, {{"b", "b"}, {"c", "c"}, {"", ""}}});
  EXPECT_EQ(rows, (std::vector<Row>{{"c"}, {"b"}, {"a"}, {""}}));
}

TEST(GroupMerge, NothingComesOutBeforeEveryStreamHasEnded) {
  auto merger = make(counted(), columns_of(type_oid::kInt8), outputs_of(type_oid::kInt8), 2);
  std::string out;
  ASSERT_TRUE(merger->push(0, body(group("1", int8(1), 1)), out));
  ASSERT_TRUE(merger->finish(0, out));
  ASSERT_TRUE(merger->finish(0, out));
  EXPECT_FALSE(merger->drain(out, 1000));
  EXPECT_TRUE(out.empty());
  EXPECT_FALSE(merger->done());
  ASSERT_TRUE(merger->finish(1, out));
  EXPECT_FALSE(merger->drain(out, 1000));
  EXPECT_TRUE(merger->done());
  EXPECT_EQ(text(rows_of(out)), "1=1 ");
}

TEST(GroupMerge, ThePlanAndAKnownCollationDecideAboutTextKeys) {
  struct Nondeterministic : MergeTypes {
    bool deterministic(Oid collation) const override { return collation != 4711; }
  };
  auto plan = counted();
  auto columns = columns_of(type_oid::kText);
  auto outputs = outputs_of(type_oid::kText);
  EXPECT_TRUE(Merger::create(plan, columns, outputs, 2, {}, Nondeterministic{}));
  plan.hidden_collations = {4711};
  auto refused = Merger::create(plan, columns, outputs, 2, {}, Nondeterministic{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "merge_collation");
}

TEST(GroupMerge, TheBudgetEndsTheStatement) {
  MergeLimits limits;
  limits.group_bytes = 64 * 1024;
  for (bool sorted : {false, true}) {
    auto plan = counted();
    plan.order.resize(sorted ? 1 : 0);
    auto merger = make(plan, columns_of(type_oid::kInt8), outputs_of(type_oid::kInt8), 1, limits);
    std::string out;
    std::optional<SqlError> error;
    for (int i = 0; i < 10000 && !error; ++i) {
      auto result = merger->push(0, body(group(std::to_string(i), int8(i), 1)), out);
      if (!result) error = result.error();
    }
    ASSERT_TRUE(error);
    EXPECT_EQ(error->sqlstate, "53200");
    EXPECT_FALSE(error->hint.empty());
  }
}

TEST(GroupMerge, MemoryOfMinimaAndNumericSumsCountsToo) {
  MergeLimits limits;
  limits.group_bytes = 64 * 1024;
  auto plan = counted();
  plan.aggregates = {{AggregateFunction::Max, 1, 0, 1, true}};
  std::vector<MergeColumn> columns{
      {type_oid::kInt8}, {type_oid::kText}, {type_oid::kInt8, -1, true}, {type_oid::kText, -1, true}};
  auto merger = make(plan, columns, {{type_oid::kInt8}, {type_oid::kText}}, 1, limits);
  std::string out, large(100'000, 'x');
  auto result = merger->push(0, body({"1", "shown", int8(1), large}), out);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().sqlstate, "53200");
}

TEST(GroupMerge, EqualsAMapWhateverTheInterleaving) {
  const auto seed = std::random_device{}();
  std::mt19937 random(seed);
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round));
    const auto shards = 1 + random() % 5;
    std::map<std::int64_t, std::int64_t> expected;
    auto plan = counted();
    plan.order.resize(1);
    auto merger = make(plan, columns_of(type_oid::kInt8), outputs_of(type_oid::kInt8), shards);
    std::string out;
    for (std::size_t i = 0, n = random() % 3000; i < n; ++i) {
      auto key = static_cast<std::int64_t>(random() % 500) - 250;
      auto count = static_cast<std::int64_t>(random() % 9);
      expected[key] += count;
      ASSERT_TRUE(merger->push(random() % shards, body(group(std::to_string(key), int8(key), count)), out));
    }
    for (std::size_t i = shards; i-- > 0;) ASSERT_TRUE(merger->finish(i, out));
    while (merger->drain(out, random() % 500)) {
    }
    std::string wanted;
    for (const auto& [key, count] : expected) wanted += std::to_string(key) + "=" + std::to_string(count) + " ";
    ASSERT_EQ(text(rows_of(out)), wanted);
    EXPECT_TRUE(merger->done());
  }
}

}  // namespace
}  // namespace pgweir::routing
