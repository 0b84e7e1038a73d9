// Concatenation, plans that do not fit, and rows that are not well-formed, for every kind of merge.
#include <gtest/gtest.h>

#include <random>

#include "merge_support.h"

namespace pgweir::routing {
namespace {

using namespace merge_test;

const std::vector<MergeColumn> kPlain{{type_oid::kText}, {type_oid::kText}};

TEST(ConcatMerge, RowsGoStraightThroughUnchanged) {
  auto merger = make(MergePlan{}, kPlain, kPlain, 2);
  std::string out;
  auto row = body({"a", kNull});
  ASSERT_TRUE(merger->push(1, row, out));
  EXPECT_EQ(out.substr(5), row);
  EXPECT_EQ(rows_of(out), (std::vector<Row>{{"a", kNull}}));
  EXPECT_EQ(merger->rows(), 1u);
  EXPECT_FALSE(merger->drain(out, 100));
  EXPECT_TRUE(merger->wants(0));
  ASSERT_TRUE(merger->finish(1, out));
  ASSERT_TRUE(merger->finish(1, out));
  EXPECT_FALSE(merger->wants(1));
  EXPECT_FALSE(merger->done());
  ASSERT_TRUE(merger->finish(0, out));
  EXPECT_TRUE(merger->done());
}

TEST(ConcatMerge, LimitOffsetAndHiddenColumns) {
  auto cut = [](std::int64_t limit, std::int64_t offset) {
    MergePlan plan;
    plan.hidden = 1;
    plan.limit = limit;
    plan.offset = offset;
    auto merger = make(plan, {{type_oid::kText}, {type_oid::kInt4, -1, true}}, {{type_oid::kText}}, 2);
    std::string names;
    for (const auto& row : merge(*merger, {{{"a", int4(1)}, {"b", int4(1)}}, {{"c", int4(1)}, {"d", kNull}}})) {
      EXPECT_EQ(row.size(), 1u);
      names += *row[0];
    }
    return names;
  };
  constexpr auto kMaximum = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(cut(-1, 0), "abcd");
  EXPECT_EQ(cut(3, 0), "abc");
  EXPECT_EQ(cut(2, 1), "bc");
  EXPECT_EQ(cut(0, 0), "");
  EXPECT_EQ(cut(kMaximum, kMaximum), "");
  EXPECT_EQ(cut(-1, 3), "d");
}

TEST(FirstMerge, OnlyTheFirstStreamsRowsCount) {
  MergePlan plan;
  plan.kind = MergePlan::Kind::First;
  auto merger = make(plan, kPlain, kPlain, 2);
  std::string out;
  ASSERT_TRUE(merger->push(1, body({"b", "b"}), out));
  ASSERT_TRUE(merger->push(0, body({"a", "a"}), out));
  ASSERT_TRUE(merger->finish(1, out));
  EXPECT_FALSE(merger->done());
  ASSERT_TRUE(merger->finish(0, out));
  EXPECT_TRUE(merger->done());
  EXPECT_EQ(rows_of(out), (std::vector<Row>{{"a", "a"}}));
}

TEST(Merge, PlansThatDoNotFitTheRowsAreInternalErrors) {
  auto state = [](const MergePlan& plan, std::vector<MergeColumn> columns, std::vector<MergeColumn> outputs) {
    auto merger = Merger::create(plan, columns, outputs, 2);
    return merger ? std::string("accepted") : merger.error().sqlstate;
  };
  MergePlan plan;
  plan.hidden = 3;
  EXPECT_EQ(state(plan, kPlain, kPlain), "XX000");
  plan.hidden = 1;
  EXPECT_EQ(state(plan, kPlain, {{type_oid::kText}}), "XX000");  // the hidden column is text
  plan.hidden = 0;
  EXPECT_EQ(state(plan, kPlain, {{type_oid::kText}}), "XX000");
  EXPECT_EQ(state(plan, kPlain, {{type_oid::kText}, {type_oid::kText, -1, true}}), "XX000");
  plan.kind = MergePlan::Kind::Ordered;
  plan.order.resize(1);
  EXPECT_EQ(state(plan, kPlain, kPlain), "XX000");
  plan.order[0].source = MergeKey::Source::Aggregate;
  EXPECT_EQ(state(plan, kPlain, kPlain), "XX000");
  plan.kind = MergePlan::Kind::Group;
  EXPECT_EQ(state(plan, kPlain, kPlain), "XX000");
  plan.order.clear();
  plan.group_by = {7};
  EXPECT_EQ(state(plan, kPlain, kPlain), "XX000");
  plan.group_by.clear();
  plan.aggregates = {{AggregateFunction::Count, 9, 0, 0}};
  EXPECT_EQ(state(plan, kPlain, kPlain), "XX000");
}

// A plan of each kind over (visible text, hidden int8).
std::vector<MergePlan> plans() {
  MergePlan concat, ordered, group;
  concat.hidden = ordered.hidden = group.hidden = 1;
  ordered.kind = MergePlan::Kind::Ordered;
  ordered.order.resize(1);
  group.kind = MergePlan::Kind::Group;
  group.group_by = {0};
  group.aggregates = {{AggregateFunction::Max, 0, 0, 0}};
  return {concat, ordered, group};
}
const std::vector<MergeColumn> kColumns{{type_oid::kInt8}, {type_oid::kInt8, -1, true}};
const std::vector<MergeColumn> kOutputs{{type_oid::kInt8}};

TEST(Merge, RowsCutAnywhereAreProtocolErrors) {
  const auto row = body({"123", int8(123)});
  for (const auto& plan : plans()) {
    // Concat looks no further than the columns it gives out.
    const auto checked = plan.kind == MergePlan::Kind::Concat ? 2 + 4 + 3 : row.size();
    for (std::size_t length = 0; length < checked; ++length) {
      auto merger = make(plan, kColumns, kOutputs, 1);
      std::string out;
      auto exact = std::make_unique<char[]>(length);  // so that a sanitizer sees a read past the end
      std::copy_n(row.data(), length, exact.get());
      auto result = merger->push(0, std::string_view(exact.get(), length), out);
      ASSERT_FALSE(result) << length;
      EXPECT_EQ(result.error().sqlstate, "08P01");
    }
  }
}

TEST(Merge, WrongCountsLengthsAndStreamsAreErrors) {
  for (const auto& plan : plans()) {
    auto fails = [&](std::size_t stream, const std::string& row) {
      auto merger = make(plan, kColumns, kOutputs, 1);
      std::string out;
      auto result = merger->push(stream, row, out);
      return result ? std::string("accepted") : result.error().sqlstate;
    };
    EXPECT_EQ(fails(0, body({"1"})), "08P01");
    EXPECT_EQ(fails(0, body({"1", int8(1), int8(1)})), "08P01");
    EXPECT_EQ(fails(0, unhex("ffff")), "08P01");
    EXPECT_EQ(fails(0, unhex("0002fffffffe")), "08P01");
    EXPECT_EQ(fails(0, unhex("00027fffffff00")), "08P01");
    EXPECT_EQ(fails(1, body({"1", int8(1)})), "XX000");
    if (plan.kind == MergePlan::Kind::Concat) continue;
    EXPECT_EQ(fails(0, body({"1", int4(1)})), "08P01");
    EXPECT_EQ(fails(0, body({"1", int8(1)}) + "x"), "08P01");
  }
  auto merger = make(MergePlan{}, kPlain, kPlain, 1);
  std::string out;
  ASSERT_TRUE(merger->finish(0, out));
  EXPECT_FALSE(merger->push(0, body({"a", "b"}), out));
  EXPECT_FALSE(merger->finish(5, out));
}

TEST(Merge, RandomBytesNeverReadPastTheEnd) {
  const auto seed = std::random_device{}();
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto row = body({"123", int8(123)});
  int refused = 0;
  for (const auto& plan : plans()) {
    for (int i = 0; i < 3000; ++i) {
      auto damaged = row;
      for (auto n = 1 + random() % 3; n > 0; --n) damaged[random() % damaged.size()] = static_cast<char>(random());
      damaged.resize(random() % (damaged.size() + 1));
      damaged.shrink_to_fit();
      auto merger = make(plan, kColumns, kOutputs, 1);
      std::string out;
      auto result = merger->push(0, damaged, out);
      if (!result)
        ++refused;
      else if (merger->finish(0, out))
        while (merger->drain(out, 10)) {
        }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace pgweir::routing
