#include "protocol/report_start.h"

#include <gtest/gtest.h>

#include <string>

namespace pgweir::protocol {
namespace {

const std::string kBody = std::string("SFEHLER\0VERROR\0C22012\0Mdivision by zero\0Fint.c\0L1\0", 50) + '\0';

TEST(ReportStart, WholeBodyIsWhatDecodeErrorSays) {
  const auto start = decode_report_start(kBody);
  const auto whole = decode_error(kBody);
  ASSERT_TRUE(start && whole);
  EXPECT_EQ(start->sqlstate, whole->sqlstate);
  EXPECT_EQ(start->message, whole->message);
  EXPECT_EQ(start->severity, whole->severity);
  EXPECT_EQ(start->severity_unlocalized, "ERROR");
}

TEST(ReportStart, EveryBeginningGivesWhatIsInIt) {
  for (std::size_t size = 0; size <= kBody.size(); ++size) {
    const auto start = decode_report_start(std::string_view(kBody).substr(0, size));
    ASSERT_TRUE(start) << size;
    EXPECT_EQ(std::string_view("division by zero").substr(0, start->message.size()), start->message) << size;
    EXPECT_EQ(start->sqlstate, size < 21 ? "XX000" : "22012") << size;
  }
}

TEST(ReportStart, WithoutASqlstateItIsAnInternalError) {
  EXPECT_EQ(decode_report_start("Mhello")->sqlstate, "XX000");
  EXPECT_EQ(decode_report_start("Mhello")->message, "hello");
  EXPECT_EQ(decode_report_start("C1234")->sqlstate, "XX000");
}

}  // namespace
}  // namespace pgweir::protocol
