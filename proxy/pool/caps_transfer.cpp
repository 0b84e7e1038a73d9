// Caps: a place that goes from one pool to another without being free in between.
#include <algorithm>

#include "proxy/pool/caps.h"
#include "proxy/pool/pool.h"

namespace pgweir::pool {

bool Caps::can_transfer(const Share& from, const Share& to) const {
  bool lacks = false;
  for (const Cap* cap : to.caps_) {
    if (room(*cap) != 0) continue;
    lacks = true;
    if (!belongs(from, cap) || demand(cap) != 0 || cap->used > cap->max) return false;
  }
  return lacks;
}

Pool* Caps::donor(const Share& needy) const {
  const std::lock_guard lock(mutex_);
  const Share* best = nullptr;
  for (const Share* share : shares_)
    if (share != &needy && share->pool_.idle_total_.load(std::memory_order_relaxed) != 0 && can_transfer(*share, needy) &&
        (!best || standing(*share) > standing(*best)))
      best = share;
  return best ? &best->pool_ : nullptr;
}

bool Caps::begin_transfer(Share& from, Share& to) {
  const std::lock_guard lock(mutex_);
  if (!can_transfer(from, to)) return false;
  ++from.leaving_;
  for (Cap* cap : from.caps_)
    if (!belongs(to, cap)) ++cap->leaving;
  ++to.used_;
  for (Cap* cap : to.caps_)
    if (!belongs(from, cap)) ++cap->used;
  changed_locked();
  return true;
}

void Caps::end_transfer(Share& from, const Share& to) {
  const std::lock_guard lock(mutex_);
  --from.leaving_;
  --from.used_;
  for (Cap* cap : from.caps_)
    if (!belongs(to, cap)) {
      --cap->leaving;
      --cap->used;
    }
  changed_locked();
}

}  // namespace pgweir::pool
