#include "proxy/net/timer.h"

#include <algorithm>
#include <bit>

#include "proxy/net/worker.h"

namespace pgweir::net {
namespace {

constexpr std::uint16_t kDueSlot = 0xffff;  // the timer is on due_
constexpr auto kLongest = std::chrono::hours(24 * 3650);

}  // namespace

void Timer::arm(Worker& worker, Duration after) {
  arm_at(worker.timers(), worker.now() + std::clamp<Duration>(after, Duration{0}, kLongest));
}

void Timer::arm_no_later(Worker& worker, Duration after) {
  if (armed() && tick_ <= wheel_->tick_of(worker.now() + std::clamp<Duration>(after, Duration{0}, kLongest))) return;
  arm(worker, after);
}

void Timer::arm_at(TimerWheel& wheel, Clock::time_point deadline) {
  cancel();
  wheel_ = &wheel;
  tick_ = std::max(wheel.tick_of(deadline), wheel.now_ + 1);
  ++wheel.armed_;
  wheel.link(*this);
}

void Timer::cancel() {
  if (wheel_ == nullptr) return;
  wheel_->unlink(*this);
  --wheel_->armed_;
  wheel_ = nullptr;
}

TimerWheel::~TimerWheel() {
  const auto disarm = [](List<Timer, TimerTag>& list) {
    while (Timer* timer = list.pop_front()) timer->wheel_ = nullptr;
  };
  for (auto& slot : slots_) disarm(slot);
  disarm(due_);
}

std::uint64_t TimerWheel::tick_of(Clock::time_point deadline) const {
  if (deadline <= start_) return 0;
  return static_cast<std::uint64_t>(std::chrono::ceil<Duration>(deadline - start_).count());
}

// The level is that of the highest digit (of six bits) in which the due tick differs from the present one. So a slot of
// a level lies ahead of the present within one rotation, and every timer of a level is due before any of the level
// above.
void TimerWheel::link(Timer& timer) {
  const std::uint64_t differing = timer.tick_ ^ now_;
  if (differing == 0) {
    timer.slot_ = kDueSlot;
    due_.push_back(timer);
    return;
  }
  const unsigned level = std::min((static_cast<unsigned>(std::bit_width(differing)) - 1) / kBits, kLevels - 1);
  const unsigned digit = static_cast<unsigned>(timer.tick_ >> (level * kBits)) & (kSlots - 1);
  timer.slot_ = static_cast<std::uint16_t>(level * kSlots + digit);
  used_[level] |= std::uint64_t{1} << digit;
  slots_[timer.slot_].push_back(timer);
}

void TimerWheel::unlink(Timer& timer) {
  static_cast<ListNode<TimerTag>&>(timer).unlink();
  if (timer.slot_ == kDueSlot || !slots_[timer.slot_].empty()) return;
  used_[timer.slot_ / kSlots] &= ~(std::uint64_t{1} << (timer.slot_ % kSlots));
}

TimerWheel::Next TimerWheel::next() const {
  for (unsigned level = 0; level < kLevels; ++level) {
    if (used_[level] == 0) continue;
    const auto digit = static_cast<unsigned>(std::countr_zero(used_[level]));
    const unsigned shift = level * kBits;
    const std::uint64_t above = now_ >> (shift + kBits) << (shift + kBits);
    return {above | std::uint64_t{digit} << shift, level * kSlots + digit};
  }
  return {};
}

std::optional<Clock::time_point> TimerWheel::next_deadline() const {
  if (armed_ == 0) return std::nullopt;
  return start_ + Duration{static_cast<Duration::rep>(next().tick)};
}

void TimerWheel::advance(Clock::time_point now) {
  const std::uint64_t until = now <= start_ ? 0 : static_cast<std::uint64_t>(
      std::chrono::floor<Duration>(now - start_).count());
  while (armed_ > 0) {
    const Next event = next();
    if (event.tick > until) break;
    now_ = event.tick;
    // Linking again relative to the new present puts what is due onto due_ and the rest a level lower.
    List<Timer, TimerTag> slot;
    slot.take(slots_[event.slot]);
    used_[event.slot / kSlots] &= ~(std::uint64_t{1} << (event.slot % kSlots));
    while (Timer* timer = slot.front()) link(*timer);
    run_due();
  }
  now_ = std::max(now_, until);
}

void TimerWheel::run_due() {
  while (Timer* timer = due_.pop_front()) {
    --armed_;
    timer->wheel_ = nullptr;
    timer->callback_(timer->context_);
  }
}

}  // namespace pgweir::net
