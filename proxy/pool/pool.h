// A pool of server connections to one endpoint as one user, shared by all workers.
//
// Threads: every member function may be called on any worker; the state is under one short mutex and nothing is awaited
// or called back under it. A ServerConnection itself is touched only by the worker it lives on: to move one, the pool
// claims it under the mutex and posts to its owner, which detaches it and posts it on.
//
// Budget: `total` counts every connection that exists or is being made (idle, leased, on its way, connecting), and never
// exceeds size (+ reserve), nor what the caps allow that pools share (caps.h). One that is being closed counts until the
// server has closed its side, since it counts there too. Waiting is first in, first out within a bound: a freed connection
// goes to the oldest waiter of its own worker unless the pool's oldest waiter has waited more than a millisecond longer.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "protocol/result.h"
#include "proxy/net/worker.h"
#include "proxy/pool/caps.h"
#include "proxy/pool/pin.h"
#include "proxy/pool/pool_key.h"
#include "proxy/pool/server_facts.h"

namespace pgweir::pool {

class Checkout;
class Lease;
class PoolManager;
class ServerConnection;
using Clock = std::chrono::steady_clock;

struct PoolLimits {
  unsigned size = 20, reserve = 0, min = 0;
  config::Duration reserve_delay{5'000};  // what somebody must have waited before the reserve is opened
  config::Duration connect_timeout{15'000}, idle_timeout{600'000}, lifetime{3'600'000};
  unsigned max_prepared_statements = 200;
  unsigned max_pinned = 0;  // connections that clients may keep beyond their transactions; 0: all but one, at least one
  bool round_robin = false;  // the connection that has been idle longest is used first, whichever worker it lives on
  CapLimits caps;
  unsigned pinned() const { return max_pinned != 0 ? max_pinned : size > 2 ? size - 1 : 1; }
  bool operator==(const PoolLimits&) const = default;
};

struct PoolStats {
  unsigned total = 0, idle = 0, waiting = 0, connecting = 0;
  unsigned closing = 0;  // no part of total: the server has not closed its side yet
  std::uint64_t migrations = 0, connects = 0, connect_failures = 0, hand_offs = 0, evictions = 0;
  std::chrono::microseconds oldest_wait{0};
};

class Pool {
 public:
  Pool(PoolManager& manager, PoolKey key, std::shared_ptr<const ServerTarget> target, PoolLimits limits, unsigned workers);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  const PoolKey& key() const { return key_; }
  std::shared_ptr<const ServerTarget> target() const;
  PoolLimits limits() const;
  PoolStats stats() const;
  PoolManager& manager() { return manager_; }
  std::string reached_caps() const;  // for a message: Caps::explain()
  std::optional<protocol::SqlError> last_failure() const;  // to connect; none when it has succeeded since

  // ---- pin.cpp. add_pin: one more, or one for another reason `instead`; false: `limit` are pinned already.
  bool add_pin(PinReason reason, std::optional<PinReason> instead, unsigned limit);
  void remove_pin(PinReason reason);
  void count_pin(PinReason reason);
  PinCounts refuse_pin();  // counts a refused statement
  PinCounts pins() const;
  // Whether a client of this pool has ever asked for currval() or lastval().
  void note_sequence_reader() { sequence_readers_.store(true, std::memory_order_relaxed); }
  bool has_sequence_readers() const { return sequence_readers_.load(std::memory_order_relaxed); }

  // A reload: new limits and target. Connections made for another target are closed when they come back.
  void reconfigure(std::shared_ptr<const ServerTarget> target, PoolLimits limits);
  // No new connections, idle ones closed; leased ones are closed when they come back; who waits is told (57P01).
  void drain();

  // ---- hold.cpp: what the console asks for. Paused: nobody is given a connection, idle ones are closed and leased ones when
  // they come back; who waits goes on waiting (and times out as ever). resume() lets them go, the oldest first.
  void pause();
  void resume();
  bool paused() const;
  // Every connection that exists now is closed when it is next free.
  void reconnect();
  // What exists, and which of it reconnect() has asked to close. Connections outside the budget (listening) are no part.
  std::vector<ServerRow> servers() const;
  ServerCensus& census() { return census_; }

  // A connection that is not shared, for `target` (another than the pool's: with startup parameters of its own), in this
  // pool's budget: an idle one is closed for it where need be. Called on a worker; `done` runs there once, not from
  // within: with the lease, or with an empty one and the reason (53300: the budget is used up; nobody waits for it).
  using Owned = std::function<void(Lease, const protocol::SqlError&)>;
  void open_own(std::shared_ptr<const ServerTarget> target, Owned done);

  // Called on the worker that the connection lives on. The connection must be clean: idle on the server, nothing owed.
  void release(std::unique_ptr<ServerConnection> connection);
  // The connection is destroyed; its place in the budget is free when the server has closed its side.
  void discard(std::unique_ptr<ServerConnection> connection);

 private:
  friend class Caps;
  friend class Checkout;
  friend class PoolManager;
  friend class ServerConnection;

  struct Waiter { CheckoutTicket ticket; Clock::time_point since; };
  struct Failure { protocol::SqlError error; Clock::time_point when; };

  enum class Take { Leased, Migrating, Connecting, Unavailable };
  // Under the mutex. Takes an idle connection of `worker`, or claims another worker's; else Unavailable.
  Take take_idle_locked(unsigned worker, std::unique_ptr<ServerConnection>& leased, ServerConnection*& claimed);
  // One more connection, to be opened. False: the budget does not allow it; where that is for a cap and `wait`, the pool
  // waits for it. `most`: size, or with the reserve.
  bool take_place_locked(bool wait, unsigned most);
  bool take_place_locked(bool wait = true);
  void lose_place_locked();
  bool too_many_locked() const { return total_ - closing_ > limits_.size + limits_.reserve; }  // the size was made smaller
  void leave_line_locked();  // nobody waits here for room under a cap any more
  bool can_take_locked() const {
    return !paused_ && (idle_total_ > 0 || (total_ < limits_.size && !draining_ && !asked_again_locked()));
  }
  bool may_open_locked(unsigned most) const {
    return total_ < most && !draining_ && !paused_ && !keeps_locked() && !asked_again_locked();
  }
  void begin_connecting_locked() {
    if (connecting_++ == 0) attempting_since_ = Clock::now();
  }
  // The worker whose idle connection is next for `worker`. Precondition: there is one.
  std::size_t next_idle_locked(unsigned worker) const;
  std::unique_ptr<ServerConnection> pop_idle_locked(std::size_t worker);
  // Only what costs nothing: an idle connection of the calling worker while nobody waits. Null otherwise.
  // prefer: id of the one to take if it is among them.
  std::unique_ptr<ServerConnection> take_own_idle(unsigned worker, std::uint64_t prefer);
  void enqueue_locked(CheckoutTicket ticket, Clock::time_point now);
  bool remove_waiter(CheckoutTicket ticket);  // false: already handed something
  std::optional<Waiter> next_waiter_locked(unsigned worker);

  void close_locked();        // one more is being closed; leave() follows
  void leave(std::unique_ptr<ServerConnection> connection);
  void left();

  // Opens a connection on the calling worker for `bound` (id 0: for whoever waits longest).
  void connect(CheckoutTicket bound);
  void on_connected(std::unique_ptr<ServerConnection> connection, CheckoutTicket bound);
  // The connection has ended before it could be handed over: a new one for `to` takes its place. On its worker.
  void replace(std::unique_ptr<ServerConnection> dead, CheckoutTicket to);
  void give(std::unique_ptr<ServerConnection> connection, CheckoutTicket to);
  void migrate(ServerConnection* claimed, CheckoutTicket to);
  void finish_migration(ServerConnection* claimed, CheckoutTicket to);
  bool take_place_of_another(net::Worker& here, const std::shared_ptr<const ServerTarget>& target, const std::shared_ptr<Owned>& done);
  void connect_own(net::Worker& here, std::shared_ptr<const ServerTarget> target, std::shared_ptr<Owned> done);
  void on_idle_closed(ServerConnection* connection);
  // Every so often on each worker: expired connections are closed, waiting requests get new ones while the budget allows.
  void maintain(unsigned worker);
  void close_idle(unsigned worker);
  unsigned wanted_locked(Clock::time_point now) const;  // how many connections housekeeping would open
  unsigned allowed_locked(Clock::time_point now) const; // size, and the reserve while somebody has waited long
  // ---- pool_down.cpp
  void on_connect_failed(const protocol::SqlError& error, CheckoutTicket bound);
  void tell(CheckoutTicket to, const protocol::SqlError& error);
  // For one who waits, as far as the budget goes; not where the pool waits in line under a cap (on_room() comes then), nor
  // just after a failure while others may come back.
  bool take_place_for_waiter_locked(Clock::time_point now);
  // What is told instead of a wait: the server is down, or the pool is taken away.
  std::optional<protocol::SqlError> recent_failure_locked(Clock::time_point now) const;
  // The last attempt to connect has failed, and nothing is there that could come back.
  bool fails_locked() const { return failure_ && total_ - closing_ == connecting_; }
  // Then it is asked by one attempt at a time, so that it does not bind those who also hold connections of other servers.
  bool asked_again_locked() const { return connecting_ > 0 && fails_locked(); }
  // ---- pool_age.cpp: connections whose end is known, and those that take their place
  void replace_aging(Clock::time_point now);
  void open_instead(std::shared_ptr<ServerFacts> old);
  void follow_name(Clock::time_point now);  // those to addresses that the server's name no longer has are to be closed
  void maintain_everywhere();
  // ---- pool_room.cpp
  void on_room();                  // it is this pool's turn under the caps
  bool evict_for(Pool& needy);     // closes the connection that is idle longest; false: none is
  void finish_eviction(ServerConnection* claimed);
  ServerConnection* claim_oldest_locked();  // of those that are idle; it is in claimed_ then. Null: none is
  // Closes the connection that is idle longest, whose place is `needy`'s then: `ended` runs on the connection's worker when
  // its server has let it go. False: none is, or no need any more.
  bool give_place(Pool& needy, std::function<void()> ended);
  // Idle connections go to waiters (after a group request did not take them).
  void serve_waiters(unsigned worker);
  // Whether the last free place is kept for a request for several pools (checkout.h).
  bool keeps_locked() const {
    const unsigned room = total_ < limits_.size && !draining_ ? limits_.size - total_ : 0;
    return kept_for_.id != 0 && idle_total_ + room <= 1;
  }
  void go_on();  // on a worker: no place is kept any more, who waits here gets it

  PoolManager& manager_;
  const PoolKey key_;
  mutable std::mutex mutex_;
  std::shared_ptr<const ServerTarget> target_;
  PoolLimits limits_;
  std::vector<std::vector<std::unique_ptr<ServerConnection>>> idle_;  // by worker; the one that became idle last is last
  std::vector<std::unique_ptr<ServerConnection>> claimed_;            // on their way out of another worker
  std::deque<Waiter> waiters_;
  std::optional<Failure> failure_;            // of the last attempt to connect
  Clock::time_point attempting_since_{};      // while connecting_ is not 0
  unsigned total_ = 0, connecting_ = 0, closing_ = 0;  // total_: all, also what is being closed
  std::atomic<unsigned> idle_total_{0};                // changed under the mutex; Caps looks without it
  bool draining_ = false, paused_ = false;
  ServerCensus census_;
  Caps::Share share_{*this};
  bool in_line_ = false;     // waits for room under a cap
  CheckoutTicket kept_for_;  // id 0: nobody
  unsigned renew_ = 0;       // of those being closed: another one is to be opened when they have gone
  Clock::time_point look_at_ages_{}, look_at_name_{};  // no need before; under the mutex
  PoolStats counters_;
  PinCounts pins_;
  std::atomic<bool> sequence_readers_{false};
};

// A leased connection. Move-only. Dropping it without give_back() closes the connection: only its holder knows it is clean.
class Lease {
 public:
  Lease() = default;
  Lease(Pool* pool, std::unique_ptr<ServerConnection> connection);
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();
  explicit operator bool() const { return connection_ != nullptr; }
  ServerConnection* operator->() const { return connection_.get(); }
  ServerConnection& operator*() const { return *connection_; }
  Pool* pool() const { return pool_; }
  void give_back();
  void discard();

 private:
  friend class Checkout;
  std::unique_ptr<ServerConnection> take();
  Pool* pool_ = nullptr;
  std::unique_ptr<ServerConnection> connection_;
};

}  // namespace pgweir::pool
