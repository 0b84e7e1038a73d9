// Where nonces, salts and per-process secrets come from; injected, so that tests are deterministic.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace pgweir::protocol {

// Fills the whole span with unpredictable bytes; false when it cannot (then the login fails).
using RandomBytes = std::function<bool(std::span<std::uint8_t>)>;

// The default: RAND_bytes of libcrypto. Thread-safe.
[[nodiscard]] bool secret_random(std::span<std::uint8_t> out);

}  // namespace pgweir::protocol
