// What an authentication FSM asks its owner to do next: a closed set, one at a time.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "protocol/auth/scram_verifier.h"
#include "protocol/result.h"

namespace pgweir::protocol {

// Send the bytes (whole frames), then feed the peer's next authentication message. The bytes may be empty (only towards
// servers): then just go on reading.
struct AuthSend {
  std::string bytes;
};

// Run derive_keys(request) off the I/O thread, then call resume() with its result. Feed no message meanwhile.
struct AuthNeedsKeys {
  DeriveKeysRequest request;
};

// Authenticated. Towards clients: send the bytes (they end with AuthenticationOk). Towards servers: no bytes.
struct AuthDone {
  std::string bytes;
  // Towards clients: the user's keys, usable at servers that hold the same verifier as the user's secret.
  std::optional<ScramKeys> keys;
};

// Not authenticated; the FSM is finished. Towards clients: send the error with severity FATAL and close.
struct AuthFail {
  SqlError error;
  std::string log_detail;  // may be empty; for our log only, never for the peer: it may tell whether the user exists
};

using AuthStep = std::variant<AuthSend, AuthNeedsKeys, AuthDone, AuthFail>;

}  // namespace pgweir::protocol
