// The client side of SCRAM against servers that fail or cheat at each step.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocol/auth/base64.h"
#include "tests/unit/protocol/auth_scram_fixture.h"

namespace pgweir::protocol {
namespace {

using namespace auth_test;

TEST(ScramClient, ScansTheWholeMechanismList) {
  const std::vector<std::string_view> many = {"OAUTHBEARER", "SCRAM-SHA-512", "x",
                                              kScramSha256,  "GSSAPI",        kScramSha256Plus};
  const std::vector<std::string_view> none = {"OAUTHBEARER", "SCRAM-SHA-256X"};
  EXPECT_EQ(client_with().start(many)->mechanism, kScramSha256);
  EXPECT_EQ(client_with("hash").start(many)->mechanism, kScramSha256Plus);
  expect_error(client_with("hash").start(none), "28000", "none");
  const std::vector<std::string_view> only_plus = {kScramSha256Plus};
  expect_error(client_with().start(only_plus), "28000", "none");
  expect_error(client_with("hash").start({}), "28000", "none");
}

TEST(ScramClient, RequiredChannelBinding) {
  EXPECT_EQ(client_with("hash", true).start(kBoth)->mechanism, kScramSha256Plus);
  expect_error(client_with("hash", true).start(kPlain), "28000", "server does not offer it");
  expect_error(client_with("", true).start(kBoth), "28000", "no TLS channel");
}

TEST(ScramClient, HostileServerFirst) {
  const std::string nonce = base64_encode(std::string(18, '\x02'));
  const struct {
    std::string message;
    std::string_view text;
  } cases[] = {
      {"", "\"r\" expected"},
      {"r=" + nonce + std::string(65536, 'x') + ",s=c2FsdA==,i=4096", "too long"},
      {"r=" + nonce + "x", "\"s\" expected"},
      {"r=" + nonce + ",s=c2FsdA==,i=4096", "nonce"},
      {"r=" + nonce.substr(1) + "xx,s=c2FsdA==,i=4096", "nonce"},
      {"r=,s=c2FsdA==,i=4096", "nonce"},
      {"r=" + nonce + "\x01,s=c2FsdA==,i=4096", "nonce"},
      {"m=x,r=" + nonce + "x,s=c2FsdA==,i=4096", "\"r\" expected"},
      {"r=" + nonce + "x,s=,i=4096", "Invalid salt"},
      {"r=" + nonce + "x,s=c2F,i=4096", "Invalid salt"},
      {"r=" + nonce + "x,s=" + base64_encode(std::string(1025, 's')) + ",i=4096", "Invalid salt"},
      {"r=" + nonce + "x,s=c2FsdA==", "\"i\" expected"},
      {"r=" + nonce + "x,i=4096,s=c2FsdA==", "\"s\" expected"},
      {"r=" + nonce + "x,s=c2FsdA==,i=", "Invalid iteration count"},
      {"r=" + nonce + "x,s=c2FsdA==,i=0", "Invalid iteration count"},
      {"r=" + nonce + "x,s=c2FsdA==,i=-1", "Invalid iteration count"},
      {"r=" + nonce + "x,s=c2FsdA==,i=2147483648", "Invalid iteration count"},
      {"r=" + nonce + "x,s=c2FsdA==,i=4294967297", "Invalid iteration count"},
      {"r=" + nonce + "x,s=c2FsdA==,i=4096x", "Invalid iteration count"},
      {"r=" + nonce + "x,s=c2FsdA==,i=4096,", "Malformed attribute"},
      {"r=" + nonce + "x,s=c2FsdA==,i=4096,?", "Malformed attribute"},
      {"e=other-error", "\"r\" expected"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.message.substr(0, 80));
    auto client = client_with();
    ASSERT_TRUE(client.start(kPlain));
    expect_error(client.on_server_first(c.message), "08P01", c.text);
    EXPECT_EQ(client.state(), ScramClient::State::Failed);
    expect_error(client.client_final(keys_of("pencil")), "08P01");
  }
  auto client = client_with();
  ASSERT_TRUE(client.start(kPlain));
  const auto challenge = client.on_server_first("r=" + nonce + "x,s=c2FsdA==,i=10000000,x=ignored");
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->salt, "salt");
  EXPECT_EQ(challenge->iterations, 10'000'000u);
}

TEST(ScramClient, HostileServerFinal) {
  const struct {
    std::string message;
    std::string_view sqlstate;
  } cases[] = {
      {"", "08P01"},
      {"v=", "08P01"},
      {"v", "08P01"},
      {"x=abc", "08P01"},
      {"v=!!!!", "08P01"},
      {"v=" + base64_encode(std::string(31, 'x')), "08P01"},
      {"v=" + base64_encode(std::string(32, 'x')), "28000"},
      {"v=" + base64_encode(std::string(32, '\0')), "28000"},
      {"v=" + base64_encode(std::string(32, 'x')) + ",", "08P01"},
      {"e=invalid-proof", "28000"},
      {"v=" + std::string(65536, 'A'), "08P01"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.message.substr(0, 60));
    auto server = server_for("pencil");
    auto client = client_with();
    const auto exchange = run(client, server, kPlain, "pencil");
    expect_error(client.on_server_final(c.message), c.sqlstate);
    EXPECT_EQ(client.state(), ScramClient::State::Failed);
    expect_error(client.on_server_final(*server.on_client_final(exchange.client_final)), "08P01");
  }
}

TEST(ScramClient, StepsOutOfOrder) {
  expect_error(client_with().on_server_first("r=x,s=c2FsdA==,i=1"), "08P01");
  expect_error(client_with().client_final(keys_of("pencil")), "08P01");
  expect_error(client_with().on_server_final("v=x"), "08P01");
  auto client = client_with();
  ASSERT_TRUE(client.start(kPlain));
  expect_error(client.start(kPlain), "08P01", "twice");
  expect_error(ScramClient({"", false, no_random}).start(kPlain), "XX000");
}

}  // namespace
}  // namespace pgweir::protocol
