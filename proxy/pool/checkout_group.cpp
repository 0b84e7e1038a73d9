// Checkout: requests for several pools.
#include <algorithm>
#include <utility>

#include "proxy/pool/checkout.h"
#include "proxy/pool/pool_manager.h"
#include "proxy/pool/server_connection.h"

namespace pgweir::pool {

void Checkout::start_group() {
  std::vector<Caps::Share*> shares;
  for (Pool* pool : pools_) shares.push_back(&pool->share_);
  if (const auto never = manager_->caps().never(shares)) return fail_later(*never);
  if (reserve_group()) return;
  manager_->enqueue_group({worker_->index(), id_});
  if (reserve_group()) return manager_->remove_group({worker_->index(), id_});  // what came back meanwhile told nobody
  turn_ = kFirstTurn;
  for (Pool* pool : pools_) manager_->make_room(*pool);
}

bool Checkout::reserve_group() {
  std::vector<Pool*> order = pools_;
  std::sort(order.begin(), order.end());
  std::vector<std::unique_lock<std::mutex>> locks;
  for (auto* pool : order) locks.emplace_back(pool->mutex_);
  const auto now = Clock::now();
  const CheckoutTicket ticket{worker_->index(), id_};
  for (auto* pool : order) {
    if (auto down = pool->recent_failure_locked(now)) {
      fail_later(*down);
      return true;
    }
    if (!pool->can_take_locked() || (pool->kept_for_ != ticket && pool->keeps_locked())) {
      manager_->caps().leave(ticket);  // it is not the caps that it waits for
      return false;
    }
  }
  std::vector<Caps::Share*> opening;
  for (auto* pool : order)
    if (pool->idle_total_ == 0) opening.push_back(&pool->share_);
  if (!opening.empty() && !manager_->caps().take_all(opening, ticket)) return false;
  struct Taken { Pool::Take take; std::unique_ptr<ServerConnection> leased; ServerConnection* claimed = nullptr; };
  std::vector<Taken> taken(pools_.size());
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    taken[i].take = pools_[i]->take_idle_locked(ticket.worker, taken[i].leased, taken[i].claimed);
    if (taken[i].take != Pool::Take::Unavailable) continue;
    taken[i].take = Pool::Take::Connecting;
    ++pools_[i]->total_;
    pools_[i]->begin_connecting_locked();
  }
  for (auto* pool : order)
    if (keeping_) pool->kept_for_ = {};
  locks.clear();
  keeping_ = false;
  turn_ = config::Duration{0};
  reserved_ = true;
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (taken[i].leased) lease_idle(i, std::move(taken[i].leased));
    if (taken[i].claimed) pools_[i]->migrate(taken[i].claimed, ticket);
    if (taken[i].take == Pool::Take::Connecting) pools_[i]->connect(ticket);
  }
  return true;
}

void Checkout::take_turn() {
  const auto waited = std::chrono::ceil<config::Duration>(Clock::now() - since_);
  if (keeping_) {
    turn_ = 2 * waited;
    return let_places_go();
  }
  if (!keep_places()) {  // soon again
    turn_ = waited + kFirstTurn;
    return;
  }
  turn_ = 2 * waited;
  if (!reserve_group()) return;
  manager_->remove_group({worker_->index(), id_});
  complete_if_full();
}

bool Checkout::keep_places() {
  std::vector<Pool*> order = pools_;
  std::sort(order.begin(), order.end());
  std::vector<std::unique_lock<std::mutex>> locks;
  for (auto* pool : order) locks.emplace_back(pool->mutex_);
  if (std::any_of(order.begin(), order.end(), [](const Pool* pool) { return pool->kept_for_.id != 0; })) return false;
  for (auto* pool : order) pool->kept_for_ = {worker_->index(), id_};
  return keeping_ = true;
}

void Checkout::let_places_go() {
  if (!std::exchange(keeping_, false)) return;
  for (auto* pool : pools_) {
    {
      const std::lock_guard lock(pool->mutex_);
      pool->kept_for_ = {};
    }
    worker_->post([pool] { pool->go_on(); });
  }
  if (manager_->groups_waiting()) manager_->retry_groups();
}

}  // namespace pgweir::pool
