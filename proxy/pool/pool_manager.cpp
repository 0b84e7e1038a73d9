#include "proxy/pool/pool_manager.h"

#include <algorithm>

#include "proxy/pool/checkout.h"
#include "proxy/pool/server_connection.h"

namespace pgweir::pool {

PoolManager::PoolManager(std::vector<net::Worker*> workers, LoginServices& services)
    : workers_(std::move(workers)), services_(services), tables_(workers_.size()) {}

PoolManager::~PoolManager() = default;

Pool& PoolManager::get(const PoolKey& key,
                       const std::function<std::pair<std::shared_ptr<const ServerTarget>, PoolLimits>()>& make) {
  const std::lock_guard lock(mutex_);
  auto& slot = pools_[key];
  if (!slot) {
    auto [target, limits] = make();
    slot = std::make_unique<Pool>(*this, key, std::move(target), limits, worker_count());
    if (holds_.paused(key.cluster)) slot->pause();
  }
  return *slot;
}

void PoolManager::reconfigure(
    const std::function<std::optional<std::pair<std::shared_ptr<const ServerTarget>, PoolLimits>>(const PoolKey&)>& decide) {
  for (Pool* pool : all()) {
    if (auto wanted = decide(pool->key()))
      pool->reconfigure(std::move(wanted->first), wanted->second);
    else
      pool->drain();
  }
}

std::vector<Pool*> PoolManager::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Pool*> out;
  for (const auto& [key, pool] : pools_) out.push_back(pool.get());
  return out;
}

void PoolManager::maintain(net::Worker& worker) {
  for (Pool* pool : all()) pool->maintain(worker.index());
  if (groups_waiting()) retry_groups();
}

void PoolManager::keep_opening(unsigned worker, std::unique_ptr<ServerConnection> connection) {
  tables_[worker].opening.push_back(std::move(connection));
}

std::unique_ptr<ServerConnection> PoolManager::take_opening(unsigned worker, const ServerConnection* connection) {
  auto& opening = tables_[worker].opening;
  const auto at = std::find_if(opening.begin(), opening.end(), [&](const auto& one) { return one.get() == connection; });
  if (at == opening.end()) return nullptr;
  auto taken = std::move(*at);
  opening.erase(at);
  return taken;
}

void PoolManager::close_idle(net::Worker& worker) {
  for (Pool* pool : all()) pool->close_idle(worker.index());
}

Checkout* PoolManager::find(CheckoutTicket ticket) {
  auto& waiting = tables_[ticket.worker].waiting;
  auto i = waiting.find(ticket.id);
  return i == waiting.end() ? nullptr : i->second;
}

std::uint64_t PoolManager::enter(unsigned worker, Checkout* checkout) {
  auto& table = tables_[worker];
  const auto id = table.next_id++;
  table.waiting.emplace(id, checkout);
  return id;
}

void PoolManager::leave(unsigned worker, std::uint64_t id) { tables_[worker].waiting.erase(id); }

void PoolManager::enqueue_group(CheckoutTicket ticket) {
  const std::lock_guard lock(groups_mutex_);
  groups_.push_back(ticket);
  groups_waiting_.store(static_cast<unsigned>(groups_.size()), std::memory_order_relaxed);
}

void PoolManager::remove_group(CheckoutTicket ticket) {
  caps_.leave(ticket);
  const std::lock_guard lock(groups_mutex_);
  std::erase_if(groups_, [&](const CheckoutTicket& t) { return t.worker == ticket.worker && t.id == ticket.id; });
  groups_waiting_.store(static_cast<unsigned>(groups_.size()), std::memory_order_relaxed);
}

void PoolManager::retry_groups() {
  // Oldest first; each is tried on its own worker, where its Checkout lives.
  std::deque<CheckoutTicket> tickets;
  {
    const std::lock_guard lock(groups_mutex_);
    tickets = groups_;
  }
  for (const auto& ticket : tickets)
    workers_[ticket.worker]->post([this, ticket] {
      auto* checkout = find(ticket);
      if (!checkout || checkout->reserved_ || !checkout->reserve_group()) return;
      remove_group(ticket);
      checkout->complete_if_full();
    });
}

}  // namespace pgweir::pool
