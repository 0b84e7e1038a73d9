// Prepared statements of several clients over fewer servers, in transaction mode.
#include <set>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class PreparedTest : public ProxyTest {};

TEST_F(PreparedTest, TheSameNameMeansAnotherTextForEachClient) {
  std::vector<Connection> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(connect());
    EXPECT_OK(clients.back().prepare("s", "SELECT " + std::to_string(i) + " + $1::int"));
  }
  for (int round = 0; round < 20; ++round)
    for (int i = 0; i < 5; ++i) {
      auto& client = clients[static_cast<std::size_t>((i * 3 + round) % 5)];
      EXPECT_EQ(client.execute("s", {std::to_string(round)}).value(), std::to_string((i * 3 + round) % 5 + round));
    }
  EXPECT_LE(pooled_backends(), direct() ? 5 : 2);
}

TEST_F(PreparedTest, BusyServersDoNotHideAStatement) {
  auto preparer = connect(), other = connect();
  EXPECT_OK(preparer.prepare("s", "SELECT pg_backend_pid()"));
  // The server that knows it is taken, so the next execution is on another one.
  std::set<std::string> pids{preparer.execute("s").value()};
  other.must("BEGIN");
  other.must("SELECT 1");
  for (int i = 0; i < 3; ++i) pids.insert(preparer.execute("s").value());
  other.must("COMMIT");
  preparer.must("BEGIN");
  pids.insert(preparer.execute("s").value());
  preparer.must("COMMIT");
  EXPECT_GE(pids.size(), 1u);
}

TEST_F(PreparedTest, ANameThatIsTakenIsRefusedAndAMissingOneToo) {
  auto connection = connect();
  EXPECT_OK(connection.prepare("twice", "SELECT 1"));
  const auto again = connection.prepare("twice", "SELECT 2");
  EXPECT_EQ(again.sqlstate(), "42P05");
  EXPECT_EQ(again.error.value().message, "prepared statement \"twice\" already exists");
  EXPECT_EQ(connection.execute("twice").value(), "1");
  const auto missing = connection.execute("missing");
  EXPECT_EQ(missing.sqlstate(), "26000");
  EXPECT_EQ(missing.error.value().message, "prepared statement \"missing\" does not exist");
  EXPECT_EQ(connection.execute("twice").value(), "1");
  // Another client has none of it.
  auto other = connect();
  EXPECT_SQLSTATE(other.execute("twice"), "26000");
  EXPECT_OK(other.prepare("twice", "SELECT 3"));
  EXPECT_EQ(other.execute("twice").value(), "3");
}

TEST_F(PreparedTest, DescribeTellsParametersAndColumns) {
  auto connection = connect();
  EXPECT_OK(connection.prepare("d", "SELECT $1::int AS a, $2::text AS b"));
  const std::unique_ptr<PGresult, void (*)(PGresult*)> told(PQdescribePrepared(connection.raw(), "d"), PQclear);
  ASSERT_EQ(PQnparams(told.get()), 2);
  EXPECT_EQ(PQparamtype(told.get(), 0), 23u);
  EXPECT_EQ(PQparamtype(told.get(), 1), 25u);
  EXPECT_STREQ(PQfname(told.get(), 1), "b");
  const std::unique_ptr<PGresult, void (*)(PGresult*)> none(PQdescribePrepared(connection.raw(), "none"), PQclear);
  EXPECT_STREQ(PQresultErrorField(none.get(), PG_DIAG_SQLSTATE), "26000");
}

TEST_F(PreparedTest, AParseThatFailsDefinesNothing) {
  auto connection = connect();
  EXPECT_SQLSTATE(connection.prepare("bad", "SELECT missing FROM nowhere"), "42P01");
  EXPECT_SQLSTATE(connection.execute("bad"), "26000");
  EXPECT_OK(connection.prepare("bad", "SELECT 'good'"));
  EXPECT_EQ(connection.execute("bad").value(), "good");
}

TEST_F(PreparedTest, SqlPrepareExecuteAndDeallocateTakePart) {
  auto connection = connect(), other = connect();
  EXPECT_OK(connection.exec("PREPARE s (int) AS SELECT $1 * 2"));
  other.must("SELECT 1");
  EXPECT_EQ(connection.exec("EXECUTE s (21)").value(), "42");
  EXPECT_EQ(connection.execute("s", {"4"}).value(), "8");
  EXPECT_SQLSTATE(connection.exec("PREPARE s AS SELECT 1"), "42P05");
  EXPECT_SQLSTATE(other.exec("EXECUTE s (1)"), "26000");
  EXPECT_OK(connection.exec("DEALLOCATE s"));
  EXPECT_SQLSTATE(connection.exec("EXECUTE s (1)"), "26000");
  EXPECT_SQLSTATE(connection.exec("DEALLOCATE s"), "26000");
  EXPECT_OK(connection.prepare("s", "SELECT 'new'"));
  EXPECT_EQ(connection.exec("EXECUTE s").value(), "new");
  EXPECT_OK(connection.exec("DEALLOCATE ALL"));
  EXPECT_SQLSTATE(connection.execute("s"), "26000");
  EXPECT_OK(connection.prepare("s", "SELECT 'after all'"));
  EXPECT_OK(connection.exec("DISCARD ALL"));
  EXPECT_SQLSTATE(connection.execute("s"), "26000");
}

// Text and types alone do not make a statement: the settings under which it is parsed are part of it.
TEST_F(PreparedTest, AStatementIsParsedUnderItsClientsSettings) {
  default_pool_size = 1;
  auto us = connect(), de = connect();
  us.must("SET DateStyle = 'ISO, MDY'");
  de.must("SET DateStyle = 'ISO, DMY'");
  EXPECT_OK(us.prepare("d", "SELECT '02/01/2024'::date"));
  EXPECT_OK(de.prepare("d", "SELECT '02/01/2024'::date"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(us.execute("d").value(), "2024-02-01");
    EXPECT_EQ(de.execute("d").value(), "2024-01-02");
  }
}

TEST_F(PreparedTest, SearchPathIsPartOfAStatement) {
  server().exec(
      "DROP SCHEMA IF EXISTS one CASCADE; DROP SCHEMA IF EXISTS two CASCADE; CREATE SCHEMA one AUTHORIZATION app; "
      "CREATE SCHEMA two AUTHORIZATION app; CREATE TABLE one.t AS SELECT 1 AS x; CREATE TABLE two.t AS SELECT "
      "2 AS x; GRANT SELECT ON one.t, two.t TO app");
  default_pool_size = 1;
  auto first = connect(), second = connect();
  first.must("SET search_path = one");
  second.must("SET search_path = two");
  EXPECT_OK(first.prepare("t", "SELECT x FROM t"));
  EXPECT_OK(second.prepare("t", "SELECT x FROM t"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(first.execute("t").value(), "1");
    EXPECT_EQ(second.execute("t").value(), "2");
  }
}

TEST_F(PreparedTest, ChangedTablesGiveWhatADirectConnectionWouldGet) {
  table("changing", "a int");
  server().connect().must("INSERT INTO changing VALUES (1)");
  auto old_client = connect();
  EXPECT_OK(old_client.prepare("s", "SELECT * FROM changing"));
  EXPECT_EQ(old_client.execute("s").value(), "1");
  server().connect().must("ALTER TABLE changing ADD COLUMN b int DEFAULT 5");
  EXPECT_SQLSTATE(old_client.execute("s"), "0A000");
  auto new_client = connect();
  EXPECT_OK(new_client.prepare("s", "SELECT * FROM changing"));
  const auto fresh = new_client.execute("s");
  ASSERT_TRUE(fresh.ok()) << fresh;
  EXPECT_EQ(fresh.columns.size(), 2u);
}

TEST_F(PreparedTest, MoreStatementsThanAServerKeepsAreParsedAgain) {
  start(2, "max_prepared_statements = 10");
  auto connection = connect();
  for (int i = 0; i < 60; ++i)
    EXPECT_OK(connection.prepare("s" + std::to_string(i), "SELECT " + std::to_string(i) + " WHERE $1 = 'x'"));
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 60; ++i)
      EXPECT_EQ(connection.execute("s" + std::to_string(i), {"x"}).value(), std::to_string(i));
  if (!direct()) {
    for (int i = 0; i < 2; ++i) {
      connection.must("BEGIN");  // in a block the server's own names are seen
      const auto kept = connection.exec("SELECT count(*) FROM pg_prepared_statements");
      EXPECT_LE(std::stoi(kept.value()), 11);
      EXPECT_GE(std::stoi(kept.value()), 10);
      connection.must("COMMIT");
    }
  }
}

TEST_F(PreparedTest, LongNamesAndTextsWork) {
  auto connection = connect();
  const std::string name(20'000, 'n'), text = "SELECT '" + std::string(300'000, 't') + "'";
  EXPECT_OK(connection.prepare(name, text));
  EXPECT_EQ(connection.execute(name).value().size(), 300'000u);
}

TEST_F(PreparedTest, ClosedStatementsAreGoneAndClosingAMissingOneIsNoError) {
  NEEDS_PROXY();
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 2"});
  RawClient client(port());
  client.log_in();
  client.send(raw_parse("s", "SELECT 1") + raw_close('S', "s") + raw_close('S', "never") + raw_close('P', "never") +
              raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "1333Z");
  client.send(raw_bind("", "s") + raw_execute("") + raw_sync());
  const auto answer = client.receive_until('Z');
  EXPECT_EQ(raw_types(answer), "EZ");
  EXPECT_EQ(raw_field(answer[0].body, 'C'), "26000");
}

TEST_F(PreparedTest, TheUnnamedStatementStaysBetweenGroups) {
  NEEDS_PROXY();
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1"});
  RawClient one(port()), two(port());
  one.log_in();
  two.log_in();
  one.send(raw_parse("", "SELECT 'one' || $1::text") + raw_sync());
  EXPECT_EQ(raw_types(one.receive_until('Z')), "1Z");
  two.send(raw_parse("", "SELECT 'two' || $1::text") + raw_sync());
  EXPECT_EQ(raw_types(two.receive_until('Z')), "1Z");
  for (int i = 0; i < 2; ++i) {
    one.send(raw_bind("", "", {"!"}) + raw_execute("") + raw_sync());
    EXPECT_NE(raw_find(one.receive_until('Z'), 'D').body.find("one!"), std::string::npos);
    two.send(raw_bind("", "", {"!"}) + raw_execute("") + raw_sync());
    EXPECT_NE(raw_find(two.receive_until('Z'), 'D').body.find("two!"), std::string::npos);
  }
  // A simple Query ends it.
  one.query("SELECT 1");
  one.send(raw_bind("", "", {"!"}) + raw_execute("") + raw_sync());
  EXPECT_EQ(raw_field(raw_find(one.receive_until('Z'), 'E').body, 'C'), "26000");
}

}  // namespace
}  // namespace pgweir::support
