// Listening sockets and the thread that accepts from them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "config/config.h"
#include "proxy/net/endpoint.h"
#include "proxy/net/error.h"

namespace pgweir::net {

struct ListenOptions {
  bool reuse_port = false;
  int backlog = 4096;             // the system caps it at net.core.somaxconn
  unsigned unix_mode = 0777;      // permissions of a unix socket, as PostgreSQL's default
};

// One bound, listening, non-blocking socket. Closes it when destroyed, and removes the file of a unix socket.
class ListeningSocket {
 public:
  // A TCP address may have port 0: address() tells the real one. The file of a unix socket is replaced when nothing
  // answers on it (left by a crash); when something does, or when the path is no socket, that is an error.
  static Result<ListeningSocket> open(const SocketAddress& address, const ListenOptions& options);
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;
  ~ListeningSocket();
  int fd() const { return fd_; }
  const SocketAddress& address() const { return address_; }

 private:
  ListeningSocket(int fd, SocketAddress address) : fd_(fd), address_(address) {}
  void reset();
  int fd_ = -1;
  SocketAddress address_;
};

// Opens all sockets of a configured endpoint: names are resolved (this blocks: start-up only), "*" and "" mean every
// IPv4 and IPv6 address.
Result<std::vector<ListeningSocket>> listen_on(const config::Endpoint& endpoint, const ListenOptions& options);

// A thread that accepts from listening sockets. When the process is out of descriptors or memory it pauses for 100 ms.
class Acceptor {
 public:
  // Called on the acceptor's thread with an accepted non-blocking socket (CLOEXEC), which it owns from then on, and its
  // peer.
  using Accepted = std::function<void(int fd, const SocketAddress& peer)>;
  // Called on the acceptor's thread at the start of a pause, at most once a second.
  using Trouble = std::function<void(const StreamError&)>;

  explicit Acceptor(Accepted accepted, Trouble trouble = {});
  ~Acceptor();  // stops
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void add(ListeningSocket socket);  // before start()
  Result<std::monostate> start();
  // Joins the thread and closes the sockets: from then on nobody is accepted. Any thread but the acceptor's,
  // idempotent.
  void stop();
  std::vector<SocketAddress> addresses() const;  // before stop()
  std::uint64_t accepted() const { return accepted_count_.load(std::memory_order_relaxed); }

 private:
  void run();
  bool accept_all(int listening_fd);

  Accepted on_accepted_;
  Trouble on_trouble_;
  std::vector<ListeningSocket> sockets_;
  int stop_fd_ = -1;
  std::thread thread_;
  std::atomic<std::uint64_t> accepted_count_{0};
};

}  // namespace pgweir::net
