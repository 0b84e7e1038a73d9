// Names to addresses. getaddrinfo can block for minutes, so it runs on one thread of its own with a bounded queue;
// answers are cached and every question has a deadline that holds even while that thread is stuck. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/config.h"
#include "proxy/net/endpoint.h"
#include "proxy/net/error.h"
#include "proxy/net/timer.h"

namespace pgweir::net {

class Worker;

class Resolver {
 public:
  using Addresses = std::vector<SocketAddress>;  // in the order of preference; never empty in a success
  using Callback = std::function<void(Result<Addresses>)>;
  // Runs a function on the thread that wants the answer; returns false when that thread is gone.
  using Executor = std::function<bool(std::function<void()>)>;
  // What getaddrinfo does, replaceable in tests. Blocking.
  using Lookup = std::function<Result<Addresses>(const std::string& host, std::uint16_t port)>;

  struct Options {
    Duration ttl{15'000};            // of an answer
    Duration failure_ttl{1'000};     // of a failure
    std::size_t max_waiting = 1024;  // questions; more fail with Limit
    std::size_t max_cached = 1024;   // names; the oldest goes
  };
  Resolver();
  explicit Resolver(const Options& options, Lookup lookup = {});
  ~Resolver();  // open questions are dropped, their callbacks destroyed without being called
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  Duration ttl() const;
  // Without waiting: unix sockets, numeric addresses and cached names (stale ones not). Any thread.
  std::optional<Addresses> try_resolve(const config::Endpoint& endpoint);
  // Always answers through the executor, exactly once. Error kinds: Timeout, Limit, Io (the name does not exist).
  void resolve(const config::Endpoint& endpoint, Duration deadline, Executor executor, Callback callback);
  void resolve(const config::Endpoint& endpoint, Duration deadline, Worker& worker, Callback callback);

 private:
  struct Shared;
  // Shared with the lookup thread, which is left behind (detached) when it is stuck at destruction.
  std::shared_ptr<Shared> shared_;
  std::thread lookups_, deadlines_;
};

}  // namespace pgweir::net
