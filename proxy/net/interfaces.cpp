#include "proxy/net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>

namespace pgweir::net {
namespace {

std::optional<config::IpAddress> value_of(const sockaddr* address) {
  config::IpAddress out;
  if (address == nullptr) return {};
  if (address->sa_family == AF_INET) {
    std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
    return out;
  }
  if (address->sa_family != AF_INET6) return {};
  out.v6 = true;
  std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
  return out;
}

}  // namespace

std::vector<config::IpNetwork> own_networks() {
  std::vector<config::IpNetwork> networks;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return networks;
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    const auto address = value_of(one->ifa_addr), mask = value_of(one->ifa_netmask);
    if ((one->ifa_flags & IFF_UP) != 0 && address && mask) networks.push_back({*address, mask->bytes});
  }
  ::freeifaddrs(first);
  return networks;
}

std::optional<config::IpAddress> ip_of(const SocketAddress& address) {
  return address.empty() ? std::nullopt : value_of(address.data());
}

}  // namespace pgweir::net
