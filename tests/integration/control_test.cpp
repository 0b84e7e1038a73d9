// The control plane against real servers: schemas, drift, OIDs, health, replicas, decision tables and recovery.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/demo_cluster.h"
#include "tests/support/proxy_process.h"

namespace pgweir::support {
namespace {

using ::testing::HasSubstr;

constexpr char kPinned[] = "0b9c1c1e-0000-4000-8000-000000000001";  // lives on us1
constexpr char kUuid[] = "0190aaaa-0000-7000-8000-0000000000";

void create_everywhere(DemoCluster& cluster) {
  for (PgCluster* shard : cluster.primaries()) {
    Connection connection = shard->connect();
    create_demo_tables(connection);
  }
}

// What `pgweir route` prints; its exit code does not matter.
std::string route(const ProxyProcess& proxy, const std::string& sql) {
  try {
    return run({.command = {PGWEIR_BINARY, "route", proxy.config_file().string(), sql}});
  } catch (const std::runtime_error& refused) {
    return refused.what();
  }
}

std::string state_of(Connection& console, const std::string& shard, const std::string& role = "primary") {
  const QueryResult shards = console.must("SHOW SHARDS");
  for (const Row& row : shards.rows)
    if (row.at(1) == shard && row.at(5) == role) return row.at(6).value_or("");
  return "absent";
}

TEST(ControlTest, RouteReadsSchemasAndSeesDrift) {
  DemoCluster cluster;
  create_everywhere(cluster);
  ProxyProcess proxy({.clusters = cluster.config()}, ProxyProcess::Stopped{});
  EXPECT_THAT(route(proxy, "SELECT username FROM users"), HasSubstr("scatter"));
  EXPECT_THAT(route(proxy, std::string("SELECT username FROM users WHERE tenant_id = '") + kPinned + "'"),
              HasSubstr("shards: us1\n"));
  cluster.us1().connect().must("ALTER TABLE users ADD COLUMN extra int");
  EXPECT_THAT(route(proxy, "SELECT username FROM users"), HasSubstr("table_drifted"));
  cluster.eu1().connect().must("ALTER TABLE users ADD COLUMN extra int");
  cluster.archive().connect().must("ALTER TABLE users ADD COLUMN extra int");
  EXPECT_THAT(route(proxy, "SELECT username, extra FROM users"), HasSubstr("scatter"));
  cluster.us1().connect().must("ALTER TABLE jobs ADD COLUMN extra int");  // local to eu1: nobody else's matters
  EXPECT_THAT(route(proxy, "SELECT * FROM jobs"), HasSubstr("shards: eu1\n"));
  for (PgCluster* shard : cluster.primaries()) shard->connect().must("DROP TABLE courses CASCADE");
  EXPECT_THAT(route(proxy, "SELECT * FROM courses"), HasSubstr("refused"));
}

TEST(ControlTest, ALocalTableIsKnownFromItsOwnShard) {
  DemoCluster cluster;
  cluster.us1().connect().must("CREATE TABLE only_us1 (id int PRIMARY KEY, note text)");
  const std::string table =
      "\n[[cluster.fediflow.table]]\nname = \"public.only_us1\"\nkind = \"local\"\nshard = \"us1\"\n";
  ProxyProcess proxy({.clusters = cluster.config() + table}, ProxyProcess::Stopped{});
  EXPECT_THAT(route(proxy, "SELECT note FROM only_us1 WHERE id = 1"), HasSubstr("shards: us1\n"));
}

TEST(ControlTest, TypesHaveOneOidForClientsWhereverRowsComeFrom) {
  DemoCluster cluster;
  cluster.us1().exec("CREATE TABLE burn_an_oid (x int); CREATE TABLE burn_another (x int)");
  for (PgCluster* shard : cluster.primaries()) {
    Connection connection = shard->connect();
    connection.must("CREATE TYPE mood AS ENUM ('sad', 'ok')");
    connection.must("CREATE TABLE users (tenant_id uuid, id uuid, feels mood, PRIMARY KEY (tenant_id, id))");
    connection.must(std::string("INSERT INTO users VALUES ('") + kPinned + "', gen_random_uuid(), 'ok')");
  }
  const auto oid = [](PgCluster& shard) { return shard.connect().must("SELECT feels FROM users").types.at(0); };
  ASSERT_NE(oid(cluster.eu1()), oid(cluster.us1()));
  ProxyProcess proxy({.clusters = cluster.config()});
  const QueryResult one =
      proxy.connect().must(std::string("SELECT feels FROM users WHERE tenant_id = '") + kPinned + "'");
  EXPECT_EQ(one.types.at(0), oid(cluster.eu1()));
  EXPECT_EQ(one.value(), "ok");
}

TEST(ControlTest, HealthFollowsAServerThatStopsAndComesBack) {
  DemoCluster cluster;
  create_everywhere(cluster);
  ProxyProcess proxy({.clusters = cluster.config()});
  Connection console = proxy.console();
  ASSERT_TRUE(wait_until([&] { return state_of(console, "us1") == "up" && state_of(console, "eu1") == "up"; }));
  cluster.us1().kill9();
  EXPECT_TRUE(wait_until([&] { return state_of(console, "us1") == "down"; }));
  EXPECT_EQ(state_of(console, "eu1"), "up");
  cluster.us1().start();
  EXPECT_TRUE(wait_until([&] { return state_of(console, "us1") == "up"; }));
  cluster.us1().pause(true);  // it accepts connections and says nothing
  EXPECT_TRUE(wait_until([&] { return state_of(console, "us1") == "down"; }));
  EXPECT_EQ(state_of(console, "eu1"), "up");
  cluster.us1().pause(false);
  EXPECT_TRUE(wait_until([&] { return state_of(console, "us1") == "up"; }));
}

TEST(ControlTest, ReadsGoToAReplicaWhileItIsUp) {
  PgCluster primary;
  const auto replica = primary.make_replica();
  ProxyProcess proxy(
      {.clusters = "[cluster.fediflow]\nreads = \"replica\"\n[[cluster.fediflow.shard]]\nname = \"one\"\nprimary = \"" +
                   primary.endpoint() + "\"\nreplicas = [\"" + replica->endpoint() + "\"]\n"});
  Connection console = proxy.console();
  ASSERT_TRUE(wait_until([&] { return state_of(console, "one", "replica") == "up"; }));
  const auto port = [&] { return proxy.connect().must("SELECT inet_server_port()").value(); };
  EXPECT_EQ(port(), std::to_string(replica->port()));
  replica->stop();
  ASSERT_TRUE(wait_until([&] { return state_of(console, "one", "replica") == "down"; }));
  EXPECT_EQ(port(), std::to_string(primary.port()));
  replica->start();
  ASSERT_TRUE(wait_until([&] { return state_of(console, "one", "replica") == "up"; }));
  replica->promote();
  EXPECT_TRUE(wait_until([&] { return state_of(console, "one", "replica") == "recovering"; }));
  EXPECT_EQ(port(), std::to_string(primary.port()));
}

TEST(ControlTest, WritesOnSeveralShardsNeedPreparedTransactions) {
  DemoCluster cluster({.server = {.max_prepared_transactions = 0}});
  create_everywhere(cluster);
  ProxyProcess proxy({.clusters = cluster.config()});
  const QueryResult refused = proxy.connect().exec(std::string("INSERT INTO tenants VALUES ('") + kPinned +
                                                   "', 'a', 'eu', 'p', 1, '2025-01-01')");
  EXPECT_EQ(refused.sqlstate(), "0A000");
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_THAT(refused.error->message, HasSubstr("max_prepared_transactions = 0"));
  EXPECT_THAT(refused.error->hint, HasSubstr("restart"));
  EXPECT_EQ(cluster.eu1().exec("SELECT count(*) FROM tenants").value(), "0");
}

class RecoveryTest : public ::testing::Test {
 protected:
  static std::string gid(const std::string& last, const std::string& name = "fediflow") {
    return "pgweir:" + name + ":eu1:" + kUuid + last;
  }
  static void leave(PgCluster& shard, const std::string& user, int value, const std::string& prepared) {
    Connection connection = shard.connect(user);
    connection.must("BEGIN");
    connection.must("INSERT INTO left_behind VALUES (" + std::to_string(value) + ")");
    connection.must("PREPARE TRANSACTION '" + prepared + "'");
  }
  static std::string column(PgCluster& shard, const std::string& sql) {
    std::string out;
    for (const Row& row : shard.exec(sql).rows) out += row.at(0).value_or("NULL") + " ";
    return out;
  }
};

TEST_F(RecoveryTest, TheDecisionRowDecidesAndForeignTransactionsStay) {
  DemoCluster cluster;
  for (PgCluster* shard : cluster.primaries()) {
    Connection connection = shard->connect();
    create_demo_tables(connection);
    connection.must("CREATE TABLE left_behind (x int); GRANT ALL ON left_behind TO PUBLIC");
  }
  ProxyProcess proxy({.clusters = cluster.config()});
  ASSERT_TRUE(
      wait_until([&] { return cluster.eu1().exec("SELECT to_regproc('pgweir.decide') IS NOT NULL").value() == "t"; }));
  // Application roles decide without rights on the table.
  Connection reader = cluster.eu1().connect("reader");
  EXPECT_EQ(reader.exec("SELECT * FROM pgweir.decision").sqlstate(), "42501");
  reader.must("SELECT pgweir.decide('" + gid("01") + "', ARRAY['us1'], 'test')");
  leave(cluster.us1(), "app", 1, gid("01") + ":1");
  leave(cluster.us1(), "reader", 2, gid("01") + ":2");  // another owner: finished by that owner's own login
  leave(cluster.us1(), "app", 3, gid("02") + ":1");     // nobody decided
  leave(cluster.us1(), "app", 4, gid("03", "other") + ":1");
  leave(cluster.us1(), "app", 5, "somebody else");
  const std::string others = "SELECT gid FROM pg_prepared_xacts ORDER BY gid";
  EXPECT_TRUE(wait_until(
      [&] {
        return column(cluster.us1(), others) == "somebody else " ||
               column(cluster.us1(), others).find("fediflow") == std::string::npos;
      },
      Milliseconds{30'000}));
  EXPECT_EQ(column(cluster.us1(), others), gid("03", "other") + ":1 somebody else ");
  EXPECT_EQ(column(cluster.us1(), "SELECT x FROM left_behind ORDER BY x"), "1 2 ");
  EXPECT_EQ(column(cluster.eu1(), "SELECT state FROM pgweir.decision ORDER BY gid"), "commit abort ");
  EXPECT_EQ(column(cluster.eu1(), "SELECT owner FROM pgweir.decision WHERE state = 'commit'"), "reader ");
}

TEST_F(RecoveryTest, NothingIsDecidedWhileACoordinatorIsAtItOrItsShardIsAway) {
  DemoCluster cluster({.server = {.fsync = true}});
  for (PgCluster* shard : cluster.primaries()) shard->connect().must("CREATE TABLE left_behind (x int)");
  ProxyProcess proxy({.clusters = cluster.config()});
  ASSERT_TRUE(
      wait_until([&] { return cluster.eu1().exec("SELECT to_regproc('pgweir.decide') IS NOT NULL").value() == "t"; }));
  Connection coordinator = cluster.eu1().connect();
  coordinator.must("BEGIN");
  coordinator.must("SELECT pgweir.decide('" + gid("11") + "', ARRAY['us1'], 'test')");
  leave(cluster.us1(), "app", 1, gid("11") + ":1");
  // Recovery has looked at it when its insert waits for the coordinator's row.
  ASSERT_TRUE(wait_until(
      [&] {
        return cluster.eu1()
                   .exec(
                       "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT "
                       "INTO pgweir.decision%'")
                   .value() == "1";
      },
      Milliseconds{30'000}));
  EXPECT_EQ(column(cluster.us1(), "SELECT count(*) FROM pg_prepared_xacts"), "1 ");
  coordinator.must("COMMIT");
  cluster.eu1().kill9();
  leave(cluster.us1(), "app", 2, gid("12") + ":1");
  ASSERT_TRUE(
      proxy.wait_for_log("primary of shard eu1 (" + cluster.eu1().endpoint() + ") is down", Milliseconds{30'000}));
  EXPECT_EQ(column(cluster.us1(), "SELECT count(*) FROM pg_prepared_xacts WHERE gid LIKE '%12:1'"), "1 ");
  cluster.eu1().start();
  EXPECT_TRUE(wait_until([&] { return column(cluster.us1(), "SELECT count(*) FROM pg_prepared_xacts") == "0 "; },
                         Milliseconds{30'000}));
  EXPECT_EQ(column(cluster.us1(), "SELECT x FROM left_behind"), "1 ");
}

TEST_F(RecoveryTest, DecisionsThatNobodyNeedsAreDeleted) {
  DemoCluster cluster;
  for (PgCluster* shard : cluster.primaries()) shard->connect().must("CREATE TABLE left_behind (x int)");
  ProxyProcess proxy({.clusters = cluster.config()});
  ASSERT_TRUE(
      wait_until([&] { return cluster.eu1().exec("SELECT to_regproc('pgweir.decide') IS NOT NULL").value() == "t"; }));
  const auto row = [&](const std::string& last, const std::string& state, const std::string& participants,
                       const std::string& age) {
    cluster.eu1().exec("INSERT INTO pgweir.decision VALUES ('" + gid(last) + "', '" + state + "', " + participants +
                       ", 'app', 'p', now() - interval '" + age + "')");
  };
  row("21", "commit", "'{us1}'", "2 minutes");
  row("22", "commit", "'{us1}'", "1 second");
  row("23", "commit", "'{gone}'", "2 minutes");  // a participant that is not configured cannot be asked
  row("24", "abort", "NULL", "2 minutes");
  row("25", "abort", "NULL", "11 minutes");
  EXPECT_TRUE(wait_until(
      [&] { return column(cluster.eu1(), "SELECT right(gid, 2) FROM pgweir.decision ORDER BY gid") == "22 23 24 "; },
      Milliseconds{60'000}));
}

}  // namespace
}  // namespace pgweir::support
