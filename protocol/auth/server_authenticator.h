// Logs in to a PostgreSQL server as one user. Sans-I/O: the owner sends what on_message() and resume() return, and
// feeds the bodies of 'R' messages; it handles ErrorResponse, NegotiateProtocolVersion and Notice itself. No clock (the
// owner keeps the login timeout); one thread at a time. The server is not trusted: it gets no password in clear unless
// allowed, a SCRAM login counts only after the server's own signature was checked, and each of its numbers is bounded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/auth/auth_step.h"
#include "protocol/auth/scram_client.h"
#include "protocol/auth/secret.h"

namespace pgweir::protocol {

struct AuthenticationRequest;

// Keys with what they were derived for: worth keeping per server and user, since PBKDF2 is the dear part of a login.
struct DerivedKeys {
  std::string salt;
  std::uint32_t iterations = 0;
  ScramKeys keys;
};

struct ServerAuthenticatorOptions {
  std::string user;
  // Plain works for every method, Md5 only for md5; a Scram verifier cannot log in (it has no ClientKey): give keys
  // instead.
  Secret secret;
  std::optional<ScramKeys> keys;              // recovered from a client's proof; used for SASL when secret is not Plain
  std::optional<DerivedKeys> cached_keys;     // of a Plain secret; used when salt and iterations are still the server's
  bool allow_trust = true;                    // the server may ask for nothing
  bool allow_cleartext = false;               // the server may ask for the password in clear (inside TLS)
  bool allow_md5 = true;
  std::string channel_binding_data;           // tls-server-end-point of the server's certificate; empty without TLS
  bool require_channel_binding = false;       // then only SCRAM-SHA-256-PLUS will do
  RandomBytes random = secret_random;
};

class ServerAuthenticator {
 public:
  explicit ServerAuthenticator(ServerAuthenticatorOptions options);
  ServerAuthenticator(const ServerAuthenticator&) = delete;
  ServerAuthenticator& operator=(const ServerAuthenticator&) = delete;
  ~ServerAuthenticator();

  // The body of an 'R' message. AuthDone when the server said AuthenticationOk and nothing is missing.
  [[nodiscard]] AuthStep on_message(std::string_view body);
  // After AuthNeedsKeys: what derive_keys() returned.
  [[nodiscard]] AuthStep resume(const std::optional<ScramKeys>& keys);

  // After AuthDone of a SCRAM login with a Plain secret: what to give as cached_keys next time. Empty after a failure.
  const std::optional<DerivedKeys>& derived_keys() const { return options_.cached_keys; }

 private:
  enum class State {
    AwaitRequest,
    AwaitOk,         // password or md5 sent, or the server's signature was right
    AwaitContinue,   // SASLInitialResponse sent
    AwaitKeys,       // PBKDF2 under way
    AwaitFinal,      // SASLResponse sent
    Finished,
  };

  AuthStep on_request(const AuthenticationRequest& request);
  AuthStep on_cleartext();
  AuthStep on_md5(const AuthenticationRequest& request);
  AuthStep on_sasl(const AuthenticationRequest& request);
  AuthStep on_sasl_continue(const AuthenticationRequest& request);
  AuthStep on_sasl_final(const AuthenticationRequest& request);
  AuthStep send_final(const ScramKeys& keys);
  AuthStep done();
  AuthStep fail(SqlError error);
  AuthStep refuse(std::string message, std::string hint = {});

  ServerAuthenticatorOptions options_;
  State state_ = State::AwaitRequest;
  std::optional<ScramClient> scram_;
};

}  // namespace pgweir::protocol
