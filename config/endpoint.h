// Reads addresses: "host:port", "[v6]:port", "unix:/directory", "unix:/directory:port".
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"

namespace pgweir::config {

struct EndpointRules {
  bool any_port = false;         // port 0: the system chooses (for sockets we listen on)
  bool unix_port_required = false;
  bool unix_allowed = true;
};

// Fills `endpoint` and returns an empty string, or says what is wrong. Nothing is resolved. A unix directory is kept as
// written; without a port it gets port 0.
[[nodiscard]] std::string parse_endpoint(std::string_view text, const EndpointRules& rules, Endpoint& endpoint);

// The kernel's limit for the path of a unix socket (sun_path of Linux is 108 bytes with its final zero).
inline constexpr std::size_t kMaxSocketPath = 107;
// The length of "directory/.s.PGSQL.port".
std::size_t socket_path_length(const Endpoint& endpoint);

// True for unix sockets, 127.0.0.0/8, ::1 and localhost.
bool is_local(const Endpoint& endpoint);

}  // namespace pgweir::config
