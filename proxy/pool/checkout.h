// Waiting for server connections as an object: destroying it is cancelling the wait, so timeout, cancel and disconnect are
// one path. One or several pools: several are reserved in one step, or waited for holding nothing.
//
// What comes back goes to single requests as it comes, so that one for several pools would hardly ever find a place in all
// of them. By turns, therefore, the last free place of each of its pools is kept for it: after kFirstTurn, for as long as it
// has waited by then, and so on: half of the time, in turns that grow to the length of the others' transactions. It still
// holds nothing: a pool keeps a place for one such request at a time, and a request has its pools keep all or none.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "proxy/net/timer.h"
#include "proxy/pool/pool.h"

namespace pgweir::pool {

class CheckoutOwner {
 public:
  // All leases, in the order of the pools asked for. Called once, never from within start().
  virtual void on_checkout(std::vector<Lease> leases) = 0;
  // Timed out (53300... see Checkout::start), or the server's own error. Called once, never from within start().
  virtual void on_checkout_failed(const protocol::SqlError& error) = 0;
  // It takes long (Checkout::start's `notice`): the pool's numbers. The wait goes on; not to be ended from within.
  virtual void on_checkout_slow(const protocol::SqlError& notice) { (void)notice; }

 protected:
  ~CheckoutOwner() = default;
};

class Checkout {
 public:
  explicit Checkout(CheckoutOwner& owner) : owner_(owner) { timer_.set<&Checkout::on_timer>(this); }
  ~Checkout() { cancel(); }
  Checkout(const Checkout&) = delete;
  Checkout& operator=(const Checkout&) = delete;

  // Called on `worker`. Returns the leases at once when every pool has an idle connection on this worker; else an empty
  // vector, and the owner is called later. A wait longer than `timeout` (0: none) fails with 57014-class text that
  // carries the pool's numbers (SQLSTATE 53300).
  // prefer: id of the connection that is wanted of a single pool, if it is idle on this worker; 0: any.
  // notice: after so long the owner is told that it waits; 0: never.
  std::vector<Lease> start(net::Worker& worker, std::span<Pool* const> pools, config::Duration timeout, std::uint64_t prefer = 0,
                           config::Duration notice = config::Duration{0});
  // What was on its way is given back.
  void cancel();
  bool waiting() const { return id_ != 0; }
  std::chrono::microseconds waited() const { return waited_; }
  // While it waits.
  std::chrono::microseconds waiting_for() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - since_);
  }

 private:
  friend class Pool;
  friend class PoolManager;
  static constexpr config::Duration kFirstTurn{10};
  void start_single();
  void arm();                      // for what comes next: the end of the wait, the notice, a turn
  void fail_later(const protocol::SqlError& error);
  // ---- checkout_group.cpp
  void start_group();
  bool reserve_group();            // true: every unit is leased, on its way or being made
  void take_turn();
  bool keep_places();              // false: one of the pools keeps a place for another
  void let_places_go();
  void lease_idle(std::size_t index, std::unique_ptr<ServerConnection> idle);  // an idle one of this worker, for pools_[index]
  void deliver(Pool& pool, std::unique_ptr<ServerConnection> connection);
  void fail(const protocol::SqlError& error);
  void on_timer();
  const Pool& full_pool() const;
  void complete_if_full();
  void replace_ended();
  void finish();                   // leaves the table and the timer

  CheckoutOwner& owner_;
  net::Worker* worker_ = nullptr;
  PoolManager* manager_ = nullptr;
  std::uint64_t id_ = 0;           // 0: not waiting
  std::vector<Pool*> pools_;
  std::vector<Lease> leases_;      // parallel to pools_; empty until delivered
  bool reserved_ = false;          // group: units are reserved
  Clock::time_point since_;
  std::chrono::microseconds waited_{0};
  config::Duration timeout_{0}, notice_{0}, turn_{0};  // of since_; 0: none, or done
  bool keeping_ = false;           // places are kept
  net::Timer timer_;
};

}  // namespace pgweir::pool
