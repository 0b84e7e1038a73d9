#include "proxy/pool/pool.h"

#include <algorithm>

#include "proxy/pool/checkout.h"
#include "proxy/pool/pool_manager.h"
#include "proxy/pool/server_connection.h"

namespace pgweir::pool {
namespace {

// A waiter of another worker goes first only when it has waited this much longer (architecture.md: a cross-thread
// hand-over costs about 5 us, so it is worth avoiding but never worth unfairness that a client can notice).
constexpr auto kFairness = std::chrono::milliseconds(1);

}  // namespace

Pool::Pool(PoolManager& manager, PoolKey key, std::shared_ptr<const ServerTarget> target, PoolLimits limits, unsigned workers)
    : manager_(manager), key_(std::move(key)), target_(std::move(target)), limits_(limits), idle_(workers) {
  manager_.caps().set(share_, key_, limits_.caps);
}

Pool::~Pool() = default;

std::shared_ptr<const ServerTarget> Pool::target() const {
  const std::lock_guard lock(mutex_);
  return target_;
}

PoolLimits Pool::limits() const {
  const std::lock_guard lock(mutex_);
  return limits_;
}

PoolStats Pool::stats() const {
  const std::lock_guard lock(mutex_);
  PoolStats stats = counters_;
  stats.total = total_ - closing_;
  stats.closing = closing_;
  stats.idle = idle_total_;
  stats.waiting = static_cast<unsigned>(waiters_.size());
  stats.connecting = connecting_;
  if (!waiters_.empty())
    stats.oldest_wait = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - waiters_.front().since);
  return stats;
}

void Pool::reconfigure(std::shared_ptr<const ServerTarget> target, PoolLimits limits) {
  const std::lock_guard lock(mutex_);
  if (!(*target_ == *target)) target_ = std::move(target);  // connections compare by pointer
  limits_ = limits;
  manager_.caps().set(share_, key_, limits_.caps);
  draining_ = false;
  failure_.reset();
}

Pool::Take Pool::take_idle_locked(unsigned worker, std::unique_ptr<ServerConnection>& leased, ServerConnection*& claimed) {
  if (paused_ || idle_total_ == 0) return Take::Unavailable;
  const std::size_t owner = next_idle_locked(worker);
  auto next = pop_idle_locked(owner);
  if (owner == worker) {
    leased = std::move(next);
    return Take::Leased;
  }
  claimed = next.get();
  claimed_.push_back(std::move(next));
  ++counters_.migrations;
  return Take::Migrating;
}

std::size_t Pool::next_idle_locked(unsigned worker) const {
  const auto longest_idle = [](const auto& a, const auto& b) {
    return !a.empty() && (b.empty() || a.front()->idle_since() < b.front()->idle_since());
  };
  auto chosen = idle_.begin() + worker;
  if (limits_.round_robin)
    chosen = std::min_element(idle_.begin(), idle_.end(), longest_idle);
  else if (chosen->empty())
    chosen = std::max_element(idle_.begin(), idle_.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  return static_cast<std::size_t>(chosen - idle_.begin());
}

std::unique_ptr<ServerConnection> Pool::pop_idle_locked(std::size_t worker) {
  auto& list = idle_[worker];
  auto at = limits_.round_robin ? list.begin() : list.end() - 1;
  auto taken = std::move(*at);
  list.erase(at);
  --idle_total_;
  return taken;
}

bool Pool::take_place_locked(bool wait) {
  return take_place_locked(wait, waiters_.empty() || limits_.reserve == 0 ? limits_.size : allowed_locked(Clock::now()));
}

unsigned Pool::allowed_locked(Clock::time_point now) const {
  const bool long_wait = !waiters_.empty() && now - waiters_.front().since > limits_.reserve_delay;
  return limits_.size + (long_wait ? limits_.reserve : 0);
}

bool Pool::take_place_locked(bool wait, unsigned most) {
  if (!may_open_locked(most)) return false;
  const bool taken = manager_.caps().take(share_, wait);
  if (wait || taken) in_line_ = !taken;  // who gets a place stands in the line no more
  if (!taken) return false;
  ++total_;
  begin_connecting_locked();
  return true;
}

void Pool::lose_place_locked() {
  --total_;
  manager_.caps().give(share_);
}

void Pool::leave_line_locked() {
  if (!in_line_ || !waiters_.empty()) return;
  in_line_ = false;
  manager_.caps().leave(share_);
}

std::unique_ptr<ServerConnection> Pool::take_own_idle(unsigned worker, std::uint64_t prefer) {
  const std::lock_guard lock(mutex_);
  auto& list = idle_[worker];
  if (paused_ || list.empty() || !waiters_.empty() || keeps_locked()) return nullptr;
  if (prefer != 0) {
    const auto wanted = std::find_if(list.begin(), list.end(), [&](const auto& connection) { return connection->id() == prefer; });
    if (wanted != list.end()) {
      auto taken = std::move(*wanted);
      list.erase(wanted);
      --idle_total_;
      return taken;
    }
  }
  return next_idle_locked(worker) == worker ? pop_idle_locked(worker) : nullptr;
}

void Pool::enqueue_locked(CheckoutTicket ticket, Clock::time_point now) { waiters_.push_back({ticket, now}); }

bool Pool::remove_waiter(CheckoutTicket ticket) {
  const std::lock_guard lock(mutex_);
  auto at = std::find_if(waiters_.begin(), waiters_.end(),
                         [&](const Waiter& w) { return w.ticket.worker == ticket.worker && w.ticket.id == ticket.id; });
  if (at == waiters_.end()) return false;
  waiters_.erase(at);
  leave_line_locked();
  return true;
}

std::optional<Pool::Waiter> Pool::next_waiter_locked(unsigned worker) {
  if (waiters_.empty()) return std::nullopt;
  auto chosen = waiters_.begin();
  if (chosen->ticket.worker != worker) {
    const auto bound = chosen->since + kFairness;
    for (auto w = waiters_.begin(); w != waiters_.end() && w->since <= bound; ++w)
      if (w->ticket.worker == worker) {
        chosen = w;
        break;
      }
  }
  Waiter waiter = *chosen;
  waiters_.erase(chosen);
  leave_line_locked();
  return waiter;
}

void Pool::release(std::unique_ptr<ServerConnection> connection) {
  net::Worker& here = connection->worker();
  const auto now = here.now();
  std::optional<Waiter> waiter;
  bool close = false, groups = false;
  {
    const std::lock_guard lock(mutex_);
    close = draining_ || paused_ || connection->expired(now, target_.get()) || too_many_locked() ||
            (manager_.caps().strained() &&
             manager_.caps().yields(share_, waiters_.empty() ? std::nullopt : std::optional(waiters_.front().since)));
    if (close) {
      close_locked();
    } else {
      groups = manager_.groups_waiting();
      if (!groups) waiter = next_waiter_locked(here.index());
      if (waiter) ++counters_.hand_offs;
      if (!waiter) {
        connection->become_idle(now);
        idle_[here.index()].push_back(std::move(connection));
        ++idle_total_;
      }
    }
  }
  if (close) return leave(std::move(connection));
  if (waiter) return give(std::move(connection), waiter->ticket);
  if (groups) {
    manager_.retry_groups();
    here.defer([this, index = here.index()] { serve_waiters(index); });
  }
}

void Pool::serve_waiters(unsigned worker) {
  while (true) {
    std::unique_ptr<ServerConnection> leased;
    ServerConnection* claimed = nullptr;
    std::optional<Waiter> waiter;
    {
      const std::lock_guard lock(mutex_);
      if (paused_ || waiters_.empty() || idle_total_ == 0 || keeps_locked()) return;
      waiter = next_waiter_locked(worker);
      take_idle_locked(worker, leased, claimed);
    }
    if (leased) give(std::move(leased), waiter->ticket);
    if (claimed) migrate(claimed, waiter->ticket);
  }
}

void Pool::go_on() {
  serve_waiters(net::Worker::current()->index());
  bool open = false;
  {
    const std::lock_guard lock(mutex_);
    open = take_place_for_waiter_locked(Clock::now());
  }
  if (open) connect({});
}

void Pool::discard(std::unique_ptr<ServerConnection> connection) {
  {
    const std::lock_guard lock(mutex_);
    close_locked();
  }
  leave(std::move(connection));
}

void Pool::close_locked() {
  ++closing_;
  manager_.caps().leaving(share_);
}

void Pool::leave(std::unique_ptr<ServerConnection> connection) {
  net::Worker& here = connection->worker();
  connection->terminate([this] { left(); });
  here.defer([dead = std::shared_ptr<ServerConnection>(std::move(connection))] {});
}

void Pool::left() {
  bool open = false;
  {
    const std::lock_guard lock(mutex_);
    --closing_;
    --total_;
    manager_.caps().left(share_);
    open = take_place_for_waiter_locked(Clock::now());
    if (renew_ > 0) {
      --renew_;
      open = open || take_place_locked(false);
    }
  }
  if (open) connect({});
  if (manager_.groups_waiting()) manager_.retry_groups();
}

void Pool::replace(std::unique_ptr<ServerConnection> dead, CheckoutTicket to) {
  net::Worker& here = dead->worker();
  {
    const std::lock_guard lock(mutex_);
    begin_connecting_locked();  // the place in the budget stays taken
  }
  dead->terminate([this, to] { connect(to); });
  here.defer([gone = std::shared_ptr<ServerConnection>(std::move(dead))] {});
}

void Pool::give(std::unique_ptr<ServerConnection> connection, CheckoutTicket to) {
  net::Worker& here = connection->worker();
  if (to.worker == here.index()) {
    here.defer([this, to, held = std::make_shared<std::unique_ptr<ServerConnection>>(std::move(connection))] {
      if (auto* checkout = manager_.find(to))
        checkout->deliver(*this, std::move(*held));
      else
        release(std::move(*held));
    });
    return;
  }
  ServerConnection* claimed = connection.get();
  {
    const std::lock_guard lock(mutex_);
    ++counters_.migrations;
    claimed_.push_back(std::move(connection));
  }
  here.defer([this, claimed, to] { finish_migration(claimed, to); });
}

void Pool::migrate(ServerConnection* claimed, CheckoutTicket to) {
  net::Worker& owner = claimed->worker();
  owner.post([this, claimed, to] { finish_migration(claimed, to); });
}

// On the worker that the connection lives on.
void Pool::finish_migration(ServerConnection* claimed, CheckoutTicket to) {
  std::unique_ptr<ServerConnection> connection;
  {
    const std::lock_guard lock(mutex_);
    auto at = std::find_if(claimed_.begin(), claimed_.end(), [&](const auto& c) { return c.get() == claimed; });
    connection = std::move(*at);
    claimed_.erase(at);
  }
  if (connection->broken()) return replace(std::move(connection), to);
  connection->detach();
  net::Worker& there = manager_.worker(to.worker);
  there.post([this, to, &there, held = std::make_shared<std::unique_ptr<ServerConnection>>(std::move(connection))] {
    (*held)->attach(there);
    const bool dead = (*held)->ended_unseen();
    if (dead && manager_.find(to)) return replace(std::move(*held), to);
    if (dead) return discard(std::move(*held));
    if (auto* checkout = manager_.find(to))
      checkout->deliver(*this, std::move(*held));
    else
      release(std::move(*held));
  });
}

void Pool::on_idle_closed(ServerConnection* connection) {
  std::unique_ptr<ServerConnection> found;
  {
    const std::lock_guard lock(mutex_);
    auto& list = idle_[connection->worker().index()];
    auto at = std::find_if(list.begin(), list.end(), [&](const auto& c) { return c.get() == connection; });
    if (at == list.end()) return;  // claimed by another worker: finish_migration sees broken()
    found = std::move(*at);
    list.erase(at);
    --idle_total_;
  }
  discard(std::move(found));
}

Lease::Lease(Pool* pool, std::unique_ptr<ServerConnection> connection) : pool_(pool), connection_(std::move(connection)) {
  if (connection_) connection_->become_leased();
}
Lease::Lease(Lease&&) noexcept = default;
Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    discard();
    pool_ = other.pool_;
    connection_ = std::move(other.connection_);
  }
  return *this;
}
Lease::~Lease() { discard(); }
std::unique_ptr<ServerConnection> Lease::take() { return std::move(connection_); }

void Lease::give_back() {
  if (!connection_) return;
  connection_->set_user(nullptr);
  if (!connection_->reusable()) return discard();
  pool_->release(std::move(connection_));
}

void Lease::discard() {
  if (!connection_) return;
  connection_->set_user(nullptr);
  pool_->discard(std::move(connection_));
}

}  // namespace pgweir::pool
