// Pool: its turns under the caps that it shares with others, and giving up idle connections for them.
#include <algorithm>

#include "proxy/pool/pool.h"
#include "proxy/pool/pool_manager.h"
#include "proxy/pool/server_connection.h"

namespace pgweir::pool {

std::string Pool::reached_caps() const { return manager_.caps_.explain(share_); }

void Pool::on_room() {
  unsigned worker = 0;
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    const unsigned allowed = allowed_locked(Clock::now());
    if (connecting_ >= waiters_.size() || !may_open_locked(allowed)) {
      if (in_line_) manager_.caps().leave(share_);
      in_line_ = false;
      return;
    }
    if (!take_place_locked(true, allowed)) return;  // in the line still
    worker = waiters_.front().ticket.worker;
    more = connecting_ < waiters_.size() && total_ < allowed;
    if (more) {  // behind the others
      in_line_ = true;
      manager_.caps().wait(share_);
    }
  }
  manager_.worker(worker).post([this] { connect({}); });
  if (more) manager_.make_room(*this);
}

ServerConnection* Pool::claim_oldest_locked() {
  std::vector<std::unique_ptr<ServerConnection>>* from = nullptr;
  std::size_t oldest = 0;
  for (auto& list : idle_)
    for (std::size_t i = 0; i < list.size(); ++i)
      if (!from || list[i]->idle_since() < (*from)[oldest]->idle_since()) {
        from = &list;
        oldest = i;
      }
  if (!from) return nullptr;
  ServerConnection* claimed = (*from)[oldest].get();
  claimed_.push_back(std::move((*from)[oldest]));
  from->erase(from->begin() + static_cast<std::ptrdiff_t>(oldest));
  --idle_total_;
  return claimed;
}

bool Pool::evict_for(Pool& needy) {
  ServerConnection* claimed = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (idle_total_ == 0) return false;
    if (!manager_.caps().evicts(share_, needy.share_)) return true;  // others have made room meanwhile
    claimed = claim_oldest_locked();
    ++closing_;
    ++counters_.evictions;
  }
  claimed->worker().post([this, claimed] { finish_eviction(claimed); });
  return true;
}

bool Pool::give_place(Pool& needy, std::function<void()> ended) {
  ServerConnection* claimed = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (idle_total_ == 0 || !manager_.caps().begin_transfer(share_, needy.share_)) return false;
    claimed = claim_oldest_locked();
    ++closing_;
    ++counters_.evictions;
  }
  claimed->worker().post([this, &needy, claimed, ended = std::move(ended)] {
    std::shared_ptr<ServerConnection> gone;
    {
      const std::lock_guard lock(mutex_);
      const auto at = std::find_if(claimed_.begin(), claimed_.end(), [&](const auto& c) { return c.get() == claimed; });
      gone = std::move(*at);
      claimed_.erase(at);
    }
    gone->terminate([this, &needy, ended] {
      {
        const std::lock_guard lock(mutex_);
        --closing_;
        --total_;
        manager_.caps().end_transfer(share_, needy.share_);
      }
      ended();
    });
    gone->worker().defer([gone] {});
  });
  return true;
}

// On the worker that the connection lives on.
void Pool::finish_eviction(ServerConnection* claimed) {
  std::unique_ptr<ServerConnection> connection;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(claimed_.begin(), claimed_.end(), [&](const auto& c) { return c.get() == claimed; });
    connection = std::move(*at);
    claimed_.erase(at);
  }
  leave(std::move(connection));
}

void PoolManager::post_room(Pool& pool) {
  net::Worker* here = net::Worker::current();
  (here ? *here : *workers_.front()).post([&pool] { pool.on_room(); });
}

void PoolManager::make_room(Pool& needy) {
  // Its pool may empty itself meanwhile: then the next is asked.
  for (int attempt = 0; attempt < 3; ++attempt) {
    Pool* rich = caps_.richest(needy.share_);
    if (rich == nullptr || rich->evict_for(needy)) return;
  }
}

}  // namespace pgweir::pool
