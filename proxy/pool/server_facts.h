// What is told of single server connections (SHOW SERVERS): written by the worker a connection lives on, read by any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "proxy/net/endpoint.h"
#include "proxy/pool/pool_key.h"

namespace pgweir::pool {

// Equal for equal addresses, never 0.
std::size_t address_hash(const net::SocketAddress& address);

// Shared by a connection and its pool's census. The plain members never change; the others are relaxed atomics: a reader
// may see one of them a moment before another.
struct ServerFacts {
  enum class State : std::uint8_t { Login, Idle, Active, Listening };
  // lifetime: 0: none.
  ServerFacts(std::uint64_t id_in, std::shared_ptr<const ServerTarget> target_in, std::chrono::milliseconds lifetime)
      : id(id_in),
        target(std::move(target_in)),
        connected_at(std::chrono::steady_clock::now()),
        ends_at(lifetime.count() > 0 ? connected_at + lifetime : std::chrono::steady_clock::time_point::max()) {}

  const std::uint64_t id;
  const std::shared_ptr<const ServerTarget> target;
  const std::chrono::steady_clock::time_point connected_at, ends_at;
  std::atomic<std::size_t> address{0};           // address_hash() of where it is connected to
  std::atomic<bool> replaced{false};             // one that takes its place is being made, or is there
  std::atomic<State> state{State::Login};
  std::atomic<bool> close_needed{false};         // to be closed when it is next free
  std::atomic<std::int32_t> backend_pid{0};      // 0: not known yet
  std::atomic<std::int64_t> leased_at{0};        // of the steady clock, in its own unit; 0: never
  std::atomic<std::size_t> statements{0};        // prepared ones, as of the last release
};

// A reading of it.
struct ServerRow {
  std::uint64_t id = 0;
  std::shared_ptr<const ServerTarget> target;
  ServerFacts::State state = ServerFacts::State::Login;
  bool close_needed = false;
  std::int32_t backend_pid = 0;
  std::size_t statements = 0;
  std::chrono::steady_clock::time_point connected_at, leased_at;  // leased_at: the clock's epoch when it never was
};

// The connections of one pool, also those beside its budget, as long as they live. Thread-safe.
class ServerCensus {
 public:
  std::shared_ptr<ServerFacts> add(std::uint64_t id, std::shared_ptr<const ServerTarget> target, std::chrono::milliseconds lifetime);
  // Those that exist now are to be closed, but for listening ones: they are given back by nobody.
  void ask_to_close();
  std::vector<ServerRow> rows() const;  // by id
  std::vector<std::shared_ptr<ServerFacts>> alive() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::weak_ptr<ServerFacts>> all_;
};

}  // namespace pgweir::pool
