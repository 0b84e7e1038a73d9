// Waits that must end: of requests for several pools among single ones, for a server that is down, in a pool that a reload
// takes away.
#include "tests/unit/proxy/pool_support.h"

namespace pgweir::pool {
namespace {

class PoolWaitTest : public PoolTest {
 protected:
  bool refused(unsigned at, Taker& one, std::chrono::milliseconds within) {
    const auto end = Clock::now() + within;
    while (Clock::now() < end) {
      manager_on_all();
      if (net::on(worker(at), [&] { return one.failure.has_value(); })) return true;
      std::this_thread::yield();
    }
    return false;
  }
  void manager_on_all() {
    for (auto& one : workers_) net::on(*one, [&] { manager_->maintain(*one); });
  }
};

class PoolGroupWaitTest : public PoolTest, public ::testing::WithParamInterface<unsigned> {};

// On one worker what comes back goes to whoever waits before a request for two pools is asked whether it wants it.
TEST_P(PoolGroupWaitTest, IsServedThoughSinglesAlwaysWait) {
  FakeServer first, second;
  start_workers(GetParam());
  Pool& a = make_pool(first, {.size = 1});
  Pool& b = make_pool(second, {.size = 2});
  Tally singles, pairs;
  borrow(16, {&a}, singles);
  borrow(16, {&b}, singles);
  borrow(1, {&a, &b}, pairs);
  EXPECT_TRUE(comes_true([&] { return pairs.served >= 20; })) << pairs.served << " pairs, " << singles.served << " singles served";
  EXPECT_GT(singles.served, pairs.served);
  end_borrowing();
  EXPECT_EQ(pairs.wrong + pairs.failures + singles.wrong + singles.failures, 0u);
}

INSTANTIATE_TEST_SUITE_P(Workers, PoolGroupWaitTest, ::testing::Values(1u, 2u));

// A server that takes connections and says nothing: the error that is known is told at once, not after each connect_timeout.
TEST_F(PoolWaitTest, WhileAServerThatIsDownIsAskedAgainNobodyWaitsForTheAnswer) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 4});
  server.refuse_logins("57P03");
  auto& first = taker(0);
  net::on(worker(0), [&] { first.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return first.failure.has_value(); }));
  server.refuse_logins(std::nullopt);
  server.hold_logins(true);
  ASSERT_TRUE(comes_true([&] {
    net::on(worker(0), [&] { if (!first.waiting()) first.ask({&pool}); });
    return server.held() > 0;
  }));
  EXPECT_TRUE(refused(0, first, 4s)) << "it waits for the login's own timeout";
  auto& second = taker(1);
  net::on(worker(1), [&] { second.ask({&pool}); });
  EXPECT_TRUE(refused(1, second, 500ms));
  EXPECT_EQ(second.failure.value_or(protocol::SqlError{}).sqlstate, "57P03");
  server.hold_logins(false);  // it is back
  EXPECT_TRUE(comes_true([&] { return pool.stats().idle > 0; }));
  net::on(worker(1), [&] { second.ask({&pool}); });
  EXPECT_TRUE(net::eventually(worker(1), [&] { return !second.leases.empty(); }));
}

// A process of the server that is busy with what its client has left counts, however long it is.
TEST_F(PoolWaitTest, AConnectionCountsUntilItsServerHasClosedIt) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  auto &first = taker(0), &second = taker(0);
  net::on(worker(0), [&] { first.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !first.leases.empty(); }));
  server.hold_ends(true);
  net::on(worker(0), [&] { first.leases.clear(), second.ask({&pool}); });
  EXPECT_FALSE(comes_true([&] { return server.peak() > 1; }, ServerConnection::kGoodbye + 1s));
  EXPECT_EQ(pool.stats().closing, 1u);
  server.hold_ends(false);
  EXPECT_TRUE(net::eventually(worker(0), [&] { return !second.leases.empty(); }));
  EXPECT_EQ(server.peak(), 1u);
  // Not where the pool has been sent to another server: the old one may never answer.
  FakeServer other;
  server.hold_ends(true);
  net::on(worker(0), [&] { second.leases.clear(), first.ask({&pool}); });
  pool.reconfigure(make_target(other, config::TlsMode::Disable), {.size = 1});
  EXPECT_TRUE(net::eventually(worker(0), [&] { return !first.leases.empty(); }));
  EXPECT_EQ(other.logins(), 1u);
}

TEST_F(PoolWaitTest, WhoWaitsInAPoolThatIsTakenAwayIsTold) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  Pool& other = make_pool(server, {.size = 1});
  auto &holder = taker(0), &single = taker(1), &group = taker(0), &late = taker(1);
  net::on(worker(0), [&] { holder.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !holder.leases.empty(); }));
  net::on(worker(1), [&] { single.ask({&pool}); });
  net::on(worker(0), [&] { group.ask({&pool, &other}); });
  manager_->reconfigure([&](const PoolKey& key) -> std::optional<std::pair<std::shared_ptr<const ServerTarget>, PoolLimits>> {
    if (key == pool.key()) return std::nullopt;
    return std::pair(other.target(), other.limits());
  });
  EXPECT_TRUE(net::eventually(worker(1), [&] { return single.failure.has_value(); }));
  EXPECT_TRUE(net::eventually(worker(0), [&] { return group.failure.has_value(); }));
  net::on(worker(1), [&] { late.ask({&pool}); });
  EXPECT_TRUE(net::eventually(worker(1), [&] { return late.failure.has_value(); }));
  net::on(worker(0), [&] { holder.give_back(); });  // what runs may finish
  EXPECT_TRUE(comes_true([&] { return pool.stats().total == 0; }));
}

}  // namespace
}  // namespace pgweir::pool
