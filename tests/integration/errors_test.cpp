// Errors of statements: what they say, and that the session and its neighbours go on.
#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class ErrorsTest : public ProxyTest {};

TEST_F(ErrorsTest, AreThoseOfPostgresqlInEveryField) {
  table("named", "id int CONSTRAINT named_positive CHECK (id > 0), CONSTRAINT named_key PRIMARY KEY (id)");
  auto through = connect();
  auto straight = server().connect();
  for (const char* sql : {"SELECT 1/0", "SELEKT", "SELECT * FROM missing", "SELECT missing FROM named",
                          "SELECT 'x'::int", "INSERT INTO named VALUES (-1)", "INSERT INTO named VALUES (7), (7)",
                          "SELECT missing()", "SELECT 1 +", "SELECT 'unterminated", "COMMIT PREPARED 'x'",
                          "SAVEPOINT outside", "SELECT 1; SELECT 1/0; SELECT 2", "SELECT '\xff'",
                          "DO $$ BEGIN RAISE EXCEPTION USING "
                          "ERRCODE='ZZ123', MESSAGE='m', DETAIL='d', HINT='h', TABLE='t'; END $$"}) {
    const auto a = through.exec(sql), b = straight.exec(sql);
    ASSERT_FALSE(b.ok()) << sql;
    ASSERT_FALSE(a.ok()) << sql;
    EXPECT_EQ(a.error->sqlstate, b.error->sqlstate) << sql;
    EXPECT_EQ(a.error->message, b.error->message) << sql;
    EXPECT_EQ(a.error->detail, b.error->detail) << sql;
    EXPECT_EQ(a.error->hint, b.error->hint) << sql;
    EXPECT_EQ(a.error->position, b.error->position) << sql;
    EXPECT_EQ(a.error->routine, b.error->routine) << sql;
    EXPECT_EQ(a.error->constraint, b.error->constraint) << sql;
    EXPECT_EQ(a.error->table, b.error->table) << sql;
    ASSERT_TRUE(through.alive()) << sql;
    EXPECT_EQ(through.exec("SELECT 1").value(), "1") << sql;
  }
}

TEST_F(ErrorsTest, InABlockPutItIntoTheFailedState) {
  auto connection = connect();
  connection.must("BEGIN");
  EXPECT_SQLSTATE(connection.exec("SELECT 1/0"), "22012");
  EXPECT_EQ(connection.transaction_status(), PQTRANS_INERROR);
  EXPECT_SQLSTATE(connection.exec("SELECT 1"), "25P02");
  EXPECT_EQ(connection.exec("COMMIT").tag, "ROLLBACK");
  EXPECT_EQ(connection.transaction_status(), PQTRANS_IDLE);
  EXPECT_EQ(connection.must("SELECT 1").value(), "1");
}

TEST_F(ErrorsTest, OfTheFirstStatementFailTheBlockToo) {
  auto connection = connect();
  connection.must("BEGIN");
  EXPECT_SQLSTATE(connection.exec("SELEKT"), "42601");
  EXPECT_SQLSTATE(connection.exec("SELECT 1"), "25P02");
  EXPECT_EQ(connection.exec("ROLLBACK").tag, "ROLLBACK");
  EXPECT_TRUE(no_transaction_is_open());
}

TEST_F(ErrorsTest, SavepointsTakeABlockBack) {
  table("kept", "id int");
  auto connection = connect();
  connection.must("BEGIN; INSERT INTO kept VALUES (1)");
  connection.must("SAVEPOINT here");
  EXPECT_SQLSTATE(connection.exec("INSERT INTO kept VALUES ('x')"), "22P02");
  connection.must("ROLLBACK TO here");
  connection.must("INSERT INTO kept VALUES (2)");
  EXPECT_EQ(connection.must("COMMIT").tag, "COMMIT");
  EXPECT_EQ(connection.must("SELECT sum(id) FROM kept").value(), "3");
}

TEST_F(ErrorsTest, WarningsOfTransactionControlAreToldAsPostgresqlDoes) {
  auto connection = connect();
  EXPECT_EQ(connection.must("COMMIT").tag, "COMMIT");
  auto notices = connection.take_notices();
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(notices[0].sqlstate, "25P01");
  connection.must("BEGIN");
  connection.must("BEGIN");
  notices = connection.take_notices();
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(notices[0].sqlstate, "25001");
  EXPECT_EQ(connection.must("ROLLBACK").tag, "ROLLBACK");
  EXPECT_TRUE(connection.take_notices().empty());
}

TEST_F(ErrorsTest, NoticesReachTheirClientOnly) {
  auto one = connect(), two = connect();
  one.must("DO $$ BEGIN RAISE NOTICE 'for one'; END $$");
  two.must("SELECT 1");
  EXPECT_TRUE(two.take_notices().empty());
  const auto notices = one.take_notices();
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(notices[0].message, "for one");
}

// A multi-statement Query is one transaction.
TEST_F(ErrorsTest, InAMultiStatementQueryUndoAllOfIt) {
  table("together", "id int");
  auto connection = connect();
  const auto results = connection.exec_all(
      "INSERT INTO together VALUES (1); INSERT INTO together VALUES (2); SELECT 1/0; "
      "INSERT INTO together VALUES (3)");
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[2].sqlstate(), "22012");
  EXPECT_EQ(connection.must("SELECT count(*) FROM together").value(), "0");
}

TEST_F(ErrorsTest, MultiStatementQueriesGiveEveryResult) {
  auto connection = connect();
  const auto results = connection.exec_all(
      "SELECT 1 AS a; CREATE TEMP TABLE IF NOT EXISTS gone (a int) ON COMMIT DROP; "
      "SELECT 2 AS b, 'x' AS c; BEGIN; SELECT 3; COMMIT; SELECT 4");
  ASSERT_EQ(results.size(), 7u);
  EXPECT_EQ(results[2].columns, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(results[4].value(), "3");
  EXPECT_EQ(results[6].value(), "4");
  EXPECT_EQ(connection.transaction_status(), PQTRANS_IDLE);
}

TEST_F(ErrorsTest, AMultiStatementQueryMayLeaveABlockOpen) {
  table("opened", "id int");
  auto connection = connect();
  connection.must("INSERT INTO opened VALUES (1); BEGIN; INSERT INTO opened VALUES (2)");
  EXPECT_EQ(connection.transaction_status(), PQTRANS_INTRANS);
  connection.must("ROLLBACK");
  EXPECT_EQ(connection.must("SELECT count(*) FROM opened").value(),
            server().connect().must("SELECT count(*) FROM opened").value());
  EXPECT_TRUE(no_transaction_is_open());
}

TEST_F(ErrorsTest, EmptyQueriesAreAnsweredAsSuch) {
  auto connection = connect();
  for (const char* sql : {"", ";", "  -- nothing\n", "/* nothing */"})
    EXPECT_EQ(connection.exec(sql).status, PGRES_EMPTY_QUERY) << sql;
  EXPECT_EQ(connection.params("", {}).status, PGRES_EMPTY_QUERY);
}

TEST_F(ErrorsTest, DeepNestingAndLongListsAreErrorsOrResultsButNoCrash) {
  auto connection = connect();
  const std::string deep = "SELECT " + std::string(100'000, '(') + "1" + std::string(100'000, ')');
  const auto nested = connection.exec(deep);
  EXPECT_TRUE(nested.ok() || nested.sqlstate() == "54001" || nested.sqlstate() == "42601") << nested.sqlstate();
  EXPECT_EQ(connection.must("SELECT 1").value(), "1");
  std::string list = "SELECT 1 WHERE 1 IN (0";
  for (int i = 0; i < 200'000; ++i) list += "," + std::to_string(i);
  EXPECT_EQ(connection.exec(list + ")").value(), "1");
}

TEST_F(ErrorsTest, StatementTimeoutsAndTerminationsAreTold) {
  auto connection = connect();
  connection.must("SET statement_timeout = '50ms'");
  EXPECT_SQLSTATE(connection.exec("SELECT pg_sleep(60)"), "57014");
  connection.must("SET statement_timeout = 0");
  // A server that is ended within a query: its FATAL is the client's answer; the next query has a new one.
  const auto ended = connection.exec_all("SELECT pg_terminate_backend(pg_backend_pid())");
  ASSERT_FALSE(ended.empty());
  EXPECT_EQ(ended[0].sqlstate(), "57P01") << ended[0];
  if (direct()) return;
  auto other = connect();
  EXPECT_EQ(other.must("SELECT 1").value(), "1");
}

// The server's last word is the client's, and ours is not said on top of it.
TEST_F(ErrorsTest, AServersFatalIsToldOnce) {
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1"});
  table("lost_thread", "id int");
  RawClient client(port());
  client.log_in();
  client.send(raw_query("SELECT pg_terminate_backend(pg_backend_pid())"));
  auto all = client.receive_until('Z');
  EXPECT_EQ(raw_types(all), "TDE");
  EXPECT_EQ(raw_field(raw_find(all, 'E').body, 'C'), "57P01");
  RawClient copier(port());
  copier.log_in();
  copier.send(raw_query("COPY lost_thread FROM STDIN"));
  EXPECT_EQ(raw_types(copier.receive_until('G')), "G");
  copier.send(raw_parse("", "SELECT 1") + raw_sync());
  all = copier.receive_until('Z');
  EXPECT_EQ(raw_types(all), "EE");  // an ERROR, then a FATAL
  for (const auto& error : all) EXPECT_EQ(raw_field(error.body, 'C'), "08P01");
}

// What the proxy has to say when a server ends is not said in the middle of a row: it would be taken for the row's rest.
TEST_F(ErrorsTest, AServerThatEndsAmidARowLeavesTheRowAsItIs) {
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1"});
  RawClient client(port());
  client.log_in();
  client.send(raw_query("SELECT repeat('x', 200000000) AS amid_row"));
  EXPECT_EQ(client.receive()->type, 'T');
  const std::string sending = "query LIKE '%AS amid_row%' AND wait_event = 'ClientWrite'";
  ASSERT_TRUE(wait_until([&] { return backends(sending) == 1; }));
  server().exec("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'app' AND " + sending);
  const std::string row = client.receive_rest();
  ASSERT_GT(row.size(), 11u);
  ASSERT_LT(row.size(), 200'000'000u);
  EXPECT_EQ(row.front(), 'D');
  EXPECT_EQ(row.find_first_not_of('x', 11), std::string::npos) << row.substr(row.find_first_not_of('x', 11));
  RawClient other(port());
  other.log_in();
  EXPECT_EQ(raw_types(other.query("SELECT 1")), "TDCZ");
}

}  // namespace
}  // namespace pgweir::support
