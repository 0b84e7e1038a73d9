// Pool: opening connections and housekeeping.
#include <algorithm>

#include "proxy/pool/checkout.h"
#include "proxy/pool/pool.h"
#include "proxy/pool/pool_manager.h"
#include "proxy/pool/server_connection.h"

namespace pgweir::pool {

void Pool::connect(CheckoutTicket bound) {
  std::shared_ptr<const ServerTarget> target;
  PoolLimits limits;
  {
    const std::lock_guard lock(mutex_);
    target = target_;
    limits = limits_;
    ++counters_.connects;
  }
  net::Worker& here = *net::Worker::current();
  ServerConnection::open(here, *this, std::move(target), limits, manager_.services(),
                         [this, bound](std::unique_ptr<ServerConnection> connection, const protocol::SqlError& error) {
                           if (connection)
                             on_connected(std::move(connection), bound);
                           else
                             on_connect_failed(error, bound);
                         });
}

void Pool::on_connected(std::unique_ptr<ServerConnection> connection, CheckoutTicket bound) {
  bool back = false;
  {
    const std::lock_guard lock(mutex_);
    --connecting_;
    back = failure_.has_value();
    failure_.reset();
  }
  if (back) connection->worker().post([this, index = connection->worker().index()] { maintain(index); });  // for the others who wait
  if (bound.id != 0)
    give(std::move(connection), bound);
  else
    release(std::move(connection));
}

unsigned Pool::wanted_locked(Clock::time_point now) const {
  if (connecting_ != 0 || recent_failure_locked(now)) return 0;
  std::size_t wanted = waiters_.size();
  if (wanted == 0)
    wanted = limits_.min > total_ ? limits_.min - total_ : 0;
  else if (total_ >= limits_.size)
    wanted = static_cast<std::size_t>(
        std::count_if(waiters_.begin(), waiters_.end(), [&](const Waiter& one) { return now - one.since > limits_.reserve_delay; }));
  return static_cast<unsigned>(failure_ ? std::min<std::size_t>(wanted, 1) : wanted);  // a server that refuses is asked once at a time
}

void Pool::maintain(unsigned worker) {
  const auto now = Clock::now();
  std::vector<std::unique_ptr<ServerConnection>> ended;
  unsigned open = 0;
  bool starved = false;
  std::deque<Waiter> told;
  std::optional<protocol::SqlError> down;
  {
    const std::lock_guard lock(mutex_);
    if (!waiters_.empty() && (down = recent_failure_locked(now))) {
      told.swap(waiters_);
      leave_line_locked();
    }
    auto& list = idle_[worker];
    const unsigned living = total_ - closing_;
    unsigned dispensable = living > limits_.min ? living - limits_.min : 0;
    for (auto i = list.begin(); i != list.end();) {
      const bool idle_too_long = (*i)->idle_longer_than(now, limits_.idle_timeout) && dispensable > 0;
      const bool too_many = too_many_locked() || (manager_.caps().strained() && manager_.caps().excess(share_));
      const bool unwanted = draining_ || paused_ || too_many || idle_too_long;
      if (unwanted || (*i)->expired(now, target_.get())) {
        if (!unwanted && (*i)->renewable(now)) ++renew_;
        ended.push_back(std::move(*i));
        i = list.erase(i);
        --idle_total_;
        close_locked();
        if (dispensable > 0) --dispensable;
      } else {
        ++i;
      }
    }
    constexpr unsigned kAtOnce = 8;  // so that a server that comes back is not met by all at once
    for (unsigned wanted = std::min(wanted_locked(now), kAtOnce); wanted > 0; --wanted, ++open)
      if (!take_place_locked(!waiters_.empty())) break;
    starved = in_line_;
  }
  for (const Waiter& waiter : told) tell(waiter.ticket, *down);
  for (auto& connection : ended) leave(std::move(connection));
  for (; open > 0; --open) connect({});
  if (starved) manager_.make_room(*this);
  if (worker != 0) return;
  replace_aging(now);
  follow_name(now);
}

void Pool::close_idle(unsigned worker) {
  std::vector<std::unique_ptr<ServerConnection>> closed;
  {
    const std::lock_guard lock(mutex_);
    closed.swap(idle_[worker]);
    idle_total_ -= static_cast<unsigned>(closed.size());
  }
  for (auto& connection : closed) discard(std::move(connection));
}

}  // namespace pgweir::pool
