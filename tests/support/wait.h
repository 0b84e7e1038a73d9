// Waiting for a condition instead of sleeping, and free loopback ports.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace pgweir::support {

using Milliseconds = std::chrono::milliseconds;

// Calls `condition` until it returns true or `deadline` has passed since the call; the pause between two calls grows
// from 1 to 20 ms. Returns what the last call returned (the condition is always tried at least once).
[[nodiscard]] bool wait_until(const std::function<bool()>& condition, Milliseconds deadline = Milliseconds{10'000});

// A TCP port on 127.0.0.1 that nobody listens on. It lies below the ephemeral range (so no outgoing connection takes
// it) and is reserved for this process until it ends (a lock file per port), so that test processes running at the same
// time never get the same one. Throws std::runtime_error when none is left.
[[nodiscard]] std::uint16_t free_port();

// Does something accept TCP connections on 127.0.0.1:port?
[[nodiscard]] bool accepts(std::uint16_t port);

}  // namespace pgweir::support
