// What an administrator does to pools while they work: Pool's and PoolManager's part of PAUSE, RESUME and RECONNECT, and
// the small tables they need.
#include "proxy/pool/pool.h"
#include "proxy/pool/pool_manager.h"

namespace pgweir::pool {

bool Holds::pause(const std::string& cluster) {
  const std::lock_guard lock(mutex_);
  return paused_.insert(cluster).second;
}

bool Holds::resume(const std::string& cluster) {
  const std::lock_guard lock(mutex_);
  return paused_.erase(cluster) != 0;
}

bool Holds::paused(const std::string& cluster) const {
  const std::lock_guard lock(mutex_);
  return paused_.contains(cluster) || paused_.contains("");
}

bool Holds::all_paused() const {
  const std::lock_guard lock(mutex_);
  return paused_.contains("");
}

void Holds::disable(const std::string& cluster, bool disabled) {
  const std::lock_guard lock(mutex_);
  if (disabled)
    disabled_.insert(cluster);
  else
    disabled_.erase(cluster);
}

bool Holds::disabled(const std::string& cluster) const {
  const std::lock_guard lock(mutex_);
  return disabled_.contains(cluster);
}

std::shared_ptr<ServerFacts> ServerCensus::add(std::uint64_t id, std::shared_ptr<const ServerTarget> target,
                                               std::chrono::milliseconds lifetime) {
  auto facts = std::make_shared<ServerFacts>(id, std::move(target), lifetime);
  const std::lock_guard lock(mutex_);
  std::erase_if(all_, [](const auto& entry) { return entry.second.expired(); });
  all_.emplace(id, facts);
  return facts;
}

std::vector<std::shared_ptr<ServerFacts>> ServerCensus::alive() const {
  std::vector<std::shared_ptr<ServerFacts>> out;
  const std::lock_guard lock(mutex_);
  out.reserve(all_.size());
  for (const auto& [id, weak] : all_)
    if (auto facts = weak.lock()) out.push_back(std::move(facts));
  return out;
}

void ServerCensus::ask_to_close() {
  for (const auto& facts : alive())
    if (facts->state.load(std::memory_order_relaxed) != ServerFacts::State::Listening)
      facts->close_needed.store(true, std::memory_order_relaxed);
}

std::vector<ServerRow> ServerCensus::rows() const {
  using std::chrono::steady_clock;
  std::vector<ServerRow> rows;
  for (const auto& facts : alive()) {
    const steady_clock::time_point leased{steady_clock::duration(facts->leased_at.load(std::memory_order_relaxed))};
    rows.push_back({facts->id, facts->target, facts->state.load(std::memory_order_relaxed),
                    facts->close_needed.load(std::memory_order_relaxed),
                    facts->backend_pid.load(std::memory_order_relaxed),
                    facts->statements.load(std::memory_order_relaxed), facts->connected_at, leased});
  }
  return rows;
}

std::vector<ServerRow> Pool::servers() const { return census_.rows(); }

bool Pool::paused() const {
  const std::lock_guard lock(mutex_);
  return paused_;
}

void Pool::pause() {
  {
    const std::lock_guard lock(mutex_);
    paused_ = true;
    if (in_line_) manager_.caps().leave(share_);
    in_line_ = false;
  }
  for (unsigned w = 0; w < manager_.worker_count(); ++w) manager_.worker(w).post([this, w] { close_idle(w); });
}

void Pool::resume() {
  std::vector<unsigned> workers;  // each opens one connection, for whoever waits longest
  {
    const std::lock_guard lock(mutex_);
    paused_ = false;
    failure_.reset();  // of before the pause
    for (const Waiter& waiter : waiters_) {
      if (connecting_ >= waiters_.size() || !take_place_locked()) break;
      workers.push_back(waiter.ticket.worker);
    }
  }
  for (const unsigned worker : workers) manager_.worker(worker).post([this] { connect({}); });
  for (unsigned w = 0; w < manager_.worker_count(); ++w) manager_.worker(w).post([this, w] { serve_waiters(w); });
}

void Pool::reconnect() {
  census_.ask_to_close();
  maintain_everywhere();
}

std::vector<Pool*> PoolManager::of(const std::string& cluster) const {
  std::vector<Pool*> pools = all();
  if (!cluster.empty()) std::erase_if(pools, [&](const Pool* pool) { return pool->key().cluster != cluster; });
  return pools;
}

bool PoolManager::pause(const std::string& cluster) {
  if (!holds_.pause(cluster)) return false;
  for (Pool* pool : of(cluster)) pool->pause();
  return true;
}

bool PoolManager::resume(const std::string& cluster) {
  if (!holds_.resume(cluster)) return false;
  for (Pool* pool : of(cluster))
    if (!holds_.paused(pool->key().cluster)) pool->resume();
  if (groups_waiting()) retry_groups();
  return true;
}

}  // namespace pgweir::pool
