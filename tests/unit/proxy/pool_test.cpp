// The pool's promises one at a time: budget, order of waiting, deadlines, servers that go away.
#include <gmock/gmock.h>

#include "tests/unit/proxy/pool_support.h"

namespace pgweir::pool {
namespace {

using ::testing::HasSubstr;

TEST_F(PoolTest, OpensAsManyConnectionsAtOnceAsWaitAndFit) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 4});
  server.hold_logins(true);
  for (unsigned i = 0; i < 6; ++i) {
    auto& one = taker(i % 2);
    net::on(worker(i % 2), [&] { one.ask({&pool}); });
  }
  // Nobody's wait depends on another's connection having been made before.
  EXPECT_TRUE(comes_true([&] { return server.held() == 4; }, 5s)) << server.held() << " being opened";
  EXPECT_EQ(pool.stats().total, 4u);
  EXPECT_EQ(pool.stats().waiting, 6u);
  server.hold_logins(false);
  EXPECT_TRUE(comes_true([&] { return pool.stats().waiting == 2; }));
  EXPECT_EQ(server.peak(), 4u);
}

TEST_F(PoolTest, KeepsItsBudgetExactlyUnderLoad) {
  start_workers(4);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 5});
  Tally tally;
  borrow(40, {&pool}, tally);
  EXPECT_TRUE(comes_true([&] { return tally.served >= 5'000 * net::kScale / 8 + 1'000; }));
  end_borrowing();
  EXPECT_EQ(server.peak(), 5u);
  EXPECT_EQ(server.logins(), 5u) << "connections were made anew";
  EXPECT_EQ(pool.stats().total, 5u);
  EXPECT_EQ(pool.stats().idle, 5u);
  EXPECT_EQ(pool.stats().waiting, 0u);
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_EQ(tally.failures + tally.timeouts + tally.lost, 0u);
}

TEST_F(PoolTest, ServesWaitersInTheirOrderByHandOff) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  std::vector<Taker*> line;
  for (int i = 0; i < 5; ++i) {
    line.push_back(&taker(0));
    net::on(worker(0), [&] { line.back()->ask({&pool}); });
  }
  for (std::size_t i = 0; i < line.size(); ++i) {
    ASSERT_TRUE(net::eventually(worker(0), [&] { return !line[i]->leases.empty(); })) << i;
    for (std::size_t later = i + 1; later < line.size(); ++later)
      EXPECT_TRUE(net::on(worker(0), [&] { return line[later]->leases.empty() && line[later]->waiting(); }));
    // Whoever asks while others wait goes behind them, though a connection is free for a moment.
    net::on(worker(0), [&] { line[i]->give_back(); });
  }
  EXPECT_EQ(server.logins(), 1u);
  EXPECT_GE(pool.stats().hand_offs, 4u);
}

TEST_F(PoolTest, NobodyOvertakesTheLineAtTheMomentOfARelease) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  auto& holder = taker(0);
  auto& first = taker(0);
  auto& greedy = taker(0);
  net::on(worker(0), [&] { holder.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !holder.leases.empty(); }));
  net::on(worker(0), [&] {
    first.ask({&pool});
    holder.give_back();
    greedy.ask({&pool});
  });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !first.leases.empty(); }));
  EXPECT_TRUE(net::on(worker(0), [&] { return greedy.leases.empty() && greedy.waiting(); }));
}

TEST_F(PoolTest, TheOldestWaiterOfAnotherWorkerGoesFirstAfterAMillisecond) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  auto& holder = taker(0);
  auto& far = taker(1);
  auto& near = taker(0);
  net::on(worker(0), [&] { holder.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !holder.leases.empty(); }));
  net::on(worker(1), [&] { far.ask({&pool}); });
  ASSERT_TRUE(comes_true([&] { return pool.stats().oldest_wait > 2ms; }));
  net::on(worker(0), [&] {
    near.ask({&pool});
    holder.give_back();
  });
  ASSERT_TRUE(net::eventually(worker(1), [&] { return !far.leases.empty(); }));
  EXPECT_TRUE(net::on(worker(0), [&] { return near.leases.empty() && near.waiting(); }));
  EXPECT_EQ(pool.stats().migrations, 1u);
  net::on(worker(1), [&] { far.give_back(); });
  EXPECT_TRUE(net::eventually(worker(0), [&] { return !near.leases.empty(); }));
  EXPECT_EQ(pool.stats().migrations, 2u);
  EXPECT_EQ(server.logins(), 1u);
}

TEST_F(PoolTest, AnIdleConnectionOfAnotherWorkerComesBeforeANewOne) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 8});
  auto& first = taker(0);
  auto& second = taker(1);
  net::on(worker(0), [&] { first.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !first.leases.empty(); }));
  net::on(worker(0), [&] { first.give_back(); });
  net::on(worker(1), [&] { second.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(1), [&] { return !second.leases.empty(); }));
  EXPECT_TRUE(net::on(worker(1), [&] { return &second.leases[0]->worker() == &worker(1); }));
  EXPECT_EQ(server.logins(), 1u);
  EXPECT_EQ(pool.stats().migrations, 1u);
}

TEST_F(PoolTest, RoundRobinUsesWhatHasBeenIdleLongestOnAnyWorker) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 3, .round_robin = true});
  std::vector<std::uint64_t> order;
  for (unsigned i = 0; i < 3; ++i) {
    auto& one = taker(i % 2);
    net::on(worker(i % 2), [&] { one.ask({&pool}); });
    ASSERT_TRUE(net::eventually(worker(i % 2), [&] { return !one.leases.empty(); }));
    order.push_back(net::on(worker(i % 2), [&] { return one.leases[0]->id(); }));
  }
  for (unsigned i = 0; i < 3; ++i) net::on(worker(i % 2), [&] { takers_[i]->give_back(); });
  // One client alone goes round, the connections of the other worker included.
  auto& client = taker(1);
  for (unsigned i = 0; i < 7; ++i) {
    net::on(worker(1), [&] { client.ask({&pool}); });
    ASSERT_TRUE(net::eventually(worker(1), [&] { return !client.leases.empty(); }));
    EXPECT_EQ(net::on(worker(1), [&] { return client.leases[0]->id(); }), order[i % 3]) << i;
    net::on(worker(1), [&] { client.give_back(); });
  }
  EXPECT_EQ(server.logins(), 3u);
  EXPECT_EQ(pool.stats().idle, 3u);
}

TEST_F(PoolTest, AWaitEndsAtItsDeadlineWithThePoolsNumbers) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  auto& holder = taker(0);
  auto& late = taker(0);
  net::on(worker(0), [&] { holder.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !holder.leases.empty(); }));
  const auto asked = Clock::now();
  net::on(worker(0), [&] { late.ask({&pool}, 80ms); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return late.failure.has_value(); }));
  EXPECT_GE(Clock::now() - asked, 80ms);
  const auto error = net::on(worker(0), [&] { return *late.failure; });
  EXPECT_EQ(error.sqlstate, "53300");
  EXPECT_THAT(error.message + " " + error.detail, HasSubstr("1 active"));
  EXPECT_THAT(error.detail, HasSubstr("1 allowed"));
  EXPECT_THAT(error.detail, HasSubstr("1 waiting"));  // the one that is told so
  EXPECT_THAT(error.detail, HasSubstr("fake/primary"));
  EXPECT_FALSE(error.hint.empty());
  EXPECT_EQ(pool.stats().waiting, 0u);
  // What comes free afterwards is not handed to the one that left.
  net::on(worker(0), [&] { holder.give_back(); });
  EXPECT_EQ(pool.stats().idle, 1u);
}

TEST_F(PoolTest, TheServersOwnErrorReachesTheWaiterAndIsNotTakenForAFullPool) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 2});
  server.refuse_logins("28P01");
  auto& one = taker(0);
  net::on(worker(0), [&] { one.ask({&pool}, 30s); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return one.failure.has_value(); }));
  EXPECT_EQ(net::on(worker(0), [&] { return one.failure->sqlstate; }), "28P01");
  EXPECT_EQ(pool.stats().total, 0u);
  EXPECT_EQ(pool.stats().connecting, 0u);
  // As soon as the server lets it in, the pool serves.
  server.refuse_logins(std::nullopt);
  ASSERT_TRUE(comes_true([&] {
    if (net::on(worker(0), [&] { return !one.leases.empty(); })) return true;
    net::on(worker(0), [&] {
      if (!one.waiting()) one.ask({&pool}, 30s);
    });
    return false;
  }));
  EXPECT_EQ(pool.stats().total, 1u);
}

TEST_F(PoolTest, AnUnreachableServerIsToldAtOnceToAllWhoWait) {
  start_workers(2);
  config::Endpoint nobody;
  {
    const FakeServer gone;
    nobody = gone.endpoint();
  }
  auto target = std::make_shared<ServerTarget>();
  target->endpoint = nobody;
  target->user = target->database = "app";
  target->tls.mode = config::TlsMode::Disable;
  target->label = "gone/primary";
  Pool& pool = manager_->get({.cluster = "gone", .endpoint = {}, .user = "app"}, [&] {
    return std::pair(std::shared_ptr<const ServerTarget>(target), PoolLimits{.size = 2});
  });
  for (unsigned i = 0; i < 6; ++i) {
    auto& one = taker(i % 2);
    net::on(worker(i % 2), [&] { one.ask({&pool}, 30s); });
  }
  for (unsigned i = 0; i < 6; ++i) {
    ASSERT_TRUE(net::eventually(worker(i % 2), [&] { return takers_[i]->failure.has_value(); })) << i;
    EXPECT_EQ(net::on(worker(i % 2), [&] { return takers_[i]->failure->sqlstate.substr(0, 2); }), "08");
  }
  EXPECT_EQ(pool.stats().total, 0u);
  EXPECT_EQ(pool.stats().waiting, 0u);
}

TEST_F(PoolTest, AConnectionThatEndsWhileIdleLeavesAndItsPlaceIsFree) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  auto& one = taker(0);
  net::on(worker(0), [&] { one.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !one.leases.empty(); }));
  net::on(worker(0), [&] { one.give_back(); });
  server.end_connections();
  EXPECT_TRUE(comes_true([&] { return pool.stats().total == 0; }));
  EXPECT_EQ(pool.stats().idle, 0u);
  net::on(worker(0), [&] { one.ask({&pool}); });
  EXPECT_TRUE(net::eventually(worker(0), [&] { return !one.leases.empty(); }));
  EXPECT_EQ(server.logins(), 2u);
}

// The end of an idle connection has arrived, but its worker has not looked yet: whoever asks in that moment must not
// get it, or the server's last words would be the answer to his first query.
TEST_F(PoolTest, AConnectionThatHasEndedUnseenIsNotHandedOut) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  auto& one = taker(0);
  net::on(worker(0), [&] { one.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !one.leases.empty(); }));
  net::on(worker(0), [&] { one.give_back(); });
  const auto first = net::on(worker(0), [&] {
    server.end_connections();  // over loopback the bytes are there when this returns
    one.ask({&pool});
    return one.leases.empty();
  });
  EXPECT_TRUE(first) << "a dead connection was handed out";
  EXPECT_TRUE(net::eventually(worker(0), [&] { return !one.leases.empty() && !one.leases[0]->broken(); }));
  EXPECT_EQ(server.logins(), 2u);
}

// Nobody listens to a connection that is held until those of the other servers come.
TEST_F(PoolTest, AConnectionThatEndsWhileTheOthersOfItsGroupAreMadeIsReplaced) {
  start_workers(1);
  FakeServer first, second;
  Pool& a = make_pool(first, {.size = 1});
  Pool& b = make_pool(second, {.size = 1});
  auto& one = taker(0);
  net::on(worker(0), [&] { one.ask({&a}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !one.leases.empty(); }));
  net::on(worker(0), [&] { one.give_back(); });
  second.hold_logins(true);
  net::on(worker(0), [&] { one.ask({&a, &b}); });
  ASSERT_TRUE(comes_true([&] { return second.held() == 1; }));
  first.end_connections();
  second.hold_logins(false);
  ASSERT_TRUE(net::eventually(worker(0), [&] { return one.leases.size() == 2; }));
  EXPECT_FALSE(net::on(worker(0), [&] { return one.leases[0]->broken(); })) << "a dead connection was handed out";
  EXPECT_EQ(first.logins(), 2u);
  EXPECT_EQ(second.logins(), 1u);
}

TEST_F(PoolTest, ALeaseThatIsDroppedClosesItsConnectionAndServesTheNext) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  auto& dropper = taker(0);
  auto& next = taker(0);
  net::on(worker(0), [&] { dropper.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !dropper.leases.empty(); }));
  net::on(worker(0), [&] {
    next.ask({&pool});
    dropper.leases.clear();
  });
  EXPECT_TRUE(net::eventually(worker(0), [&] { return !next.leases.empty(); }));
  EXPECT_EQ(server.logins(), 2u);
  EXPECT_TRUE(comes_true([&] { return server.open() == 1; }));
  EXPECT_EQ(pool.stats().total, 1u);
}

TEST_F(PoolTest, IdleConnectionsAreClosedDownToTheMinimumAndNotBelow) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 4, .min = 2, .idle_timeout = 1ms});
  std::vector<Taker*> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(&taker(0));
    net::on(worker(0), [&] { all.back()->ask({&pool}); });
  }
  ASSERT_TRUE(comes_true([&] {
    net::on(worker(0), [&] { manager_->maintain(worker(0)); });
    return net::on(worker(0), [&] {
      return std::all_of(all.begin(), all.end(), [](const Taker* one) { return !one->leases.empty(); });
    });
  }));
  net::on(worker(0), [&] {
    for (auto* one : all) one->give_back();
  });
  const auto released = Clock::now();
  ASSERT_TRUE(comes_true([&] { return Clock::now() > released + 3ms; }));
  net::on(worker(0), [&] { manager_->maintain(worker(0)); });
  EXPECT_EQ(pool.stats().total, 2u);
  EXPECT_EQ(server.logins(), 4u) << "closed too many and made new ones";
}

TEST_F(PoolTest, ANewTargetReplacesConnectionsAsTheyComeBack) {
  start_workers(1);
  FakeServer old_server, new_server;
  Pool& pool = make_pool(old_server, {.size = 2});
  auto& one = taker(0);
  net::on(worker(0), [&] { one.ask({&pool}); });
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !one.leases.empty(); }));
  pool.reconfigure(make_target(new_server, config::TlsMode::Disable), {.size = 2});
  net::on(worker(0), [&] { one.give_back(); });
  EXPECT_TRUE(comes_true([&] { return old_server.open() == 0; }));
  net::on(worker(0), [&] { one.ask({&pool}); });
  EXPECT_TRUE(net::eventually(worker(0), [&] { return !one.leases.empty(); }));
  EXPECT_EQ(new_server.logins(), 1u);
  EXPECT_EQ(pool.stats().total, 1u);
}

}  // namespace
}  // namespace pgweir::pool
