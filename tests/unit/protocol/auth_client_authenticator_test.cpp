// A client's login: against our own server-side login FSM as the honest client, and against garbage in each state.
#include "protocol/auth/client_authenticator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "protocol/auth/authentication_messages.h"
#include "protocol/auth/server_authenticator.h"

namespace pgweir::protocol {
namespace {

using namespace std::string_literals;

const std::string kUser = "ann";
const std::string kPassword = "pencil";
const std::string kSalt = "a salt that is not 16 bytes";
constexpr std::uint32_t kIterations = 2;

RandomBytes fixed_random() {
  return [](std::span<std::uint8_t> out) {
    std::fill(out.begin(), out.end(), std::uint8_t{7});
    return true;
  };
}

Secret plain() { return {SecretKind::Plain, kPassword}; }
Secret md5() { return {SecretKind::Md5, *md5_secret(kPassword, kUser)}; }
Secret scram() {
  return {SecretKind::Scram, format_scram_verifier(*derive_verifier({kPassword, kSalt, kIterations}))};
}

ClientAuthenticatorOptions options(AuthMethod method, Secret secret) {
  ClientAuthenticatorOptions out;
  out.user = kUser;
  out.method = method;
  out.secret = std::move(secret);
  out.iterations = kIterations;
  out.process_secret = Sha256Digest{9};
  return out;
}

std::vector<std::string> bodies(std::string_view frames) {
  std::vector<std::string> out;
  while (frames.size() >= 5) {
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(frames[3]) * 256 +
                                                 static_cast<unsigned char>(frames[4]));
    out.emplace_back(frames.substr(5, length - 4));
    frames.remove_prefix(1 + length);
  }
  EXPECT_TRUE(frames.empty());
  return out;
}

struct Outcome {
  AuthStep last;                    // of the proxy: AuthDone or AuthFail
  std::vector<std::string> shown;   // what the client was sent
  int derivations = 0;              // on the proxy's side
  bool client_content = false;      // the client saw AuthenticationOk and accepted it
};

// The client logs in with `password`; the proxy answers.
Outcome log_in(ClientAuthenticator& proxy, const std::string& password, std::string binding = {}) {
  ServerAuthenticatorOptions client_options;
  client_options.user = kUser;
  client_options.secret = {SecretKind::Plain, password};
  client_options.allow_cleartext = true;
  client_options.channel_binding_data = std::move(binding);
  client_options.random = fixed_random();
  ServerAuthenticator client(client_options);
  Outcome out;
  AuthStep step = proxy.start();
  for (int turn = 0; turn < 20; ++turn) {
    std::string bytes;
    if (auto* fail = std::get_if<AuthFail>(&step)) {
      out.last = *fail;
      return out;
    }
    if (auto* needs = std::get_if<AuthNeedsKeys>(&step)) {
      ++out.derivations;
      step = proxy.resume(derive_keys(needs->request));
      continue;
    }
    const auto* done = std::get_if<AuthDone>(&step);
    bytes = done != nullptr ? done->bytes : std::get<AuthSend>(step).bytes;
    out.shown.push_back(bytes);
    std::string answer;
    for (const auto& body : bodies(bytes)) {
      AuthStep client_step = client.on_message(body);
      if (auto* needs = std::get_if<AuthNeedsKeys>(&client_step)) {
        client_step = client.resume(derive_keys(needs->request));
      }
      if (auto* send = std::get_if<AuthSend>(&client_step)) answer.append(send->bytes);
      out.client_content = std::holds_alternative<AuthDone>(client_step);
    }
    if (done != nullptr) {
      out.last = *done;
      return out;
    }
    step = proxy.on_message(bodies(answer).at(0));
  }
  ADD_FAILURE() << "no end";
  return out;
}

void expect_accepted(const Outcome& outcome) {
  const auto* fail = std::get_if<AuthFail>(&outcome.last);
  EXPECT_EQ(fail, nullptr) << fail->error.message << " (" << fail->log_detail << ")";
  EXPECT_TRUE(outcome.client_content);
}

void expect_wrong_password(const Outcome& outcome) {
  const auto* fail = std::get_if<AuthFail>(&outcome.last);
  ASSERT_NE(fail, nullptr);
  EXPECT_EQ(fail->error, password_authentication_failed(kUser));
  EXPECT_FALSE(fail->log_detail.empty());
}

struct Combination {
  AuthMethod method;
  Secret secret;
  bool possible;
};

std::vector<Combination> combinations() {
  return {{AuthMethod::Plain, plain(), true},       {AuthMethod::Plain, md5(), true},
          {AuthMethod::Plain, scram(), true},       {AuthMethod::Plain, Secret{}, false},
          {AuthMethod::Md5, plain(), true},         {AuthMethod::Md5, md5(), true},
          {AuthMethod::Md5, scram(), true},         {AuthMethod::Md5, Secret{}, false},
          {AuthMethod::ScramSha256, plain(), true}, {AuthMethod::ScramSha256, md5(), false},
          {AuthMethod::ScramSha256, scram(), true}, {AuthMethod::ScramSha256, Secret{}, false}};
}

TEST(ClientAuthenticator, EveryMethodAgainstEverySecret) {
  for (const auto& c : combinations()) {
    SCOPED_TRACE(std::to_string(static_cast<int>(c.method)) + " " + c.secret.value);
    ClientAuthenticator right(options(c.method, c.secret));
    c.possible ? expect_accepted(log_in(right, kPassword)) : expect_wrong_password(log_in(right, kPassword));
    ClientAuthenticator wrong(options(c.method, c.secret));
    expect_wrong_password(log_in(wrong, "Pencil"));
  }
}

TEST(ClientAuthenticator, StoredHashIsNeverAPassword) {
  for (const auto& secret : {md5(), scram()}) {
    for (const AuthMethod method : {AuthMethod::Plain, AuthMethod::Md5, AuthMethod::ScramSha256}) {
      ClientAuthenticator proxy(options(method, secret));
      expect_wrong_password(log_in(proxy, secret.value));
      // Also when whoever configured it called the hash a plain password.
      ClientAuthenticator mislabelled(options(method, {SecretKind::Plain, secret.value}));
      expect_wrong_password(log_in(mislabelled, secret.value));
    }
  }
}

TEST(ClientAuthenticator, SecretsThatAreNotWhatTheyClaimRefuse) {
  for (const Secret& secret : {Secret{SecretKind::Scram, kPassword}, Secret{SecretKind::Md5, kPassword},
                               Secret{SecretKind::Scram, md5().value}, Secret{SecretKind::Plain, ""},
                               Secret{SecretKind::Plain, "SCRAM-SHA-256$rubbish"}}) {
    for (const AuthMethod method : {AuthMethod::Plain, AuthMethod::Md5, AuthMethod::ScramSha256}) {
      ClientAuthenticator proxy(options(method, secret));
      expect_wrong_password(log_in(proxy, secret.value.empty() ? kPassword : secret.value));
    }
  }
}

TEST(ClientAuthenticator, UnknownUserLooksLikeAKnownOneOfTheUsualKind) {
  for (const AuthMethod method : {AuthMethod::Plain, AuthMethod::Md5, AuthMethod::ScramSha256}) {
    for (const Secret& known : {plain(), md5(), scram()}) {
      if (method == AuthMethod::ScramSha256 && known.kind == SecretKind::Md5) continue;
      SCOPED_TRACE(std::to_string(static_cast<int>(method)) + " " + known.value);
      auto with_known = options(method, known);
      auto with_none = options(method, {});
      with_known.derived_verifier = derive_verifier({kPassword, *process_salt(Sha256Digest{9}, kUser), kIterations});
      with_none.mock_kind = known.kind;
      with_known.random = with_none.random = fixed_random();
      ClientAuthenticator a(with_known);
      ClientAuthenticator b(with_none);
      const auto shown_known = log_in(a, "wrong");
      const auto shown_none = log_in(b, "wrong");
      expect_wrong_password(shown_known);
      expect_wrong_password(shown_none);
      EXPECT_EQ(shown_known.derivations, shown_none.derivations);  // the same work
      ASSERT_EQ(shown_known.shown.size(), shown_none.shown.size());
      // Equal to the byte, but for the salt of a stored verifier, which only its own server could predict.
      if (known.kind != SecretKind::Scram) {
        EXPECT_EQ(shown_known.shown, shown_none.shown);
      }
    }
  }
}

TEST(ClientAuthenticator, MockSaltDoesNotChangeBetweenLogins) {
  auto settings = options(AuthMethod::ScramSha256, {});
  settings.random = fixed_random();
  ClientAuthenticator a(settings);
  ClientAuthenticator b(settings);
  EXPECT_EQ(log_in(a, "one").shown, log_in(b, "two").shown);
}

TEST(ClientAuthenticator, RecoveredKeysAreThoseOfTheStoredVerifier) {
  for (const AuthMethod method : {AuthMethod::Plain, AuthMethod::Md5, AuthMethod::ScramSha256}) {
    ClientAuthenticator proxy(options(method, scram()));
    const auto outcome = log_in(proxy, kPassword);
    expect_accepted(outcome);
    const auto& keys = std::get<AuthDone>(outcome.last).keys;
    ASSERT_TRUE(keys);
    EXPECT_TRUE(keys_match(*parse_scram_verifier(scram().value), *keys));
  }
  ClientAuthenticator proxy(options(AuthMethod::ScramSha256, plain()));
  EXPECT_FALSE(std::get<AuthDone>(log_in(proxy, kPassword).last).keys);  // no server knows our salt
}

TEST(ClientAuthenticator, PlainSecretIsDerivedOnceWhenTheVerifierIsKept) {
  ClientAuthenticator first(options(AuthMethod::ScramSha256, plain()));
  EXPECT_EQ(log_in(first, kPassword).derivations, 1);
  ASSERT_TRUE(first.derived_verifier());
  auto again = options(AuthMethod::ScramSha256, plain());
  again.derived_verifier = first.derived_verifier();
  ClientAuthenticator second(again);
  const auto outcome = log_in(second, kPassword);
  EXPECT_EQ(outcome.derivations, 0);
  expect_accepted(outcome);
}

TEST(ClientAuthenticator, ChannelBinding) {
  auto settings = options(AuthMethod::ScramSha256, scram());
  settings.channel_binding_data = "hash";
  ClientAuthenticator bound(settings);
  const auto outcome = log_in(bound, kPassword, "hash");
  expect_accepted(outcome);
  EXPECT_NE(outcome.shown[0].find("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"s), std::string::npos);
  ClientAuthenticator unbound(settings);
  expect_accepted(log_in(unbound, kPassword));
  ClientAuthenticator intercepted(settings);
  EXPECT_EQ(std::get<AuthFail>(log_in(intercepted, kPassword, "other hash").last).error.sqlstate, "28000");
}

TEST(ClientAuthenticator, TrustAndCert) {
  ClientAuthenticator trust(options(AuthMethod::Trust, {}));
  const AuthStep trusted = trust.start();
  EXPECT_EQ(std::get<AuthDone>(trusted).bytes, encode_authentication_ok());
  EXPECT_FALSE(std::get<AuthDone>(trusted).keys);

  auto settings = options(AuthMethod::Cert, {});
  settings.certificate_name = kUser;
  ClientAuthenticator cert(settings);
  EXPECT_EQ(std::get<AuthDone>(cert.start()).bytes, encode_authentication_ok());
  for (const std::optional<std::string>& name : {std::optional<std::string>(), {""}, {"Ann"}, {"ann\0"s}, {"bob"}}) {
    settings.certificate_name = name;
    ClientAuthenticator other(settings);
    const AuthStep step = other.start();
    EXPECT_EQ(std::get<AuthFail>(step).error.message, "certificate authentication failed for user \"ann\"");
    EXPECT_EQ(std::get<AuthFail>(step).error.sqlstate, "28000");
  }
  settings.user = "";
  settings.certificate_name = "";
  ClientAuthenticator nobody(settings);
  EXPECT_TRUE(std::holds_alternative<AuthFail>(nobody.start()));
}

TEST(ClientAuthenticator, ClientWithoutInitialResponseIsAskedForIt) {
  ClientAuthenticator proxy(options(AuthMethod::ScramSha256, scram()));
  (void)proxy.start();
  const AuthStep asked = proxy.on_message("SCRAM-SHA-256\0\xFF\xFF\xFF\xFF"s);
  EXPECT_EQ(std::get<AuthSend>(asked).bytes, encode_authentication_sasl_continue(""));
  const AuthStep next = proxy.on_message("n,,n=,r=abc");
  EXPECT_NE(std::get<AuthSend>(next).bytes.find("r=abc"), std::string::npos);
}

TEST(ClientAuthenticator, GarbageInEachStateFailsOnceAndForAll) {
  const std::string garbage[] = {""s, "\0"s, "x"s, "\xFF\xFF\xFF\xFF"s, "SCRAM-SHA-256"s, "p\0w\0"s,
                                 std::string(70000, 'x'), std::string(70000, 'x') + '\0', "GSSAPI\0\0\0\0\0"s,
                                 "SCRAM-SHA-256\0\x7F\xFF\xFF\xFF"s};
  const std::string sasl_start = bodies(encode_sasl_initial_response(kScramSha256, "n,,n=,r=abc"))[0];
  for (const auto& c : combinations()) {
    for (const auto& body : garbage) {
      for (const bool later : {false, true}) {
        ClientAuthenticator proxy(options(c.method, c.secret));
        (void)proxy.start();
        if (later && c.method == AuthMethod::ScramSha256) (void)proxy.on_message(sasl_start);
        const AuthStep step = proxy.on_message(body);
        ASSERT_TRUE(std::holds_alternative<AuthFail>(step)) << body.substr(0, 20);
        const AuthStep again = proxy.on_message(sasl_start);
        ASSERT_TRUE(std::holds_alternative<AuthFail>(again));
      }
    }
  }
}

TEST(ClientAuthenticator, EmptyPasswordIsNeverRight) {
  for (const AuthMethod method : {AuthMethod::Plain, AuthMethod::Md5}) {
    for (const Secret& secret : {Secret{}, md5(), plain()}) {
      ClientAuthenticator proxy(options(method, secret));
      (void)proxy.start();
      const AuthStep step = proxy.on_message("\0"s);
      EXPECT_TRUE(std::holds_alternative<AuthFail>(step));
    }
  }
}

TEST(ClientAuthenticator, MessagesWhileKeysAreDerivedAndKeysNobodyAskedFor) {
  ClientAuthenticator idle(options(AuthMethod::Plain, scram()));
  EXPECT_TRUE(std::holds_alternative<AuthFail>(idle.resume(ScramKeys{})));
  ClientAuthenticator proxy(options(AuthMethod::Plain, scram()));
  (void)proxy.start();
  ASSERT_TRUE(std::holds_alternative<AuthNeedsKeys>(proxy.on_message("pencil\0"s)));
  EXPECT_EQ(std::get<AuthFail>(proxy.on_message("pencil\0"s)).error.sqlstate, "08P01");
  // The derivation that was under way does not revive it.
  EXPECT_TRUE(std::holds_alternative<AuthFail>(proxy.resume(derive_keys({kPassword, kSalt, kIterations}))));
}

TEST(ClientAuthenticator, FailuresOfOurOwn) {
  for (const AuthMethod method : {AuthMethod::Md5, AuthMethod::ScramSha256}) {
    auto settings = options(method, method == AuthMethod::Md5 ? md5() : scram());
    settings.random = [](std::span<std::uint8_t>) { return false; };
    ClientAuthenticator proxy(settings);
    AuthStep step = proxy.start();
    if (std::holds_alternative<AuthSend>(step)) {
      step = proxy.on_message(bodies(encode_sasl_initial_response(kScramSha256, "n,,n=,r=abc"))[0]);
    }
    EXPECT_EQ(std::get<AuthFail>(step).error.sqlstate, "XX000");
  }
  ClientAuthenticator proxy(options(AuthMethod::Plain, scram()));
  (void)proxy.start();
  (void)proxy.on_message("pencil\0"s);
  EXPECT_EQ(std::get<AuthFail>(proxy.resume(std::nullopt)).error.sqlstate, "XX000");
}

TEST(ClientAuthenticator, OtherMessageTypes) {
  ClientAuthenticator proxy(options(AuthMethod::ScramSha256, scram()));
  (void)proxy.start();
  const AuthStep step = proxy.on_unexpected_message('Q');
  EXPECT_EQ(std::get<AuthFail>(step).error.message, "expected password response, got message type 81");
  EXPECT_EQ(std::get<AuthFail>(step).error.sqlstate, "08P01");
  EXPECT_TRUE(std::holds_alternative<AuthFail>(proxy.start()));
}

}  // namespace
}  // namespace pgweir::protocol
