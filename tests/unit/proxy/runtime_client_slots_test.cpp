#include "proxy/runtime/client_slots.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace pgweir::runtime {
namespace {

std::string message(const protocol::Result<ClientSlots::Slot>& result) {
  return result ? "" : result.error().sqlstate + " " + result.error().message;
}

TEST(ClientSlots, EachUserHasACapOfItsOwn) {
  ClientSlots slots;
  auto first = slots.take("app", "shop", {.all = 10, .user = 1});
  EXPECT_EQ(message(first), "");
  EXPECT_EQ(message(slots.take("app", "shop", {.all = 10, .user = 1})), "53300 too many connections for role \"app\"");
  EXPECT_EQ(message(slots.take("other", "shop", {.all = 10, .user = 1})), "");
  EXPECT_EQ(slots.all(), 1u);
  first = slots.take("x", "shop", {});
  EXPECT_EQ(message(slots.take("app", "shop", {.all = 10, .user = 1})), "");
}

TEST(ClientSlots, EachDatabaseHasACapOfItsOwn) {
  ClientSlots slots;
  auto first = slots.take("app", "shop", {.database = 1});
  EXPECT_EQ(message(first), "");
  EXPECT_EQ(message(slots.take("other", "shop", {.database = 1})), "53300 too many connections for database \"shop\"");
  EXPECT_EQ(message(slots.take("other", "elsewhere", {.database = 1})), "");
  first = slots.take("x", "elsewhere", {});
  EXPECT_EQ(message(slots.take("other", "shop", {.database = 1})), "");
}

TEST(ClientSlots, AllTogetherHaveOne) {
  ClientSlots slots;
  const auto a = slots.take("a", "shop", {.all = 2}), b = slots.take("b", "shop", {.all = 2});
  EXPECT_EQ(message(slots.take("c", "shop", {.all = 2})), "53300 sorry, too many clients already");
  // The console comes in when the rest is full, and counts for its user only.
  const auto console = slots.take("c", "shop", {.all = 2, .user = 1, .count_all = false});
  EXPECT_EQ(message(console), "");
  EXPECT_EQ(slots.all(), 2u);
  EXPECT_EQ(message(slots.take("c", "shop", {.all = 3, .user = 1})), "53300 too many connections for role \"c\"");
}

TEST(ClientSlots, ALowerCapHoldsForTheNext) {
  ClientSlots slots;
  std::optional a = slots.take("a", "shop", {.user = 3}), b = slots.take("a", "shop", {.user = 3});
  EXPECT_NE(message(slots.take("a", "shop", {.user = 1})), "");
  a.reset();
  EXPECT_NE(message(slots.take("a", "shop", {.user = 1})), "");
  b.reset();
  EXPECT_EQ(message(slots.take("a", "shop", {.user = 1})), "");
}

TEST(ClientSlots, ASlotMayOutliveThem) {
  ClientSlots::Slot slot;
  {
    ClientSlots slots;
    slot = slots.take("a", "shop", {}).value();
  }
  slot.reset();
}

TEST(ClientSlots, ThreadsNeverExceedTheCap) {
  ClientSlots slots;
  std::atomic<int> held{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) {
        auto slot = slots.take("a", "shop", {.all = 100, .user = 3});
        if (!slot) continue;
        const int now = ++held;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --held;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most.load(), 3);
  EXPECT_GE(most.load(), 1);
  EXPECT_EQ(slots.all(), 0u);
}

}  // namespace
}  // namespace pgweir::runtime
