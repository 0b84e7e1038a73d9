// Our login to servers: honest ones of each method, and hostile ones in each state.
#include "protocol/auth/server_authenticator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "protocol/auth/authentication_messages.h"
#include "protocol/auth/scram_server.h"

namespace pgweir::protocol {
namespace {

using namespace std::string_literals;

const std::string kSalt = "0123456789abcdef";
constexpr std::uint32_t kIterations = 2;
constexpr std::array<std::string_view, 3> kMechanisms = {"OAUTHBEARER", kScramSha256Plus, kScramSha256};

std::string body_of(const std::string& frame) { return frame.substr(5); }
std::string ok() { return body_of(encode_authentication_ok()); }
std::string sasl() { return body_of(encode_authentication_sasl(kMechanisms)); }

ServerAuthenticatorOptions options(Secret secret = {SecretKind::Plain, "pencil"}) {
  ServerAuthenticatorOptions out;
  out.user = "ann";
  out.secret = std::move(secret);
  return out;
}

ScramServer scram_server(std::string_view password = "pencil", std::string binding = {}) {
  const auto verifier = derive_verifier({password, kSalt, kIterations});
  return ScramServer({"ann", *verifier, false, std::move(binding), secret_random});
}

std::string error_of(const AuthStep& step) {
  const auto* fail = std::get_if<AuthFail>(&step);
  return fail == nullptr ? "no failure" : fail->error.sqlstate + " " + fail->error.message + " " + fail->error.detail;
}

void expect_fail(const AuthStep& step, std::string_view sqlstate, std::string_view text) {
  EXPECT_EQ(error_of(step).substr(0, 5), sqlstate) << error_of(step);
  EXPECT_NE(error_of(step).find(text), std::string::npos) << error_of(step);
}

// Up to the SASLResponse; the server-final-message comes back.
std::string run_to_final(ServerAuthenticator& login, ScramServer& server, int* derivations = nullptr) {
  const AuthStep initial = login.on_message(sasl());
  const std::string initial_body = body_of(std::get<AuthSend>(initial).bytes);
  const auto message = decode_sasl_initial_response(initial_body);
  const auto first = server.on_client_first(message->mechanism, *message->response);
  AuthStep step = login.on_message(body_of(encode_authentication_sasl_continue(*first)));
  if (auto* needs = std::get_if<AuthNeedsKeys>(&step)) {
    if (derivations != nullptr) ++*derivations;
    step = login.resume(derive_keys(needs->request));
  }
  const auto final = server.on_client_final(body_of(std::get<AuthSend>(step).bytes));
  return final ? *final : "e=invalid-proof";
}

void finish(ServerAuthenticator& login, const std::string& server_final) {
  const AuthStep verified = login.on_message(body_of(encode_authentication_sasl_final(server_final)));
  EXPECT_EQ(std::get<AuthSend>(verified).bytes, "");
  EXPECT_TRUE(std::holds_alternative<AuthDone>(login.on_message(ok())));
}

TEST(ServerAuthenticator, Trust) {
  ServerAuthenticator login(options());
  EXPECT_TRUE(std::holds_alternative<AuthDone>(login.on_message(ok())));
  expect_fail(login.on_message(ok()), "08P01", "not expected");
  auto strict = options();
  strict.allow_trust = false;
  expect_fail(ServerAuthenticator(strict).on_message(ok()), "28000", "asked for no authentication");
}

TEST(ServerAuthenticator, CleartextOnlyWhereAllowed) {
  const std::string request = body_of(encode_authentication_cleartext_password());
  expect_fail(ServerAuthenticator(options()).on_message(request), "28000", "in clear, which is not allowed");
  auto open = options();
  open.allow_cleartext = true;
  ServerAuthenticator login(open);
  const AuthStep step = login.on_message(request);
  EXPECT_EQ(std::get<AuthSend>(step).bytes, encode_password_message("pencil"));
  EXPECT_TRUE(std::holds_alternative<AuthDone>(login.on_message(ok())));
  for (const Secret& secret : {Secret{}, Secret{SecretKind::Md5, *md5_secret("pencil", "ann")},
                               Secret{SecretKind::Plain, "pen\0cil"s}}) {
    open.secret = secret;
    expect_fail(ServerAuthenticator(open).on_message(request), "28000", "no plain password");
  }
}

TEST(ServerAuthenticator, Md5WithPasswordOrHash) {
  const Md5Salt salt{1, 2, 3, 4};
  const std::string request = body_of(encode_authentication_md5_password(salt));
  const std::string secret = *md5_secret("pencil", "ann");
  for (const Secret& known : {Secret{SecretKind::Plain, "pencil"}, Secret{SecretKind::Md5, secret}}) {
    ServerAuthenticator login(options(known));
    const AuthStep step = login.on_message(request);
    EXPECT_EQ(std::get<AuthSend>(step).bytes, encode_password_message(*md5_response(secret, salt)));
    EXPECT_TRUE(std::holds_alternative<AuthDone>(login.on_message(ok())));
  }
  expect_fail(ServerAuthenticator(options({})).on_message(request), "28000", "neither a password nor its md5 hash");
  auto strict = options();
  strict.allow_md5 = false;
  expect_fail(ServerAuthenticator(strict).on_message(request), "28000", "md5 authentication, which is not allowed");
}

TEST(ServerAuthenticator, ScramWithPasswordDerivesOnce) {
  int derivations = 0;
  ServerAuthenticator login(options());
  auto server = scram_server();
  finish(login, run_to_final(login, server, &derivations));
  EXPECT_EQ(derivations, 1);
  ASSERT_TRUE(login.derived_keys());
  EXPECT_EQ(login.derived_keys()->salt, kSalt);

  auto again = options();
  again.cached_keys = login.derived_keys();
  ServerAuthenticator second(again);
  auto same_server = scram_server();
  finish(second, run_to_final(second, same_server, &derivations));
  EXPECT_EQ(derivations, 1);

  // The password was set anew on the server: another salt, so the cache does not apply.
  again.cached_keys->salt = "old salt";
  ServerAuthenticator third(again);
  auto changed_server = scram_server();
  finish(third, run_to_final(third, changed_server, &derivations));
  EXPECT_EQ(derivations, 2);
  EXPECT_EQ(third.derived_keys()->salt, kSalt);

  again.cached_keys = third.derived_keys();
  again.cached_keys->iterations = kIterations + 1;
  ServerAuthenticator fourth(again);
  auto recounted_server = scram_server();
  finish(fourth, run_to_final(fourth, recounted_server, &derivations));
  EXPECT_EQ(derivations, 3);
}

TEST(ServerAuthenticator, ScramWithAClientsKeys) {
  auto settings = options({});
  settings.keys = derive_keys({"pencil", kSalt, kIterations});
  int derivations = 0;
  ServerAuthenticator login(settings);
  auto server = scram_server();
  finish(login, run_to_final(login, server, &derivations));
  EXPECT_EQ(derivations, 0);
}

TEST(ServerAuthenticator, ScramWithoutAnythingToProve) {
  const std::string verifier = format_scram_verifier(*derive_verifier({"pencil", kSalt, kIterations}));
  for (const Secret& secret : {Secret{}, Secret{SecretKind::Md5, *md5_secret("pencil", "ann")},
                               Secret{SecretKind::Scram, verifier}}) {
    ServerAuthenticator login(options(secret));
    expect_fail(login.on_message(sasl()), "28000", "neither a password nor a client's keys");
  }
}

TEST(ServerAuthenticator, ChannelBinding) {
  auto settings = options();
  settings.channel_binding_data = "hash";
  settings.require_channel_binding = true;
  ServerAuthenticator login(settings);
  auto server = scram_server("pencil", "hash");
  finish(login, run_to_final(login, server));
  for (const auto& request : {ok(), body_of(encode_authentication_md5_password({})),
                              body_of(encode_authentication_cleartext_password())}) {
    expect_fail(ServerAuthenticator(settings).on_message(request), "28000", "channel binding is required");
  }
  settings.channel_binding_data.clear();
  expect_fail(ServerAuthenticator(settings).on_message(sasl()), "28000", "channel binding is required");
}

TEST(ServerAuthenticator, ServerThatSkipsItsProof) {
  ServerAuthenticator early(options());
  (void)early.on_message(sasl());
  expect_fail(early.on_message(ok()), "28000", "without proving");
  ServerAuthenticator late(options());
  auto server = scram_server();
  const std::string server_final = run_to_final(late, server);
  expect_fail(late.on_message(ok()), "28000", "without proving");
  expect_fail(late.on_message(body_of(encode_authentication_sasl_final(server_final))), "08P01", "not expected");
}

TEST(ServerAuthenticator, ServerThatDoesNotKnowThePassword) {
  ServerAuthenticator login(options());
  auto impostor = scram_server("another password");
  (void)run_to_final(login, impostor);
  const std::string forged = "v=" + std::string(43, 'A') + "=";
  const AuthStep step = login.on_message(body_of(encode_authentication_sasl_final(forged)));
  expect_fail(step, "28000", "incorrect server signature");
  EXPECT_FALSE(login.derived_keys());
}

TEST(ServerAuthenticator, UnsupportedMethodsAreNamed) {
  const struct {
    std::string body;
    std::string_view name;
  } cases[] = {{"\0\0\0\x02"s, "Kerberos V5"},      {"\0\0\0\x06"s, "SCM credential"}, {"\0\0\0\x07"s, "GSSAPI"},
               {"\0\0\0\x08zz"s, "GSSAPI"},         {"\0\0\0\x09"s, "SSPI"},           {"\0\0\0\x0D"s, "number 13"},
               {"\xFF\xFF\xFF\xFF"s, "4294967295"}, {"\0\0\0\x01"s, "number 1"}};
  for (const auto& c : cases) expect_fail(ServerAuthenticator(options()).on_message(c.body), "28000", c.name);
}

TEST(ServerAuthenticator, GarbageAndWrongOrderInEachState) {
  const std::string md5_request = body_of(encode_authentication_md5_password({1, 2, 3, 4}));
  const std::string hostile[] = {
      ""s, "\0\0\0"s, "\0\0\0\0x"s, std::string(70000, '\0'), "\0\0\0\x0A"s, "\0\0\0\x63"s, md5_request,
      body_of(encode_authentication_sasl_continue("r=" + std::string(65000, 'x') + ",s=c2FsdA==,i=4096")),
      body_of(encode_authentication_sasl_continue("")), body_of(encode_authentication_sasl_final(""))};
  for (const auto& body : hostile) {
    for (int state = 0; state < 5; ++state) {
      ServerAuthenticator login(options());
      auto server = scram_server();
      if (state == 0 && body == md5_request) continue;  // right there
      if (state == 1) (void)login.on_message(md5_request);
      if (state == 2) (void)login.on_message(sasl());
      if (state >= 3) {
        const std::string server_final = run_to_final(login, server);
        if (state == 4) (void)login.on_message(body_of(encode_authentication_sasl_final(server_final)));
      }
      EXPECT_TRUE(std::holds_alternative<AuthFail>(login.on_message(body))) << state << " " << body.substr(0, 20);
      EXPECT_TRUE(std::holds_alternative<AuthFail>(login.on_message(ok()))) << state;  // failed for good
    }
  }
}

TEST(ServerAuthenticator, MessagesWhileKeysAreDerivedAndKeysNobodyAskedFor) {
  EXPECT_TRUE(std::holds_alternative<AuthFail>(ServerAuthenticator(options()).resume(ScramKeys{})));
  for (const bool derivation_fails : {true, false}) {
    ServerAuthenticator login(options());
    auto server = scram_server();
    const AuthStep initial = login.on_message(sasl());
    const std::string initial_body = body_of(std::get<AuthSend>(initial).bytes);
    const auto message = decode_sasl_initial_response(initial_body);
    const auto first = server.on_client_first(message->mechanism, *message->response);
    ASSERT_TRUE(std::holds_alternative<AuthNeedsKeys>(
        login.on_message(body_of(encode_authentication_sasl_continue(*first)))));
    if (derivation_fails) {
      expect_fail(login.resume(std::nullopt), "XX000", "key derivation");
    } else {
      expect_fail(login.on_message(ok()), "08P01", "not expected");
      expect_fail(login.resume(ScramKeys{}), "XX000", "no keys were asked for");
    }
  }
}

}  // namespace
}  // namespace pgweir::protocol
