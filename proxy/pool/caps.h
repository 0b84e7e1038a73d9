// Bounds on server connections that several pools share: those of one user of a database over all its shards, of one
// database, and of the whole process. Touched only when a connection is opened or closed, and by who finds a cap reached.
//
// Who finds a cap reached waits in one line, first in first out among those that could go on; a pool goes to its end after
// each connection, so that pools take turns. Requests for several pools stand in it as one: they get all their places in
// one step. Once such a request has waited kPatience, places are kept free for it, else single ones would take each as it
// comes.
//
// Room is made in two ways. An idle connection of the pool that has most is closed when somebody joins the line (richest(),
// evicts()). While somebody stands there, a connection that is given back is closed for it (yields()) where nobody waits in
// its pool, or where that pool would still have more than the needy one; between pools that could only change places it
// goes back and forth every kPatience, since opening a connection costs more than a short wait. So pools that all have work
// come to hold the same number, or what they need if that is less, and none waits for ever. A connection that is being
// closed counts until its server has let it go, and no second one is closed for the same place.
//
// Thread-safe; its mutex is taken under those of pools and never the other way round.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/result.h"
#include "proxy/pool/pool_key.h"

namespace pgweir::pool {

class Pool;
class PoolManager;

// Names a waiting Checkout across threads: it may be gone when the message arrives.
struct CheckoutTicket {
  unsigned worker = 0;
  std::uint64_t id = 0;
  bool operator==(const CheckoutTicket&) const = default;
};

struct CapLimits {  // 0: no cap
  unsigned user = 0;      // pool.max_connections
  unsigned database = 0;  // max_server_connections of the cluster
  unsigned process = 0;   // listen.max_server_connections
  bool operator==(const CapLimits&) const = default;
};

class Caps {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kPatience = std::chrono::milliseconds(100);

  // A pool's place in the caps. Its content belongs to the Caps.
  class Share {
   public:
    explicit Share(Pool& pool) : pool_(pool) {}

   private:
    friend class Caps;
    struct Cap {
      std::string label;
      unsigned max = 0, used = 0, leaving = 0;  // leaving: of `used`, being closed
      unsigned promised = 0;                    // only within yields(): wanted by those further ahead in the line
    };
    Pool& pool_;
    std::array<Cap*, 3> caps_{};
    unsigned used_ = 0, leaving_ = 0;
    // What yields() found last, and when: under the pool's mutex.
    std::uint64_t seen_ = ~std::uint64_t{0};
    Clock::time_point yields_after_ = Clock::time_point::max();
  };

  explicit Caps(PoolManager& manager) : manager_(manager) {}

  // Once for each pool before anything else, and again when limits change.
  void set(Share& share, const PoolKey& key, const CapLimits& limits);

  // One more connection. False: a cap is reached or others come first; with `wait` the pool is in the line then, and
  // Pool::on_room() is posted when it is its turn.
  bool take(Share& share, bool wait);
  // One for each share, or none. False: the request is in the line, and waiting groups are tried again when it is its turn.
  bool take_all(std::span<Share* const> shares, CheckoutTicket ticket);
  void give(Share& share);     // one has ended
  void leaving(Share& share);  // one is being closed; left() follows
  void left(Share& share);
  void wait(Share& share);     // joins the end of the line
  void leave(Share& share);    // out of the line, if it is in it
  void leave(CheckoutTicket ticket);
  // The refusal (53300) where so many at once can never be.
  std::optional<protocol::SqlError> never(std::span<Share* const> shares) const;

  // Cheap, without the mutex: whether yields() or excess() can be true for anybody.
  bool strained() const { return strained_.load(std::memory_order_relaxed); }
  // Whether a connection that is given back is to be closed (leaving() follows): more are open than allowed, or somebody in
  // the line is better off with it. `oldest`: since when the pool's own oldest waiter waits, if there is one. Under the
  // pool's mutex; takes the Caps' only when something was opened or closed, or joined the line, since it last looked.
  bool yields(Share& share, std::optional<Clock::time_point> oldest);
  bool excess(const Share& share) const;  // more are open than a lowered cap allows
  // The pool that holds most among those whose idle connections would make room for `needy`; null: none, or no need.
  Pool* richest(const Share& needy) const;
  // An idle connection of `from` is about to be closed for `needy`. False: no need any more; else it counts as leaving.
  bool evicts(Share& from, const Share& needy);
  // For who waits for nothing: the pool that holds most among those of which one idle connection less is all that `needy`
  // lacks for one more; null: none, no need, or others wait for such places.
  Pool* donor(const Share& needy) const;
  // A place of `from` goes to `to`: begin_transfer() before its connection is closed (false: donor() is no longer true),
  // end_transfer() when its server has let it go. What both share stays counted throughout.
  bool begin_transfer(Share& from, Share& to);
  void end_transfer(Share& from, const Share& to);
  // " 5 of 5 server connections of user "app" on "shop" are open.": the caps that are reached, "" when none is.
  std::string explain(const Share& share) const;

 private:
  using Cap = Share::Cap;
  struct Entry {
    std::vector<Share*> shares;  // one: a pool; more, or with a ticket: a group
    CheckoutTicket ticket;       // id 0: a pool
    Clock::time_point since;
    bool woken = false;
  };
  static constexpr unsigned kUnlimited = ~0u;
  static unsigned room(const Cap& cap) { return cap.max == 0 ? kUnlimited : cap.max > cap.used ? cap.max - cap.used : 0; }
  // With what is being closed.
  static unsigned room_soon(const Cap& cap);
  static bool exceeded(const Share& share);
  static bool belongs(const Share& share, const Cap* cap);
  static unsigned needed(std::span<Share* const> shares, const Cap* cap);
  static bool fits(std::span<Share* const> shares);
  static unsigned standing(const Share& share) { return share.used_ - share.leaving_; }
  bool others_first(std::span<Share* const> shares, const Entry* self) const;
  bool helps(const Share& other, const Share& needy) const;
  bool can_transfer(const Share& from, const Share& to) const;
  Clock::time_point yields_after(const Share& share) const;
  unsigned demand(const Cap* cap) const;
  void count(std::span<Share* const> shares);
  void erase_locked(const Share& share);
  void changed_locked(bool lowered = false);  // wakes who can go on now
  Entry* find_locked(const Share& share);

  PoolManager& manager_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Cap> caps_;  // "" of the process, the cluster's name, and with '\0' and the user's behind it
  std::vector<Share*> shares_;
  std::deque<Entry> line_;
  std::atomic<bool> strained_{false};
  std::atomic<std::uint64_t> version_{0};    // counts changes
};

}  // namespace pgweir::pool
