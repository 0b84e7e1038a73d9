// The networks that this machine's interfaces are in.
#pragma once

#include <vector>

#include "config/ip_address.h"
#include "proxy/net/endpoint.h"

namespace pgweir::net {

// Address and netmask of each interface that is up, IPv4 and IPv6; empty when the system does not tell. Some tens of
// microseconds; nothing is resolved. Thread-safe.
std::vector<config::IpNetwork> own_networks();

// The address as a value without its port; absent for unix sockets.
std::optional<config::IpAddress> ip_of(const SocketAddress& address);

}  // namespace pgweir::net
