// The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), as libpq speaks it: towards servers.
//
//   Idle --start--> AwaitServerFirst --on_server_first--> AwaitKeys --client_final--> AwaitServerFinal
//        --on_server_final--> Done
//
// Any error: Failed, for good. It needs keys, not a password: the caller derives them (off the I/O thread), has them
// cached, or got them from a client's proof. The server is not trusted: each length and count is checked before it is
// used. No I/O, no clock; one thread at a time. Errors: 08P01 for broken messages, 28000 where the server must not be
// logged in to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "protocol/auth/scram_verifier.h"
#include "protocol/auth/secret_random.h"
#include "protocol/result.h"

namespace pgweir::protocol {

// Longest SASL message taken from a server: room for the longest salt we take and for a generous nonce.
inline constexpr std::size_t kMaxServerSaslMessage = 4096;

struct ScramClientOptions {
  std::string channel_binding_data;  // tls-server-end-point of the server's certificate; empty: no TLS or not available
  bool require_channel_binding = false;
  RandomBytes random = secret_random;
};

class ScramClient {
 public:
  enum class State { Idle, AwaitServerFirst, AwaitKeys, AwaitServerFinal, Done, Failed };
  struct First {
    std::string_view mechanism;  // static storage
    std::string message;         // client-first-message
  };
  struct Challenge {
    std::string salt;  // raw bytes, 1 to kScramMaxSaltBytes
    std::uint32_t iterations = 0;  // 1 to kScramMaxIterations
  };
  struct Verified {};

  explicit ScramClient(ScramClientOptions options);

  // Selects from the whole list: PLUS when there is channel binding data and the server offers it, else SCRAM-SHA-256.
  [[nodiscard]] Result<First> start(std::span<const std::string_view> mechanisms);
  [[nodiscard]] Result<Challenge> on_server_first(std::string_view message);
  // keys: derived for that salt and iteration count, or a client's recovered ones. Returns the client-final-message.
  [[nodiscard]] Result<std::string> client_final(const ScramKeys& keys);
  // Checks the server's signature: only a server that knows the verifier passes.
  [[nodiscard]] Result<Verified> on_server_final(std::string_view message);

  State state() const { return state_; }

 private:
  template <class T>
  Result<T> failed(SqlError error);

  ScramClientOptions options_;
  State state_ = State::Idle;
  std::string gs2_header_;
  std::string client_first_bare_;
  std::string client_nonce_;
  std::string nonce_;  // both
  std::string server_first_;
  Sha256Digest expected_signature_{};
};

}  // namespace pgweir::protocol
