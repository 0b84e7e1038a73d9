#include "routing/merge/comparator.h"

#include <gtest/gtest.h>

#include <map>

#include "merge_support.h"
#include "routing/merge/float_text.h"

namespace pgweir::routing {
namespace {

using namespace merge_test;

constexpr Oid kMood = 16500;

struct Moods : MergeTypes {
  EnumLabels labels{{1, "sad"}, {2, "ok"}, {3, "happy"}};
  const EnumLabels* enum_labels(Oid type) const override { return type == kMood ? &labels : nullptr; }
};

int sign(int value) { return value < 0 ? -1 : value > 0 ? 1 : 0; }

TEST(MergeComparator, OrdersEveryPairAsPostgresDoes) {
  std::map<Oid, std::vector<std::pair<int, std::string>>> by_type;
  for (const auto& line : vectors("merge_orders.txt")) {
    ASSERT_EQ(line.size(), 4u);
    auto type = static_cast<Oid>(std::stoul(line[1]));
    by_type[type == 0 ? kMood : type].emplace_back(std::stoi(line[2]), unhex(line[3]));
  }
  ASSERT_GE(by_type.size(), 28u);
  for (const auto& [type, values] : by_type) {
    auto key = KeyType::create(type, true, Moods{});
    ASSERT_TRUE(key) << type;
    for (const auto& [left_rank, left] : values) {
      for (const auto& [right_rank, right] : values) {
        auto expected = sign(left_rank - right_rank);
        EXPECT_EQ(sign(compare_values(*key, {}, &left, &right)), expected)
            << type << " ranks " << left_rank << ' ' << right_rank;
        EXPECT_EQ(sign(compare_values(*key, {true, false}, &left, &right)), -expected) << type;
      }
    }
  }
}

TEST(MergeComparator, PlacesNullsAsTheKeySaysWhateverTheDirection) {
  auto key = KeyType::create(type_oid::kInt4, false, MergeTypes{});
  ASSERT_TRUE(key);
  auto low = int4(-2147483647 - 1), high = int4(2147483647);
  for (bool descending : {false, true}) {
    for (const auto* value : {&low, &high}) {
      EXPECT_LT(compare_values(*key, {descending, true}, nullptr, value), 0);
      EXPECT_GT(compare_values(*key, {descending, false}, nullptr, value), 0);
    }
    EXPECT_EQ(compare_values(*key, {descending, true}, nullptr, nullptr), 0);
  }
}

TEST(MergeComparator, RefusesTextUnderAnUnprovenCollationAndUnknownTypes) {
  for (auto type : {type_oid::kText, type_oid::kVarchar, type_oid::kBpchar, type_oid::kName}) {
    auto key = KeyType::create(type, false, MergeTypes{});
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().sqlstate, "0A000");
    EXPECT_EQ(key.error().reason, "merge_collation");
    EXPECT_EQ(key.error().routine, "pgweir_refuse");
  }
  for (Oid type :
       {Oid{114} /* json */, Oid{3802} /* jsonb */, Oid{1007} /* int4[] */, Oid{600} /* point */, Oid{99999}}) {
    auto key = KeyType::create(type, true, MergeTypes{});
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().reason, "merge_type");
  }
}

TEST(MergeComparator, RefusesBytesThatAreNoValueOfTheType) {
  const std::vector<std::pair<Oid, std::string>> bad = {{type_oid::kInt4, "123"},
                                                        {type_oid::kInt8, int4(1)},
                                                        {type_oid::kUuid, "short"},
                                                        {type_oid::kNumeric, "1234567"},
                                                        {type_oid::kNumeric, numeric(1).substr(0, 11)},
                                                        {type_oid::kNumeric, numeric(10000)},
                                                        {kMood, "angry"},
                                                        {type_oid::kInet, unhex("0220")},
                                                        {type_oid::kInet, unhex("0221000401020304")},
                                                        {type_oid::kNumeric, unhex("0000000012340000")}};
  for (const auto& [type, bytes] : bad) {
    auto key = KeyType::create(type, true, Moods{});
    ASSERT_TRUE(key);
    std::string out = "kept";
    EXPECT_FALSE(key->encode(bytes, out)) << type;
    EXPECT_EQ(out, "kept");
  }
}

TEST(MergeComparator, CatalogAnswersForCollationsAndEnums) {
  Catalog catalog;
  catalog.collation_is_c = {{12345, true}, {12346, false}};
  catalog.collation_deterministic = {{12346, false}};
  catalog.types[kMood].type = 'e';
  catalog.types[kMood].enum_labels = {{1, "b"}, {2, "a"}};
  CatalogMergeTypes types(catalog);
  EXPECT_FALSE(types.sorts_bytewise(MergeTypes::kDefaultCollation));
  catalog.database_collation_c = true;
  EXPECT_TRUE(types.sorts_bytewise(MergeTypes::kDefaultCollation));
  EXPECT_TRUE(types.sorts_bytewise(MergeTypes::kCCollation));
  EXPECT_TRUE(types.sorts_bytewise(12345));
  EXPECT_FALSE(types.sorts_bytewise(12346));
  EXPECT_FALSE(types.sorts_bytewise(777));
  EXPECT_FALSE(types.deterministic(12346));
  EXPECT_TRUE(types.deterministic(MergeTypes::kDefaultCollation));
  auto key = KeyType::create(kMood, false, types);
  ASSERT_TRUE(key);
  std::string b = "b", a = "a";
  EXPECT_LT(compare_values(*key, {}, &b, &a), 0);
}

TEST(MergeFloatText, PrintsAsPostgresDoes) {
  auto lines = vectors("merge_floats.txt");
  ASSERT_GT(lines.size(), 500u);
  for (const auto& line : lines) {
    ASSERT_EQ(line.size(), 4u);
    auto bits = std::stoull(line[2], nullptr, 16);
    std::string out;
    if (line[0] == "8")
      append_float8_text(std::bit_cast<double>(std::uint64_t{bits}), std::stoi(line[1]), out);
    else
      append_float4_text(std::bit_cast<float>(static_cast<std::uint32_t>(bits)), std::stoi(line[1]), out);
    EXPECT_EQ(out, line[3]) << line[2];
  }
}

}  // namespace
}  // namespace pgweir::routing
