#include "proxy/net/memory_budget.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/unit/proxy/net_support.h"

namespace pgweir::net {
namespace {

constexpr std::size_t kMiB = 1u << 20;

TEST(MemoryBudget, WithoutOneNothingIsBounded) {
  MemoryAccount account;
  account.add(1u << 30);
  EXPECT_TRUE(account.fits(std::size_t{1} << 40));
  EXPECT_FALSE(account.exhausted());
  EXPECT_FALSE(account.tight());
  account.subtract(1u << 30);
  EXPECT_EQ(account.used(), 0u);
}

TEST(MemoryBudget, IsNeverTooLowAndAtMostTwoUnitsTooHigh) {
  MemoryBudget budget;
  budget.set_limit(64 * kMiB, 2);
  MemoryAccount account;
  account.bind(&budget);
  std::size_t used = 0;
  const auto check = [&] {
    ASSERT_GE(budget.charged(), used);
    ASSERT_LT(budget.charged(), used + 2 * budget.unit());
  };
  for (std::size_t step = 1; step < 4000; ++step) {
    account.add(step * 7);
    used += step * 7;
    check();
  }
  while (used > 0) {
    const std::size_t step = std::min<std::size_t>(used, 40'000);
    account.subtract(step);
    used -= step;
    check();
  }
}

TEST(MemoryBudget, FitsCountsWhatAccountsUse) {
  MemoryBudget budget;
  budget.set_limit(16 * kMiB, 1);
  MemoryAccount account;
  account.bind(&budget);
  account.add(12 * kMiB);
  EXPECT_TRUE(account.fits(4 * kMiB));
  EXPECT_FALSE(account.fits(4 * kMiB + 1));
  EXPECT_FALSE(account.fits(4 * kMiB, 7));
  EXPECT_TRUE(account.fits(2 * kMiB, 7));
  EXPECT_FALSE(account.tight());
  account.add(3 * kMiB);
  EXPECT_TRUE(account.tight());
  EXPECT_FALSE(account.exhausted());
  account.add(2 * kMiB);
  EXPECT_TRUE(account.exhausted());
  account.subtract(5 * kMiB);
  EXPECT_FALSE(account.exhausted());
}

TEST(MemoryBudget, AccountsShareIt) {
  MemoryBudget budget;
  budget.set_limit(64 * kMiB, 4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      MemoryAccount account;
      account.bind(&budget);
      for (int i = 0; i < 2000; ++i) {
        MemoryCharge charge(account);
        charge.set(3 * kMiB);
        charge.set(5 * kMiB);
        ASSERT_GE(budget.charged(), 5 * kMiB);
      }
      EXPECT_EQ(account.used(), 0u);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(budget.charged(), 0u);
}

// Who has seen that too much is unsent must be told when it is written, whatever the limit has become meanwhile.
TEST_F(StreamTest, DrainedIsToldWhenMemoryBecameTightAfterTheSend) {
  open();
  MemoryBudget budget;
  budget.set_limit(16 * kMiB, 1);
  const std::string sent = pattern(8u << 20);
  on(worker, [&] {
    worker.memory().bind(&budget);
    recorder.stream->set_water_marks(64u << 20, 128u << 20);
    recorder.stream->send(sent);
    EXPECT_FALSE(recorder.stream->above_high_water());
    budget.set_limit(kMiB, 1);
    EXPECT_TRUE(worker.memory().tight());
    EXPECT_TRUE(recorder.stream->above_high_water());
  });
  EXPECT_TRUE(same(peer->receive(sent.size()), sent));
  EXPECT_TRUE(eventually(worker, [&] { return recorder.drained == 1; }));
  on(worker, [&] { worker.memory().bind(nullptr); });
  EXPECT_EQ(budget.charged(), 0u);
}

}  // namespace
}  // namespace pgweir::net
