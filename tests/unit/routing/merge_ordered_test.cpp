#include "routing/merge/ordered_merger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "merge_support.h"

namespace pgweir::routing {
namespace {

using namespace merge_test;

const std::vector<MergeColumn> kColumns{{type_oid::kText}, {type_oid::kInt8, -1, true}};
const std::vector<MergeColumn> kOutputs{{type_oid::kText}};

MergePlan by_key(std::int64_t limit = -1, std::int64_t offset = 0) {
  MergePlan plan;
  plan.kind = MergePlan::Kind::Ordered;
  plan.hidden = 1;
  plan.order.resize(1);
  plan.limit = limit;
  plan.offset = offset;
  return plan;
}

Row row(const std::string& name, std::int64_t key) { return {name, int8(key)}; }

std::string names(const std::vector<Row>& rows) {
  std::string out;
  for (const auto& r : rows) out += r.at(0).value_or("?") + " ";
  return out;
}

TEST(OrderedMerge, TiesGoToTheLowerStreamAndHiddenColumnsAreCut) {
  auto merger = make(by_key(), kColumns, kOutputs, 3);
  auto rows = merge(*merger, {{row("a", 1), row("d", 3)}, {row("b", 1), row("e", 3)}, {row("c", 1), row("f", 2)}});
  EXPECT_EQ(names(rows), "a b c f d e ");
  EXPECT_EQ(rows[0].size(), 1u);
}

TEST(OrderedMerge, LimitAndOffsetCutAtTheMerge) {
  const std::vector<std::vector<Row>> streams{{row("a", 1), row("c", 3)}, {}, {row("b", 2), row("d", 4)}};
  auto cut = [&](std::int64_t limit, std::int64_t offset) {
    auto merger = make(by_key(limit, offset), kColumns, kOutputs, 3);
    return names(merge(*merger, streams));
  };
  constexpr auto kMaximum = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(cut(2, 0), "a b ");
  EXPECT_EQ(cut(2, 1), "b c ");
  EXPECT_EQ(cut(0, 0), "");
  EXPECT_EQ(cut(-1, 3), "d ");
  EXPECT_EQ(cut(-1, 9), "");
  EXPECT_EQ(cut(kMaximum, kMaximum), "");
  EXPECT_EQ(cut(kMaximum, 1), "b c d ");
}

TEST(OrderedMerge, IsDoneAtTheLimitBeforeTheStreamsAre) {
  auto merger = make(by_key(1), kColumns, kOutputs, 2);
  std::string out;
  ASSERT_TRUE(merger->push(0, body(row("a", 1)), out));
  ASSERT_TRUE(merger->push(1, body(row("b", 2)), out));
  EXPECT_FALSE(merger->drain(out, 1000));
  EXPECT_EQ(names(rows_of(out)), "a ");
  EXPECT_TRUE(merger->done());
  EXPECT_FALSE(merger->wants(0));
  ASSERT_TRUE(merger->push(0, body(row("late", 0)), out));  // dropped, not judged
  EXPECT_EQ(merger->rows(), 1u);
  auto none = make(by_key(0), kColumns, kOutputs, 2);
  EXPECT_TRUE(none->done());
}

TEST(OrderedMerge, WaitsForOneRowOfEveryStream) {
  auto merger = make(by_key(), kColumns, kOutputs, 2);
  std::string out;
  ASSERT_TRUE(merger->push(0, body(row("a", 1)), out));
  EXPECT_FALSE(merger->drain(out, 1000));
  EXPECT_TRUE(out.empty());
  ASSERT_TRUE(merger->push(1, body(row("b", 2)), out));
  EXPECT_FALSE(merger->drain(out, 1000));
  EXPECT_EQ(names(rows_of(out)), "a ");
  ASSERT_TRUE(merger->finish(0, out));
  EXPECT_FALSE(merger->drain(out, 1000));
  EXPECT_EQ(names(rows_of(out)), "a b ");
  EXPECT_FALSE(merger->done());
  ASSERT_TRUE(merger->finish(1, out));
  EXPECT_TRUE(merger->done());
}

TEST(OrderedMerge, StreamsOutOfOrderEndTheStatement) {
  for (bool descending : {false, true}) {
    auto plan = by_key();
    plan.order[0].descending = descending;
    auto merger = make(plan, kColumns, kOutputs, 2);
    std::string out;
    ASSERT_TRUE(merger->push(1, body(row("a", 5)), out));
    ASSERT_TRUE(merger->push(1, body(row("b", 5)), out));
    auto result = merger->push(1, body(row("c", descending ? 6 : 4)), out);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().sqlstate, "XX000");
  }
}

// A difference behind the 16 bytes that the merger compares first.
TEST(OrderedMerge, LongKeysAreComparedToTheirEnd) {
  auto plan = by_key();
  plan.order[0].bytewise_text = true;
  const std::vector<MergeColumn> columns{{type_oid::kText}, {type_oid::kText, -1, true}};
  const std::string prefix(40, 'x');
  auto merger = make(plan, columns, kOutputs, 2);
  auto rows = merge(*merger, {{{"1", prefix}, {"3", prefix + "b"}}, {{"2", prefix + "a"}, {"4", prefix + "ba"}}});
  EXPECT_EQ(names(rows), "1 2 3 4 ");
  auto disorder = make(plan, columns, kOutputs, 1);
  std::optional<SqlError> error;
  merge(*disorder, {{{"1", prefix + "b"}, {"2", prefix + "a"}}}, &error);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->sqlstate, "XX000");
}

TEST(OrderedMerge, AFullWindowStopsItsStreamUntilItIsDrained) {
  MergeLimits limits;
  limits.window_bytes = 1000;
  auto merger = make(by_key(), kColumns, kOutputs, 2, limits);
  std::string out;
  int pushed = 0;
  for (; merger->wants(0); ++pushed) ASSERT_TRUE(merger->push(0, body(row(std::string(50, 'a'), pushed)), out));
  EXPECT_GT(pushed, 5);
  EXPECT_LT(pushed, 20);
  EXPECT_TRUE(merger->wants(1));
  ASSERT_TRUE(merger->push(1, body(row("b", 1000)), out));
  EXPECT_TRUE(merger->drain(out, 1));
  EXPECT_EQ(rows_of(out).size(), 1u);
  EXPECT_TRUE(merger->wants(0));
  while (merger->drain(out, 100)) {
  }
  EXPECT_EQ(rows_of(out).size(), static_cast<std::size_t>(pushed));
}

TEST(OrderedMerge, RefusesKeysItCannotOrder) {
  auto refused = [](MergePlan plan, Oid type) {
    std::vector<MergeColumn> columns{{type_oid::kText}, {type, -1, true}};
    auto merger = Merger::create(plan, columns, kOutputs, 2);
    return merger ? std::string("accepted") : merger.error().reason;
  };
  auto plan = by_key();
  EXPECT_EQ(refused(plan, type_oid::kText), "merge_collation");
  EXPECT_EQ(refused(plan, 3802), "merge_type");
  plan.hidden_collations = {MergeTypes::kDefaultCollation};
  EXPECT_EQ(refused(plan, type_oid::kText), "merge_collation");
  plan.hidden_collations = {MergeTypes::kCCollation};
  EXPECT_EQ(refused(plan, type_oid::kText), "accepted");
  plan.hidden_collations = {};
  plan.order[0].bytewise_text = true;
  EXPECT_EQ(refused(plan, type_oid::kText), "accepted");
}

struct Sorted {
  std::optional<std::int64_t> number;
  std::optional<std::string> word;
  std::string name;
};

// Random rows with ties and nulls, two keys with random directions, random streams, windows and interleavings.
TEST(OrderedMerge, EqualsAStableSortWhateverTheInterleaving) {
  const auto seed = std::random_device{}();
  std::mt19937 random(seed);
  auto below = [&](std::size_t n) { return random() % n; };
  for (int round = 0; round < 150; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " round " + std::to_string(round));
    auto plan = by_key(below(2) ? -1 : static_cast<std::int64_t>(below(100)),
                       static_cast<std::int64_t>(below(3) ? 0 : below(50)));
    plan.hidden = 2;
    plan.order.resize(2);
    plan.order[1].index = 1;
    for (auto& key : plan.order) key = {key.source, key.index, below(2) == 0, below(2) == 0, true};
    auto compare = [&](const Sorted& a, const Sorted& b) {
      auto one = [](const auto& x, const auto& y, const MergeKey& key) {
        if (!x || !y) return x.has_value() == y.has_value() ? 0 : (!x == key.nulls_first ? -1 : 1);
        return *x == *y ? 0 : ((*x < *y) != key.descending ? -1 : 1);
      };
      auto first = one(a.number, b.number, plan.order[0]);
      return first != 0 ? first < 0 : one(a.word, b.word, plan.order[1]) < 0;
    };
    const auto shards = 1 + below(9);
    std::vector<std::vector<Sorted>> streams(shards);
    std::vector<Sorted> expected;
    for (std::size_t s = 0; s < shards; ++s) {
      for (std::size_t i = 0, n = below(60); i < n; ++i) {
        Sorted r{std::nullopt, std::nullopt, std::to_string(s) + "." + std::to_string(i)};
        if (below(8)) r.number = static_cast<std::int64_t>(below(20)) - 10;
        if (below(8)) r.word = std::string(below(30), static_cast<char>('a' + below(2)));
        streams[s].push_back(r);
      }
      std::stable_sort(streams[s].begin(), streams[s].end(), compare);
      expected.insert(expected.end(), streams[s].begin(), streams[s].end());
    }
    std::stable_sort(expected.begin(), expected.end(), compare);
    expected.erase(expected.begin(), expected.begin() + std::min<std::ptrdiff_t>(plan.offset, std::ssize(expected)));
    if (plan.limit >= 0) expected.resize(std::min(expected.size(), static_cast<std::size_t>(plan.limit)));

    MergeLimits limits;
    limits.window_bytes = 1 + below(400);
    auto merger = make(plan, {{type_oid::kText}, {type_oid::kInt8, -1, true}, {type_oid::kText, -1, true}}, kOutputs,
                       shards, limits);
    std::string out;
    std::vector<std::size_t> next(shards, 0);
    for (int step = 0; !merger->done() && step < 100000; ++step) {
      auto s = below(shards);
      if (below(3) == 0) {
        merger->drain(out, below(200));
      } else if (next[s] == streams[s].size()) {
        ASSERT_TRUE(merger->finish(s, out));
      } else if (merger->wants(s)) {
        const auto& r = streams[s][next[s]++];
        ASSERT_TRUE(merger->push(s, body({r.name, r.number ? Value(int8(*r.number)) : kNull, r.word}), out));
      }
    }
    ASSERT_TRUE(merger->done());
    std::string wanted;
    for (const auto& r : expected) wanted += r.name + " ";
    ASSERT_EQ(names(rows_of(out)), wanted);
  }
}

}  // namespace
}  // namespace pgweir::routing
