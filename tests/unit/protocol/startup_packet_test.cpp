#include <gtest/gtest.h>

#include "protocol/startup.h"

namespace pgweir::protocol {
namespace {

using namespace std::literals;
using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(StartupPacket, DatabaseDefaultsToUser) {
  const auto request = decode_startup_packet(kProtocol30, "user\0alice\0\0"sv);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->user, "alice");
  EXPECT_EQ(request->database, "alice");
  EXPECT_FALSE(request->negotiate);
}

TEST(StartupPacket, UserIsRequired) {
  for (const std::string_view body : {"\0"sv, "database\0d\0\0"sv, "user\0\0\0"sv}) {
    const auto request = decode_startup_packet(kProtocol30, body);
    ASSERT_FALSE(request.ok());
    EXPECT_EQ(request.error().sqlstate, "28000");
    EXPECT_EQ(request.error().message, "no PostgreSQL user name specified in startup packet");
  }
}

TEST(StartupPacket, EveryTruncationIsALayoutError) {
  const auto body = "user\0alice\0application_name\0x\0\0"sv;
  ASSERT_TRUE(decode_startup_packet(kProtocol30, body).ok());
  for (std::size_t size = 0; size < body.size(); ++size) {
    const auto request = decode_startup_packet(kProtocol30, std::string(body.substr(0, size)));
    ASSERT_FALSE(request.ok()) << size;
    EXPECT_EQ(request.error().message, "invalid startup packet layout: expected terminator as last byte");
  }
  EXPECT_FALSE(decode_startup_packet(kProtocol30, "user\0alice\0\0x"sv).ok());
}

TEST(StartupPacket, UnknownParametersAreSettingsBehindOptions) {
  const auto request = decode_startup_packet(
      kProtocol30, "user\0u\0extra_float_digits\0002\0options\0-c geqo=off --search-path=a,b\0app.x\0y\0\0"sv);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->settings,
            (Pairs{{"geqo", "off"}, {"search_path", "a,b"}, {"extra_float_digits", "2"}, {"app.x", "y"}}));
}

TEST(StartupPacket, VersionsAndProtocolOptions) {
  struct Case {
    std::uint32_t requested, version;
    bool negotiate;
  };
  for (const Case& c : {Case{kProtocol30, kProtocol30, false}, Case{kProtocol32, kProtocol32, false},
                        Case{3u << 16 | 1, kProtocol30, true}, Case{3u << 16 | 3, kProtocol32, true},
                        Case{3u << 16 | 9999, kProtocol32, true}}) {
    const auto request = decode_startup_packet(c.requested, "user\0u\0\0"sv);
    EXPECT_EQ(request->version, c.version);
    EXPECT_EQ(request->negotiate, c.negotiate);
    EXPECT_EQ(request->requested_version, c.requested);
  }
  const auto request = decode_startup_packet(kProtocol30, "_pq_.one\0001\0user\0u\0_pq_.two\0002\0\0"sv);
  EXPECT_TRUE(request->negotiate);
  EXPECT_EQ(request->version, kProtocol30) << "never above what the client asked for";
  EXPECT_EQ(request->unknown_protocol_options, (std::vector<std::string>{"_pq_.one", "_pq_.two"}));
  EXPECT_TRUE(request->settings.empty());
}

TEST(StartupPacket, Replication) {
  const auto of = [](std::string_view value) {
    return decode_startup_packet(kProtocol30, "user\0u\0replication\0"s + std::string(value) + "\0\0"s);
  };
  for (const char* value : {"1", "true", "TRUE", "t", "on", "yes", "y"})
    EXPECT_EQ(of(value)->replication, Replication::Physical);
  for (const char* value : {"0", "false", "off", "of", "n"}) EXPECT_EQ(of(value)->replication, Replication::None);
  EXPECT_EQ(of("database")->replication, Replication::Database);
  for (const char* value : {"", "o", "2", "maybe", "truely"}) EXPECT_EQ(of(value).error().sqlstate, "22023") << value;
}

TEST(StartupOptions, Parse) {
  EXPECT_EQ(*parse_startup_options(""), Pairs{});
  EXPECT_EQ(*parse_startup_options("  \t\n"), Pairs{});
  EXPECT_EQ(*parse_startup_options("-c a=b"), (Pairs{{"a", "b"}}));
  EXPECT_EQ(*parse_startup_options("-ca=b"), (Pairs{{"a", "b"}}));
  EXPECT_EQ(*parse_startup_options("--statement-timeout=5-6 -c x-y=z"),
            (Pairs{{"statement_timeout", "5-6"}, {"x_y", "z"}}));
  EXPECT_EQ(*parse_startup_options("-c a=one\\ two\\\\three"), (Pairs{{"a", "one two\\three"}}));
  EXPECT_EQ(*parse_startup_options("-c a="), (Pairs{{"a", ""}}));
  EXPECT_EQ(*parse_startup_options("-c a=b=c"), (Pairs{{"a", "b=c"}}));
  EXPECT_EQ(*parse_startup_options("-c a=b\\"), (Pairs{{"a", "b"}}));
  EXPECT_EQ(*parse_startup_options("-S 64 -e"), (Pairs{{"work_mem", "64"}, {"datestyle", "euro"}}));
}

TEST(StartupOptions, Refuse) {
  EXPECT_EQ(parse_startup_options("-c a").error().message, "-c a requires a value");
  EXPECT_EQ(parse_startup_options("--a").error().message, "--a requires a value");
  for (const char* options : {"word", "-c", "--", "-", "-Z", "-x y"})
    EXPECT_EQ(parse_startup_options(options).error().sqlstate, "42601") << options;
}

}  // namespace
}  // namespace pgweir::protocol
