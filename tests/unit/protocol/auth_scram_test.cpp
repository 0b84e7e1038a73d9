// Both SCRAM state machines against each other.
#include <gtest/gtest.h>

#include <string>

#include "protocol/auth/base64.h"
#include "tests/unit/protocol/auth_scram_fixture.h"

namespace pgweir::protocol {
namespace {

using namespace auth_test;

TEST(Scram, RightPasswordAndKeysRecovered) {
  auto server = server_for("pencil");
  auto client = client_with();
  const auto exchange = run(client, server, kPlain, "pencil");
  EXPECT_EQ(exchange.first.message, "n,,n=,r=" + base64_encode(std::string(18, '\x02')));
  const auto final = server.on_client_final(exchange.client_final);
  ASSERT_TRUE(final);
  EXPECT_TRUE(client.on_server_final(*final));
  EXPECT_EQ(client.state(), ScramClient::State::Done);
  EXPECT_EQ(server.state(), ScramServer::State::Done);
  EXPECT_EQ(server.recovered_keys(), keys_of("pencil"));
}

TEST(Scram, RecoveredKeysLogInToAServerWithTheSameVerifier) {
  auto proxy = server_for("pencil");
  auto client = client_with();
  const auto exchange = run(client, proxy, kPlain, "pencil");
  ASSERT_TRUE(proxy.on_client_final(exchange.client_final));

  auto server = server_for("pencil");
  auto towards_server = client_with();
  const auto first = towards_server.start(kPlain);
  const auto challenge = server.on_client_first(first->mechanism, first->message);
  ASSERT_TRUE(towards_server.on_server_first(*challenge));
  const auto final = server.on_client_final(*towards_server.client_final(proxy.recovered_keys()));
  ASSERT_TRUE(final);
  EXPECT_TRUE(towards_server.on_server_final(*final));
}

TEST(Scram, ChannelBinding) {
  auto server = server_for("pencil", "certificate hash");
  auto client = client_with("certificate hash");
  const auto exchange = run(client, server, kBoth, "pencil");
  EXPECT_EQ(exchange.first.mechanism, kScramSha256Plus);
  const auto final = server.on_client_final(exchange.client_final);
  ASSERT_TRUE(final);
  EXPECT_TRUE(client.on_server_final(*final));
}

TEST(Scram, ChannelBindingToAnotherCertificateFails) {
  auto server = server_for("pencil", "certificate hash");
  auto client = client_with("hash of the man in the middle");
  const auto exchange = run(client, server, kBoth, "pencil");
  expect_error(server.on_client_final(exchange.client_final), "28000", "channel binding check failed");
}

TEST(Scram, RemovedOfferOfChannelBindingIsNoticed) {
  auto server = server_for("pencil", "certificate hash");
  auto client = client_with("certificate hash");
  const auto first = client.start(kPlain);
  EXPECT_TRUE(first->message.starts_with("y,,"));
  expect_error(server.on_client_first(first->mechanism, first->message), "28000", "channel binding negotiation error");
}

TEST(Scram, ClientThatCouldBindLogsInWhereNobodyOffersIt) {
  auto server = server_for("pencil");
  auto client = client_with("certificate hash");
  const auto exchange = run(client, server, kPlain, "pencil");
  EXPECT_TRUE(server.on_client_final(exchange.client_final));
}

TEST(Scram, ClientWithoutBindingLogsInWhereItIsOffered) {
  auto server = server_for("pencil", "certificate hash");
  auto client = client_with();
  const auto exchange = run(client, server, kBoth, "pencil");
  EXPECT_EQ(exchange.first.mechanism, kScramSha256);
  EXPECT_TRUE(server.on_client_final(exchange.client_final));
}

TEST(Scram, WrongPassword) {
  auto server = server_for("pencil");
  auto client = client_with();
  const auto exchange = run(client, server, kPlain, "Pencil");
  expect_error(server.on_client_final(exchange.client_final), "28P01",
               "password authentication failed for user \"ann\"");
  EXPECT_EQ(server.state(), ScramServer::State::Failed);
}

TEST(Scram, MockFailsEvenWithTheRightPassword) {
  auto server = server_for("pencil", "", true);
  auto client = client_with();
  const auto exchange = run(client, server, kPlain, "pencil");
  const auto result = server.on_client_final(exchange.client_final);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error(), password_authentication_failed("ann"));
}

TEST(Scram, MockSaltIsConstantPerUserAndProcess) {
  const Sha256Digest process{1};
  const Sha256Digest other_process{2};
  const auto a = mock_verifier(process, "nobody", 4096, secret_random);
  const auto b = mock_verifier(process, "nobody", 4096, secret_random);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->salt, b->salt);
  EXPECT_EQ(a->salt.size(), kScramDefaultSaltBytes);
  EXPECT_NE(a->stored_key, b->stored_key);
  EXPECT_NE(process_salt(process, "nobody"), process_salt(process, "somebody"));
  EXPECT_NE(process_salt(process, "nobody"), process_salt(other_process, "nobody"));
  EXPECT_FALSE(mock_verifier(process, "nobody", 4096, no_random));
}

}  // namespace
}  // namespace pgweir::protocol
