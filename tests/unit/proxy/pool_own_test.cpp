// Connections of one client alone in a pool's budget, and the protocol version that is agreed on with a server.
#include <gmock/gmock.h>

#include "tests/unit/proxy/pool_support.h"

namespace pgweir::pool {
namespace {

using ::testing::HasSubstr;
using Newer = FakeServer::Newer;

class PoolOwnTest : public PoolTest {
 protected:
  struct Answer {
    Lease lease;
    std::optional<protocol::SqlError> error;
  };
  // What open_own() gives to a caller on this worker.
  std::unique_ptr<Answer> own(unsigned index, Pool& pool, const FakeServer& server) {
    auto answer = std::make_unique<Answer>();
    auto target = std::make_shared<ServerTarget>(*make_target(server, config::TlsMode::Disable));
    target->startup = {{"replication", "true"}};
    net::on(worker(index), [&] {
      pool.open_own(target, [to = answer.get()](Lease lease, const protocol::SqlError& error) {
        to->lease = std::move(lease);
        to->error = error;
      });
      EXPECT_FALSE(answer->error) << "told from within";
    });
    EXPECT_TRUE(net::eventually(worker(index), [&] { return answer->error.has_value(); }));
    return answer;
  }
  void drop(unsigned index, std::unique_ptr<Answer>& answer) {
    net::on(worker(index), [&] { answer.reset(); });
  }
};

TEST_F(PoolOwnTest, CountsInTheBudgetAndIsClosedAtItsEnd) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  auto first = own(0, pool, server);
  ASSERT_TRUE(first->lease) << first->error->message;
  EXPECT_EQ(pool.stats().total, 1u);
  auto second = own(0, pool, server);
  EXPECT_FALSE(second->lease);
  EXPECT_EQ(second->error->sqlstate, "53300");
  EXPECT_THAT(second->error->detail, HasSubstr("1 allowed"));
  auto& waiter = taker(0);
  net::on(worker(0), [&] { waiter.ask({&pool}); });
  drop(0, first);
  ASSERT_TRUE(net::eventually(worker(0), [&] { return !waiter.leases.empty(); })) << "its place was not given on";
  EXPECT_EQ(server.logins(), 2u) << "it was shared";
  EXPECT_EQ(pool.stats().total, 1u);
}

TEST_F(PoolOwnTest, AnIdleConnectionOfAnyWorkerMakesRoom) {
  start_workers(2);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 1});
  for (unsigned home : {0u, 1u}) {
    auto& user = taker(home);
    net::on(worker(home), [&] { user.ask({&pool}); });
    ASSERT_TRUE(net::eventually(worker(home), [&] { return !user.leases.empty(); }));
    net::on(worker(home), [&] { user.give_back(); });
    auto answer = own(0, pool, server);
    EXPECT_TRUE(answer->lease) << answer->error->message;
    EXPECT_EQ(pool.stats().total, 1u);
    EXPECT_EQ(pool.stats().idle, 0u);
    EXPECT_EQ(pool.stats().connecting, 0u);
    drop(0, answer);
    EXPECT_EQ(pool.stats().total, 0u);
  }
}

TEST_F(PoolOwnTest, AtACapAnIdleConnectionOfAnotherPoolGivesWay) {
  start_workers(2);
  FakeServer server;
  PoolLimits limits{.size = 2};
  limits.caps.process = 1;
  Pool &rich = make_pool(server, limits), &needy = make_pool(server, limits);
  auto& user = taker(1);
  net::on(worker(1), [&] { user.ask({&rich}); });
  ASSERT_TRUE(net::eventually(worker(1), [&] { return !user.leases.empty(); }));
  auto refused = own(0, needy, server);  // what is in use is not closed
  EXPECT_FALSE(refused->lease);
  EXPECT_THAT(refused->error->detail, HasSubstr("1 of 1 server connections of this proxy"));
  net::on(worker(1), [&] { user.give_back(); });
  auto answer = own(0, needy, server);
  EXPECT_TRUE(answer->lease) << answer->error->message;
  EXPECT_EQ(rich.stats().total, 0u);
  EXPECT_EQ(needy.stats().total, 1u);
  net::on(worker(1), [&] { user.ask({&rich}); });
  drop(0, answer);
  EXPECT_TRUE(net::eventually(worker(1), [&] { return !user.leases.empty(); })) << "the place is lost";
  EXPECT_EQ(needy.stats().total, 0u);
  EXPECT_EQ(server.peak(), 1u);
}

TEST_F(PoolOwnTest, ARefusedOneIsNotThePoolsFailure) {
  start_workers(1);
  FakeServer server;
  Pool& pool = make_pool(server, {.size = 2});
  server.refuse_logins("28000");
  auto refused = own(0, pool, server);
  EXPECT_FALSE(refused->lease);
  EXPECT_EQ(refused->error->sqlstate, "28000");
  EXPECT_EQ(pool.stats().total, 0u);
  EXPECT_EQ(pool.stats().connecting, 0u);
  server.refuse_logins(std::nullopt);
  auto& user = taker(0);
  net::on(worker(0), [&] { user.ask({&pool}); });
  EXPECT_TRUE(net::eventually(worker(0), [&] { return !user.leases.empty(); }));
}

class ServerVersionTest : public PoolTest {
 protected:
  std::size_t key_size(Newer how, unsigned logins) {
    FakeServer server;
    server.meet_newer(how);
    Pool& pool = make_pool(server, {.size = 1});
    auto& user = taker(0);
    net::on(worker(0), [&] { user.ask({&pool}); });
    EXPECT_TRUE(net::eventually(worker(0), [&] { return !user.leases.empty(); }));
    EXPECT_EQ(server.logins(), logins);
    return net::on(worker(0), [&] {
      const std::size_t size = user.leases.empty() ? 0 : user.leases.front()->cancel_key().size();
      user.leases.clear();
      return size;
    });
  }
};

TEST_F(ServerVersionTest, ALongKeyComesFromAServerThatSpeaks32) {
  start_workers(1);
  EXPECT_EQ(key_size(Newer::Speaks, 1), 32u);
}

TEST_F(ServerVersionTest, AnOlderServerNegotiates) {
  start_workers(1);
  EXPECT_EQ(key_size(Newer::Negotiates, 1), 4u);
}

TEST_F(ServerVersionTest, AServerThatRefusesThePacketIsAskedAgain) {
  start_workers(1);
  EXPECT_EQ(key_size(Newer::Refuses, 1), 4u);
}

}  // namespace
}  // namespace pgweir::pool
