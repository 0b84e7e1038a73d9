// Pool: connections of one client alone.
#include <algorithm>

#include "proxy/pool/pool.h"
#include "proxy/pool/pool_manager.h"
#include "proxy/pool/server_connection.h"

namespace pgweir::pool {
namespace {

protocol::SqlError full(const Pool& pool) {
  return {"53300", "no server connection is free for a connection of its own",
          "Pool of " + pool.target()->label + " for user \"" + pool.key().user + "\": " +
              std::to_string(pool.stats().total) + " in use, " + std::to_string(pool.limits().size) + " allowed." + (pool.paused() ? " It is paused." : "") + pool.reached_caps(),
          pool.paused() ? "It goes on after RESUME." : "Raise pool.size.", {}, {}};
}

}  // namespace

void Pool::open_own(std::shared_ptr<const ServerTarget> target, Owned done) {
  net::Worker& here = *net::Worker::current();
  const auto held = std::make_shared<Owned>(std::move(done));
  std::unique_ptr<ServerConnection> idle;
  ServerConnection* claimed = nullptr;
  auto take = Take::Unavailable;
  std::optional<protocol::SqlError> down;
  {
    const std::lock_guard lock(mutex_);
    down = recent_failure_locked(Clock::now());
    // Whoever waits was there before. A place comes first: the idle connections are of use to others.
    if (waiters_.empty() && !draining_ && !paused_ && !keeps_locked())
      take = take_place_locked(false) ? Take::Connecting : take_idle_locked(here.index(), idle, claimed);
    if (take == Take::Leased || take == Take::Migrating) begin_connecting_locked();  // its place changes hands
  }
  if (take == Take::Unavailable && !down && take_place_of_another(here, target, held)) return;
  switch (take) {
    case Take::Unavailable:
      here.defer([this, held, down] { (*held)({}, down ? *down : full(*this)); });
      return;
    case Take::Connecting: break;
    case Take::Leased:
      idle->terminate([this, &here, target, held] { connect_own(here, target, held); });
      here.defer([gone = std::shared_ptr<ServerConnection>(std::move(idle))] {});
      return;
    case Take::Migrating:
      claimed->worker().post([this, claimed, target, held, &here] {
        std::shared_ptr<ServerConnection> gone;
        {
          const std::lock_guard lock(mutex_);
          auto at = std::find_if(claimed_.begin(), claimed_.end(), [&](const auto& c) { return c.get() == claimed; });
          gone = std::move(*at);
          claimed_.erase(at);
        }
        gone->terminate([this, target, held, &here] {
          here.post([this, target, held, &here] { connect_own(here, target, held); });
        });
        gone->worker().defer([gone] {});
      });
      return;
  }
  connect_own(here, std::move(target), held);
}

// At a cap an idle connection of another pool gives way.
bool Pool::take_place_of_another(net::Worker& here, const std::shared_ptr<const ServerTarget>& target, const std::shared_ptr<Owned>& done) {
  {
    const std::lock_guard lock(mutex_);
    if (!waiters_.empty() || !may_open_locked(limits_.size)) return false;
    ++total_;
    begin_connecting_locked();
  }
  const auto go_on = [this, &here, target, done] {
    here.post([this, &here, target, done] { connect_own(here, target, done); });
  };
  for (int attempt = 0; attempt < 3; ++attempt)
    if (Pool* rich = manager_.caps().donor(share_); rich != nullptr && rich->give_place(*this, go_on)) return true;
  const std::lock_guard lock(mutex_);
  --total_;
  --connecting_;
  return false;
}

void Pool::connect_own(net::Worker& here, std::shared_ptr<const ServerTarget> target, std::shared_ptr<Owned> done) {
  const PoolLimits limits = this->limits();
  ServerConnection::open(here, *this, std::move(target), limits, manager_.services(),
                         [this, done](std::unique_ptr<ServerConnection> connection, const protocol::SqlError& error) {
                           bool open = false;
                           {
                             const std::lock_guard lock(mutex_);
                             --connecting_;
                             if (!connection) {
                               // Not kept as the pool's failure: others may be let in where this one is not.
                               lose_place_locked();
                               open = take_place_for_waiter_locked(Clock::now());
                             }
                           }
                           if (open) connect({});
                           (*done)(connection ? Lease(this, std::move(connection)) : Lease(), error);
                         });
}

}  // namespace pgweir::pool
