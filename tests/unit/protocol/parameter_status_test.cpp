#include "protocol/parameter_status.h"

#include <gtest/gtest.h>

#include "protocol/backend_codec.h"

namespace pgweir::protocol {
namespace {

using Set = ParameterStatusSet::Set;

TEST(ParameterStatusSet, SetFindErase) {
  ParameterStatusSet set;
  EXPECT_EQ(set.set("TimeZone", "UTC"), Set::Changed);
  EXPECT_EQ(set.set("DateStyle", "ISO, MDY"), Set::Changed);
  EXPECT_EQ(set.set("TimeZone", "UTC"), Set::Unchanged);
  EXPECT_EQ(set.set("TimeZone", "CET"), Set::Changed);
  EXPECT_EQ(*set.find("TimeZone"), "CET");
  EXPECT_EQ(set.find("timezone"), nullptr);
  EXPECT_EQ(set.begin()->first, "DateStyle");
  EXPECT_TRUE(set.erase("DateStyle"));
  EXPECT_FALSE(set.erase("DateStyle"));
  EXPECT_EQ(set.size(), 1u);
}

TEST(ParameterStatusSet, IsBounded) {
  ParameterStatusSet set;
  for (std::size_t i = 0; i < ParameterStatusSet::kMaxEntries; ++i)
    ASSERT_EQ(set.set("p" + std::to_string(i), "v"), Set::Changed);
  EXPECT_EQ(set.set("one more", "v"), Set::Full);
  EXPECT_EQ(set.set("p0", "other"), Set::Changed);
}

TEST(ParameterStatusSet, DiffTellsWhatChanged) {
  ParameterStatusSet known, actual;
  known.set("a", "1");
  known.set("b", "1");
  known.set("only known", "x");
  actual.set("a", "1");
  actual.set("b", "2");
  actual.set("c", "3");
  EXPECT_EQ(diff(known, actual), (std::vector<ParameterChange>{{"b", "2"}, {"c", "3"}}));
  std::string out, expected;
  encode_parameter_status("b", "2", expected);
  encode_parameter_status("c", "3", expected);
  EXPECT_EQ(append_changes(known, actual, out), 2u);
  EXPECT_EQ(out, expected);
  EXPECT_TRUE(diff(known, actual).empty());
  EXPECT_EQ(append_changes(known, actual, out), 0u);
  EXPECT_EQ(*known.find("only known"), "x");
}

}  // namespace
}  // namespace pgweir::protocol
