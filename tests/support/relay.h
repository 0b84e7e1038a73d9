// A server that misbehaves: stands between the proxy and a real one, passes everything on, and on demand ends a connection behind
// any byte of the server's answer or puts bytes of the test's in.
#pragma once

#include <poll.h>

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace pgweir::support {

// One thread, blocking writes: for small answers. Thread-safe. Connections of the proxy's own (application_name "pgweir...") are
// always passed on as they are. Without TLS.
class Relay {
 public:
  enum class End { Fin, Rst };
  // What is done once, on the connection whose server answers next: behind `after` bytes of answers `put_in` is sent, and then the
  // connection is ended, or goes on without an `end`.
  struct Plan {
    std::size_t after = 0;
    std::string put_in;
    std::optional<End> end;
  };

  explicit Relay(std::uint16_t target);  // a port of 127.0.0.1; throws std::runtime_error
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  void plan(Plan plan);      // takes the place of one that was not carried out
  bool carried_out() const;  // no plan is left
  std::size_t answered();    // bytes of answers since the last call
  void put_in(const std::string& bytes);  // now, on every connection of the pool, in front of what the server says next

 private:
  struct Pair { int proxy = -1, server = -1; bool started = false, pooled = false; };
  void run();
  void accept_one();
  bool from_proxy(Pair& pair);
  bool from_server(Pair& pair);
  bool answer(Pair& pair, std::string_view bytes);
  static void close_pair(Pair& pair, std::optional<End> end);
  void wake();

  const std::uint16_t target_;
  std::uint16_t port_ = 0;
  int listener_ = -1, wake_[2] = {-1, -1};
  mutable std::mutex mutex_;  // guards what follows
  std::optional<Plan> plan_;
  std::string now_;
  std::size_t answered_ = 0;
  bool ending_ = false;
  std::list<Pair> pairs_;     // of the thread
  std::thread thread_;
};

}  // namespace pgweir::support
