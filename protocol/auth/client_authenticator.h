// Authenticates one client by one method against one secret. Sans-I/O: the owner sends what start(), on_message() and
// resume() return, and feeds the bodies of 'p' messages. No clock (the owner keeps client_login_timeout); one thread at
// a time.
//
// Never tells an unknown user from a wrong password: with Secret{None} the same messages run to the same error. The
// time is the same too, provided that plain secrets have a derived verifier (derive them when the configuration is
// loaded): the first login with a plain secret costs a PBKDF2, which an unknown user never does. A stored hash is never
// accepted as a password.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/auth/auth_step.h"
#include "protocol/auth/md5.h"
#include "protocol/auth/scram_server.h"
#include "protocol/auth/secret.h"

namespace pgweir::protocol {

enum class AuthMethod {
  Trust,        // everybody
  Plain,        // password in clear; offer it inside TLS only
  Md5,          // md5 challenge; SCRAM when the secret is a SCRAM verifier, as in PostgreSQL
  ScramSha256,  // SCRAM-SHA-256, and -PLUS where there is channel binding data
  Cert,         // a verified TLS client certificate whose name is the user's
};

struct ClientAuthenticatorOptions {
  std::string user;
  AuthMethod method = AuthMethod::ScramSha256;
  Secret secret;  // of that user; Secret{} when there is none, or it is not valid (expired, NOLOGIN, ...)

  // For a Plain secret under SCRAM: its verifier from an earlier AuthNeedsKeys (see derived_verifier()), so that it is
  // derived once per user, not once per login.
  std::optional<ScramVerifier> derived_verifier;
  std::uint32_t iterations = kScramDefaultIterations;  // of plain secrets and unknown users

  // What unknown users look like: the kind of secret that known ones usually have (PostgreSQL: password_encryption).
  SecretKind mock_kind = SecretKind::Scram;
  Sha256Digest process_secret{};  // random bytes, drawn once per process

  std::string channel_binding_data;             // tls-server-end-point of our certificate; empty without TLS
  std::optional<std::string> certificate_name;  // Cert: name in the verified client certificate (after any user map)
  RandomBytes random = secret_random;
};

class ClientAuthenticator {
 public:
  explicit ClientAuthenticator(ClientAuthenticatorOptions options);
  ClientAuthenticator(const ClientAuthenticator&) = delete;
  ClientAuthenticator& operator=(const ClientAuthenticator&) = delete;
  ~ClientAuthenticator();

  // AuthSend (the request), AuthDone (Trust, Cert) or AuthFail. Call once.
  [[nodiscard]] AuthStep start();
  // The body of a 'p' message.
  [[nodiscard]] AuthStep on_message(std::string_view body);
  // Any other message type during authentication: always AuthFail.
  [[nodiscard]] AuthStep on_unexpected_message(char type);
  // After AuthNeedsKeys: what derive_keys() returned.
  [[nodiscard]] AuthStep resume(const std::optional<ScramKeys>& keys);

  // After a resume() for a Plain secret under SCRAM: its verifier, to be cached with the secret and given to later
  // logins.
  const std::optional<ScramVerifier>& derived_verifier() const { return options_.derived_verifier; }

 private:
  enum class State {
    Idle,
    AwaitPassword,        // Plain
    AwaitPasswordKeys,    // Plain against a verifier: PBKDF2 under way
    AwaitMd5,
    AwaitSaslInitial,
    AwaitSaslFirst,       // the client sent no initial response: its client-first-message comes now
    AwaitVerifier,        // SCRAM with a Plain secret: PBKDF2 under way
    AwaitSaslFinal,
    Finished,
  };

  AuthStep start_md5();
  AuthStep start_sasl();
  AuthStep start_cert();
  AuthStep on_password(std::string_view body);
  AuthStep on_password_keys(const ScramKeys& keys);
  AuthStep on_md5(std::string_view body);
  AuthStep on_sasl_initial(std::string_view body);
  AuthStep on_sasl_first(std::string_view message);
  AuthStep on_sasl_final(std::string_view message);
  AuthStep run_scram(std::string_view client_first);
  AuthStep done(std::string bytes = {}, std::optional<ScramKeys> keys = {});
  AuthStep fail(SqlError error, std::string log_detail = {});
  AuthStep wrong_password(std::string log_detail);
  AuthStep internal_error(std::string log_detail);

  ClientAuthenticatorOptions options_;
  State state_ = State::Idle;
  std::optional<ScramVerifier> verifier_;  // Plain method, Scram secret or mock
  Md5Salt salt_{};
  std::string mechanism_;
  std::string pending_first_;  // client-first-message that waits for the verifier; at most kMaxClientSaslMessage
  std::optional<ScramServer> scram_;
  bool mock_ = false;
};

}  // namespace pgweir::protocol
