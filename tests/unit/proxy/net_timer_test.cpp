#include "proxy/net/timer.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "proxy/net/worker.h"

namespace pgweir::net {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

struct Fixture : ::testing::Test {
  Clock::time_point start = Clock::time_point{} + hours(1000);
  Clock::time_point now = start;
  TimerWheel wheel{start};
  void pass(Clock::duration time) { wheel.advance(now += time); }
};

struct Called {
  std::function<void()> function;
  Timer timer;
  explicit Called(std::function<void()> f) : function(std::move(f)) { timer.set<&Called::call>(this); }
  void call() { function(); }
};

using TimerWheelTest = Fixture;

TEST_F(TimerWheelTest, FiresInOrderOfDeadlinesWhateverTheOrderOfArming) {
  std::vector<int> fired;
  Called late([&] { fired.push_back(3); }), middle([&] { fired.push_back(2); }), early([&] { fired.push_back(1); });
  late.timer.arm_at(wheel, now + hours(2));
  early.timer.arm_at(wheel, now + Duration{5});
  middle.timer.arm_at(wheel, now + Duration{5000});
  pass(hours(3));
  EXPECT_EQ(fired, (std::vector{1, 2, 3}));
  EXPECT_EQ(wheel.armed(), 0u);
}

TEST(TimerTest, ArmedNoLaterKeepsTheEarlierDeadline) {
  Worker worker{0};
  Called one([] {});
  one.timer.arm_no_later(worker, Duration{5000});
  const auto due = worker.timers().next_deadline();
  ASSERT_TRUE(due);
  one.timer.arm_no_later(worker, Duration{9000});
  EXPECT_EQ(worker.timers().next_deadline(), due);
  one.timer.arm_no_later(worker, Duration{10});
  EXPECT_LT(*worker.timers().next_deadline(), *due);
  one.timer.cancel();
}

TEST_F(TimerWheelTest, NeverEarlyAndAtMostOneTickLate) {
  std::mt19937 random(42);
  std::vector<std::unique_ptr<Called>> timers;
  for (int i = 0; i < 3000; ++i) {
    const auto deadline = now + microseconds(random() % (i % 3 == 0 ? 100'000'000u : 70'000u));
    timers.push_back(std::make_unique<Called>([this, deadline] {
      EXPECT_GE(now, deadline);
      EXPECT_LE(now, deadline + Duration{2});
    }));
    timers.back()->timer.arm_at(wheel, deadline);
    if (i % 7 == 0) pass(microseconds(300));
  }
  int steps = 0;
  while (const auto next = wheel.next_deadline()) {
    ASSERT_LT(++steps, 100'000);
    now = std::max(now, *next);
    wheel.advance(now);
  }
  for (const auto& timer : timers) EXPECT_FALSE(timer->timer.armed());
}

TEST_F(TimerWheelTest, NothingArmedMeansNoDeadline) {
  EXPECT_FALSE(wheel.next_deadline());
  Called timer([] { ADD_FAILURE() << "cancelled"; });
  timer.timer.arm_at(wheel, now + Duration{10});
  EXPECT_TRUE(wheel.next_deadline());
  timer.timer.cancel();
  EXPECT_FALSE(wheel.next_deadline());
  pass(hours(1));
}

TEST_F(TimerWheelTest, DestructionCancels) {
  { Called timer([] { ADD_FAILURE(); }); timer.timer.arm_at(wheel, now + Duration{10}); }
  EXPECT_EQ(wheel.armed(), 0u);
  pass(hours(1));
}

TEST_F(TimerWheelTest, ArmingAgainMovesTheDeadline) {
  int fired = 0;
  Called timer([&] { ++fired; });
  for (int i = 0; i < 100; ++i) {
    timer.timer.arm_at(wheel, now + Duration{100});
    pass(Duration{99});
  }
  EXPECT_EQ(fired, 0);
  pass(Duration{1});
  EXPECT_EQ(fired, 1);
}

TEST_F(TimerWheelTest, CallbackMayArmItselfAndCancelOthersOfTheSameTick) {
  int fired = 0;
  Called victim([] { ADD_FAILURE() << "was cancelled within its tick"; });
  Called timer([] {});
  timer.function = [&] {
    victim.timer.cancel();
    if (++fired < 5) timer.timer.arm_at(wheel, now + Duration{3});
  };
  timer.timer.arm_at(wheel, now + Duration{3});
  victim.timer.arm_at(wheel, now + Duration{3});
  for (int i = 0; i < 100; ++i) pass(Duration{1});
  EXPECT_EQ(fired, 5);
}

TEST_F(TimerWheelTest, ArmingForNowInACallbackWaitsForTheNextAdvance) {
  int fired = 0;
  Called timer([] {});
  timer.function = [&] { ++fired; timer.timer.arm_at(wheel, now); };
  timer.timer.arm_at(wheel, now);
  pass(Duration{1});
  EXPECT_EQ(fired, 1);
  pass(Duration{1});
  EXPECT_EQ(fired, 2);
}

TEST_F(TimerWheelTest, WheelDestroyedFirst) {
  Called timer([] { ADD_FAILURE(); });
  {
    TimerWheel shorter(start);
    timer.timer.arm_at(shorter, now + hours(5));
  }
  EXPECT_FALSE(timer.timer.armed());
}

TEST_F(TimerWheelTest, YearsAhead) {
  bool fired = false;
  Called timer([&] { fired = true; });
  timer.timer.arm_at(wheel, now + hours(24 * 365 * 9));
  pass(hours(24 * 365 * 9) - Duration{1});
  EXPECT_FALSE(fired);
  pass(Duration{1});
  EXPECT_TRUE(fired);
}

}  // namespace
}  // namespace pgweir::net
