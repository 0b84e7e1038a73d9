// Numeric IP addresses and networks, as values; nothing is resolved. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pgweir::config {

struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // network order; IPv4: the first four, the others zero
  unsigned size() const { return v6 ? 16 : 4; }
  bool operator==(const IpAddress&) const = default;
};

// "192.0.2.1" (four decimal numbers) or "2001:db8::1" (RFC 4291, also with IPv4 at the end; no zone, no brackets).
std::optional<IpAddress> parse_ip(std::string_view text);
// An IPv4 address that came in the form of IPv6 (::ffff:192.0.2.1) as IPv4; others unchanged.
IpAddress unmapped(const IpAddress& address);

struct IpNetwork {
  IpAddress address;
  std::array<std::uint8_t, 16> mask{};  // any bits, not only a prefix
  bool operator==(const IpNetwork&) const = default;
  // Same family, and equal where the mask has bits.
  bool contains(const IpAddress& other) const;
};

// Precondition: bits <= 8 * address.size().
IpNetwork ip_network(const IpAddress& address, unsigned bits);

}  // namespace pgweir::config
