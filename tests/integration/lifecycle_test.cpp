// The process: an orderly end on SIGTERM, a reload on SIGHUP.
#include <csignal>
#include <future>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class LifecycleTest : public ProxyTest {
 protected:
  std::string cluster(const std::string& pool_lines = "") {
    return plain_cluster("fediflow", server().endpoint()) +
           (pool_lines.empty() ? "" : "\n[cluster.fediflow.pool]\n" + pool_lines + "\n");
  }
};

TEST_F(LifecycleTest, SigtermLetsARunningTransactionFinish) {
  NEEDS_PROXY();
  table("finished", "id int");
  auto busy = connect(), idle = connect();
  idle.must("SELECT 1");
  busy.must("BEGIN");
  busy.must("INSERT INTO finished VALUES (1)");
  expect_stop();
  proxy().signal(SIGTERM);
  // No one new comes in; who is idle is told so; who is busy goes on.
  EXPECT_TRUE(wait_until([&] { return !accepts(port()); }));
  EXPECT_TRUE(wait_until([&] {
    PQconsumeInput(idle.raw());
    return !idle.alive() || idle.exec("SELECT 1").sqlstate() == "57P01" || !idle.alive();
  }));
  EXPECT_EQ(busy.must("INSERT INTO finished VALUES (2)").tag, "INSERT 0 1");
  EXPECT_EQ(busy.must("COMMIT").tag, "COMMIT");
  EXPECT_TRUE(wait_until([&] { return !proxy().running(); }, Milliseconds{10'000}));
  EXPECT_EQ(server().exec("SELECT count(*) FROM finished").value(), "2");
  EXPECT_TRUE(wait_until([] { return backends() == 0; })) << backends() << " server connections are left";
}

TEST_F(LifecycleTest, SigtermEndsAnIdleProxyAtOnceWithCodeZero) {
  NEEDS_PROXY();
  auto idle = connect();
  idle.must("SELECT 1");
  expect_stop();
  EXPECT_EQ(proxy().terminate(Milliseconds{5'000}), 0);
}

TEST_F(LifecycleTest, SigtermLetsARunningQueryFinish) {
  NEEDS_PROXY();
  auto busy = connect();
  auto result = std::async(std::launch::async, [&] { return busy.exec("SELECT pg_sleep(1), 'done'"); });
  ASSERT_TRUE(wait_until([] { return backends("state = 'active' AND query LIKE '%pg_sleep%'") == 1; }));
  expect_stop();
  proxy().signal(SIGTERM);
  const auto got = result.get();
  EXPECT_TRUE(got.ok()) << got;
  EXPECT_EQ(proxy().terminate(Milliseconds{5'000}), 0);
}

TEST_F(LifecycleTest, ShutdownWaitForClientsEndsWhenTheLastHasLeft) {
  NEEDS_PROXY();
  auto first = connect(), second = connect();
  first.must("SELECT 1");
  expect_stop();
  {
    auto console = proxy().console();
    EXPECT_EQ(console.must("SHUTDOWN WAIT_FOR_CLIENTS").tag, "SHUTDOWN");
    EXPECT_TRUE(wait_until([&] { return !accepts(port()); }));  // nobody new
    first.must("BEGIN");
    first.must("SELECT 1");
  }
  second.close();
  // Who is there works on, transaction after transaction.
  first.must("COMMIT");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(first.must("SELECT pg_sleep(0.1), 'still'").rows[0][1], "still");
  EXPECT_TRUE(proxy().running());
  first.close();
  EXPECT_TRUE(wait_until([&] { return !proxy().running(); }));
  EXPECT_TRUE(wait_until([] { return backends() == 0; }));
}

TEST_F(LifecycleTest, SigintEndsItWithoutWaitingForTransactions) {
  NEEDS_PROXY();
  auto busy = connect();
  busy.must("BEGIN; SELECT 1");
  expect_stop();
  proxy().signal(SIGINT);
  EXPECT_TRUE(wait_until([&] { return !proxy().running(); }, Milliseconds{5'000}));
  EXPECT_TRUE(no_transaction_is_open());
}

TEST_F(LifecycleTest, AReloadAppliesToRunningSessions) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = cluster("size = 1\ncheckout_timeout = \"300ms\"")});
  auto one = connect(), two = connect();
  one.must("BEGIN; SELECT 1");
  EXPECT_SQLSTATE(two.exec("SELECT 1"), "53300");
  proxy().reload(cluster("size = 2\ncheckout_timeout = \"300ms\""));
  EXPECT_TRUE(wait_until([&] { return two.exec("SELECT 1").ok(); }));
  EXPECT_EQ(one.must("COMMIT").tag, "COMMIT");
}

TEST_F(LifecycleTest, ABadFileLeavesTheOldConfigurationRunning) {
  NEEDS_PROXY();
  auto one = connect();
  one.must("BEGIN; SELECT 1");
  proxy().reload("[cluster.fediflow]\nnonsense = 1\n");
  EXPECT_TRUE(proxy().wait_for_log("nonsense"));
  EXPECT_TRUE(proxy().wait_for_log("not reloaded"));
  EXPECT_EQ(one.must("COMMIT").tag, "COMMIT");
  EXPECT_EQ(connect().must("SELECT 1").value(), "1");
  proxy().reload_file("this is no TOML [");
  EXPECT_EQ(connect().must("SELECT 1").value(), "1");
  // And a good one after it is taken.
  proxy().reload(cluster() + plain_cluster("second", server().endpoint(), "database = \"fediflow\""));
  EXPECT_TRUE(wait_until([&] { return Connection::try_open(parameters("app", "second")).first.has_value(); }));
}

TEST_F(LifecycleTest, AClusterThatMovesTakesItsSessionsAlong) {
  NEEDS_PROXY();
  PgCluster other;
  other.connect().must("CREATE TABLE here (id int)");
  auto one = connect();
  EXPECT_SQLSTATE(one.exec("SELECT * FROM here"), "42P01");
  proxy().reload(plain_cluster("fediflow", other.endpoint()));
  EXPECT_TRUE(wait_until([&] { return one.exec("SELECT * FROM here").ok(); }));
}

TEST_F(LifecycleTest, SigtermLetsAQueryOnAKeptServerFinish) {
  NEEDS_PROXY();
  auto pinned = connect();
  pinned.must("CREATE TEMP TABLE mine (id int)");
  PQsendQuery(pinned.raw(), "SELECT pg_sleep(1)");
  ASSERT_TRUE(wait_until([] { return backends("wait_event = 'PgSleep'") == 1; }));
  expect_stop();
  proxy().signal(SIGTERM);
  const auto result = pinned.next();
  ASSERT_TRUE(result);
  EXPECT_OK(*result);
}

TEST_F(LifecycleTest, SigtermEndsAnIdleClientThatKeepsItsServer) {
  NEEDS_PROXY();
  start(ProxyOptions{.pool = "mode = \"session\"\nsize = 2"});
  auto idle = connect();
  idle.must("SELECT 1");
  expect_stop();
  proxy().signal(SIGTERM);
  EXPECT_TRUE(wait_until([&] {
    PQconsumeInput(idle.raw());
    return PQstatus(idle.raw()) == CONNECTION_BAD;
  }));
}

TEST_F(LifecycleTest, AFileWithAnErrorDoesNotStart) {
  NEEDS_PROXY();
  expect_stop();
  EXPECT_THROW(start(ProxyOptions{.clusters = "[cluster.x]\nunknown = true\n"}), std::runtime_error);
}

TEST_F(LifecycleTest, MetricsAndConsoleAnswer) {
  NEEDS_PROXY();
  auto one = connect();
  one.must("SELECT 1");
  EXPECT_THAT(proxy().metrics(), testing::HasSubstr("pgweir_"));
  auto console = proxy().console();
  for (const char* sql : {"SHOW VERSION", "SHOW CONFIG", "SHOW DATABASES", "SHOW POOLS", "SHOW CLIENTS", "SHOW SERVERS",
                          "SHOW STATS", "SHOW STATS_TOTALS", "SHOW STATS_AVERAGES", "SHOW TOTALS", "SHOW LISTS", "SHOW USERS",
                          "SHOW STATE", "SHOW MEM", "SHOW PEERS", "SHOW PEER_POOLS", "SHOW SOCKETS", "SHOW ACTIVE_SOCKETS",
                          "SHOW DNS_HOSTS", "SHOW DNS_ZONES", "SHOW SHARDS", "RELOAD"})
    EXPECT_OK(console.exec(sql));
  EXPECT_FALSE(console.exec("SHOW NONSENSE").ok());
  std::ostringstream shown;
  shown << console.exec("SHOW CONFIG");
  EXPECT_EQ(shown.str().find("app-secret"), std::string::npos);
}

}  // namespace
}  // namespace pgweir::support
