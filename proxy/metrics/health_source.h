// What the control plane tells the console and the exporter about the servers.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace pgweir::metrics {

// One server of one shard. up: it answers and has the role that is configured; recovering: it answers, but cannot serve
// that role yet (starting up, or a standby where a primary is configured); down: it does not answer.
struct EndpointState {
  enum class State { Up, Down, Recovering };
  std::string cluster, shard;
  std::string endpoint;    // "host:port", as config::Endpoint::to_string()
  std::string role;        // "primary" or "replica", as configured
  State state = State::Down;
  std::string last_error;  // empty: none since the server was last up
};

constexpr std::string_view endpoint_state_name(EndpointState::State state) {
  switch (state) {
    case EndpointState::State::Up: return "up";
    case EndpointState::State::Recovering: return "recovering";
    case EndpointState::State::Down: break;
  }
  return "down";
}

// A copy of the current states, in the order of the configuration. Thread-safe, does not block on a server. May be
// empty (no health monitor runs).
using HealthSource = std::function<std::vector<EndpointState>()>;

}  // namespace pgweir::metrics
