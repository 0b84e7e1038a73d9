// What a pool does without being asked: names that move, lifetimes that end, the minimum, the reserve.
#include "tests/unit/proxy/pool_support.h"

namespace pgweir::pool {
namespace {

class PoolAgeTest : public PoolTest {
 protected:
  // The name db.test; call before start_workers().
  void name_servers(std::vector<config::Endpoint> first) {
    *addresses_.lock() = std::move(first);
    net::Resolver::Options options;
    options.ttl = 20ms;
    services_ = std::make_unique<LoginServices>(options, [this](const std::string&, std::uint16_t) -> net::Result<net::Resolver::Addresses> {
      net::Resolver::Addresses all;
      const std::vector<config::Endpoint> now = *addresses_.lock();
      for (const auto& one : now) all.push_back(*net::SocketAddress::from_ip(one.host, one.port));
      return all;
    });
  }
  void move_name(std::vector<config::Endpoint> to) { *addresses_.lock() = std::move(to); }
  Pool& named_pool(PoolLimits limits) {
    PoolKey key{.cluster = "named", .endpoint = {}, .user = "app"};
    return manager_->get(key, [&] {
      auto target = std::make_shared<ServerTarget>();
      target->endpoint = {"db.test", 5432, false};
      target->user = target->database = "app";
      target->tls.mode = config::TlsMode::Disable;
      target->label = "named/primary";
      return std::pair(std::shared_ptr<const ServerTarget>(target), limits);
    });
  }
  void maintain() {
    for (auto& one : workers_) net::on(*one, [&] { manager_->maintain(*one); });
  }
  // Housekeeping goes on until it does.
  template <class F>
  [[nodiscard]] bool maintained_until(F condition) {
    return comes_true([&] {
      maintain();
      return condition();
    });
  }
  Taker& served(Pool& pool) {
    auto& one = taker(0);
    net::on(worker(0), [&] { one.ask({&pool}); });
    EXPECT_TRUE(net::eventually(worker(0), [&] { return !one.leases.empty(); }));
    return one;
  }
  void give_back(Taker& one) {
    net::on(worker(0), [&] { one.give_back(); });
  }

 private:
  class Guarded {
   public:
    struct Locked {
      std::unique_lock<std::mutex> lock;
      std::vector<config::Endpoint>& value;
      std::vector<config::Endpoint>& operator*() const { return value; }
    };
    Locked lock() { return {std::unique_lock(mutex_), value_}; }

   private:
    std::mutex mutex_;
    std::vector<config::Endpoint> value_;
  };
  Guarded addresses_;
};

TEST_F(PoolAgeTest, EveryAddressOfANameIsTried) {
  FakeServer server;
  name_servers({{"127.0.0.1", 1, false}, {"127.0.0.1", 1, false}, server.endpoint()});
  start_workers(1);
  Pool& pool = named_pool({.size = 1});
  give_back(served(pool));
  EXPECT_EQ(server.logins(), 1u);
  EXPECT_EQ(pool.stats().connect_failures, 0u);
}

TEST_F(PoolAgeTest, WhereNoAddressAnswersTheLastErrorIsTold) {
  name_servers({{"127.0.0.1", 1, false}, {"127.0.0.1", 1, false}});
  start_workers(1);
  Pool& pool = named_pool({.size = 1});
  auto& one = taker(0);
  net::on(worker(0), [&] { one.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return one.failure.has_value(); }));
  EXPECT_EQ(one.failure->sqlstate, "08006");
}

TEST_F(PoolAgeTest, WhenANameMovesItsOldServerIsLeft) {
  FakeServer old_server, new_server;
  name_servers({old_server.endpoint()});
  start_workers(2);
  Pool& pool = named_pool({.size = 4});
  auto& idle = served(pool);
  auto& busy = served(pool);
  give_back(idle);
  maintain();
  EXPECT_EQ(old_server.open(), 2u);
  move_name({new_server.endpoint()});
  EXPECT_TRUE(maintained_until([&] { return old_server.open() == 1; }));  // the idle one has gone
  give_back(busy);
  EXPECT_TRUE(comes_true([&] { return old_server.open() == 0; }));
  give_back(served(pool));
  EXPECT_EQ(new_server.open(), 1u);
  EXPECT_EQ(old_server.logins(), 2u);
}

TEST_F(PoolAgeTest, AConnectionIsReplacedBeforeItsEndAndWhileItServes) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 3, .lifetime = config::Duration{2'000}});
  auto& busy = served(pool);
  const auto old = net::on(worker(0), [&] { return busy.leases[0]->id(); });
  EXPECT_TRUE(maintained_until([&] { return pool.stats().idle == 1; }));
  EXPECT_EQ(server.logins(), 2u);
  give_back(busy);  // though its time is not over
  EXPECT_TRUE(comes_true([&] { return server.open() == 1; }));
  auto& next = served(pool);
  EXPECT_NE(net::on(worker(0), [&] { return next.leases[0]->id(); }), old);
  EXPECT_EQ(server.logins(), 2u);  // nobody waited for a login
  give_back(next);
}

TEST_F(PoolAgeTest, LifetimesDoNotEndTogether) {
  start_workers(1);
  FakeServer server;
  const config::Duration lifetime{3'600'000};
  Pool& pool = make_pool(server, {.size = 20, .min = 20, .lifetime = lifetime});
  EXPECT_TRUE(maintained_until([&] { return pool.stats().idle == 20; }));
  auto least = Clock::duration::max(), most = Clock::duration::min();
  for (const auto& one : pool.census().alive()) {
    least = std::min(least, one->ends_at - one->connected_at);
    most = std::max(most, one->ends_at - one->connected_at);
  }
  EXPECT_LE(most, lifetime);
  EXPECT_GE(least, lifetime * 9 / 10);
  EXPECT_GT(most - least, 1min);
}

TEST_F(PoolAgeTest, WhatNobodyHasUsedIsNotReplaced) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 3, .min = 1, .lifetime = config::Duration{300}});
  maintain();
  EXPECT_TRUE(comes_true([&] { return pool.stats().idle == 1; }));
  PoolLimits limits = pool.limits();
  limits.min = 0;
  pool.reconfigure(pool.target(), limits);
  EXPECT_TRUE(maintained_until([&] { return server.open() == 0; }));
  maintain();
  EXPECT_EQ(server.logins(), 1u);
}

TEST_F(PoolAgeTest, InAFullPoolTheNextOneIsOpenedWhenTheOldOneHasGone) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1, .lifetime = config::Duration{200}});
  give_back(served(pool));
  EXPECT_TRUE(maintained_until([&] { return server.logins() == 2; })) << "nobody asks for it";
  EXPECT_EQ(server.peak(), 1u);
}

TEST_F(PoolAgeTest, TheReserveIsOpenedForWhoHasWaitedLong) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1, .reserve = 1, .reserve_delay = config::Duration{600'000}});
  auto& holder = served(pool);
  auto& second = taker(0);
  auto& third = taker(1);
  net::on(worker(0), [&] { second.ask({&pool}); });
  ASSERT_TRUE(comes_true([&] { return pool.stats().oldest_wait > 5ms; }));  // else the third might go first, being near
  net::on(worker(1), [&] { third.ask({&pool}); });
  for (int i = 0; i < 5; ++i) maintain();
  EXPECT_EQ(server.logins(), 1u);
  PoolLimits limits = pool.limits();
  limits.reserve_delay = config::Duration{1};
  pool.reconfigure(pool.target(), limits);
  EXPECT_TRUE(maintained_until([&] { return net::on(worker(0), [&] { return !second.leases.empty(); }); }));
  for (int i = 0; i < 5; ++i) maintain();
  EXPECT_EQ(server.peak(), 2u);  // and no more
  give_back(second);
  EXPECT_TRUE(net::eventually(worker(1), [&] { return !third.leases.empty(); }));
  net::on(worker(1), [&] { third.give_back(); });
  give_back(holder);
}

TEST_F(PoolAgeTest, TheMinimumIsOpenedAtOnce) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 9, .min = 5});
  maintain();
  EXPECT_TRUE(comes_true([&] { return pool.stats().idle == 5; }));
  maintain();
  EXPECT_EQ(server.logins(), 5u);
}

}  // namespace
}  // namespace pgweir::pool
