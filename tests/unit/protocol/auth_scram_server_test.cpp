// The server side of SCRAM against clients that fail or cheat at each step.
#include <gtest/gtest.h>

#include <string>

#include "protocol/auth/base64.h"
#include "tests/unit/protocol/auth_scram_fixture.h"

namespace pgweir::protocol {
namespace {

using namespace auth_test;
using namespace std::string_literals;

struct FirstCase {
  std::string_view mechanism;
  std::string message;
  std::string_view sqlstate;
  std::string_view text;
};

TEST(ScramServer, RefusesBrokenFirstMessages) {
  const FirstCase cases[] = {
      {"SCRAM-SHA-1", "n,,n=,r=abc", "08P01", "invalid SASL authentication mechanism"},
      {"", "n,,n=,r=abc", "08P01", "invalid SASL authentication mechanism"},
      {kScramSha256Plus, "n,,n=,r=abc", "08P01", "does not include channel binding data"},
      {kScramSha256Plus, "y,,n=,r=abc", "08P01", "does not include channel binding data"},
      {kScramSha256Plus, "p=tls-unique,,n=,r=abc", "08P01", "unsupported SCRAM channel-binding type"},
      {kScramSha256, "p=tls-server-end-point,,n=,r=abc", "08P01", "without channel binding"},
      {kScramSha256, "y,,n=,r=abc", "28000", "negotiation error"},
      {kScramSha256, "", "08P01", "empty"},
      {kScramSha256, std::string(kMaxClientSaslMessage + 1, 'n'), "08P01", "too long"},
      {kScramSha256, "n", "08P01", "Comma expected"},
      {kScramSha256, "n,", "08P01", "Comma expected"},
      {kScramSha256, ",,n=,r=abc", "08P01", "Comma expected"},
      {kScramSha256, "x,,n=,r=abc", "08P01", "Unexpected channel-binding flag"},
      {kScramSha256, "nn,,n=,r=abc", "08P01", "Unexpected channel-binding flag"},
      {kScramSha256, "n,a=bob,n=,r=abc", "0A000", "authorization identity"},
      {kScramSha256, "n,,", "08P01", "\"n\" expected"},
      {kScramSha256, "n,,m=ext,n=,r=abc", "0A000", "unsupported SCRAM extension"},
      {kScramSha256, "n,,r=abc", "08P01", "\"n\" expected"},
      {kScramSha256, "n,,n=", "08P01", "\"r\" expected"},
      {kScramSha256, "n,,n=,x=abc", "08P01", "\"r\" expected"},
      {kScramSha256, "n,,n=,r=", "08P01", "nonce"},
      {kScramSha256, "n,,n=,r=a b", "08P01", "nonce"},
      {kScramSha256, "n,,n=,r=a\0b"s, "08P01", "nonce"},
      {kScramSha256, "n,,n=,r=a\xFF", "08P01", "nonce"},
      {kScramSha256, "n,,n=,r=abc,", "08P01", "Malformed attribute"},
      {kScramSha256, "n,,n=,r=abc,1=x", "08P01", "Malformed attribute"},
      {kScramSha256, "n,,n=,r=abc,xx", "08P01", "Malformed attribute"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.message.substr(0, 60));
    auto server = server_for("pencil", "certificate hash");
    expect_error(server.on_client_first(c.mechanism, c.message), c.sqlstate, c.text);
    EXPECT_EQ(server.state(), ScramServer::State::Failed);
    expect_error(server.on_client_first(kScramSha256, "n,,n=,r=abc"), "08P01", "unexpected");  // no second try
  }
}

TEST(ScramServer, PlusIsRefusedWhereItWasNotOffered) {
  auto server = server_for("pencil");
  expect_error(server.on_client_first(kScramSha256Plus, "p=tls-server-end-point,,n=,r=abc"), "08P01",
               "invalid SASL authentication mechanism");
}

TEST(ScramServer, TakesNameAndOptionalExtensions) {
  auto server = server_for("pencil");
  const auto first = server.on_client_first(kScramSha256, "n,,n=bob,r=abc,x=1,y=");
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, "r=abc" + base64_encode(std::string(18, '\x01')) + ",s=" + base64_encode(kSalt) + ",i=2");
}

TEST(ScramServer, FailsWithoutRandomNumbers) {
  ScramServer server({"ann", verifier_of("pencil"), false, "", no_random});
  expect_error(server.on_client_first(kScramSha256, "n,,n=,r=abc"), "XX000");
}

TEST(ScramServer, RefusesBrokenFinalMessages) {
  auto probe = server_for("pencil");
  auto client = client_with();
  const std::string good = run(client, probe, kPlain, "pencil").client_final;
  const std::string nonce = good.substr(good.find(",r="), good.find(",p=") - good.find(",r="));
  const std::string proof = good.substr(good.find(",p="));
  const struct {
    std::string message;
    std::string_view text;
  } cases[] = {
      {"", "empty"},
      {std::string(kMaxClientSaslMessage + 1, 'c'), "too long"},
      {"x", "\"c\" expected"},
      {nonce.substr(1) + proof, "\"c\" expected"},
      {"c=eSws" + nonce + proof, "unexpected SCRAM channel-binding attribute"},
      {"c=" + nonce + proof, "unexpected SCRAM channel-binding attribute"},
      {"c=biws", "\"r\" expected"},
      {"c=biws" + proof, "\"r\" expected"},
      {"c=biws" + nonce + "x" + proof, "Nonce does not match"},
      {"c=biws,r=" + proof, "Nonce does not match"},
      {"c=biws" + nonce, "\"p\" expected"},
      {"c=biws" + nonce + ",x=1", "\"p\" expected"},
      {"c=biws" + nonce + ",p=", "Malformed proof"},
      {"c=biws" + nonce + ",p=!!!!", "Malformed proof"},
      {"c=biws" + nonce + ",p=" + base64_encode(std::string(31, 'x')), "Malformed proof"},
      {"c=biws" + nonce + ",p=" + base64_encode(std::string(33, 'x')), "Malformed proof"},
      {good + ",x=1", "Garbage"},
      {good + ",", "Garbage"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.message.substr(0, 60));
    auto server = server_for("pencil");
    auto other = client_with();
    run(other, server, kPlain, "pencil");
    expect_error(server.on_client_final(c.message), "08P01", c.text);
    EXPECT_EQ(server.state(), ScramServer::State::Failed);
    expect_error(server.on_client_final(good), "08P01", "unexpected");  // no second guess in the same exchange
  }
  EXPECT_TRUE(probe.on_client_final(good));
}

TEST(ScramServer, EveryTruncationAndEveryFlippedBitFails) {
  auto probe = server_for("pencil");
  auto client = client_with();
  const std::string good = run(client, probe, kPlain, "pencil").client_final;
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string flipped = good;
    // Bit 2, since the last digit's low two bits carry nothing.
    flipped[i] = static_cast<char>(flipped[i] ^ 4);
    for (const auto& message : {good.substr(0, i), flipped}) {
      auto server = server_for("pencil");
      auto other = client_with();
      run(other, server, kPlain, "pencil");
      EXPECT_FALSE(server.on_client_final(message).ok()) << message;
    }
  }
}

TEST(ScramServer, FinalBeforeFirst) {
  auto server = server_for("pencil");
  expect_error(server.on_client_final("c=biws,r=x,p=x"), "08P01", "unexpected");
}

TEST(ScramServer, AnEmptyMessageProvesNothingAgainstAZeroKey) {
  ScramServer server({"ann", ScramVerifier{1, "s", {}, {}}, false, "", fixed_random(1)});
  ASSERT_TRUE(server.on_client_first(kScramSha256, "n,,n=,r=abc"));
  const std::string nonce = "abc" + base64_encode(std::string(18, '\x01'));
  expect_error(server.on_client_final("c=biws,r=" + nonce + ",p=" + base64_encode(std::string(32, '\0'))), "28P01");
}

}  // namespace
}  // namespace pgweir::protocol
