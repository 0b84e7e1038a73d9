// Waits that end as on a direct connection, or with the reason: a server that lets nobody in, a reload that takes a database
// away, timeouts that the client itself has set.
#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/support/demo_cluster.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;

class WaitsTest : public ProxyTest {
 protected:
  // What all of them are told, sent at the same time.
  static std::vector<QueryResult> all(std::vector<Connection>& clients, const std::string& query) {
    for (auto& client : clients) EXPECT_EQ(PQsendQuery(client.raw(), query.c_str()), 1);
    std::vector<QueryResult> results;
    for (auto& client : clients) {
      results.push_back(client.next().value_or(QueryResult{}));
      while (client.next()) continue;
    }
    return results;
  }
  std::vector<Connection> crowd(int count, const std::string& user) {
    std::vector<Connection> clients;
    for (int i = 0; i < count; ++i) clients.push_back(connect(user));
    return clients;
  }
  static std::string message(const QueryResult& result) { return result.error ? result.error->message : ""; }
  // The code of the error that ended the connection.
  static std::string ending(RawClient& client) { return raw_field(raw_find(client.receive_until('\0'), 'E').body, 'C'); }
};

TEST_F(WaitsTest, EverybodyIsToldQuicklyWhyAServerLetsNobodyIn) {
  NEEDS_PROXY();
  start(ProxyOptions{.pool = "size = 2\ncheckout_timeout = \"30s\""});
  auto clients = crowd(6, "reader");
  clients[0].must("SELECT 1");
  server().exec("ALTER ROLE reader PASSWORD 'another'");
  proxy().console().must("RECONNECT fediflow");
  ASSERT_TRUE(wait_until([] { return server().exec("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'").value() == "0"; }));
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& result : all(clients, "SELECT 1")) {
    EXPECT_EQ(result.sqlstate(), "28P01") << result;
    EXPECT_THAT(message(result), HasSubstr("password authentication failed for user \"reader\""));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  server().exec("ALTER ROLE reader PASSWORD 'reader-secret'");
  EXPECT_TRUE(wait_until([&] { return clients[5].exec("SELECT 1").ok(); }));
}

TEST_F(WaitsTest, ADatabaseThatIsGoneIsToldInTheServersWords) {
  NEEDS_PROXY();
  server().exec("CREATE DATABASE shortlived");
  start(ProxyOptions{.clusters = plain_cluster("fediflow", server().endpoint()) +
                                 plain_cluster("shortlived", server().endpoint()),
                     .pool = "size = 2"});
  std::vector<Connection> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(Connection::open(parameters("app", "shortlived")));
  clients[0].must("SELECT 1");
  server().exec("DROP DATABASE shortlived WITH (FORCE)");
  EXPECT_TRUE(wait_until([&] { return clients[0].exec("SELECT 1").sqlstate() == "3D000"; }));
  for (const auto& result : all(clients, "SELECT 1")) {
    EXPECT_EQ(result.sqlstate(), "3D000") << result;
    EXPECT_EQ(message(result), "database \"shortlived\" does not exist");
  }
}

TEST_F(WaitsTest, AReloadThatTakesADatabaseAwayEndsWhoWaitsInIt) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = plain_cluster("fediflow", server().endpoint()) +
                                 plain_cluster("second", server().endpoint(), "database = \"fediflow\"\n"),
                     .pool = "size = 1\ncheckout_timeout = \"0s\""});
  auto holder = Connection::open(parameters("app", "second")), waiter = Connection::open(parameters("app", "second"));
  holder.must("BEGIN; SELECT 1");
  ASSERT_EQ(PQsendQuery(waiter.raw(), "SELECT 1"), 1);
  ASSERT_TRUE(wait_until([&] {
    const auto pools = proxy().console().must("SHOW POOLS");
    return std::any_of(pools.rows.begin(), pools.rows.end(), [](const auto& row) { return row[0] == "second" && row[3] == "1"; });
  }));
  proxy().reload(plain_cluster("fediflow", server().endpoint()));
  const auto told = waiter.next();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->sqlstate(), "57P01") << *told;
  EXPECT_EQ(holder.must("SELECT 'what runs may finish'").value(), "what runs may finish");
  holder.must("COMMIT");
  EXPECT_EQ(connect().must("SELECT 'others are served'").value(), "others are served");
}

TEST_F(WaitsTest, QueryTimeoutIsToldOverSeveralShardsToo) {
  NEEDS_PROXY();
  DemoCluster shards;
  ProxyProcess proxy({.clusters = shards.config(), .pool = "size = 2\nquery_timeout = \"2s\""});
  auto client = proxy.connect("app", "fediflow");
  create_demo_tables(client);
  auto holder = shards.us1().connect();
  holder.must("BEGIN; LOCK TABLE users");
  const std::string slow = "SELECT count(*) FROM users";
  for (const auto& late : {client.exec(slow), client.params(slow, {})}) {
    ASSERT_EQ(late.sqlstate(), "57014") << late;
    EXPECT_EQ(late.error->message, "canceling statement due to query timeout");
    EXPECT_EQ(late.error->detail, "query_timeout is 2000 ms.");
  }
  EXPECT_EQ(client.must("SELECT 'goes on'").value(), "goes on");
}

TEST_F(WaitsTest, IdleSessionTimeoutOfAClientEndsIt) {
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1", .metrics = false});
  RawClient asks(port(), 5), starts(port(), 5), stays(port(), 5);
  asks.log_in();
  stays.log_in();
  starts.send(raw_startup(3 << 16, {{"user", "app"}, {"database", "fediflow"}, {"options", "-c idle_session_timeout=300"}}));
  starts.receive_until('Z');
  EXPECT_EQ(raw_types(asks.query("SET idle_session_timeout = '300ms'")), "CZ");
  EXPECT_EQ(raw_types(stays.query("SET idle_session_timeout = '300ms'")), "CZ");
  EXPECT_EQ(raw_types(stays.query("RESET idle_session_timeout")), "CZ");
  EXPECT_EQ(ending(asks), "57P05");
  EXPECT_EQ(ending(starts), "57P05");
  EXPECT_EQ(raw_types(stays.query("SELECT pg_sleep(1)")), "TDCZ");
  // A transaction is another thing.
  EXPECT_EQ(raw_types(stays.query("SET idle_session_timeout = '300ms'; BEGIN; SELECT 1")), "CCTDCZ");
  EXPECT_EQ(raw_types(stays.query("SELECT pg_sleep(0.7)")), "TDCZ");
  EXPECT_EQ(raw_types(stays.query("COMMIT")), "CZ");
  EXPECT_EQ(ending(stays), "57P05");
}

TEST_F(WaitsTest, IdleInTransactionTimeoutOfAClientEndsIt) {
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1", .metrics = false});
  RawClient waiting(port(), 5), working(port(), 5);
  waiting.log_in();
  working.log_in();
  EXPECT_EQ(raw_types(waiting.query("SET idle_in_transaction_session_timeout = '300ms'")), "CZ");
  EXPECT_EQ(raw_types(working.query("SELECT 1")), "TDCZ");
  EXPECT_EQ(raw_types(waiting.query("BEGIN")), "CZ");  // no server has seen it
  EXPECT_EQ(ending(waiting), "25P03");
  EXPECT_EQ(raw_types(working.query("SET idle_in_transaction_session_timeout = '300ms'")), "CZ");
  EXPECT_EQ(raw_types(working.query("BEGIN; SELECT 1")), "CTDCZ");
  EXPECT_EQ(ending(working), "25P03");
}

// Between the end of a statement and the next message of its batch nothing runs that could take too long.
TEST_F(WaitsTest, QueryTimeoutIsOfAStatementAndNotOfItsBatch) {
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1\nquery_timeout = \"400ms\"", .metrics = false});
  RawClient client(port(), 5);
  client.log_in();
  EXPECT_EQ(raw_types(client.query("BEGIN; SELECT 1")), "CTDCZ");
  client.send(raw_parse("", "SELECT 1") + raw_bind("", "") + raw_execute("") + raw_flush());
  client.receive_until('C');
  server().exec("SELECT pg_sleep(1)");
  client.send(raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "Z");
  EXPECT_EQ(raw_types(client.query("COMMIT")), "CZ");
}

// Nor does the time that a transaction was idle count for its next statement.
TEST_F(WaitsTest, AStatementInATransactionThatWasIdleIsNotCancelled) {
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1\nidle_in_transaction_timeout = \"600ms\"", .metrics = false});
  RawClient client(port(), 5);
  client.log_in();
  EXPECT_EQ(raw_types(client.query("BEGIN; SELECT 1")), "CTDCZ");
  EXPECT_EQ(raw_types(client.query("SELECT pg_sleep(1.5)")), "TDCZ");
  EXPECT_EQ(raw_types(client.query("SELECT 1")), "TDCZ");
  EXPECT_EQ(raw_types(client.query("COMMIT")), "CZ");
}

TEST_F(WaitsTest, WhatCatchesACancelIsCancelledAgain) {
  NEEDS_PROXY();
  const std::string stubborn = "DO $$ BEGIN PERFORM pg_sleep(9); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(9); END $$";
  const auto begin = std::chrono::steady_clock::now();
  start(1, "query_timeout = \"300ms\"");
  const auto told = connect().exec(stubborn);
  EXPECT_EQ(told.sqlstate(), "57014") << told;
  start(1, "cancel_on_disconnect = true");
  {
    auto leaves = connect();
    ASSERT_EQ(PQsendQuery(leaves.raw(), stubborn.c_str()), 1);
    ASSERT_TRUE(wait_until([] { return backends("state = 'active' AND query LIKE 'DO%'") == 1; }));
  }
  EXPECT_EQ(connect().must("SELECT 'free again'").value(), "free again");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
}

}  // namespace
}  // namespace pgweir::support
