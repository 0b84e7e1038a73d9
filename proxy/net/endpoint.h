// SocketAddress: a sockaddr of a TCP (IPv4, IPv6) or unix socket, to and from text. A value; copy it freely.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "proxy/net/error.h"

namespace pgweir::net {

class SocketAddress {
 public:
  SocketAddress() = default;  // empty
  SocketAddress(const sockaddr* address, socklen_t length);
  // `ip` is a numeric address, with or without [] for IPv6; absent when it is not.
  static std::optional<SocketAddress> from_ip(std::string_view ip, std::uint16_t port);
  // Absent when the path is empty or longer than the system allows (107 bytes).
  static std::optional<SocketAddress> from_path(std::string_view path);

  bool empty() const { return length_ == 0; }
  bool is_unix() const { return storage_.ss_family == AF_UNIX; }
  std::uint16_t port() const;  // 0 for unix sockets
  // "127.0.0.1", "::1", or the path of a unix socket ("" when the peer has none).
  std::string host() const;
  // "127.0.0.1:5432", "[::1]:5432", "unix:/path".
  std::string to_string() const;

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return length_; }
  int family() const { return storage_.ss_family; }
  bool operator==(const SocketAddress& other) const;

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

// "<directory>/.s.PGSQL.<port>": where PostgreSQL's clients look for the socket.
std::string unix_socket_path(const config::Endpoint& endpoint);
// The address when no name needs to be resolved: a unix socket or a numeric host. Absent otherwise. An error when the
// unix path is too long.
Result<std::optional<SocketAddress>> literal_address(const config::Endpoint& endpoint);

}  // namespace pgweir::net
