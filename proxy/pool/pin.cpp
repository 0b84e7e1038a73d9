#include "proxy/pool/pin.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "proxy/pool/pool.h"

namespace pgweir::pool {
namespace {

constexpr std::array<std::string_view, kPinReasons> kNames = {
    "temp_tables", "temp_objects", "holdable_cursor", "advisory_lock", "listen", "sql_prepare", "custom_setting", "library", "sequence"};

std::size_t index_of(PinReason reason) { return static_cast<std::size_t>(reason); }

}  // namespace

std::string_view pin_reason_name(PinReason reason) { return kNames[index_of(reason)]; }

std::optional<PinReason> find_pin_reason(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<PinReason>(found - kNames.begin());
}

unsigned PinCounts::all() const { return std::accumulate(now.begin(), now.end(), 0u); }

bool Pin::take(Pool& pool, PinReason reason, unsigned limit) {
  if (held() && reason == reason_) return true;
  if (!pool.add_pin(reason, held() ? std::optional(reason_) : std::nullopt, limit)) return false;
  pool_ = &pool;
  reason_ = reason;
  counted_ = false;
  return true;
}

void Pin::kept() {
  if (held() && !std::exchange(counted_, true)) pool_->count_pin(reason_);
}

void Pin::drop() {
  if (pool_) pool_->remove_pin(reason_);
  pool_ = nullptr;
}

bool Pool::add_pin(PinReason reason, std::optional<PinReason> instead, unsigned limit) {
  const std::lock_guard lock(mutex_);
  if (instead) --pins_.now[index_of(*instead)];
  else if (pins_.all() >= limit) return false;
  ++pins_.now[index_of(reason)];
  return true;
}

void Pool::remove_pin(PinReason reason) {
  const std::lock_guard lock(mutex_);
  --pins_.now[index_of(reason)];
}

void Pool::count_pin(PinReason reason) {
  const std::lock_guard lock(mutex_);
  ++pins_.total[index_of(reason)];
}

PinCounts Pool::refuse_pin() {
  const std::lock_guard lock(mutex_);
  ++pins_.refused;
  return pins_;
}

PinCounts Pool::pins() const {
  const std::lock_guard lock(mutex_);
  return pins_;
}

}  // namespace pgweir::pool
