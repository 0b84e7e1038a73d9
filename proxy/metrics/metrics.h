// The proxy's counters. Every family is declared once, in families.h of this folder; each worker counts in cells of its
// own (plain stores, one writer) that are summed when somebody reads. Reading is thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace pgweir::metrics {

// A counter with one writing thread and any number of readers.
class Cell {
 public:
  void add(std::uint64_t by = 1) { value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// How a statement was routed; the label `route` of pgweir_queries_total.
enum class RouteKind : std::uint8_t { OneShard, Scatter, Broadcast, Split, CopyIn, CopyOut, Local, Refused, kCount };
std::string_view route_kind_name(RouteKind kind);

// Upper bounds of the waiting-time histogram, microseconds.
constexpr std::array<std::uint64_t, 12> kWaitBuckets = {10,     50,     100,     500,     1'000,     5'000,
                                                        10'000, 50'000, 100'000, 500'000, 1'000'000, 10'000'000};

// Upper bounds of the histogram of servers that one client ran on.
constexpr std::array<std::uint64_t, 7> kServerBuckets = {0, 1, 2, 4, 8, 16, 31};

// What one worker counts. Owned by the registry, written by the worker only.
struct WorkerCells {
  Cell clients_accepted, clients_closed, logins_failed, cancels_received, cancels_forwarded;
  std::array<Cell, static_cast<std::size_t>(RouteKind::kCount)> queries;
  Cell transactions, bytes_from_clients, bytes_to_clients, bytes_from_servers, bytes_to_servers;
  std::array<Cell, 100> errors_by_class;   // two-character SQLSTATE class, digits and letters folded: see error_slot()
  std::array<Cell, kWaitBuckets.size() + 1> waits;
  Cell wait_microseconds, injected_commands, statements_prepared, distributed_commits, distributed_aborts;
  Cell memory_refusals;  // requests refused because the memory budget was exhausted
  Cell listening_opened, listening_closed, listening_lost;  // connections that listen for clients; lost: also counted as closed
  Cell notifications;    // sent to clients

  Cell transactions_kept, transactions_released;  // of those that had servers
  std::array<Cell, kServerBuckets.size() + 1> session_servers;
  Cell servers_of_sessions;

  void count_servers(std::size_t servers);  // at the end of a client: how many it has run on
  void count_wait(std::chrono::microseconds waited);
  void count_error(std::string_view sqlstate);
};

// What one worker counts of the clients of one cluster, with PgBouncer's meanings (SHOW STATS). Written by the worker only.
struct alignas(64) ClusterCells {
  Cell assignments;             // requests for server connections that were served
  Cell transactions, queries;   // ended; Query, Execute and FunctionCall messages
  Cell received, sent;          // bytes of clients, without TLS
  Cell transaction_microseconds, query_microseconds, wait_microseconds;
  Cell client_parses, binds;    // messages of clients
  Cell server_parses;           // of their statements, on servers
  Cell errors;                  // told to clients
};

// Slot of a SQLSTATE class in errors_by_class, and its text ("42", "0A", ...; "other" for the last slot, which counts
// classes that PostgreSQL does not have; empty for slots that are never used).
std::size_t error_slot(std::string_view sqlstate);
std::string error_slot_name(std::size_t slot);

class Registry {
 public:
  explicit Registry(unsigned workers) : cells_(workers) {}
  WorkerCells& cells(unsigned worker) { return cells_[worker]; }
  const std::vector<WorkerCells>& all() const { return cells_; }

  // The cells of this worker for the cluster of that name, made on the first call; they stay, also when a reload takes the cluster
  // away. Thread-safe; the caller keeps the reference.
  ClusterCells& cluster(unsigned worker, const std::string& name);
  // f(name, cells of all workers) for each cluster that had clients. Thread-safe.
  template <class F>
  void each_cluster(F f) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, cells] : clusters_) f(name, cells);
  }

 private:
  std::vector<WorkerCells> cells_;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<ClusterCells>> clusters_;   // nodes do not move
};

}  // namespace pgweir::metrics
