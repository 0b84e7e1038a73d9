#include "config/units.h"

#include <gtest/gtest.h>

namespace pgweir::config {
namespace {

using std::chrono::milliseconds;

TEST(Units, ReadsDurations) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("30s"), milliseconds(30'000));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(parse_duration("1h"), milliseconds(3'600'000));
  EXPECT_EQ(parse_duration("2d"), milliseconds(172'800'000));
  EXPECT_EQ(parse_duration("0s"), milliseconds(0));
  EXPECT_EQ(parse_duration("0"), milliseconds(0));
  EXPECT_EQ(parse_duration("30 s"), milliseconds(30'000));
}

TEST(Units, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "s", "30", "-1s", "1.5s", "30sec", "1h30m", " 1s", "1s ", "99999999999999999999s",
                           "18446744073709551615d", "4000d"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(parse_bytes("512B"), 512u);
  EXPECT_EQ(parse_bytes("16KiB"), 16'384u);
  EXPECT_EQ(parse_bytes("16MiB"), 16'777'216u);
  EXPECT_EQ(parse_bytes("1GiB"), 1u << 30);
  EXPECT_EQ(parse_bytes("16kB"), 16'000u);
  EXPECT_EQ(parse_bytes("1TiB"), 1ull << 40);
}

TEST(Units, RefusesWhatIsNoSize) {
  for (const char* text : {"", "16", "16K", "16kb", "-1B", "1.5MiB", "18446744073709551615KiB"}) {
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
  }
}

TEST(Units, PrintsWhatReadsBack) {
  EXPECT_EQ(format_duration(milliseconds(0)), "0s");
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(3'600'000)), "1h");
  EXPECT_EQ(format_duration(milliseconds(1)), "1ms");
  EXPECT_EQ(format_bytes(16u << 20), "16MiB");
  EXPECT_EQ(format_bytes(1001), "1001B");
  EXPECT_EQ(format_bytes(0), "0B");
}

}  // namespace
}  // namespace pgweir::config
