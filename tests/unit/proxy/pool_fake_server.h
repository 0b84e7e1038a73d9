// A server that only knows what a pool needs: trust login, simple queries, and how to go away. It answers the query
// "text" with the command tag "text", so that a reply in the wrong hands is seen.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "config/config.h"

namespace pgweir::pool {

// One thread per connection, blocking sockets. Thread-safe. Ends its connections and threads on destruction.
class FakeServer {
 public:
  enum class Tls { Off, On };
  explicit FakeServer(Tls tls = Tls::Off);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  config::Endpoint endpoint() const { return {"127.0.0.1", port_, false}; }

  unsigned open() const { return open_; }      // connections whose startup packet came and that are not closed
  unsigned peak() const { return peak_; }      // the most of them at once
  unsigned logins() const { return logins_; }  // that were let in
  unsigned queries() const { return queries_; }
  unsigned held() const { return held_; }  // startup packets that wait for their answer

  void hold_logins(bool hold);
  // Connections that the pool ends are kept open meanwhile, as by a process that is busy.
  void hold_ends(bool hold);
  // Startup packets are answered by this error until it is called with nothing.
  void refuse_logins(std::optional<std::string> sqlstate);
  // Startup packets are answered by these bytes.
  void answer_logins_by(std::string bytes);
  // What it does when it is asked for protocol 3.2: 18 speaks it, 15 negotiates, and others refuse the packet.
  enum class Newer { Speaks, Negotiates, Refuses };
  void meet_newer(Newer how) { newer_ = how; }
  // FATAL 57P01 on every connection, then the end, as pg_terminate_backend does it; returns when it has been sent.
  // Only without TLS.
  void end_connections();

 private:
  struct Connection;
  void accept_loop();
  void serve(Connection& connection);
  bool log_in(Connection& connection);
  bool answer_startup(Connection& connection, bool newer);

  const bool tls_;
  SSL_CTX* context_ = nullptr;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<Newer> newer_{Newer::Speaks};
  std::atomic<unsigned> open_{0}, peak_{0}, logins_{0}, queries_{0}, held_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hold_ = false, hold_ends_ = false, stopping_ = false;
  std::optional<std::string> refusal_, answer_;
  std::list<Connection> connections_;
  std::thread acceptor_;
};

}  // namespace pgweir::pool
