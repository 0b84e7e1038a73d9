// All pools of the process, and the tables that let messages between workers find a waiting Checkout.
// Outlives the workers. Thread-safe unless said otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "proxy/pool/holds.h"
#include "proxy/pool/pool.h"

namespace pgweir::pool {

class LoginServices;  // login_services.h: TLS contexts, name resolution, key derivation for server logins

class PoolManager {
 public:
  PoolManager(std::vector<net::Worker*> workers, LoginServices& services);
  ~PoolManager();

  // The pool of `key`, made on first use. `target` and `limits` are used when it is made. The pool lives as long as the manager.
  Pool& get(const PoolKey& key, const std::function<std::pair<std::shared_ptr<const ServerTarget>, PoolLimits>()>& make);
  // After a reload: every existing pool gets new limits, or is drained when `decide` returns nullopt.
  void reconfigure(const std::function<std::optional<std::pair<std::shared_ptr<const ServerTarget>, PoolLimits>>(const PoolKey&)>& decide);
  std::vector<Pool*> all() const;

  // The console's PAUSE, RESUME, DISABLE and ENABLE, of a cluster or ("") of all; see holds.h. Pools made later obey too.
  // pause(), resume(): false when it is so already.
  bool pause(const std::string& cluster);
  bool resume(const std::string& cluster);
  Holds& holds() { return holds_; }
  const Holds& holds() const { return holds_; }
  // The pools of a cluster, or ("") all.
  std::vector<Pool*> of(const std::string& cluster) const;

  net::Worker& worker(unsigned index) { return *workers_[index]; }
  unsigned worker_count() const { return static_cast<unsigned>(workers_.size()); }
  LoginServices& services() { return services_; }
  Caps& caps() { return caps_; }

  // Runs the pools' housekeeping for this worker; called by the worker's own timer.
  void maintain(net::Worker& worker);
  // Connections that are logging in, until they are ready or have failed; only on their worker. What a stopped worker
  // leaves here goes with the manager.
  void keep_opening(unsigned worker, std::unique_ptr<ServerConnection> connection);
  std::unique_ptr<ServerConnection> take_opening(unsigned worker, const ServerConnection* connection);
  // Closes the idle connections that live on this worker (shutdown).
  void close_idle(net::Worker& worker);

 private:
  friend class Caps;
  friend class Pool;
  friend class Checkout;

  // Per-worker table of waiting checkouts; touched by its worker only.
  struct Table { std::unordered_map<std::uint64_t, Checkout*> waiting; std::uint64_t next_id = 1; std::vector<std::unique_ptr<ServerConnection>> opening; };
  Checkout* find(CheckoutTicket ticket);       // on ticket.worker only
  std::uint64_t enter(unsigned worker, Checkout* checkout);
  void leave(unsigned worker, std::uint64_t id);

  // Requests for several pools that wait for all of them to have a place.
  void enqueue_group(CheckoutTicket ticket);
  void remove_group(CheckoutTicket ticket);
  bool groups_waiting() const { return groups_waiting_.load(std::memory_order_relaxed) != 0; }
  void retry_groups();

  // Closes an idle connection of another pool, where that gives room to this one under the caps: of the pool that has
  // most, among these the one idle longest. Not under any pool's mutex.
  void make_room(Pool& needy);
  void post_room(Pool& pool);  // Pool::on_room() on some worker

  Caps caps_{*this};
  std::vector<net::Worker*> workers_;
  LoginServices& services_;
  Holds holds_;
  mutable std::mutex mutex_;
  std::map<PoolKey, std::unique_ptr<Pool>> pools_;
  std::vector<Table> tables_;
  std::mutex groups_mutex_;
  std::deque<CheckoutTicket> groups_;
  std::atomic<unsigned> groups_waiting_{0};
};

}  // namespace pgweir::pool
