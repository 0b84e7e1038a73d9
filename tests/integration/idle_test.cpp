// Clients that send nothing: client_idle_timeout and idle_in_transaction_timeout, also where no server is attached.
#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class IdleTest : public ProxyTest {
 protected:
  void start_trusting(const std::string& pool) {
    start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 2\n" + pool, .metrics = false});
  }
  // The error that ended the connection, within its deadline.
  static std::string ending(RawClient& client) { return raw_field(raw_find(client.receive_until('\0'), 'E').body, 'C'); }
};

TEST_F(IdleTest, AClientThatSendsNothingIsDisconnected) {
  NEEDS_PROXY();
  start_trusting("client_idle_timeout = \"300ms\"");
  RawClient fresh(port(), 5), used(port(), 5);
  fresh.log_in();
  used.log_in();
  used.query("SELECT 1");
  EXPECT_EQ(ending(fresh), "57P05");
  EXPECT_EQ(ending(used), "57P05");
}

TEST_F(IdleTest, AClientThatWaitsForAnAnswerIsNotIdle) {
  NEEDS_PROXY();
  start_trusting("client_idle_timeout = \"300ms\"");
  RawClient client(port(), 5);
  client.log_in();
  EXPECT_EQ(raw_types(client.query("SELECT pg_sleep(1)")), "TDCZ");
  // Nor is one inside a transaction, nor one that goes on sending.
  EXPECT_EQ(raw_types(client.query("BEGIN; SELECT 1; SELECT pg_sleep(0.5)")), "CTDCTDCZ");
  EXPECT_EQ(raw_types(client.query("SELECT pg_sleep(0.5)")), "TDCZ");
  EXPECT_EQ(raw_types(client.query("COMMIT")), "CZ");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(raw_types(client.query("SELECT pg_sleep(0.1)")), "TDCZ");
  EXPECT_EQ(ending(client), "57P05");
}

TEST_F(IdleTest, ATransactionThatNoServerHasSeenIsEndedToo) {
  NEEDS_PROXY();
  start_trusting("idle_in_transaction_timeout = \"300ms\"");
  RawClient waiting(port(), 5), outside(port(), 5);
  outside.log_in();
  waiting.log_in();
  waiting.query("BEGIN");
  EXPECT_EQ(ending(waiting), "25P03");
  EXPECT_EQ(raw_types(outside.query("SELECT 1")), "TDCZ");
}

TEST_F(IdleTest, ATransactionThatTakesTooLongIsEndedWithItsServer) {
  NEEDS_PROXY();
  start_trusting("transaction_timeout = \"400ms\"");
  // Not one that goes on with the next transaction.
  RawClient busy(port(), 5);
  busy.log_in();
  for (int i = 0; i < 12; ++i) EXPECT_EQ(raw_types(busy.query("BEGIN; SELECT pg_sleep(0.05); COMMIT")), "CTDCCZ");
  RawClient slow(port(), 5);
  slow.log_in();
  slow.send(raw_query("SELECT pg_sleep(30)"));
  const auto told = raw_find(slow.receive_until('\0'), 'E');
  EXPECT_EQ(raw_field(told.body, 'C'), "25P04");
  EXPECT_EQ(raw_field(told.body, 'D'), "transaction_timeout is 400 ms.");
  EXPECT_TRUE(wait_until([] { return backends("query LIKE '%pg_sleep(30)%' AND state = 'active'") == 0; }));
  RawClient talking(port(), 5);
  talking.log_in();
  talking.query("BEGIN");
  std::string types;
  while (types.find('E') == std::string::npos) types = raw_types(talking.query("SELECT pg_sleep(0.05)"));
  EXPECT_TRUE(no_transaction_is_open());
}

TEST_F(IdleTest, EachTimeoutSaysItsNumber) {
  NEEDS_PROXY();
  start(2, "query_timeout = \"200ms\"\nidle_in_transaction_timeout = \"300ms\"");
  auto client = connect();
  for (const auto& late : {client.exec("SELECT pg_sleep(30)"), client.params("SELECT pg_sleep(30)", {})}) {
    ASSERT_EQ(late.sqlstate(), "57014") << late;
    EXPECT_EQ(late.error->message, "canceling statement due to query timeout");
    EXPECT_EQ(late.error->detail, "query_timeout is 200 ms.");
  }
  // What the client cancels itself is told as ever.
  start(2, "query_timeout = \"30s\"");
  auto canceled = connect();
  ASSERT_EQ(PQsendQuery(canceled.raw(), "SELECT pg_sleep(30)"), 1);
  ASSERT_TRUE(wait_until([] { return backends("state = 'active' AND query LIKE '%pg_sleep(30)%'") == 1; }));
  EXPECT_EQ(canceled.cancel(), "");
  const auto told = canceled.next();
  ASSERT_TRUE(told && told->error);
  EXPECT_EQ(told->error->message, "canceling statement due to user request");
  start_trusting("idle_in_transaction_timeout = \"300ms\"");
  RawClient idle(port(), 5);
  idle.log_in();
  idle.query("BEGIN; SELECT 1");
  EXPECT_EQ(raw_field(raw_find(idle.receive_until('\0'), 'E').body, 'D'), "idle_in_transaction_timeout is 300 ms.");
  start_trusting("client_idle_timeout = \"300ms\"");
  RawClient outside(port(), 5);
  outside.log_in();
  EXPECT_EQ(raw_field(raw_find(outside.receive_until('\0'), 'E').body, 'D'), "client_idle_timeout is 300 ms.");
}

TEST_F(IdleTest, ALoginThatIsNotFinishedIsEnded) {
  NEEDS_PROXY();
  start(ProxyOptions{.listen_extra = "client_login_timeout = \"300ms\""});
  RawClient client(port(), 5);
  client.send(raw_startup(3 << 16, {{"user", "app"}, {"database", "fediflow"}}));
  const auto told = raw_find(client.receive_until('\0'), 'E');
  EXPECT_EQ(raw_field(told.body, 'C'), "08P01");
  EXPECT_EQ(raw_field(told.body, 'D'), "listen.client_login_timeout is 300 ms.");
}

TEST_F(IdleTest, AMessageThatIsNotCompletedIsEnded) {
  NEEDS_PROXY();
  start(ProxyOptions{.listen_extra = "client_message_timeout = \"400ms\"", .auth = "method = \"trust\"", .metrics = false});
  RawClient half(port(), 5), busy(port(), 5);
  half.log_in();
  busy.log_in();
  half.send(raw_query("SELECT 1").substr(0, 9));
  for (int i = 0; i < 8; ++i) {  // others send theirs in two parts, and slow answers are no business of it
    const std::string query = raw_query("SELECT pg_sleep(0.1)");
    busy.send(query.substr(0, 7));
    busy.send(query.substr(7));
    EXPECT_EQ(raw_types(busy.receive_until('Z')), "TDCZ");
  }
  const auto told = raw_find(half.receive_until('\0'), 'E');
  EXPECT_EQ(raw_field(told.body, 'C'), "08P01");
  EXPECT_EQ(raw_field(told.body, 'D'), "listen.client_message_timeout is 400 ms.");
  EXPECT_EQ(raw_types(busy.query("SELECT 1")), "TDCZ");
}

// A server that takes connections and says nothing: told after server_connect_timeout, with its number.
TEST_F(IdleTest, AServerThatDoesNotAnswerIsToldWithTheTimeout) {
  NEEDS_PROXY();
  PgCluster own;
  start(ProxyOptions{.clusters = plain_cluster("fediflow", own.endpoint()),
                     .pool = "size = 2\nserver_connect_timeout = \"300ms\"\nserver_idle_timeout = \"200ms\""});
  auto client = connect();
  client.must("SELECT 1");
  ASSERT_TRUE(wait_until([&] {
    return own.exec("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND application_name NOT LIKE 'pgweir%'").value() == "0";
  }));
  own.pause(true);
  const auto refused = client.exec("SELECT 1");
  own.pause(false);
  ASSERT_EQ(refused.sqlstate(), "08001") << refused;
  EXPECT_THAT(refused.error->message, testing::EndsWith("did not complete the login within 300 ms"));
  EXPECT_TRUE(wait_until([&] { return client.exec("SELECT 1").ok(); }));
}

// now() of a block that waits for its first statement: on one shard it is that of begin_defer_max after BEGIN, at the latest.
TEST_F(IdleTest, ABeginIsNotPutOffForEver) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = plain_cluster("fediflow", server().endpoint()) + "replicas = [\"127.0.0.1:1\"]\n",
                     .pool = "size = 1\nbegin_defer_max = \"100ms\""});
  auto client = connect();
  table("put_off", "id int");
  const auto started = [] { return backends("state = 'idle in transaction'") == 1; };
  client.must("SET application_name = 'first'");
  client.must("BEGIN");
  client.must("SAVEPOINT early");
  ASSERT_TRUE(wait_until(started));
  const auto began = server().exec("SELECT xact_start FROM pg_stat_activity WHERE state = 'idle in transaction'").value();
  EXPECT_EQ(client.exec("SELECT now()").value(), began);
  EXPECT_OK(client.exec("INSERT INTO put_off VALUES (1)"));
  EXPECT_OK(client.exec("ROLLBACK TO early"));
  EXPECT_OK(client.exec("INSERT INTO put_off VALUES (2)"));
  EXPECT_OK(client.exec("COMMIT"));
  EXPECT_EQ(server().exec("SELECT string_agg(id::text, ',') FROM put_off").value(), "2");
  // Its end comes before any statement; and the next block is put off anew, also behind one that looked at a setting.
  for (const std::string end : {"COMMIT", "ROLLBACK"}) {
    client.must("BEGIN");
    EXPECT_EQ(client.exec("SHOW application_name").value(), "first");
    ASSERT_TRUE(wait_until(started)) << end;
    EXPECT_OK(client.exec(end));
    EXPECT_TRUE(no_transaction_is_open());
  }
}

// Nothing is free, and then the client leaves: neither is told of it, and nothing stays behind.
TEST_F(IdleTest, ABeginThatFindsNoServerGoesOnWaitingForItsStatement) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = plain_cluster("fediflow", server().endpoint()) + "replicas = [\"127.0.0.1:1\"]\n",
                     .pool = "size = 1\nbegin_defer_max = \"50ms\"\ncheckout_timeout = \"200ms\""});
  auto holder = connect(), waiting = connect();
  holder.must("BEGIN; SELECT 1");
  waiting.must("BEGIN");
  auto console = proxy().connect("stats", "pgweir");
  const auto waits = [&] {
    const auto pools = console.exec("SHOW POOLS");
    const auto column = std::find(pools.columns.begin(), pools.columns.end(), "cl_waiting") - pools.columns.begin();
    return std::any_of(pools.rows.begin(), pools.rows.end(), [&](const Row& row) { return row[column] == "1"; });
  };
  EXPECT_TRUE(wait_until(waits));
  EXPECT_TRUE(wait_until([&] { return !waits(); }));
  holder.must("COMMIT");
  EXPECT_TRUE(wait_until([] { return backends("state = 'idle in transaction'") == 1; }));
  EXPECT_EQ(waiting.exec("SELECT 1").value(), "1");
  EXPECT_OK(waiting.exec("COMMIT"));
  EXPECT_TRUE(no_transaction_is_open());
}

TEST_F(IdleTest, WhoWaitsLongForAServerIsToldAndGoesOnWaiting) {
  NEEDS_PROXY();
  start(1, "checkout_notice = \"100ms\"");
  auto holder = connect(), waiting = connect();
  holder.must("BEGIN; SELECT 1");
  ASSERT_EQ(PQsendQuery(waiting.raw(), "SELECT 'served'"), 1);
  std::vector<Report> notices;
  EXPECT_TRUE(wait_until([&] {
    PQconsumeInput(waiting.raw());
    (void)PQisBusy(waiting.raw());
    for (auto& one : waiting.take_notices()) notices.push_back(one);
    return !notices.empty();
  }));
  holder.must("COMMIT");
  const auto served = waiting.next();
  ASSERT_TRUE(served);
  EXPECT_EQ(served->value(), "served");
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(notices[0].severity, "NOTICE");
  EXPECT_EQ(notices[0].sqlstate, "00000");
  EXPECT_THAT(notices[0].message, testing::StartsWith("waiting for a server connection for 1"));
  EXPECT_THAT(notices[0].detail, testing::HasSubstr("1 active, 0 idle, 0 connecting, 1 allowed, 1 waiting."));
}

TEST_F(IdleTest, WithoutABoundNobodyIsDisconnected) {
  NEEDS_PROXY();
  start_trusting("");
  RawClient client(port(), 5);
  client.log_in();
  client.query("BEGIN");
  RawClient other(port(), 5);
  other.log_in();
  EXPECT_EQ(raw_types(other.query("SELECT pg_sleep(1)")), "TDCZ");
  EXPECT_EQ(raw_types(client.query("SELECT 1")), "TDCZ");
}

}  // namespace
}  // namespace pgweir::support
