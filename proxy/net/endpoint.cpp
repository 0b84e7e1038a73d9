#include "proxy/net/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace pgweir::net {
namespace {

template <class T>
const T& as(const sockaddr_storage& storage) { return reinterpret_cast<const T&>(storage); }

}  // namespace

SocketAddress::SocketAddress(const sockaddr* address, socklen_t length)
    : length_(std::min<socklen_t>(length, sizeof storage_)) {
  std::memcpy(&storage_, address, length_);
}

std::optional<SocketAddress> SocketAddress::from_ip(std::string_view ip, std::uint16_t port) {
  if (ip.size() >= 2 && ip.front() == '[' && ip.back() == ']') ip = ip.substr(1, ip.size() - 2);
  const std::string text(ip);
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return SocketAddress(reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    return SocketAddress(reinterpret_cast<sockaddr*>(&v6), sizeof v6);
  }
  return std::nullopt;
}

std::optional<SocketAddress> SocketAddress::from_path(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return SocketAddress(reinterpret_cast<sockaddr*>(&address), length);
}

std::uint16_t SocketAddress::port() const {
  if (storage_.ss_family == AF_INET) return ntohs(as<sockaddr_in>(storage_).sin_port);
  if (storage_.ss_family == AF_INET6) return ntohs(as<sockaddr_in6>(storage_).sin6_port);
  return 0;
}

std::string SocketAddress::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage_.ss_family == AF_INET) {
    return ::inet_ntop(AF_INET, &as<sockaddr_in>(storage_).sin_addr, text.data(), text.size());
  }
  if (storage_.ss_family == AF_INET6) {
    return ::inet_ntop(AF_INET6, &as<sockaddr_in6>(storage_).sin6_addr, text.data(), text.size());
  }
  if (!is_unix() || length_ <= offsetof(sockaddr_un, sun_path)) return {};
  const char* path = as<sockaddr_un>(storage_).sun_path;
  return {path, ::strnlen(path, length_ - offsetof(sockaddr_un, sun_path))};
}

std::string SocketAddress::to_string() const {
  if (empty()) return "unknown";
  if (is_unix()) return "unix:" + host();
  if (storage_.ss_family == AF_INET6) return "[" + host() + "]:" + std::to_string(port());
  return host() + ":" + std::to_string(port());
}

bool SocketAddress::operator==(const SocketAddress& other) const {
  return length_ == other.length_ && std::memcmp(&storage_, &other.storage_, length_) == 0;
}

std::string unix_socket_path(const config::Endpoint& endpoint) {
  return endpoint.host + "/.s.PGSQL." + std::to_string(endpoint.port);
}

Result<std::optional<SocketAddress>> literal_address(const config::Endpoint& endpoint) {
  if (!endpoint.unix_socket) return SocketAddress::from_ip(endpoint.host, endpoint.port);
  const std::string path = unix_socket_path(endpoint);
  std::optional<SocketAddress> address = SocketAddress::from_path(path);
  if (!address) return StreamError{StreamError::Kind::Io, 0, "the path of the unix socket is too long: " + path};
  return address;
}

}  // namespace pgweir::net
