#include "config/ip_address.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace pgweir::config {
namespace {

// Digits only, at most `most` of them.
std::optional<unsigned> number(std::string_view text, int base, std::size_t most) {
  unsigned value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || text.size() > most || failed != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

bool parse_v4(std::string_view text, std::uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    const std::size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return false;
    const auto part = number(text.substr(0, dot), 10, 3);
    if (!part || *part > 255) return false;
    out[i] = static_cast<std::uint8_t>(*part);
    text.remove_prefix(i == 3 ? text.size() : dot + 1);
  }
  return true;
}

// Groups of hex digits between colons; the last one may be an IPv4 address where `v4_allowed`.
bool parse_groups(std::string_view text, bool v4_allowed, std::vector<std::uint8_t>& out) {
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    const bool last = colon == std::string_view::npos;
    if (last && v4_allowed && group.find('.') != std::string_view::npos) {
      std::uint8_t v4[4];
      if (!parse_v4(group, v4)) return false;
      out.insert(out.end(), v4, v4 + 4);
      return true;
    }
    const auto value = number(group, 16, 4);
    if (!value || out.size() > 16) return false;
    out.push_back(static_cast<std::uint8_t>(*value >> 8));
    out.push_back(static_cast<std::uint8_t>(*value & 0xff));
    if (last) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;  // ends in a colon
  }
  return true;
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  IpAddress address;
  if (text.find(':') == std::string_view::npos) {
    if (!parse_v4(text, address.bytes.data())) return {};
    return address;
  }
  address.v6 = true;
  const std::size_t gap = text.find("::");
  std::vector<std::uint8_t> head, tail;
  if (gap == std::string_view::npos) {
    if (!parse_groups(text, true, head) || head.size() != 16) return {};
  } else {
    // The gap stands for at least one group of zeros.
    if (!parse_groups(text.substr(0, gap), false, head) || !parse_groups(text.substr(gap + 2), true, tail)) return {};
    if (head.size() + tail.size() > 14) return {};
  }
  std::copy(head.begin(), head.end(), address.bytes.begin());
  std::copy(tail.begin(), tail.end(), address.bytes.end() - static_cast<std::ptrdiff_t>(tail.size()));
  return address;
}

IpAddress unmapped(const IpAddress& address) {
  constexpr std::uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!address.v6 || !std::equal(kPrefix, kPrefix + 12, address.bytes.begin())) return address;
  IpAddress v4;
  std::copy(address.bytes.begin() + 12, address.bytes.end(), v4.bytes.begin());
  return v4;
}

bool IpNetwork::contains(const IpAddress& other) const {
  if (other.v6 != address.v6) return false;
  for (unsigned i = 0; i < address.size(); ++i) {
    if (((address.bytes[i] ^ other.bytes[i]) & mask[i]) != 0) return false;
  }
  return true;
}

IpNetwork ip_network(const IpAddress& address, unsigned bits) {
  IpNetwork network{address, {}};
  for (unsigned i = 0; i < bits; ++i) network.mask[i / 8] |= static_cast<std::uint8_t>(0x80u >> (i % 8));
  return network;
}

}  // namespace pgweir::config
