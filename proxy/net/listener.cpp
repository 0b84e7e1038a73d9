#include "proxy/net/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

namespace pgweir::net {
namespace {

StreamError listen_error(int sys_errno, const SocketAddress& address) {
  return system_error(sys_errno, "cannot listen on " + address.to_string());
}

// A socket file that nothing answers on is left from a crash and may be removed. Returns 0 or an errno.
int remove_stale(const SocketAddress& address) {
  const std::string path = address.host();
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISSOCK(status.st_mode)) return EEXIST;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return errno;
  const int result = ::connect(probe, address.data(), address.size());
  const int error = result == 0 ? 0 : errno;
  ::close(probe);
  if (error != ECONNREFUSED) return EADDRINUSE;  // connected, or a full backlog: someone is there
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

int set_up(int fd, const SocketAddress& address, const ListenOptions& options) {
  const int on = 1;
  if (address.is_unix()) {
    if (const int error = remove_stale(address); error != 0) return error;
  } else {
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.family() == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (options.reuse_port && ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) return errno;
  }
  if (::bind(fd, address.data(), address.size()) != 0) return errno;
  if (address.is_unix() && ::chmod(address.host().c_str(), options.unix_mode) != 0) return errno;
  return ::listen(fd, options.backlog) == 0 ? 0 : errno;
}

}  // namespace

Result<ListeningSocket> ListeningSocket::open(const SocketAddress& address, const ListenOptions& options) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return listen_error(errno, address);
  if (const int error = set_up(fd, address, options); error != 0) {
    ::close(fd);
    return listen_error(error, address);
  }
  if (address.is_unix()) return ListeningSocket(fd, address);
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
  return ListeningSocket(fd, SocketAddress(reinterpret_cast<sockaddr*>(&bound), length));
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), address_(other.address_) {}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
  if (this == &other) return *this;
  reset();
  fd_ = std::exchange(other.fd_, -1);
  address_ = other.address_;
  return *this;
}

ListeningSocket::~ListeningSocket() { reset(); }

void ListeningSocket::reset() {
  if (fd_ < 0) return;
  if (address_.is_unix()) ::unlink(address_.host().c_str());
  ::close(std::exchange(fd_, -1));
}

Result<std::vector<ListeningSocket>> listen_on(const config::Endpoint& endpoint, const ListenOptions& options) {
  std::vector<SocketAddress> addresses;
  auto literal = literal_address(endpoint);
  if (!literal.ok()) return std::move(literal.error());
  if (*literal) {
    addresses.push_back(**literal);
  } else {
    const bool any = endpoint.host.empty() || endpoint.host == "*";
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(endpoint.port);
    const int error = ::getaddrinfo(any ? nullptr : endpoint.host.c_str(), port.c_str(), &hints, &found);
    if (error != 0) {
      return StreamError{StreamError::Kind::Io, 0, "cannot resolve " + endpoint.host + ": " + ::gai_strerror(error)};
    }
    for (const addrinfo* i = found; i != nullptr; i = i->ai_next) addresses.emplace_back(i->ai_addr, i->ai_addrlen);
    ::freeaddrinfo(found);
  }
  std::vector<ListeningSocket> sockets;
  for (const SocketAddress& address : addresses) {
    auto socket = ListeningSocket::open(address, options);
    if (!socket.ok()) {
      // A machine without IPv6 still announces the wildcard address.
      if (socket.error().sys_errno == EAFNOSUPPORT && addresses.size() > 1) continue;
      return std::move(socket.error());
    }
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

Acceptor::Acceptor(Accepted accepted, Trouble trouble)
    : on_accepted_(std::move(accepted)), on_trouble_(std::move(trouble)) {}

Acceptor::~Acceptor() { stop(); }

void Acceptor::add(ListeningSocket socket) { sockets_.push_back(std::move(socket)); }

Result<std::monostate> Acceptor::start() {
  stop_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_fd_ < 0) return system_error(errno, "cannot start accepting");
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "cannot start accepting");
  }
  return std::monostate{};
}

void Acceptor::stop() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_fd_, &one, sizeof one);
    thread_.join();
  }
  if (stop_fd_ >= 0) ::close(std::exchange(stop_fd_, -1));
  sockets_.clear();
}

std::vector<SocketAddress> Acceptor::addresses() const {
  std::vector<SocketAddress> result;
  for (const ListeningSocket& socket : sockets_) result.push_back(socket.address());
  return result;
}

// poll, not epoll: a handful of descriptors, and a pause is simply a poll of the stop descriptor alone.
void Acceptor::run() {
  ::pthread_setname_np(::pthread_self(), "pgweir-accept");
  constexpr int kPauseMilliseconds = 100;
  std::vector<pollfd> polled{{stop_fd_, POLLIN, 0}};
  for (const ListeningSocket& socket : sockets_) polled.push_back({socket.fd(), POLLIN, 0});
  bool pause = false;
  auto last_told = std::chrono::steady_clock::time_point{};
  while (true) {
    if (::poll(polled.data(), pause ? 1 : polled.size(), pause ? kPauseMilliseconds : -1) < 0) {
      if (errno != EINTR) std::this_thread::sleep_for(std::chrono::milliseconds(kPauseMilliseconds));
      continue;
    }
    if ((polled[0].revents & POLLIN) != 0) return;
    if (std::exchange(pause, false)) continue;
    for (std::size_t i = 1; i < polled.size() && !pause; ++i) {
      if (polled[i].revents == 0 || accept_all(polled[i].fd)) continue;
      const StreamError error = system_error(errno, "cannot accept connections for the moment");
      pause = true;
      const auto now = std::chrono::steady_clock::now();
      if (on_trouble_ && now - last_told > std::chrono::seconds(1)) {
        last_told = now;
        on_trouble_(error);
      }
    }
  }
}

// False, with errno: the system lacks something, try again later.
bool Acceptor::accept_all(int listening_fd) {
  constexpr int kBatch = 256;  // then look at the other sockets and at stop
  for (int i = 0; i < kBatch; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    const int fd = ::accept4(listening_fd, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      accepted_count_.fetch_add(1, std::memory_order_relaxed);
      on_accepted_(fd, SocketAddress(reinterpret_cast<sockaddr*>(&peer), length));
      continue;
    }
    switch (errno) {
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        return false;
      case EAGAIN:
        return true;
      default:  // the connection died while it waited (accept(2) lists what to treat like EAGAIN): next one
        break;
    }
  }
  return true;
}

}  // namespace pgweir::net
