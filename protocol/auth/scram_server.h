// The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), as PostgreSQL speaks it: towards
// clients.
//
//   AwaitFirst --on_client_first--> AwaitFinal --on_client_final--> Done        any error: Failed, for good
//
// No I/O, no clock; one thread at a time. Errors carry PostgreSQL's SQLSTATEs and texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/auth/scram_verifier.h"
#include "protocol/auth/secret_random.h"
#include "protocol/result.h"

namespace pgweir::protocol {

// Longest SASL message taken from a client (PostgreSQL's PG_MAX_SASL_MESSAGE_LENGTH).
inline constexpr std::size_t kMaxClientSaslMessage = 1024;

struct ScramServerOptions {
  std::string user;  // for the error's text; the name inside SCRAM messages is ignored, as in PostgreSQL
  ScramVerifier verifier;
  bool mock = false;                 // run the whole exchange, then fail as for a wrong password
  std::string channel_binding_data;  // tls-server-end-point of our certificate; empty: no TLS, PLUS is not offered
  RandomBytes random = secret_random;
};

class ScramServer {
 public:
  enum class State { AwaitFirst, AwaitFinal, Done, Failed };

  explicit ScramServer(ScramServerOptions options);

  // mechanism: what the client selected. Returns the server-first-message.
  [[nodiscard]] Result<std::string> on_client_first(std::string_view mechanism, std::string_view message);
  // Returns the server-final-message (with the server's signature); the client is authenticated then.
  [[nodiscard]] Result<std::string> on_client_final(std::string_view message);

  State state() const { return state_; }
  // ClientKey from the client's proof, ServerKey from the verifier. Precondition: state() == Done.
  const ScramKeys& recovered_keys() const { return keys_; }

 private:
  [[nodiscard]] Result<std::string> first(std::string_view mechanism, std::string_view message);
  [[nodiscard]] Result<std::string> final(std::string_view message);
  [[nodiscard]] Result<std::string> check_proof(std::string_view without_proof, std::string_view proof);

  ScramServerOptions options_;
  State state_ = State::AwaitFirst;
  std::string gs2_header_;
  std::string client_first_bare_;
  std::string nonce_;  // client's and ours
  std::string server_first_;
  ScramKeys keys_;
};

// `password authentication failed for user "x"`, 28P01: the same for wrong passwords and unknown users.
SqlError password_authentication_failed(std::string_view user);

// A verifier for a user that does not exist or has no usable secret: salt as below, keys that nobody knows. Empty when
// random or libcrypto fails.
[[nodiscard]] std::optional<ScramVerifier> mock_verifier(const Sha256Digest& process_secret, std::string_view user,
                                                         std::uint32_t iterations, const RandomBytes& random);
// 16 bytes, the same for the same user as long as the process secret lives. Also used for plain secrets, whose users
// must not look different from unknown ones.
[[nodiscard]] std::optional<std::string> process_salt(const Sha256Digest& process_secret, std::string_view user);

}  // namespace pgweir::protocol
