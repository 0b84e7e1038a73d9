// Deadlines: an intrusive Timer on a hierarchical timer wheel. Arming, cancelling and firing are O(1) and never
// allocate; resolution is one millisecond and a timer never fires early. Belongs to one worker's thread. The scheme is
// that of Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987), scheme 7.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "proxy/net/intrusive_list.h"

namespace pgweir::net {

using Clock = std::chrono::steady_clock;
using Duration = std::chrono::milliseconds;

class TimerWheel;
class Worker;
struct TimerTag;

class Timer : private ListNode<TimerTag> {
 public:
  using Callback = void (*)(void* context);
  Timer() = default;
  Timer(Callback callback, void* context) : callback_(callback), context_(context) {}
  ~Timer() { cancel(); }  // a destroyed timer does not fire

  // Precondition: not armed.
  void set_callback(Callback callback, void* context) { callback_ = callback, context_ = context; }
  // The usual callback: a member function without arguments, as in timer_.set<&Session::on_timeout>(this).
  template <auto Member, class T>
  void set(T* object) {
    set_callback([](void* context) { (static_cast<T*>(context)->*Member)(); }, object);
  }

  // Fires once, `after` (>= 0) from the worker's now(), at the earliest in the next wake-up; arming again moves the
  // deadline. The callback may arm, cancel or destroy this and any other timer. On the worker's thread only.
  void arm(Worker& worker, Duration after);
  void arm_no_later(Worker& worker, Duration after);   // as arm(), unless it is due before
  void arm_at(TimerWheel& wheel, Clock::time_point deadline);
  void cancel();
  bool armed() const { return wheel_ != nullptr; }

 private:
  friend class TimerWheel;
  template <class T, class Tag>
  friend class List;
  Callback callback_ = nullptr;
  void* context_ = nullptr;
  TimerWheel* wheel_ = nullptr;
  std::uint64_t tick_ = 0;   // due
  std::uint16_t slot_ = 0;   // where it is linked
};

class TimerWheel {
 public:
  explicit TimerWheel(Clock::time_point start) : start_(start) {}
  ~TimerWheel();  // cancels what is armed
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Runs the callbacks of all timers due at `now`, in the order of their ticks. `now` earlier than before is ignored.
  void advance(Clock::time_point now);
  // A time at which advance() must be called: not later than the earliest deadline rounded up to a millisecond. Absent
  // when nothing is armed.
  std::optional<Clock::time_point> next_deadline() const;
  std::size_t armed() const { return armed_; }

 private:
  friend class Timer;
  static constexpr unsigned kBits = 6, kSlots = 1u << kBits, kLevels = 7;  // 64^7 ms are 139 years
  struct Next {
    std::uint64_t tick = 0;
    unsigned slot = 0;
  };
  std::uint64_t tick_of(Clock::time_point) const;
  void link(Timer&);
  void unlink(Timer&);
  void run_due();
  Next next() const;  // precondition: armed_ > 0

  Clock::time_point start_;
  std::uint64_t now_ = 0;  // ticks done
  std::size_t armed_ = 0;
  std::array<std::uint64_t, kLevels> used_{};  // a bit per non-empty slot
  std::array<List<Timer, TimerTag>, kLevels * kSlots> slots_;
  List<Timer, TimerTag> due_;  // taken from a slot, not called yet
};

}  // namespace pgweir::net
