// Caps that pools share: never exceeded, in turns, and an idle connection gives way to who waits.
#include <gmock/gmock.h>

#include "tests/unit/proxy/pool_support.h"

namespace pgweir::pool {
namespace {

using ::testing::HasSubstr;

class PoolCapsTest : public PoolTest {
 protected:
  Pool& capped(const FakeServer& server, const std::string& cluster, const std::string& user, CapLimits caps, unsigned size = 10,
               unsigned shard = 0) {
    PoolKey key{.cluster = cluster, .endpoint = {}, .user = user};
    key.endpoint.shard.value = static_cast<decltype(key.endpoint.shard.value)>(shard);
    PoolLimits limits{.size = size};
    limits.caps = caps;
    return manager_->get(key, [&] { return std::pair(make_target(server, config::TlsMode::Disable), limits); });
  }
  Taker& served(unsigned at, Pool& pool) {
    auto& one = taker(at);
    net::on(worker(at), [&] { one.ask({&pool}); });
    EXPECT_TRUE(net::eventually(worker(at), [&] { return !one.leases.empty(); }));
    return one;
  }
  void give_back(unsigned at, Taker& one) {
    net::on(worker(at), [&] { one.give_back(); });
  }
};

TEST_F(PoolCapsTest, AnIdleConnectionOfAnotherPoolGivesWay) {
  start_workers(2);
  FakeServer server;
  Pool& rich = capped(server, "c", "rich", {.process = 3});
  Pool& poor = capped(server, "c", "poor", {.process = 3});
  Pool& third = capped(server, "c", "third", {.process = 3});
  auto& a = served(0, rich);
  auto& b = served(1, rich);
  auto& c = served(1, poor);
  give_back(1, c);
  give_back(0, a);
  give_back(1, b);
  auto& needy = served(0, third);  // of the pool that has most
  EXPECT_EQ(rich.stats().total, 1u);
  EXPECT_EQ(rich.stats().evictions, 1u);
  EXPECT_EQ(poor.stats().total, 1u);
  EXPECT_EQ(third.stats().total, 1u);
  EXPECT_TRUE(comes_true([&] { return server.open() == 3; }));
  give_back(0, needy);
}

TEST_F(PoolCapsTest, WhatIsInUseIsNotClosedAndTheNumbersAreTold) {
  start_workers(1);
  FakeServer server;
  Pool& first = capped(server, "shop", "app", {.user = 1, .database = 9}, 10, 0);
  Pool& second = capped(server, "shop", "app", {.user = 1, .database = 9}, 10, 1);
  auto& holder = served(0, first);
  auto& late = taker(0);
  net::on(worker(0), [&] { late.ask({&second}, 100ms); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return late.failure.has_value(); }));
  EXPECT_EQ(late.failure->sqlstate, "53300");
  EXPECT_THAT(late.failure->detail, HasSubstr("1 of 1 server connections of user \"app\" on \"shop\" (max_connections) are open."));
  EXPECT_EQ(server.logins(), 1u);
  // Another user of that database is not concerned.
  served(0, capped(server, "shop", "other", {.user = 1, .database = 9}));
  // When it comes back, who waits for the place gets it.
  net::on(worker(0), [&] { late.ask({&second}); });
  EXPECT_TRUE(net::on(worker(0), [&] { return late.waiting(); }));
  give_back(0, holder);
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !late.leases.empty(); }));
  EXPECT_EQ(first.stats().total, 0u);
}

TEST_F(PoolCapsTest, UnderLoadTheCapsHoldAndEveryPoolIsServed) {
  start_workers(4);
  FakeServer server;
  std::vector<Pool*> pools;
  for (int i = 0; i < 6; ++i)
    pools.push_back(&capped(server, i < 3 ? "x" : "y", "u" + std::to_string(i % 3), {.user = 2, .database = 3, .process = 4}));
  std::vector<std::unique_ptr<Tally>> tallies;
  for (Pool* pool : pools) borrow(6, {pool}, *tallies.emplace_back(std::make_unique<Tally>()));
  EXPECT_TRUE(comes_true([&] {
    return std::all_of(tallies.begin(), tallies.end(), [](const auto& t) { return t->served > 50; });
  })) << "a pool starves";
  end_borrowing();
  unsigned total = 0;
  for (std::size_t i = 0; i < pools.size(); ++i) {
    total += pools[i]->stats().total;
    EXPECT_EQ(tallies[i]->wrong + tallies[i]->failures + tallies[i]->lost, 0u);
    EXPECT_EQ(pools[i]->stats().waiting, 0u);
  }
  EXPECT_LE(total, 4u);
  EXPECT_LE(server.peak(), 4u);
}

TEST_F(PoolCapsTest, ARequestForSeveralShardsGetsAllItsPlacesOrHoldsNone) {
  start_workers(2);
  FakeServer server;
  const CapLimits caps{.process = 3};
  Pool& a = capped(server, "c", "app", caps, 10, 0);
  Pool& b = capped(server, "c", "app", caps, 10, 1);
  Pool& c = capped(server, "c", "app", caps, 10, 2);
  Pool& other = capped(server, "d", "app", caps);
  auto& one = served(0, other);
  auto& two = served(1, other);
  auto& group = taker(0);
  net::on(worker(0), [&] { group.ask({&a, &b, &c}); });
  EXPECT_EQ(a.stats().total + b.stats().total + c.stats().total, 0u);
  give_back(0, one);
  EXPECT_EQ(a.stats().total + b.stats().total + c.stats().total, 0u);
  give_back(1, two);
  ASSERT_TRUE(net::eventually(worker(0), [&] { return group.leases.size() == 3; }));
  EXPECT_EQ(other.stats().total, 0u);
  give_back(0, group);
  // Now they are idle, and give way to a single one.
  served(1, other);
  EXPECT_EQ(a.stats().total + b.stats().total + c.stats().total, 2u);
}

TEST_F(PoolCapsTest, MoreThanCanEverBeIsRefusedAtOnce) {
  start_workers(1);
  FakeServer server;
  Pool& a = capped(server, "c", "app", {.database = 1}, 10, 0);
  Pool& b = capped(server, "c", "app", {.database = 1}, 10, 1);
  auto& group = taker(0);
  net::on(worker(0), [&] { group.ask({&a, &b}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return group.failure.has_value(); }));
  EXPECT_EQ(group.failure->sqlstate, "53300");
  EXPECT_THAT(group.failure->message, HasSubstr("needs 2 server connections at once"));
  EXPECT_EQ(server.logins(), 0u);
}

TEST_F(PoolCapsTest, GroupsAmongSinglesAreServedUnderACap) {
  start_workers(4);
  FakeServer server;
  const CapLimits caps{.process = 4};
  Pool& a = capped(server, "c", "app", caps, 4, 0);
  Pool& b = capped(server, "c", "app", caps, 4, 1);
  Pool& other = capped(server, "d", "app", caps, 4);
  Tally singles, pairs;
  borrow(8, {&other}, singles);
  borrow(4, {&a}, singles);
  borrow(4, {&a, &b}, pairs);
  EXPECT_TRUE(comes_true([&] { return pairs.served > 30 && singles.served > 500; }))
      << pairs.served << " pairs, " << singles.served << " singles served";
  end_borrowing();
  EXPECT_LE(server.peak(), 4u);
  EXPECT_EQ(singles.wrong + pairs.wrong + singles.failures + pairs.failures, 0u);
}

TEST_F(PoolCapsTest, ALoweredCapIsReachedAsConnectionsComeBack) {
  start_workers(1);
  FakeServer server;
  Pool& pool = capped(server, "c", "app", {});
  std::vector<Taker*> users;
  for (int i = 0; i < 4; ++i) users.push_back(&served(0, pool));
  PoolLimits limits = pool.limits();
  limits.caps.process = 2;
  pool.reconfigure(pool.target(), limits);
  for (auto* one : users) give_back(0, *one);
  EXPECT_TRUE(comes_true([&] { return server.open() == 2; }));
  EXPECT_EQ(pool.stats().total, 2u);
  limits.caps.process = 3;
  pool.reconfigure(pool.target(), limits);
  for (int i = 0; i < 3; ++i) served(0, pool);
  EXPECT_EQ(pool.stats().total, 3u);
}

}  // namespace
}  // namespace pgweir::pool
