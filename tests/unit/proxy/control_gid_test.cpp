#include <gtest/gtest.h>

#include "proxy/control/gid.h"

namespace pgweir::control {
namespace {

constexpr char kUuid[] = "0190aaaa-0000-7000-8000-00000000000f";

TEST(ControlGidTest, OursIsTakenApart) {
  const auto gid = parse_gid(std::string("pgweir:fediflow:eu1:") + kUuid + ":12", "fediflow");
  ASSERT_TRUE(gid.has_value());
  EXPECT_EQ(gid->shard, "eu1");
  EXPECT_EQ(gid->key, std::string("pgweir:fediflow:eu1:") + kUuid);
}

TEST(ControlGidTest, NamesMayHoldColons) {
  const auto gid = parse_gid(std::string("pgweir:a:b:c:d:") + kUuid + ":1", "a:b");
  ASSERT_TRUE(gid.has_value());
  EXPECT_EQ(gid->shard, "c:d");
}

TEST(ControlGidTest, ForeignOnesAreNotOurs) {
  const std::string uuid = kUuid;
  for (const std::string& gid :
       {std::string(), std::string("pgweir:fediflow:"), "pgweir:other:eu1:" + uuid + ":1",
        "pgweir:fediflow2:eu1:" + uuid + ":1", "pgweir:fediflow:eu1:" + uuid, "pgweir:fediflow:eu1:" + uuid + ":",
        "pgweir:fediflow:eu1:" + uuid + ":x", "pgweir:fediflow:" + uuid + ":1", "pgweir:fediflow::" + uuid + ":1x",
        "pgweir:fediflow:eu1:" + uuid.substr(1) + ":1", "PGWEIR:fediflow:eu1:" + uuid + ":1",
        "x pgweir:fediflow:eu1:" + uuid + ":1"})
    EXPECT_FALSE(parse_gid(gid, "fediflow").has_value()) << gid;
}

}  // namespace
}  // namespace pgweir::control
