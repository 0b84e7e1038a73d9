#include "proxy/pool/caps.h"

#include <algorithm>

#include "proxy/pool/pool.h"
#include "proxy/pool/pool_manager.h"

namespace pgweir::pool {

void Caps::set(Share& share, const PoolKey& key, const CapLimits& limits) {
  const std::lock_guard lock(mutex_);
  const auto cap = [&](const std::string& name, std::string label, unsigned max) {
    Cap& found = caps_[name];
    found.label = std::move(label);
    found.max = max;
    return &found;
  };
  if (share.caps_[0] == nullptr) shares_.push_back(&share);
  share.caps_[0] = cap("", "of this proxy (listen.max_server_connections)", limits.process);
  share.caps_[1] = cap(key.cluster, "of database \"" + key.cluster + "\" (max_server_connections)", limits.database);
  share.caps_[2] = cap(key.cluster + '\0' + key.user,
                       "of user \"" + key.user + "\" on \"" + key.cluster + "\" (max_connections)", limits.user);
  changed_locked(true);
}

bool Caps::take(Share& share, bool wait) {
  const std::lock_guard lock(mutex_);
  Share* const one[] = {&share};
  Entry* entry = find_locked(share);
  if (fits(one) && !others_first(one, entry)) {
    count(one);
    if (entry) erase_locked(share);
    changed_locked();  // there may be room for the next too
    return true;
  }
  if (entry) entry->woken = false;
  if (wait && !entry) {
    line_.push_back({{&share}, {}, Clock::now()});
    changed_locked();
  }
  return false;
}

bool Caps::take_all(std::span<Share* const> shares, CheckoutTicket ticket) {
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(line_.begin(), line_.end(), [&](const Entry& e) { return e.ticket == ticket; });
  Entry* entry = at == line_.end() ? nullptr : &*at;
  if (fits(shares) && !others_first(shares, entry)) {
    count(shares);
    if (entry) line_.erase(at);
    changed_locked();
    return true;
  }
  if (entry) {
    entry->woken = false;
    entry->shares.assign(shares.begin(), shares.end());  // idle ones may have come or gone
  } else {
    line_.push_back({{shares.begin(), shares.end()}, ticket, Clock::now()});
  }
  changed_locked();
  return false;
}

void Caps::give(Share& share) {
  const std::lock_guard lock(mutex_);
  --share.used_;
  for (Cap* cap : share.caps_) --cap->used;
  changed_locked();
}

void Caps::leaving(Share& share) {
  const std::lock_guard lock(mutex_);
  ++share.leaving_;
  for (Cap* cap : share.caps_) ++cap->leaving;
  changed_locked();
}

void Caps::left(Share& share) {
  const std::lock_guard lock(mutex_);
  --share.leaving_;
  --share.used_;
  for (Cap* cap : share.caps_) {
    --cap->leaving;
    --cap->used;
  }
  changed_locked();
}

void Caps::wait(Share& share) {
  const std::lock_guard lock(mutex_);
  if (!find_locked(share)) line_.push_back({{&share}, {}, Clock::now()});
  changed_locked();
}

void Caps::leave(Share& share) {
  const std::lock_guard lock(mutex_);
  erase_locked(share);
  changed_locked();
}

void Caps::leave(CheckoutTicket ticket) {
  const std::lock_guard lock(mutex_);
  if (std::erase_if(line_, [&](const Entry& e) { return e.ticket == ticket; }) != 0) changed_locked();
}

std::optional<protocol::SqlError> Caps::never(std::span<Share* const> shares) const {
  const std::lock_guard lock(mutex_);
  for (const Share* share : shares)
    for (const Cap* cap : share->caps_)
      if (const unsigned all = needed(shares, cap); cap->max != 0 && all > cap->max)
        return protocol::SqlError{"53300",
                                  "the statement needs " + std::to_string(all) + " server connections at once",
                                  "At most " + std::to_string(cap->max) + " server connections " + cap->label + " are allowed.",
                                  "Raise the limit, or name fewer shards in the statement.", {}, {}};
  return std::nullopt;
}

bool Caps::yields(Share& share, std::optional<Clock::time_point> oldest) {
  if (share.seen_ != version_.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex_);
    share.seen_ = version_.load(std::memory_order_relaxed);
    share.yields_after_ = yields_after(share);
  }
  return oldest.value_or(Clock::time_point::max()) > share.yields_after_;
}

// The pool keeps its connection where its oldest waiter came at that time or earlier; who does not wait came never.
Caps::Clock::time_point Caps::yields_after(const Share& share) const {
  if (exceeded(share)) return Clock::time_point::min();
  auto after = Clock::time_point::max();
  for (auto& [name, cap] : caps_) cap.promised = 0;
  for (const Entry& entry : line_) {
    bool short_of = false, of_use = true;
    for (const Share* needy : entry.shares)
      for (Cap* cap : needy->caps_) {
        ++cap->promised;
        if (cap->max == 0 || cap->promised <= room_soon(*cap)) continue;
        short_of = true;
        of_use = of_use && belongs(share, cap);
      }
    const bool own = std::find(entry.shares.begin(), entry.shares.end(), &share) != entry.shares.end();
    if (own || !short_of || !of_use) continue;  // what is short of nothing is on its way
    const unsigned have = entry.ticket.id != 0 ? 0 : standing(*entry.shares.front());
    after = std::min(after, have + 1 < standing(share) ? Clock::time_point::min()
                            : have < standing(share)   ? entry.since + kPatience
                                                       : Clock::time_point::max() - Clock::duration(1));
  }
  return after;
}

bool Caps::excess(const Share& share) const {
  const std::lock_guard lock(mutex_);
  return exceeded(share);
}

Pool* Caps::richest(const Share& needy) const {
  const std::lock_guard lock(mutex_);
  const Share* best = nullptr;
  for (const Share* share : shares_)
    if (share != &needy && share->pool_.idle_total_.load(std::memory_order_relaxed) != 0 && helps(*share, needy) &&
        (!best || standing(*share) > standing(*best)))
      best = share;
  return best ? &best->pool_ : nullptr;
}

bool Caps::evicts(Share& from, const Share& needy) {
  const std::lock_guard lock(mutex_);
  if (!helps(from, needy)) return false;
  ++from.leaving_;
  for (Cap* cap : from.caps_) ++cap->leaving;
  changed_locked();
  return true;
}

// Whether a connection less in `other` would make room that one of `needy` lacks, and all of it.
bool Caps::helps(const Share& other, const Share& needy) const {
  bool lacks = false;
  for (const Cap* cap : needy.caps_) {
    if (cap->max == 0 || room_soon(*cap) >= demand(cap)) continue;
    lacks = true;
    if (!belongs(other, cap)) return false;
  }
  return lacks;
}

std::string Caps::explain(const Share& share) const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const Cap* cap : share.caps_)
    if (room(*cap) == 0)
      text += " " + std::to_string(cap->used) + " of " + std::to_string(cap->max) + " server connections " + cap->label + " are open.";
  return text;
}

unsigned Caps::room_soon(const Cap& cap) {
  const unsigned staying = cap.used - cap.leaving;
  return cap.max == 0 ? kUnlimited : cap.max > staying ? cap.max - staying : 0;
}

bool Caps::exceeded(const Share& share) {
  return std::any_of(share.caps_.begin(), share.caps_.end(),
                     [](const Cap* cap) { return cap->max != 0 && cap->used - cap->leaving > cap->max; });
}

bool Caps::belongs(const Share& share, const Cap* cap) {
  return std::find(share.caps_.begin(), share.caps_.end(), cap) != share.caps_.end();
}

// What all who stand in the line want of it.
unsigned Caps::demand(const Cap* cap) const {
  unsigned all = 0;
  for (const Entry& entry : line_) all += needed(entry.shares, cap);
  return all;
}

unsigned Caps::needed(std::span<Share* const> shares, const Cap* cap) {
  return static_cast<unsigned>(std::count_if(shares.begin(), shares.end(), [&](const Share* share) { return belongs(*share, cap); }));
}

bool Caps::fits(std::span<Share* const> shares) {
  for (const Share* share : shares)
    for (const Cap* cap : share->caps_)
      if (cap->max != 0 && room(*cap) < needed(shares, cap)) return false;
  return true;
}

// Those ahead in the line that could go on now, and groups for which places are kept.
bool Caps::others_first(std::span<Share* const> shares, const Entry* self) const {
  for (const Entry& entry : line_) {
    if (&entry == self) return false;
    const bool could = fits(entry.shares);
    if (!could && (entry.ticket.id == 0 || entry.since + kPatience > Clock::now())) continue;
    for (const Share* mine : shares)
      for (const Cap* cap : mine->caps_) {
        const unsigned theirs = needed(entry.shares, cap);
        if (cap->max != 0 && theirs != 0 && (could || room(*cap) < theirs + needed(shares, cap))) return true;
      }
  }
  return false;
}

void Caps::count(std::span<Share* const> shares) {
  for (Share* share : shares) {
    ++share->used_;
    for (Cap* cap : share->caps_) ++cap->used;
  }
}

Caps::Entry* Caps::find_locked(const Share& share) {
  if (line_.empty()) return nullptr;
  const auto at = std::find_if(line_.begin(), line_.end(),
                               [&](const Entry& e) { return e.ticket.id == 0 && e.shares.front() == &share; });
  return at == line_.end() ? nullptr : &*at;
}

void Caps::erase_locked(const Share& share) {
  std::erase_if(line_, [&](const Entry& e) { return e.ticket.id == 0 && e.shares.front() == &share; });
}

void Caps::changed_locked(bool lowered) {
  version_.fetch_add(1, std::memory_order_release);
  for (Entry& entry : line_) {
    if (entry.woken || !fits(entry.shares) || others_first(entry.shares, &entry)) continue;
    entry.woken = true;
    if (entry.ticket.id != 0)
      manager_.retry_groups();
    else
      manager_.post_room(entry.shares.front()->pool_);
  }
  // Only set() makes more be open than is allowed, so that without strain there is nothing to look for.
  bool over = !line_.empty();
  if (!over && (lowered || strained()))
    for (const auto& [name, cap] : caps_) over = over || (cap.max != 0 && cap.used - cap.leaving > cap.max);
  strained_.store(over, std::memory_order_relaxed);
}

}  // namespace pgweir::pool
