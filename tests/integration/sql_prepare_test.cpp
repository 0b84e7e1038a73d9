// SQL PREPARE, EXECUTE and DEALLOCATE in transaction mode: names of a client are its own, are the same as those of the extended
// protocol, and do not keep it on its server.
#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class SqlPrepareTest : public ProxyTest {
 protected:
  // The client's server connection is lost between transactions: the next one is another.
  void end_servers() {
    server().exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND backend_type = 'client backend' "
                  "AND application_name NOT LIKE 'pgweir%'");
    ASSERT_TRUE(wait_until([] { return pooled_backends() == 0; }, Milliseconds{10'000}));
  }
  static std::string message(const QueryResult& result) { return result.error ? result.error->message : ""; }
};

TEST_F(SqlPrepareTest, TheSameNameMeansAnotherTextForEachClient) {
  default_pool_size = 1;
  auto one = connect(), two = connect();
  one.must("PREPARE q(int) AS SELECT $1 + 1");
  two.must("PREPARE q(int) AS SELECT $1 + 2");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(one.exec("EXECUTE q(10)").value(), "11");
    EXPECT_EQ(two.exec("EXECUTE q(10)").value(), "12");
  }
  one.must("DEALLOCATE q");
  EXPECT_SQLSTATE(one.exec("EXECUTE q(10)"), "26000");
  EXPECT_EQ(two.exec("EXECUTE q(10)").value(), "12");
  // The same text, of two clients.
  one.must("PREPARE same AS SELECT 'same'");
  two.must("PREPARE other AS SELECT 'same'");
  one.must("DEALLOCATE same");
  EXPECT_EQ(two.exec("EXECUTE other").value(), "same");
  if (!direct()) {
    EXPECT_EQ(pooled_backends(), 1);
  }
}

TEST_F(SqlPrepareTest, NamesOutliveTheServer) {
  NEEDS_PROXY();
  auto client = connect();
  client.must("PREPARE q(int) AS SELECT $1 * 2");
  EXPECT_OK(client.prepare("p", "SELECT 7 + $1::int"));
  end_servers();
  EXPECT_EQ(client.exec("EXECUTE q(21)").value(), "42");
  end_servers();
  EXPECT_EQ(client.execute("q", {"21"}).value(), "42");
  end_servers();
  EXPECT_EQ(client.exec("EXECUTE p(1)").value(), "8");
  end_servers();
  client.must("BEGIN");
  EXPECT_EQ(client.exec("EXECUTE q(4)").value(), "8");
  client.must("COMMIT");
  end_servers();
  EXPECT_OK(client.exec("DEALLOCATE q"));
  EXPECT_SQLSTATE(client.exec("EXECUTE q(1)"), "26000");
}

TEST_F(SqlPrepareTest, ErrorsNameTheClientsNameAndPlace) {
  auto client = connect();
  const auto wrong = client.exec("PREPARE q AS SELECT missing FROM pg_class");
  EXPECT_EQ(wrong.sqlstate(), "42703");
  EXPECT_EQ(wrong.error.value().position, "21");
  EXPECT_SQLSTATE(client.exec("EXECUTE q"), "26000");
  client.must("PREPARE q(int, text) AS SELECT $1, $2");
  const auto taken = client.exec("PREPARE q AS SELECT 1");
  EXPECT_EQ(taken.sqlstate(), "42P05");
  EXPECT_EQ(message(taken), "prepared statement \"q\" already exists");
  // What is wrong with the statement is said before its name is looked at.
  EXPECT_EQ(client.exec("PREPARE \"q\" AS SELECT missing FROM pg_class").error.value().position, "23");
  EXPECT_EQ(message(client.exec("EXECUTE q(1)")), "wrong number of parameters for prepared statement \"q\"");
  const auto argument = client.exec("EXECUTE q(1, nowhere(2))");
  EXPECT_EQ(argument.sqlstate(), "42883");
  EXPECT_EQ(argument.error.value().position, "14");
  EXPECT_EQ(message(client.exec("EXECUTE missing")), "prepared statement \"missing\" does not exist");
  EXPECT_EQ(message(client.exec("DEALLOCATE missing")), "prepared statement \"missing\" does not exist");
  EXPECT_EQ(message(client.exec("EXECUTE pgweir_0")), "prepared statement \"pgweir_0\" does not exist");
  // Positions count characters.
  const auto letters = client.exec("/* \u00e4\u00f6 */ PREPARE \"\u00e4\u00f6\u00fc\" AS SELECT '\u00e4', missing");
  EXPECT_EQ(letters.error.value().position, "39");
  EXPECT_SQLSTATE(client.exec("PREPARE v AS VACUUM"), "42601");
}

TEST_F(SqlPrepareTest, BothKindsOfNamesAreOneMap) {
  auto client = connect();
  client.must("PREPARE q(int) AS SELECT $1 + 1");
  EXPECT_EQ(client.execute("q", {"1"}).value(), "2");
  EXPECT_SQLSTATE(client.prepare("q", "SELECT 1"), "42P05");
  EXPECT_OK(client.prepare("p", "SELECT $1::int + 2"));
  EXPECT_SQLSTATE(client.exec("PREPARE p AS SELECT 1"), "42P05");
  EXPECT_EQ(client.exec("EXECUTE p(1)").value(), "3");
  EXPECT_OK(client.exec("DEALLOCATE PREPARE p"));
  EXPECT_SQLSTATE(client.exec("EXECUTE p(1)"), "26000");
  client.must("PREPARE p AS SELECT 'again'");
  EXPECT_EQ(client.execute("p").value(), "again");
  client.must("DEALLOCATE ALL");
  EXPECT_SQLSTATE(client.execute("p"), "26000");
  EXPECT_SQLSTATE(client.exec("EXECUTE q(1)"), "26000");
}

TEST_F(SqlPrepareTest, NamesDoNotFollowTheTransaction) {
  auto client = connect();
  client.must("BEGIN");
  client.must("PREPARE stays AS SELECT 'stays'");
  EXPECT_SQLSTATE(client.exec("PREPARE fails AS SELECT nothing"), "42703");
  EXPECT_SQLSTATE(client.exec("PREPARE late AS SELECT 1"), "25P02");
  EXPECT_SQLSTATE(client.exec("EXECUTE stays"), "25P02");
  EXPECT_SQLSTATE(client.exec("DEALLOCATE stays"), "25P02");
  client.must("ROLLBACK");
  EXPECT_EQ(client.exec("EXECUTE stays").value(), "stays");
  EXPECT_SQLSTATE(client.exec("EXECUTE fails"), "26000");
  EXPECT_SQLSTATE(client.exec("EXECUTE late"), "26000");
  client.must("BEGIN");
  client.must("DEALLOCATE stays");
  client.must("ROLLBACK");
  EXPECT_SQLSTATE(client.exec("EXECUTE stays"), "26000");
}

TEST_F(SqlPrepareTest, SeveralStatementsInOneQuery) {
  auto client = connect();
  EXPECT_EQ(client.exec("PREPARE a AS SELECT 'first'; EXECUTE a; DEALLOCATE a; PREPARE a AS SELECT 'second'; EXECUTE a").value(), "second");
  EXPECT_EQ(client.exec("EXECUTE a").value(), "second");
  EXPECT_EQ(client.execute("a").value(), "second");
  EXPECT_EQ(client.exec("PREPARE x AS SELECT 1; PREPARE y AS SELECT 1; EXECUTE x; EXECUTE y").value(), "1");
  const auto taken = client.exec("SELECT 1; PREPARE z AS SELECT 5; PREPARE a AS SELECT 6; PREPARE never AS SELECT 7");
  EXPECT_EQ(message(taken), "prepared statement \"a\" already exists");
  EXPECT_EQ(client.exec("EXECUTE z").value(), "5");
  EXPECT_SQLSTATE(client.exec("EXECUTE never"), "26000");
  EXPECT_SQLSTATE(client.exec("SELECT 1/0; DEALLOCATE a"), "22012");
  EXPECT_EQ(client.exec("EXECUTE a").value(), "second");
  EXPECT_EQ(client.exec("EXECUTE a; SELECT missing").error.value().position, "19");
  EXPECT_OK(client.exec("DEALLOCATE a; SELECT 1"));
  EXPECT_SQLSTATE(client.execute("a"), "26000");
  EXPECT_SQLSTATE(client.exec("DEALLOCATE ALL; EXECUTE z"), "26000");
  EXPECT_SQLSTATE(client.exec("EXECUTE x"), "26000");
  client.must("DEALLOCATE ALL; PREPARE z AS SELECT 8");
  EXPECT_EQ(client.exec("EXECUTE z").value(), "8");
}

TEST_F(SqlPrepareTest, ExplainAndCreateTableAsExecute) {
  table("filled", "a int");
  auto client = connect();
  client.must("DROP TABLE IF EXISTS made; INSERT INTO filled VALUES (1), (2), (3)");
  client.must("PREPARE q(int) AS SELECT a FROM filled WHERE a >= $1");
  EXPECT_OK(client.exec("EXPLAIN EXECUTE q(2)"));
  EXPECT_OK(client.exec("EXPLAIN (ANALYZE, COSTS off) EXECUTE q(2)"));
  EXPECT_OK(client.exec("CREATE TABLE made AS EXECUTE q(2)"));
  EXPECT_EQ(client.exec("SELECT count(*) FROM made").value(), "2");
  EXPECT_OK(client.exec("CREATE TEMP TABLE execute (a) AS EXECUTE q(1) WITH NO DATA"));
  EXPECT_EQ(client.exec("SELECT count(*) FROM pg_temp.execute").value(), "0");
  EXPECT_EQ(message(client.exec("EXPLAIN EXECUTE missing(2)")), "prepared statement \"missing\" does not exist");
  client.must("PREPARE writes(int) AS INSERT INTO filled VALUES ($1) RETURNING a");
  EXPECT_OK(client.exec("EXPLAIN ANALYZE EXECUTE writes(9)"));
  EXPECT_EQ(client.exec("EXECUTE writes(1 + 3 * (2))").value(), "7");
  EXPECT_EQ(client.exec("SELECT count(*) FROM filled").value(), "5");
}

TEST_F(SqlPrepareTest, ByTheExtendedProtocol) {
  auto client = connect();
  EXPECT_OK(client.params("PREPARE q(int) AS SELECT $1 + 1", {}));
  EXPECT_EQ(client.params("EXECUTE q(1)", {}).value(), "2");
  EXPECT_EQ(client.exec("EXECUTE q(2)").value(), "3");
  EXPECT_EQ(message(client.params("PREPARE q AS SELECT 1", {})), "prepared statement \"q\" already exists");
  EXPECT_EQ(client.params("PREPARE w AS SELECT missing", {}).error.value().position, "21");
  EXPECT_SQLSTATE(client.exec("EXECUTE w"), "26000");
  // The name is looked up when the command runs.
  EXPECT_OK(client.prepare("e", "EXECUTE q(10)"));
  EXPECT_EQ(client.execute("e").value(), "11");
  EXPECT_OK(client.params("DEALLOCATE q", {}));
  EXPECT_EQ(message(client.execute("e")), "prepared statement \"q\" does not exist");
  client.must("PREPARE q(int) AS SELECT $1 + 20");
  EXPECT_EQ(client.execute("e").value(), "30");
  EXPECT_EQ(message(client.params("EXECUTE q", {})), "wrong number of parameters for prepared statement \"q\"");
}

TEST_F(SqlPrepareTest, ClientsAreNotPinned) {
  NEEDS_PROXY();
  start(1);
  auto one = connect(), two = connect();
  one.must("PREPARE q AS SELECT 'one'; SELECT 1");
  one.must("PREPARE r AS SELECT 'r'");
  EXPECT_EQ(two.exec("SELECT 1").value(), "1");
  EXPECT_OK(two.params("PREPARE q AS SELECT 'two'", {}));
  EXPECT_EQ(one.exec("EXECUTE q").value(), "one");
  EXPECT_EQ(two.exec("EXECUTE q").value(), "two");
  // What a function prepares is the server's own, and so pins.
  start(2);
  auto pinned = connect();
  pinned.must("DO $$ BEGIN EXECUTE 'PREPARE hidden AS SELECT 5'; END $$");
  EXPECT_EQ(pinned.exec("EXECUTE hidden").value(), "5");
}

TEST_F(SqlPrepareTest, ThePreparedStatementsAreShown) {
  default_pool_size = 1;
  table("shown", "a int");
  auto client = connect(), other = connect();
  other.must("PREPARE hidden AS SELECT 1");
  client.must("PREPARE \"Q\"(int) AS SELECT $1");
  client.must("PREPARE gone AS SELECT a FROM shown");
  EXPECT_OK(client.prepare("p", "SELECT $1::text"));
  const std::string query = "SELECT string_agg(format('%s|%s|%s|%s', name, statement, parameter_types, from_sql), ', ' ORDER BY name COLLATE \"C\") "
                            "FROM pg_prepared_statements WHERE name <> 'gone'";
  const std::string both = "Q|PREPARE \"Q\"(int) AS SELECT $1|{integer}|t, p|SELECT $1::text|{text}|f";
  if (!direct()) server().exec("DROP TABLE shown");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client.exec(query).value(), both);
    EXPECT_EQ(other.exec(query).value(), "hidden|PREPARE hidden AS SELECT 1|{}|t");
    EXPECT_SQLSTATE(client.exec("SELECT 1/0 FROM pg_prepared_statements"), "22012");
    EXPECT_SQLSTATE(other.exec("EXECUTE gone"), "26000");
    EXPECT_EQ(client.execute("p", {"x"}).value(), "x");
    EXPECT_EQ(client.exec("EXECUTE \"Q\"(5)").value(), "5");
  }
}

// A server that something else keeps, a block, and counts of plans, which are those of the statement itself.
TEST_F(SqlPrepareTest, ThePreparedStatementsAreShownWhereTheyAre) {
  default_pool_size = 1;
  auto client = connect();
  client.must("PREPARE q AS SELECT 1 ; -- all of it");
  const std::string mine = "SELECT string_agg(p.name || '|' || statement || '|' || (generic_plans + custom_plans), ', ') FROM pg_prepared_statements p";
  client.must("CREATE TEMP TABLE pins (a int)");
  EXPECT_EQ(client.exec(mine).value(), "q|PREPARE q AS SELECT 1 ; -- all of it|0");
  client.must("EXECUTE q");
  EXPECT_EQ(client.exec(mine).value(), "q|PREPARE q AS SELECT 1 ; -- all of it|1");
  client.must("DROP TABLE pins");
  client.must("BEGIN");
  client.must("PREPARE r AS SELECT 2");
  EXPECT_EQ(client.exec("SELECT count(*) FROM pg_catalog.pg_prepared_statements WHERE name = 'r'").value(), "1");
  const auto wrong = client.exec("SELECT name FROM pg_prepared_statements WHERE nothing = 1");
  EXPECT_SQLSTATE(wrong, "42703");
  ASSERT_TRUE(wrong.error);
  EXPECT_EQ(wrong.error->position, "47");
}

TEST_F(SqlPrepareTest, CodeMayExecuteWhatTheClientHasPrepared) {
  default_pool_size = 1;
  server().exec("CREATE OR REPLACE FUNCTION run_text(text) RETURNS int LANGUAGE plpgsql AS 'DECLARE i int; BEGIN EXECUTE $1 INTO i; RETURN i; END'");
  auto client = connect(), other = connect();
  client.must("PREPARE q(int) AS SELECT $1 + 1");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client.exec("SELECT run_text('execute q(4)')").value(), "5");
    EXPECT_SQLSTATE(other.exec("SELECT run_text('execute q(4)')"), "26000");
  }
  client.must("BEGIN");
  EXPECT_EQ(client.exec("SELECT run_text('EXECUTE \"q\"(5)')").value(), "6");
  client.must("COMMIT");
  EXPECT_SQLSTATE(other.exec("EXECUTE q(1)"), "26000");
}

// The names of settings that a prepared statement sets are read from its own text.
TEST_F(SqlPrepareTest, WhatAnExecuteLeavesBehindIsTheClients) {
  default_pool_size = 1;
  auto client = connect(), other = connect();
  client.must("PREPARE s AS SELECT set_config('app.user', 'secret', false)");
  client.must("PREPARE z AS SELECT set_config('TimeZone', 'Asia/Tokyo', false)");
  client.must("EXECUTE s");
  EXPECT_NE(other.exec("SELECT current_setting('app.user', true)").rows.at(0).at(0).value_or(""), "secret");
  EXPECT_EQ(client.exec("SELECT current_setting('app.user', true)").value(), "secret");
  EXPECT_OK(client.params("EXECUTE z", {}));
  EXPECT_NE(other.exec("SHOW TimeZone").value(), "Asia/Tokyo");
  EXPECT_EQ(client.exec("SHOW TimeZone").value(), "Asia/Tokyo");
}

TEST_F(SqlPrepareTest, MoreThanAServerKeeps) {
  start(1, "max_prepared_statements = 2");
  auto client = connect();
  for (int i = 0; i < 6; ++i) client.must("PREPARE s" + std::to_string(i) + " AS SELECT " + std::to_string(i));
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 6; ++i) EXPECT_EQ(client.exec("EXECUTE s" + std::to_string(i)).value(), std::to_string(i));
  EXPECT_EQ(client.exec("EXECUTE s0; EXECUTE s1; EXECUTE s2; EXECUTE s3; EXECUTE s4").value(), "4");
  for (int i = 0; i < 6; ++i) EXPECT_EQ(client.execute("s" + std::to_string(i)).value(), std::to_string(i));
}

TEST_F(SqlPrepareTest, WhatIsGoneOnTheNextServerIsPostgresqlsError) {
  NEEDS_PROXY();
  table("gone", "a int");
  auto client = connect();
  client.must("PREPARE q AS SELECT a FROM gone");
  server().exec("DROP TABLE gone");
  end_servers();
  EXPECT_SQLSTATE(client.exec("EXECUTE q"), "42P01");
  client.must("BEGIN");
  EXPECT_SQLSTATE(client.exec("EXECUTE q"), "42P01");
  EXPECT_SQLSTATE(client.exec("SELECT 1"), "25P02");
  client.must("ROLLBACK");
  EXPECT_SQLSTATE(client.execute("q"), "42P01");
  table("gone", "a int");
  EXPECT_OK(client.exec("EXECUTE q"));
}

TEST_F(SqlPrepareTest, APipelineOfQueriesKeepsItsOrder) {
  NEEDS_PROXY();
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1"});
  RawClient client(port());
  client.log_in();
  client.send(raw_query("PREPARE q AS SELECT 'a'") + raw_query("EXECUTE q") + raw_query("DEALLOCATE q") + raw_query("EXECUTE q") +
              raw_parse("q", "SELECT 'b'") + raw_bind("", "q") + raw_execute("") + raw_sync() + raw_query("EXECUTE q"));
  std::string types;
  for (int i = 0; i < 6; ++i) types += raw_types(client.receive_until('Z'));
  EXPECT_EQ(types, "CZTDCZCZEZ12DCZTDCZ");
}

}  // namespace
}  // namespace pgweir::support
