// Aggregates of several shards against PostgreSQL's own results.
#include "routing/merge/aggregate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "merge_support.h"

namespace pgweir::routing {
namespace {

using namespace merge_test;

constexpr auto kMaximum = std::numeric_limits<std::int64_t>::max();

// select f(x): one visible column, one or two hidden ones.
MergePlan global(AggregateFunction function) {
  MergePlan plan;
  plan.kind = MergePlan::Kind::Group;
  plan.global_aggregate = true;
  plan.hidden = function == AggregateFunction::Avg ? 2 : 1;
  plan.aggregates = {{function, 0, 1, 0}};
  return plan;
}

struct Outcome {
  std::vector<Row> rows;
  std::optional<SqlError> error;
};

// Each partial is a shard's hidden columns.
Outcome run(AggregateFunction function, Oid input, Oid output, bool binary, const std::vector<Row>& partials) {
  auto plan = global(function);
  std::vector<MergeColumn> columns{{output, -1, binary}, {input, -1, true}};
  if (plan.hidden == 2) columns.push_back({type_oid::kInt8, -1, true});
  auto merger = make(plan, columns, {{output, -1, binary}}, partials.size());
  std::vector<std::vector<Row>> streams;
  for (const auto& partial : partials) {
    Row row{"the shard's own"};
    row.insert(row.end(), partial.begin(), partial.end());
    streams.push_back({row});
  }
  Outcome outcome;
  outcome.rows = merge(*merger, streams, &outcome.error);
  return outcome;
}

// The text of a single merged value; "NULL", or "!" and the SQLSTATE.
std::string text(AggregateFunction function, Oid input, Oid output, const std::vector<Row>& partials) {
  auto outcome = run(function, input, output, false, partials);
  if (outcome.error) return "!" + outcome.error->sqlstate;
  if (outcome.rows.size() != 1 || outcome.rows[0].size() != 1) return "not one row of one column";
  return outcome.rows[0][0].value_or("NULL");
}

// PGWEIR_MERGE_VECTORS names another file of the same format.
TEST(MergeAggregate, SumsAndAveragesAreThoseOfPostgres) {
  const char* other = std::getenv("PGWEIR_MERGE_VECTORS");
  auto lines = vectors(other != nullptr ? other : "merge_aggregates.txt");
  ASSERT_GT(lines.size(), 100u);
  for (const auto& line : lines) {
    ASSERT_EQ(line.size(), 5u);
    bool small = line[0] == "int2" || line[0] == "int4";
    bool average = line[1] == "avg";
    Oid input = small ? type_oid::kInt8 : type_oid::kNumeric;
    Oid output = average ? type_oid::kNumeric : input;
    std::vector<Row> partials;
    std::istringstream list(line[2]);
    for (std::string partial; std::getline(list, partial, ';');) {
      auto comma = partial.find(',');
      auto sum = partial.substr(0, comma);
      Row row{sum == "null" ? kNull : Value(unhex(sum))};
      if (average) row.push_back(int8(std::stoll(partial.substr(comma + 1))));
      partials.push_back(row);
    }
    auto function = average ? AggregateFunction::Avg : AggregateFunction::Sum;
    EXPECT_EQ(text(function, input, output, partials), line[3].empty() ? "NULL" : line[3]) << line[2];
    auto outcome = run(function, input, output, true, partials);
    ASSERT_EQ(outcome.rows.size(), 1u);
    if (line[4].empty())
      EXPECT_EQ(outcome.rows[0][0], kNull);
    else
      EXPECT_EQ(outcome.rows[0][0], Value(unhex(line[4]))) << line[2] << ' ' << line[3];
  }
}

TEST(MergeAggregate, NothingToAddIsNullButCountsZero) {
  const Row none{kNull}, empty{kNull, int8(0)};
  EXPECT_EQ(text(AggregateFunction::Count, type_oid::kInt8, type_oid::kInt8, {{int8(0)}, {int8(0)}}), "0");
  EXPECT_EQ(text(AggregateFunction::Count, type_oid::kInt8, type_oid::kInt8, {}), "0");
  EXPECT_EQ(text(AggregateFunction::Sum, type_oid::kInt8, type_oid::kInt8, {none, none}), "NULL");
  EXPECT_EQ(text(AggregateFunction::Sum, type_oid::kNumeric, type_oid::kNumeric, {none, {numeric(0)}, none}), "0");
  EXPECT_EQ(text(AggregateFunction::Avg, type_oid::kNumeric, type_oid::kNumeric, {empty, empty}), "NULL");
  EXPECT_EQ(text(AggregateFunction::Avg, type_oid::kFloat8, type_oid::kFloat8, {empty, {float8(3), int8(2)}}), "1.5");
  EXPECT_EQ(text(AggregateFunction::Min, type_oid::kInt4, type_oid::kInt4, {none, none}), "NULL");
  EXPECT_EQ(text(AggregateFunction::Max, type_oid::kInt4, type_oid::kInt4, {}), "NULL");
}

TEST(MergeAggregate, BigintOverflowIsAnErrorOnlyAtTheEnd) {
  auto sum = [](const std::vector<Row>& partials) {
    return text(AggregateFunction::Sum, type_oid::kInt8, type_oid::kInt8, partials);
  };
  EXPECT_EQ(sum({{int8(kMaximum)}, {int8(1)}}), "!22003");
  EXPECT_EQ(sum({{int8(-kMaximum)}, {int8(-2)}}), "!22003");
  EXPECT_EQ(sum({{int8(kMaximum)}, {int8(1)}, {int8(-1)}}), "9223372036854775807");
  EXPECT_EQ(sum({{int8(-kMaximum)}, {int8(-1)}}), "-9223372036854775808");
  EXPECT_EQ(text(AggregateFunction::Count, type_oid::kInt8, type_oid::kInt8, {{int8(kMaximum)}, {int8(kMaximum)}}),
            "!22003");
}

TEST(MergeAggregate, NumericOverflowIsAnError) {
  // 9999 at the highest weight the format has, twice.
  auto huge = unhex("00017fff00000000270f");
  EXPECT_EQ(text(AggregateFunction::Sum, type_oid::kNumeric, type_oid::kNumeric, {{huge}, {huge}}), "!22003");
  EXPECT_EQ(text(AggregateFunction::Sum, type_oid::kNumeric, type_oid::kNumeric, {{huge}}).size(), 131072u);
}

TEST(MergeAggregate, FloatsAddUpInTheirOwnPrecision) {
  auto infinity = std::numeric_limits<double>::infinity();
  auto sum8 = [](double a, double b) {
    return text(AggregateFunction::Sum, type_oid::kFloat8, type_oid::kFloat8, {{float8(a)}, {float8(b)}});
  };
  EXPECT_EQ(sum8(0.1, 0.2), "0.30000000000000004");
  EXPECT_EQ(sum8(1e308, 1e308), "!22003");
  EXPECT_EQ(sum8(infinity, 1), "Infinity");
  EXPECT_EQ(sum8(infinity, -infinity), "NaN");
  EXPECT_EQ(sum8(std::nan(""), 1), "NaN");
  EXPECT_EQ(sum8(-0.0, -0.0), "-0");
  auto sum4 = [](float a, float b) {
    return text(AggregateFunction::Sum, type_oid::kFloat4, type_oid::kFloat4, {{float4(a)}, {float4(b)}});
  };
  EXPECT_EQ(sum4(16777216, 1), "1.6777216e+07");
  EXPECT_EQ(sum4(3e38F, 3e38F), "!22003");
  EXPECT_EQ(text(AggregateFunction::Avg, type_oid::kFloat8, type_oid::kFloat8, {{float8(-0.0), int8(1)}}), "0");
  auto binary = run(AggregateFunction::Sum, type_oid::kFloat8, type_oid::kFloat8, true, {{float8(1.5)}, {float8(2)}});
  EXPECT_EQ(binary.rows[0][0], Value(float8(3.5)));
}

TEST(MergeAggregate, MinAndMaxGiveTheVisibleBytesOfTheWinner) {
  for (auto function : {AggregateFunction::Min, AggregateFunction::Max}) {
    auto merger =
        make(global(function), {{type_oid::kNumeric}, {type_oid::kNumeric, -1, true}}, {{type_oid::kNumeric}}, 3);
    auto rows = merge(*merger, {{{"2.50", numeric(2, 5000, 2)}}, {{"-7", numeric(-7)}}, {{kNull, kNull}}});
    EXPECT_EQ(rows, (std::vector<Row>{{function == AggregateFunction::Min ? "-7" : "2.50"}}));
  }
}

TEST(MergeAggregate, RefusesWhatHasNoExactMerge) {
  auto refused = [](AggregateFunction function, Oid input, Oid output) {
    auto plan = global(function);
    std::vector<MergeColumn> columns{{output}, {input, -1, true}};
    if (plan.hidden == 2) columns.push_back({type_oid::kInt8, -1, true});
    std::vector<MergeColumn> outputs{{output}};
    auto merger = Merger::create(plan, columns, outputs, 2);
    return merger ? std::string("accepted") : merger.error().reason;
  };
  EXPECT_EQ(refused(AggregateFunction::Sum, type_oid::kInterval, type_oid::kInterval), "merge_type");
  EXPECT_EQ(refused(AggregateFunction::Sum, type_oid::kMoney, type_oid::kMoney), "merge_type");
  EXPECT_EQ(refused(AggregateFunction::Avg, type_oid::kInterval, type_oid::kInterval), "merge_type");
  EXPECT_EQ(refused(AggregateFunction::Avg, type_oid::kFloat4, type_oid::kFloat8), "merge_type");
  EXPECT_EQ(refused(AggregateFunction::Sum, type_oid::kInt8, type_oid::kNumeric), "merge_type");
  EXPECT_EQ(refused(AggregateFunction::Max, type_oid::kText, type_oid::kText), "merge_collation");
  EXPECT_EQ(refused(AggregateFunction::Max, Oid{1007}, Oid{1007}), "merge_type");
  EXPECT_EQ(refused(AggregateFunction::Avg, type_oid::kFloat8, type_oid::kFloat8), "accepted");
}

TEST(MergeAggregate, MalformedPartialsAreProtocolErrors) {
  EXPECT_EQ(text(AggregateFunction::Sum, type_oid::kInt8, type_oid::kInt8, {{int4(1)}}), "!08P01");
  EXPECT_EQ(text(AggregateFunction::Sum, type_oid::kNumeric, type_oid::kNumeric, {{"12"}}), "!08P01");
  EXPECT_EQ(text(AggregateFunction::Sum, type_oid::kFloat8, type_oid::kFloat8, {{float4(1)}}), "!08P01");
  EXPECT_EQ(text(AggregateFunction::Avg, type_oid::kInt8, type_oid::kNumeric, {{int8(1), int8(-1)}}), "!08P01");
  EXPECT_EQ(text(AggregateFunction::Avg, type_oid::kInt8, type_oid::kNumeric, {{int8(1), "1"}}), "!08P01");
  EXPECT_EQ(text(AggregateFunction::Max, type_oid::kInt8, type_oid::kInt8, {{"1"}}), "!08P01");
}

}  // namespace
}  // namespace pgweir::routing
