// The pool under four workers: migrations, groups of pools, deadlines that race hand-offs, servers that vanish, and a
// shutdown in the middle. Made to run under TSan; what is counted at the end must be exact.
#include "tests/unit/proxy/pool_support.h"

namespace pgweir::pool {
namespace {

constexpr unsigned kWorkers = 4;

class PoolRaceTest : public PoolTest {
 protected:
  void SetUp() override { start_workers(kWorkers); }
  void expect_all_idle(const Pool& pool, unsigned size) {
    const PoolStats stats = pool.stats();
    EXPECT_LE(stats.total, size);
    EXPECT_EQ(stats.idle, stats.total) << "connections are lost to the pool";
    EXPECT_EQ(stats.waiting, 0u);
    EXPECT_EQ(stats.connecting, 0u);
  }
};

// One borrower per worker and fewer connections: nearly every hand-off crosses workers.
TEST_F(PoolRaceTest, TenThousandMigrationsMixNothingUp) {
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 3});
  Tally tally;
  borrow(kWorkers, {&pool}, tally);
  EXPECT_TRUE(comes_true([&] { return pool.stats().migrations >= 10'000; })) << pool.stats().migrations;
  end_borrowing();
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_EQ(tally.failures + tally.timeouts + tally.lost, 0u);
  EXPECT_EQ(server.logins(), 3u);
  EXPECT_EQ(server.queries(), tally.served);
  expect_all_idle(pool, 3);
}

TEST_F(PoolRaceTest, TlsConnectionsMigrateToo) {
  FakeServer server(FakeServer::Tls::On);
  Pool& pool = make_pool(server, {.size = 3}, config::TlsMode::Require);
  Tally tally;
  borrow(kWorkers, {&pool}, tally);
  EXPECT_TRUE(comes_true([&] { return pool.stats().migrations >= 10'000; })) << pool.stats().migrations;
  end_borrowing();
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_EQ(tally.failures + tally.timeouts + tally.lost, 0u);
  EXPECT_EQ(server.logins(), 3u);
  EXPECT_EQ(server.queries(), tally.served);
  expect_all_idle(pool, 3);
}

TEST_F(PoolRaceTest, DeadlinesAndCancelsRaceHandOffs) {
  FakeServer plain, tls(FakeServer::Tls::On);
  Pool& one = make_pool(plain, {.size = 2});
  Pool& two = make_pool(tls, {.size = 2}, config::TlsMode::Require);
  Tally tally;
  borrow(24, {&one}, tally, {.timeout = 1ms, .cancel_every = 3});
  borrow(24, {&two}, tally, {.timeout = 2ms, .cancel_every = 5});
  EXPECT_TRUE(comes_true([&] {
    return tally.timeouts > 500 && tally.cancelled > 500 && tally.served > 2'000 && one.stats().migrations > 200 &&
           two.stats().migrations > 200;
  })) << tally.timeouts
      << " timeouts, " << tally.cancelled << " cancelled, " << tally.served << " served, " << one.stats().migrations
      << " and " << two.stats().migrations << " migrations";
  end_borrowing();
  // A connection that was on its way to one who had left has come back.
  EXPECT_TRUE(
      comes_true([&] { return one.stats().idle == one.stats().total && two.stats().idle == two.stats().total; }, 10s));
  expect_all_idle(one, 2);
  expect_all_idle(two, 2);
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_EQ(tally.failures + tally.lost, 0u);
  EXPECT_LE(plain.peak(), 2u);
  EXPECT_LE(tls.peak(), 2u);
}

// Groups need a place in every pool at the same time; single requests must not keep them out, nor they each other.
TEST_F(PoolRaceTest, GroupsAndSinglesShareWithoutStarving) {
  FakeServer first, second, third;
  Pool& a = make_pool(first, {.size = 2});
  Pool& b = make_pool(second, {.size = 2});
  Pool& c = make_pool(third, {.size = 2});
  Tally singles, pairs, triples;
  for (Pool* pool : {&a, &b, &c}) borrow(8, {pool}, singles);
  borrow(4, {&a, &b}, pairs);
  borrow(4, {&c, &b}, pairs);
  borrow(4, {&a, &b, &c}, triples);
  EXPECT_TRUE(comes_true([&] { return singles.served > 1'000 && pairs.served > 200 && triples.served > 100; }))
      << singles.served << " single, " << pairs.served << " double and " << triples.served << " triple requests served";
  end_borrowing();
  EXPECT_EQ(singles.wrong + pairs.wrong + triples.wrong, 0u);
  EXPECT_EQ(singles.failures + pairs.failures + triples.failures, 0u);
  for (Pool* pool : {&a, &b, &c}) expect_all_idle(*pool, 2);
  EXPECT_LE(std::max({first.peak(), second.peak(), third.peak()}), 2u);
}

// Two who want the same pools in different order, and nobody else: no deadlock, nothing is held while waiting.
TEST_F(PoolRaceTest, GroupsInOppositeOrderDoNotBlockEachOther) {
  FakeServer first, second;
  Pool& a = make_pool(first, {.size = 1});
  Pool& b = make_pool(second, {.size = 1});
  Tally tally;
  borrow(4, {&a, &b}, tally);
  borrow(4, {&b, &a}, tally);
  EXPECT_TRUE(comes_true([&] { return tally.served > 1'000; })) << tally.served;
  end_borrowing();
  EXPECT_EQ(tally.wrong + tally.failures + tally.lost, 0u);
  expect_all_idle(a, 1);
  expect_all_idle(b, 1);
}

// Servers end all connections again and again, among hand-offs and migrations.
TEST_F(PoolRaceTest, ConnectionsThatVanishOnTheirWayNeverUnbalanceTheBudget) {
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 3});
  Tally tally;
  borrow(12, {&pool}, tally, {.timeout = 5s});
  for (int round = 0; round < 40; ++round) {
    const unsigned before = tally.served;
    ASSERT_TRUE(comes_true([&] { return tally.served > before + 50; })) << "stuck after round " << round;
    server.end_connections();
    EXPECT_LE(pool.stats().total, 3u);
  }
  const unsigned before = tally.served;
  EXPECT_TRUE(comes_true([&] { return tally.served > before + 50; }));
  end_borrowing();
  EXPECT_TRUE(comes_true([&] { return pool.stats().idle == pool.stats().total && pool.stats().connecting == 0; }, 10s));
  expect_all_idle(pool, 3);
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_EQ(tally.timeouts, 0u);
  EXPECT_TRUE(comes_true([&] { return server.open() <= 3; }));
}

// The housekeeping of two workers at the same moment: together they close what is too much, and not more.
TEST_F(PoolRaceTest, TwoWorkersThatCloseWhatIsTooMuchKeepTheRest) {
  FakeServer server;
  const PoolLimits wide{.size = 4, .min = 1}, narrow{.size = 1, .min = 1};
  Pool& pool = make_pool(server, wide);
  const auto target = make_target(server, config::TlsMode::Disable);
  std::vector<Taker*> all;
  for (unsigned i = 0; i < 4; ++i) all.push_back(&taker(i % 2));
  for (int round = 0; round < 200; ++round) {
    for (unsigned i = 0; i < 4; ++i) net::on(worker(i % 2), [&] { all[i]->ask({&pool}); });
    for (unsigned i = 0; i < 4; ++i)
      ASSERT_TRUE(net::eventually(worker(i % 2), [&] { return !all[i]->leases.empty(); })) << "round " << round;
    for (unsigned i = 0; i < 4; ++i) net::on(worker(i % 2), [&] { all[i]->give_back(); });
    pool.reconfigure(target, narrow);
    for (unsigned w = 0; w < 2; ++w) worker(w).post([this, w] { manager_->maintain(worker(w)); });
    for (unsigned w = 0; w < 2; ++w) net::on(worker(w), [] {});
    ASSERT_EQ(pool.stats().total, 1u) << "round " << round;
    pool.reconfigure(target, wide);
  }
}

class PoolShutdownTest : public PoolRaceTest, public ::testing::WithParamInterface<FakeServer::Tls> {};

// Workers stop one after another while connections are handed over, opened, waited for and used.
TEST_P(PoolShutdownTest, InTheMiddleOfEverything) {
  const auto tls = GetParam();
  FakeServer server(tls);
  const auto mode = tls == FakeServer::Tls::On ? config::TlsMode::Require : config::TlsMode::Disable;
  Pool& pool = make_pool(server, {.size = 3}, mode);
  Pool& other = make_pool(server, {.size = 2}, mode);
  Tally tally;
  borrow(12, {&pool}, tally, {.timeout = 2ms, .cancel_every = 4});
  borrow(8, {&pool, &other}, tally);
  ASSERT_TRUE(comes_true([&] { return tally.served > 500; })) << tally.served;
  for (auto& [at, borrower] : borrowers_)
    net::on(at, [&at = at, &owned = borrower] { at.at_stop([&owned] { owned.reset(); }); });
  for (auto& one : workers_) one->stop();
  EXPECT_EQ(tally.wrong, 0u);
  EXPECT_TRUE(comes_true([&] {
    manager_.reset();  // what was claimed or on its way goes with the pools
    return server.open() == 0;
  })) << server.open()
      << " connections are open after the end";
}

std::string tls_name(const ::testing::TestParamInfo<FakeServer::Tls>& info) {
  return info.param == FakeServer::Tls::On ? "Tls" : "Plain";
}
INSTANTIATE_TEST_SUITE_P(PlainAndTls, PoolShutdownTest, ::testing::Values(FakeServer::Tls::Off, FakeServer::Tls::On),
                         tls_name);

}  // namespace
}  // namespace pgweir::pool
