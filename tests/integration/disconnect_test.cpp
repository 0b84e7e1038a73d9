// Clients that go away in the middle of something: nothing of it stays on a server.
#include <sys/socket.h>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class DisconnectTest : public ProxyTest {
 protected:
  void SetUp() override {
    default_pool_size = 1;
    start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1"});
  }
  RawClient raw() {
    RawClient client(port());
    client.log_in();
    return client;
  }
  void expect_clean_for_others() {
    EXPECT_TRUE(no_transaction_is_open());
    auto other = connect();
    EXPECT_EQ(other.must("SELECT 'clean'").value(), "clean");
    EXPECT_LE(pooled_backends(), 2);  // the pool's one, and perhaps one that is ending
  }
};

TEST_F(DisconnectTest, InABlockRollsItBack) {
  table("half", "id int");
  for (const bool hard : {false, true}) {
    auto client = raw();
    client.query("BEGIN");
    client.query("INSERT INTO half VALUES (1)");
    ASSERT_EQ(backends("state = 'idle in transaction'"), 1);
    hard ? client.reset() : client.close();
    expect_clean_for_others();
    EXPECT_EQ(server().exec("SELECT count(*) FROM half").value(), "0");
  }
}

TEST_F(DisconnectTest, InAFailedBlockLeavesNothing) {
  auto client = raw();
  client.query("BEGIN");
  client.query("SELECT 1/0");
  client.close();
  expect_clean_for_others();
}

TEST_F(DisconnectTest, WithTerminateIsTheSame) {
  auto client = raw();
  client.query("BEGIN");
  client.query("SELECT 1");
  client.send(raw_message('X', ""));
  EXPECT_TRUE(client.closed());
  expect_clean_for_others();
}

TEST_F(DisconnectTest, ATerminateBehindRequestsIsMetWhenTheyAreAnswered) {
  auto client = raw();
  client.send(raw_query("SELECT pg_sleep(0.2)") + raw_parse("", "SELECT 'behind'") + raw_bind("", "") + raw_execute("") + raw_sync() +
              raw_message('X', ""));
  EXPECT_EQ(raw_types(client.receive_until('Z')), "TDCZ");
  EXPECT_EQ(raw_types(client.receive_until('Z')), "12DCZ");
  EXPECT_TRUE(client.closed());
  expect_clean_for_others();
}

// What was received completely before the end runs as it would directly.
TEST_F(DisconnectTest, AWriteThatWasSentIsDone) {
  table("sent", "id int");
  {
    auto client = raw();
    client.send(raw_query("SELECT pg_sleep(0.3); INSERT INTO sent VALUES (1)") + raw_message('X', ""));
    client.close();
  }
  EXPECT_TRUE(wait_until([] { return server().exec("SELECT count(*) FROM sent").value() == "1"; }));
  expect_clean_for_others();
}

// A read that waits behind it in the pipeline does not make a write worth cancelling.
TEST_F(DisconnectTest, AWriteInFlightIsDoneWhateverStandsBehindIt) {
  const std::string write = "INSERT INTO behind SELECT 1 FROM pg_sleep(0.3)", read = "SELECT 1";
  for (const bool extended : {false, true}) {
    table("behind", "id int");
    auto client = raw();
    auto request = [&](const std::string& sql) {
      return extended ? raw_parse("", sql) + raw_bind("", "") + raw_execute("") + raw_sync() : raw_query(sql);
    };
    client.send(request(write) + request(read));
    ASSERT_TRUE(wait_until([] { return backends("state = 'active' AND query LIKE 'INSERT INTO behind%'") == 1; }));
    client.close();
    EXPECT_TRUE(no_transaction_is_open());
    EXPECT_EQ(server().exec("SELECT count(*) FROM behind").value(), "1") << (extended ? "extended" : "simple");
    expect_clean_for_others();
  }
}

TEST_F(DisconnectTest, ReadsInFlightAreCancelled) {
  NEEDS_PROXY();
  const std::string endless = "SELECT count(*) FROM generate_series(1, 100000000000) AS s(i)";
  for (const bool extended : {false, true}) {
    auto client = raw();
    client.query("CREATE TABLE IF NOT EXISTS earlier (id int)");  // a write that has been answered does not count
    client.send(extended ? raw_parse("", "SELECT 1") + raw_bind("", "") + raw_execute("") + raw_parse("", endless) +
                               raw_bind("", "") + raw_execute("") + raw_sync()
                         : raw_query("SELECT 1") + raw_query(endless) + raw_query("SELECT 2"));
    ASSERT_TRUE(wait_until([] { return backends("state = 'active' AND query LIKE '%100000000000%'") == 1; }));
    client.close();
    expect_clean_for_others();
  }
}

// The server has not said yet that it waits for data when the client is gone already.
TEST_F(DisconnectTest, BehindACopyThatHasNotBegunFailsIt) {
  NEEDS_PROXY();
  table("waits", "id int");
  const std::string copy = "COPY waits FROM STDIN", row = raw_message('d', "1\n");
  const std::string extended = raw_parse("", copy) + raw_bind("", "") + raw_execute("");
  for (const std::string& sent : {raw_query(copy), raw_query(copy) + row, extended, extended + raw_flush(),
                                  extended + raw_sync(), extended + raw_flush() + row + raw_sync()}) {
    auto lock = server().connect();
    lock.must("BEGIN; LOCK TABLE waits");
    auto client = raw();
    client.send(sent);
    ASSERT_TRUE(wait_until([] { return backends("wait_event_type = 'Lock' AND query = 'COPY waits FROM STDIN'") == 1; }));
    client.send(raw_message('X', ""));
    client.half_close();
    ASSERT_TRUE(client.closed());  // the proxy knows
    lock.must("COMMIT");
    expect_clean_for_others();
    EXPECT_EQ(server().exec("SELECT count(*) FROM waits").value(), "0");
  }
}

TEST_F(DisconnectTest, InTheMiddleOfALargeResultFreesTheServer) {
  for (const bool hard : {false, true}) {
    auto client = raw();
    client.send(raw_query("SELECT repeat('x', 1000) FROM generate_series(1, 3000000)"));
    ASSERT_EQ(client.receive()->type, 'T');
    ASSERT_EQ(client.receive()->type, 'D');
    hard ? client.reset() : client.close();
    expect_clean_for_others();
  }
}

TEST_F(DisconnectTest, InTheMiddleOfAMessageRunsNothing) {
  table("cut", "id int");
  auto client = raw();
  const std::string query = raw_query("INSERT INTO cut VALUES (1)");
  client.send(query.substr(0, query.size() - 3));
  client.close();
  expect_clean_for_others();
  EXPECT_EQ(server().exec("SELECT count(*) FROM cut").value(), "0");
}

// Without its Sync a group is not committed.
TEST_F(DisconnectTest, BeforeTheSyncUndoesTheGroup) {
  table("unsynced", "id int");
  auto client = raw();
  client.send(raw_parse("", "INSERT INTO unsynced VALUES (1)") + raw_bind("", "") + raw_execute("") + raw_flush());
  EXPECT_EQ(raw_types(client.receive_until('C')), "12C");
  client.close();
  expect_clean_for_others();
  EXPECT_EQ(server().exec("SELECT count(*) FROM unsynced").value(), "0");
}

TEST_F(DisconnectTest, InTheMiddleOfAPipelineKeepsTheFinishedGroups) {
  table("groups", "id int");
  auto client = raw();
  std::string bytes;
  for (int i = 1; i <= 20; ++i)
    bytes += raw_parse("", "INSERT INTO groups VALUES (" + std::to_string(i) + ")") + raw_bind("", "") +
             raw_execute("") + raw_sync();
  client.send(bytes + raw_parse("", "INSERT INTO groups VALUES (21)") + raw_bind("", "") + raw_execute(""));
  client.close();
  expect_clean_for_others();
  // How many ran before PostgreSQL saw that nobody reads the answers depends on time, directly too; but it is the first
  // ones, each complete, and never the one without its Sync.
  EXPECT_EQ(server().exec("SELECT coalesce(max(id), 0) - count(*) FROM groups").value(), "0");
  EXPECT_EQ(server().exec("SELECT count(*) FROM groups WHERE id > 20").value(), "0");
}

TEST_F(DisconnectTest, WhileWaitingForAServerLeavesTheLine) {
  table("line", "id int");
  auto holder = connect();
  holder.must("BEGIN");
  holder.must("SELECT 1");
  {
    auto waiter = raw();
    waiter.send(raw_query("INSERT INTO line VALUES (1)"));
    auto aborter = raw();
    aborter.send(raw_query("SELECT 1"));
    aborter.reset();
    waiter.reset();
  }
  holder.must("COMMIT");
  expect_clean_for_others();
}

TEST_F(DisconnectTest, ManyAtOnceNeverLoseAServer) {
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 3"});
  for (int round = 0; round < 60; ++round) {
    auto client = raw();
    switch (round % 6) {
      case 0:
        client.send(raw_query("BEGIN") + raw_query("SELECT 1"));
        break;
      case 1:
        client.send(raw_query("SELECT pg_sleep(0.01)"));
        break;
      case 2:
        client.send(raw_parse("", "SELECT 1") + raw_bind("", "") + raw_execute(""));
        break;
      case 3:
        client.send(raw_query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)"));
        break;
      case 4:
        client.send(raw_query("SET statement_timeout = 7") + raw_query("SELECT 1"));
        break;
      default:
        client.send(raw_parse("s", "SELECT 1/0") + raw_bind("", "s") + raw_execute("") + raw_sync() +
                    raw_query("BEGIN"));
    }
    if (round % 2 == 0) client.reset();
  }
  EXPECT_TRUE(no_transaction_is_open());
  std::vector<Connection> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(connect());
    all.back().must("BEGIN");
    EXPECT_EQ(all.back().must("SHOW statement_timeout").value(), "0");
  }
  if (!direct()) {
    EXPECT_LE(pooled_backends(), 4);
  }
}

}  // namespace
}  // namespace pgweir::support
