#include "proxy/pool/checkout.h"

#include <algorithm>
#include <utility>

#include "proxy/pool/pool_manager.h"
#include "proxy/pool/server_connection.h"

namespace pgweir::pool {
namespace {

std::string in_ms(std::chrono::microseconds time) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(time).count()) + " ms";
}

std::string numbers(const Pool& pool, const std::string& caps) {
  const auto stats = pool.stats();
  const auto limits = pool.limits();
  std::string text = "Pool of " + pool.target()->label + " for user \"" + pool.key().user + "\": ";
  text += std::to_string(stats.total - stats.idle - stats.connecting) + " active, " + std::to_string(stats.idle) + " idle, ";
  text += std::to_string(stats.connecting) + " connecting, ";
  if (stats.closing != 0) text += std::to_string(stats.closing) + " closing, ";
  text += std::to_string(limits.size) + " allowed, " + std::to_string(stats.waiting) + " waiting.";
  text += (pool.paused() ? " It is paused." : "") + caps;
  if (const auto failure = pool.last_failure()) text += " The last attempt to connect failed: " + failure->message;
  return text;
}

protocol::SqlError timeout_error(const Pool& pool, std::chrono::microseconds waited) {
  const std::string caps = pool.reached_caps();
  return {"53300", "no server connection became free in " + in_ms(waited), numbers(pool, caps),
          std::string("Raise ") + (caps.empty() ? "pool.size" : "the limit") +
              " or pool.checkout_timeout, or shorten the transactions that hold connections.",
          {}, {}};
}

}  // namespace

std::vector<Lease> Checkout::start(net::Worker& worker, std::span<Pool* const> pools, config::Duration timeout, std::uint64_t prefer,
                                   config::Duration notice) {
  if (pools.size() == 1) {
    // The usual case: an idle connection on this very worker, nobody waiting.
    while (auto idle = pools.front()->take_own_idle(worker.index(), prefer)) {
      if (idle->ended_unseen()) {
        pools.front()->discard(std::move(idle));
        continue;
      }
      waited_ = {};
      std::vector<Lease> leases;
      leases.emplace_back(pools.front(), std::move(idle));
      return leases;
    }
  }
  worker_ = &worker;
  manager_ = &pools.front()->manager();
  pools_.assign(pools.begin(), pools.end());
  leases_.clear();
  leases_.resize(pools_.size());
  reserved_ = false;
  waited_ = {};
  since_ = Clock::now();
  id_ = manager_->enter(worker.index(), this);

  timeout_ = timeout;
  notice_ = notice;
  turn_ = config::Duration{0};
  if (pools_.size() > 1)
    start_group();
  else
    start_single();
  if (std::all_of(leases_.begin(), leases_.end(), [](const Lease& l) { return static_cast<bool>(l); })) {
    finish();
    return std::move(leases_);
  }
  arm();
  return {};
}

void Checkout::start_single() {
  Pool& pool = *pools_.front();
  std::unique_ptr<ServerConnection> leased;
  ServerConnection* claimed = nullptr;
  auto take = Pool::Take::Unavailable;
  std::optional<protocol::SqlError> down;
  bool starved = false;
  {
    const std::lock_guard lock(pool.mutex_);
    down = pool.recent_failure_locked(since_);
    const bool first = pool.waiters_.empty();
    if (!down && first && !pool.keeps_locked()) take = pool.take_idle_locked(worker_->index(), leased, claimed);
    if (!down && take == Pool::Take::Unavailable) {
      pool.enqueue_locked({worker_->index(), id_}, since_);
      const bool in_line = pool.in_line_;
      // One on its way for each who waits, as far as the budget goes.
      if (first ? pool.take_place_locked() : pool.take_place_for_waiter_locked(since_)) take = Pool::Take::Connecting;
      starved = pool.in_line_ && !in_line;
    }
  }
  if (leased) lease_idle(0, std::move(leased));
  if (claimed) pool.migrate(claimed, {worker_->index(), id_});
  if (take == Pool::Take::Connecting) pool.connect({});
  if (starved) manager_->make_room(pool);
  if (down) fail_later(*down);
}

void Checkout::arm() {
  auto next = config::Duration::max();
  for (const auto one : {timeout_, notice_, turn_})
    if (one.count() > 0) next = std::min(next, one);
  if (next == config::Duration::max()) return;
  const auto left = std::chrono::ceil<config::Duration>(since_ + next - Clock::now());
  timer_.arm(*worker_, std::max(left, config::Duration{0}));
}

void Checkout::lease_idle(std::size_t index, std::unique_ptr<ServerConnection> idle) {
  if (idle->ended_unseen())
    pools_[index]->replace(std::move(idle), {worker_->index(), id_});
  else
    leases_[index] = Lease(pools_[index], std::move(idle));
}

void Checkout::fail_later(const protocol::SqlError& error) {
  worker_->defer([manager = manager_, ticket = CheckoutTicket{worker_->index(), id_}, error] {
    if (auto* self = manager->find(ticket)) self->fail(error);
  });
}

void Checkout::cancel() {
  if (id_ == 0) return;
  const CheckoutTicket ticket{worker_->index(), id_};
  if (pools_.size() == 1)
    pools_.front()->remove_waiter(ticket);
  else if (!reserved_)
    manager_->remove_group(ticket);
  finish();
  for (auto& lease : leases_) lease.give_back();
  leases_.clear();
}

void Checkout::deliver(Pool& pool, std::unique_ptr<ServerConnection> connection) {
  if (connection->unusable()) return pool.replace(std::move(connection), {worker_->index(), id_});
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (pools_[i] != &pool || leases_[i]) continue;
    leases_[i] = Lease(&pool, std::move(connection));
    return complete_if_full();
  }
  pool.release(std::move(connection));
}

void Checkout::complete_if_full() {
  replace_ended();
  if (!std::all_of(leases_.begin(), leases_.end(), [](const Lease& l) { return static_cast<bool>(l); })) return;
  finish();
  owner_.on_checkout(std::move(leases_));
}

// A connection that was held while those of other servers were made had no user to hear of its end.
void Checkout::replace_ended() {
  if (leases_.size() < 2) return;
  for (std::size_t i = 0; i < leases_.size(); ++i)
    if (leases_[i] && leases_[i]->ended_unseen()) pools_[i]->replace(leases_[i].take(), {worker_->index(), id_});
}

void Checkout::fail(const protocol::SqlError& error) {
  const protocol::SqlError copy = error;
  cancel();
  owner_.on_checkout_failed(copy);
}

const Pool& Checkout::full_pool() const {
  const Pool* full = pools_.front();
  for (std::size_t i = 0; i < pools_.size(); ++i)
    if (!leases_[i]) full = pools_[i];
  return *full;
}

void Checkout::on_timer() {
  const auto waited = Clock::now() - since_;
  waited_ = std::chrono::duration_cast<std::chrono::microseconds>(waited);
  const auto due = [&](config::Duration time) { return time.count() > 0 && waited >= time; };
  if (due(timeout_)) return fail(timeout_error(full_pool(), waited_));
  if (due(notice_)) {
    notice_ = config::Duration{0};
    const Pool& full = full_pool();
    owner_.on_checkout_slow({"00000", "waiting for a server connection for " + in_ms(waited_), numbers(full, full.reached_caps()), {}, {}, {}});
  }
  if (due(turn_)) take_turn();
  if (waiting()) arm();
}

void Checkout::finish() {
  timer_.cancel();
  let_places_go();
  manager_->leave(worker_->index(), id_);
  waited_ = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - since_);
  id_ = 0;
}

}  // namespace pgweir::pool
