// More work than a pool can do: it queues, tells who waited too long, and serves again when the crowd has gone.
#include <future>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class OverloadTest : public ProxyTest {};

TEST_F(OverloadTest, AnOverloadedPoolQueuesTellsAndRecovers) {
  NEEDS_PROXY();
  start(2, "checkout_timeout = \"500ms\"");
  std::vector<Connection> crowd;
  for (int i = 0; i < 30; ++i) crowd.push_back(connect());
  std::vector<std::future<QueryResult>> answers;
  for (auto& client : crowd)
    answers.push_back(std::async(std::launch::async, [&client] { return client.exec("SELECT pg_sleep(0.2)"); }));
  int served = 0, refused = 0;
  for (auto& one : answers) {
    const auto answer = one.get();
    served += answer.ok() ? 1 : 0;
    if (answer.ok()) continue;
    ++refused;
    ASSERT_EQ(answer.sqlstate(), "53300") << answer;
    EXPECT_THAT(answer.error->message, testing::MatchesRegex("no server connection became free in [0-9]+ ms"));
    EXPECT_THAT(answer.error->detail, testing::MatchesRegex("Pool of main/primary for user \"app\": [0-9]+ active, 0 idle, 0 connecting, "
                                                            "2 allowed, [0-9]+ waiting."));
  }
  EXPECT_GE(served, 4);
  EXPECT_GE(refused, 10);
  // Nobody was disconnected, and everybody is served again.
  for (auto& client : crowd) EXPECT_EQ(client.must("SELECT 'fine'").value(), "fine");
  EXPECT_LE(pooled_backends(), 2);
  EXPECT_TRUE(no_transaction_is_open());
}

// A server that is known to be down: its own error, at once, and not a wait for the checkout's timeout.
TEST_F(OverloadTest, WhileAServerIsDownItsOwnErrorIsToldAtOnce) {
  NEEDS_PROXY();
  PgCluster own;
  start(ProxyOptions{.clusters = plain_cluster("fediflow", own.endpoint()), .pool = "size = 2\ncheckout_timeout = \"30s\""});
  auto client = connect();
  client.must("SELECT 1");
  own.stop();
  const auto begin = std::chrono::steady_clock::now();
  QueryResult refused;
  for (int i = 0; i < 5; ++i) refused = client.exec("SELECT 1");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.sqlstate(), testing::AnyOf("08006", "57P03", "08001")) << refused;
  own.start();
  EXPECT_TRUE(wait_until([&] { return client.exec("SELECT 1").ok(); }));
}

// "Full" is not "down": the control plane goes on counting on a server that is at its limit of connections.
TEST_F(OverloadTest, AServerAtItsLimitOfConnectionsIsNotDown) {
  NEEDS_PROXY();
  PgCluster own;
  start(ProxyOptions{.clusters = plain_cluster("fediflow", own.endpoint()), .pool = "size = 2"});
  connect("reader").must("SELECT 1");
  own.exec("ALTER ROLE app CONNECTION LIMIT 0");
  own.exec("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'app'");
  const auto refusals = [&] {
    const std::string log = own.log(), text = "too many connections for role \"app\"";
    int count = 0;
    for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
    return count;
  };
  ASSERT_TRUE(wait_until([&] { return refusals() >= 4; }, Milliseconds{30'000}));
  EXPECT_EQ(connect("reader").must("SELECT 'served'").value(), "served");
  const std::string log = proxy().log();  // down is what it was for a moment when its connection was ended
  EXPECT_GT(log.rfind(" is up"), log.rfind(" is down")) << log;
  own.exec("ALTER ROLE app CONNECTION LIMIT -1");
}

}  // namespace
}  // namespace pgweir::support
