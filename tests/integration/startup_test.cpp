// The first bytes of a connection, written by hand: versions, options, cancel keys, and garbage.
#include <openssl/ssl.h>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kSslRequest = 80877103, kGssRequest = 80877104, kCancelRequest = 80877102;
std::string special(std::uint32_t code) { return raw_int32(8) + raw_int32(code); }

class StartupTest : public ProxyTest {
 protected:
  void SetUp() override { start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 2"}); }
  // The next connection is served as if nothing had been.
  void expect_alive() {
    RawClient client(port());
    EXPECT_EQ(raw_types(client.log_in()).back(), 'Z');
    EXPECT_EQ(raw_types(client.query("SELECT 1")), "TDCZ");
  }
};

TEST_F(StartupTest, Version30HasAKeyOfEightBytesAndAPositivePid) {
  RawClient client(port());
  const auto hello = client.log_in(kVersion30);
  EXPECT_EQ(raw_types(hello).find('v'), std::string::npos);
  const auto key = raw_find(hello, 'K').body;
  ASSERT_EQ(key.size(), 8u);
  EXPECT_EQ(key[0] & 0x80, 0);
  EXPECT_EQ(hello.back().body, "I");
}

TEST_F(StartupTest, Version32HasAKeyOf32Bytes) {
  NEEDS_PROXY();
  RawClient client(port()), other(port());
  const auto hello = client.log_in(kVersion32);
  EXPECT_EQ(raw_types(hello).find('v'), std::string::npos) << "3.2 is known";
  const auto key = raw_find(hello, 'K').body;
  EXPECT_EQ(key.size(), 4u + 32u);
  EXPECT_NE(key, raw_find(other.log_in(kVersion32), 'K').body);
  EXPECT_EQ(raw_types(client.query("SELECT 1")), "TDCZ");
}

TEST_F(StartupTest, AnUnknownMinorVersionIsNegotiatedOnceBeforeAuthentication) {
  RawClient client(port());
  const auto hello = client.log_in(kVersionGrease, {{"_pq_.fancy", "1"}});
  ASSERT_FALSE(hello.empty());
  EXPECT_EQ(hello[0].type, 'v');
  EXPECT_EQ(raw_types(hello).find('v', 1), std::string::npos);
  EXPECT_THAT(hello[0].body, HasSubstr(raw_text("_pq_.fancy")));
  EXPECT_EQ(hello.back().type, 'Z');
}

TEST_F(StartupTest, AnUnknownOptionAloneIsNegotiatedToo) {
  RawClient client(port());
  const auto hello = client.log_in(kVersion30, {{"_pq_.command_progress", "on"}});
  EXPECT_EQ(raw_types(hello)[0], 'v');
  EXPECT_EQ(hello.back().type, 'Z');
}

TEST_F(StartupTest, OtherMajorVersionsAreRefused) {
  NEEDS_PROXY();  // PostgreSQL answers in the manner of version 2
  for (const std::uint32_t version : {2u << 16, 4u << 16, 0u, 0xffffffffu}) {
    RawClient client(port());
    client.send(raw_startup(version, {{"user", "app"}}));
    const auto answer = client.receive();
    if (answer) {
      EXPECT_EQ(answer->type, 'E') << version;
      EXPECT_EQ(raw_field(answer->body, 'C'), "0A000") << version;
    }
    EXPECT_TRUE(client.closed()) << version;
  }
  expect_alive();
}

TEST_F(StartupTest, LengthsOutOfBoundsEndTheConnectionAtOnce) {
  for (const std::uint32_t length : {0u, 3u, 4u, 7u, 10'005u, 0x7fffffffu, 0xffffffffu}) {
    RawClient client(port());
    client.send(raw_int32(length) + raw_int32(kVersion30) + "more");
    EXPECT_TRUE(client.closed()) << length;
  }
  expect_alive();
}

TEST_F(StartupTest, GarbageEndsTheConnection) {
  const std::vector<std::string> all{
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      std::string(9'000, 'a'),
      raw_int32(9) + raw_int32(kVersion30) + "u",                                 // no terminator
      raw_int32(8 + 5 + 5) + raw_int32(kVersion30) + raw_text("user") + "abcde",  // a value without its end
      raw_startup(kVersion30, {{"database", "fediflow"}}),                        // no user
      raw_startup(kVersion30, {{"user", ""}}),
      special(0x04d2ffff),
  };
  for (const auto& bytes : all) {
    RawClient client(port());
    client.send(bytes);
    EXPECT_TRUE(client.closed()) << bytes.substr(0, 20);
  }
  expect_alive();
}

TEST_F(StartupTest, MessagesBeforeTheStartupPacketAreNotServed) {
  RawClient client(port());
  client.send(raw_query("SELECT 1"));
  EXPECT_TRUE(client.closed());
  expect_alive();
}

TEST_F(StartupTest, GssIsRefusedAndTheConversationGoesOn) {
  NEEDS_PROXY();
  RawClient client(port());
  client.send(special(kGssRequest));
  EXPECT_EQ(client.receive_byte(), 'N');
  EXPECT_EQ(client.log_in().back().type, 'Z');
}

TEST_F(StartupTest, BytesBehindAnSslRequestAreAnAttack) {
  NEEDS_PROXY();
  RawClient client(port());
  client.send(special(kSslRequest) + raw_startup(kVersion30, {{"user", "app"}, {"database", "fediflow"}}));
  const auto first = client.receive_byte();
  if (first == 'S') {
    EXPECT_FALSE(client.receive_byte().has_value());
  } else {
    EXPECT_TRUE(!first || *first == 'E') << *first;
  }
  expect_alive();
}

TEST_F(StartupTest, AStartupPacketInPiecesIsOne) {
  const std::string packet = raw_startup(kVersion30, {{"user", "app"}, {"database", "fediflow"}});
  RawClient client(port());
  for (const char byte : packet) ASSERT_TRUE(client.send({&byte, 1}));
  EXPECT_EQ(client.receive_until('Z').back().type, 'Z');
}

TEST_F(StartupTest, TheStartupPacketAndTheFirstQueryMayComeTogether) {
  RawClient client(port());
  client.send(raw_startup(kVersion30, {{"user", "app"}, {"database", "fediflow"}}) + raw_query("SELECT 7"));
  client.receive_until('Z');
  EXPECT_THAT(raw_find(client.receive_until('Z'), 'D').body, HasSubstr("7"));
}

TEST_F(StartupTest, MessagesThatAreNoneEndTheSessionWithAProtocolViolation) {
  const std::vector<std::string> all{
      raw_message('~', "what"),
      std::string("Q") + raw_int32(3),
      std::string("Q") + raw_int32(0),
      std::string("Q") + raw_int32(0xffffffffu),
      std::string("X") + raw_int32(0x7fffffffu),
  };
  for (const auto& bytes : all) {
    RawClient client(port());
    ASSERT_EQ(client.log_in().back().type, 'Z');
    client.send(bytes);
    const auto answer = client.receive();
    if (answer) {
      EXPECT_EQ(answer->type, 'E');
      EXPECT_EQ(raw_field(answer->body, 'C'), "08P01") << bytes[0];
    }
    EXPECT_TRUE(client.closed()) << bytes[0];
  }
  expect_alive();
  EXPECT_TRUE(no_transaction_is_open());
}

TEST_F(StartupTest, MalformedBodiesAreErrorsOfTheirMessage) {
  const std::vector<std::string> all{
      raw_message('Q', "SELECT 1"),  // no terminator
      raw_message('P', "no end"),
      raw_message('P', raw_text("") + raw_text("SELECT 1") + raw_int16(9)),  // types that are not there
      raw_parse("", "SELECT $1::text") +
          raw_message('B', raw_text("") + raw_text("") + raw_int16(0) + raw_int16(1) + raw_int32(1'000'000) + "x"),
      raw_message('D', "?" + raw_text("")),
      raw_message('C', ""),
      raw_message('E', raw_text("")),
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    RawClient client(port());
    ASSERT_EQ(client.log_in().back().type, 'Z');
    client.send(all[i] + raw_sync());
    const auto answer = raw_find(client.receive_until('E'), 'E');
    EXPECT_EQ(raw_field(answer.body, 'C'), "08P01") << i;
  }
  expect_alive();
  EXPECT_TRUE(no_transaction_is_open());
}

TEST_F(StartupTest, CancelRequestsOfAnyLengthAreAnsweredByTheEnd) {
  RawClient session(port());
  const auto key = raw_find(session.log_in(kVersion32), 'K').body;
  for (const std::string& body : {key, key.substr(0, 8), std::string(4, '\0'), std::string(), std::string(300, 'k'),
                                  raw_int32(1) + raw_int32(2)}) {
    RawClient client(port());
    client.send(raw_int32(static_cast<std::uint32_t>(8 + body.size())) + raw_int32(kCancelRequest) + body);
    EXPECT_FALSE(client.receive_byte().has_value()) << body.size();
    EXPECT_TRUE(client.closed());
  }
  EXPECT_EQ(raw_types(session.query("SELECT 1")), "TDCZ");
}

TEST_F(StartupTest, AKeyOf32BytesCancels) {
  NEEDS_PROXY();
  RawClient session(port());
  const auto key = raw_find(session.log_in(kVersion32), 'K').body;
  session.send(raw_query("SELECT pg_sleep(60)"));
  ASSERT_TRUE(wait_until([] { return backends("query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'") == 1; }));
  {
    auto wrong = key;
    wrong.back() = static_cast<char>(wrong.back() ^ 1);
    RawClient client(port());
    client.send(raw_int32(static_cast<std::uint32_t>(8 + wrong.size())) + raw_int32(kCancelRequest) + wrong);
    EXPECT_TRUE(client.closed());
  }
  EXPECT_EQ(backends("query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'"), 1);
  RawClient client(port());
  client.send(raw_int32(static_cast<std::uint32_t>(8 + key.size())) + raw_int32(kCancelRequest) + key);
  EXPECT_EQ(raw_field(raw_find(session.receive_until('Z'), 'E').body, 'C'), "57014");
}

}  // namespace
}  // namespace pgweir::support
