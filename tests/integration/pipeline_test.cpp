// Pipelines: groups in flight, errors within them, Flush, portals.
#include <thread>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class PipelineTest : public ProxyTest {
 protected:
  // The next result of a pipeline, skipping the ends of statements.
  static QueryResult take(Connection& connection) {
    for (int i = 0; i < 2; ++i)
      if (auto result = connection.next()) return *result;
    return {};
  }
  RawClient raw() {
    RawClient client(port());
    client.log_in();
    return client;
  }
  void start_trusting(unsigned pool_size = 2) {
    start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = " + std::to_string(pool_size)});
  }
};

TEST_F(PipelineTest, ThousandsOfStatementsInManyGroupsKeepTheirOrder) {
  auto connection = connect();
  ASSERT_TRUE(connection.enter_pipeline());
  constexpr int kGroups = 100, kStatements = 20;
  for (int group = 0; group < kGroups; ++group) {
    for (int i = 0; i < kStatements; ++i)
      ASSERT_TRUE(connection.send_params("SELECT $1::int", {std::to_string(group * kStatements + i)}));
    ASSERT_TRUE(connection.sync());
  }
  for (int group = 0; group < kGroups; ++group) {
    for (int i = 0; i < kStatements; ++i) ASSERT_EQ(take(connection).value(), std::to_string(group * kStatements + i));
    ASSERT_EQ(take(connection).status, PGRES_PIPELINE_SYNC);
  }
  EXPECT_TRUE(connection.exit_pipeline());
  EXPECT_EQ(connection.must("SELECT 'after'").value(), "after");
}

TEST_F(PipelineTest, AnErrorSkipsToItsSyncAndUndoesItsGroupOnly) {
  table("piped", "id int");
  auto connection = connect();
  ASSERT_TRUE(connection.enter_pipeline());
  const auto insert = [&](const char* value) {
    ASSERT_TRUE(connection.send_params("INSERT INTO piped VALUES ($1::int)", {value}));
  };
  insert("1");
  connection.sync();
  insert("2");
  insert("x");
  insert("3");
  connection.sync();
  insert("4");
  connection.sync();
  EXPECT_EQ(take(connection).tag, "INSERT 0 1");
  EXPECT_EQ(take(connection).status, PGRES_PIPELINE_SYNC);
  EXPECT_EQ(take(connection).tag, "INSERT 0 1");
  EXPECT_EQ(take(connection).sqlstate(), "22P02");
  EXPECT_EQ(take(connection).status, PGRES_PIPELINE_ABORTED);
  EXPECT_EQ(take(connection).status, PGRES_PIPELINE_SYNC);
  EXPECT_EQ(take(connection).tag, "INSERT 0 1");
  EXPECT_EQ(take(connection).status, PGRES_PIPELINE_SYNC);
  connection.exit_pipeline();
  EXPECT_EQ(connection.must("SELECT string_agg(id::text, ',' ORDER BY id) FROM piped").value(), "1,4");
}

TEST_F(PipelineTest, AParseThatFailsInTheMiddleDefinesNothingBehindIt) {
  auto connection = connect();
  ASSERT_TRUE(connection.enter_pipeline());
  PQsendPrepare(connection.raw(), "a", "SELECT 'a'", 0, nullptr);
  PQsendPrepare(connection.raw(), "bad", "SELEKT", 0, nullptr);
  PQsendPrepare(connection.raw(), "b", "SELECT 'b'", 0, nullptr);
  connection.sync();
  EXPECT_TRUE(take(connection).ok());
  EXPECT_EQ(take(connection).sqlstate(), "42601");
  EXPECT_EQ(take(connection).status, PGRES_PIPELINE_ABORTED);
  EXPECT_EQ(take(connection).status, PGRES_PIPELINE_SYNC);
  connection.exit_pipeline();
  EXPECT_EQ(connection.execute("a").value(), "a");
  EXPECT_SQLSTATE(connection.execute("bad"), "26000");
  EXPECT_SQLSTATE(connection.execute("b"), "26000");
  EXPECT_OK(connection.prepare("b", "SELECT 'new b'"));
  EXPECT_EQ(connection.execute("b").value(), "new b");
}

TEST_F(PipelineTest, ABlockMaySpanGroups) {
  table("spanning", "id int");
  auto connection = connect(), other = connect();
  ASSERT_TRUE(connection.enter_pipeline());
  for (const char* sql : {"BEGIN", "INSERT INTO spanning VALUES (1)"}) connection.send_params(sql, {});
  connection.sync();
  connection.send_params("INSERT INTO spanning VALUES (2)", {});
  connection.sync();
  for (const char* tag : {"BEGIN", "INSERT 0 1", "", "INSERT 0 1", ""}) EXPECT_EQ(take(connection).tag, tag);
  EXPECT_EQ(other.must("SELECT count(*) FROM spanning").value(), "0");
  connection.send_params("COMMIT", {});
  connection.sync();
  EXPECT_EQ(take(connection).tag, "COMMIT");
  take(connection);
  connection.exit_pipeline();
  EXPECT_EQ(other.must("SELECT count(*) FROM spanning").value(), "2");
}

TEST_F(PipelineTest, FlushBringsAnswersBeforeTheSync) {
  auto connection = connect();
  ASSERT_TRUE(connection.enter_pipeline());
  connection.send_params("SELECT 'early'", {});
  ASSERT_EQ(PQsendFlushRequest(connection.raw()), 1);
  ASSERT_EQ(PQflush(connection.raw()), 0);
  EXPECT_EQ(take(connection).value(), "early");
  connection.send_params("SELECT 'late'", {});
  connection.sync();
  EXPECT_EQ(take(connection).value(), "late");
  EXPECT_EQ(take(connection).status, PGRES_PIPELINE_SYNC);
  connection.exit_pipeline();
}

TEST_F(PipelineTest, StatementsRunBeforeAnySyncOrFlush) {
  NEEDS_PROXY();
  start_trusting();
  server().exec(
      "CREATE SEQUENCE IF NOT EXISTS unsynced_run; GRANT ALL ON SEQUENCE unsynced_run TO app; SELECT "
      "setval('unsynced_run', 1)");
  auto client = raw();
  client.send(raw_parse("", "SELECT nextval('unsynced_run')") + raw_bind("", "") + raw_execute(""));
  EXPECT_TRUE(wait_until([] { return server().exec("SELECT last_value FROM unsynced_run").value() == "2"; },
                         Milliseconds{3'000}));
  client.send(raw_sync());
  EXPECT_EQ(client.receive_until('Z').back().body, "I");
}

TEST_F(PipelineTest, EveryAnswerComesInItsPlace) {
  NEEDS_PROXY();
  start_trusting();
  auto client = raw();
  client.send(raw_parse("", "SELECT 1") + raw_describe('S', "") + raw_bind("p", "") + raw_describe('P', "p") +
              raw_execute("p") + raw_close('P', "p") + raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "1tT2TDC3Z");
  client.send(raw_parse("", "") + raw_bind("", "") + raw_describe('P', "") + raw_execute("") + raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "12nIZ");
  client.send(raw_sync() + raw_sync() + raw_query("SELECT 1") + raw_sync() + raw_query("SELECT 2; SELECT 3"));
  std::string types;
  for (int i = 0; i < 5; ++i) types += raw_types(client.receive_until('Z'));
  EXPECT_EQ(types, "ZZTDCZZTDCTDCZ");
}

TEST_F(PipelineTest, ALateReadyOfAFailedGroupIsNotTheNextOnes) {
  NEEDS_PROXY();
  start_trusting(1);
  auto client = raw();
  for (int round = 0; round < 20; ++round) {
    client.send(raw_parse("", "SELECT 1/0") + raw_bind("", "") + raw_execute("") + raw_sync() +
                raw_query("SELECT 'a'") + raw_parse("", "SELECT 'b'") + raw_bind("", "") + raw_execute("") +
                raw_sync());
    EXPECT_EQ(raw_types(client.receive_until('Z')).back(), 'Z');
    EXPECT_NE(raw_find(client.receive_until('Z'), 'D').body.find('a'), std::string::npos);
    EXPECT_NE(raw_find(client.receive_until('Z'), 'D').body.find('b'), std::string::npos);
  }
  auto other = raw();
  EXPECT_EQ(raw_types(other.query("SELECT 1")), "TDCZ");
}

TEST_F(PipelineTest, PortalsAreReadInParts) {
  NEEDS_PROXY();
  start_trusting();
  auto client = raw();
  client.query("BEGIN");
  client.send(raw_parse("", "SELECT generate_series(1, 5)") + raw_bind("p", "") + raw_execute("p", 2) + raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "12DDsZ");
  client.send(raw_execute("p", 2) + raw_execute("p", 2) + raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "DDsDCZ");
  client.query("COMMIT");
  client.send(raw_execute("p", 2) + raw_sync());
  EXPECT_EQ(raw_field(raw_find(client.receive_until('Z'), 'E').body, 'C'), "34000");
}

TEST_F(PipelineTest, OutsideABlockAPortalEndsWithItsGroup) {
  NEEDS_PROXY();
  start_trusting();
  auto client = raw(), other = raw();
  client.send(raw_parse("", "SELECT generate_series(1, 5)") + raw_bind("p", "") + raw_execute("p", 2) + raw_flush());
  EXPECT_EQ(raw_types(client.receive_until('s')), "12DDs");
  EXPECT_EQ(raw_types(other.query("SELECT 1")), "TDCZ");
  client.send(raw_execute("p", 0) + raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "DDDCZ");
  client.send(raw_execute("p", 0) + raw_sync());
  EXPECT_EQ(raw_field(raw_find(client.receive_until('Z'), 'E').body, 'C'), "34000");
}

TEST_F(PipelineTest, CursorsWorkWithinABlock) {
  auto connection = connect(), other = connect();
  connection.must("BEGIN");
  connection.must("DECLARE c CURSOR FOR SELECT generate_series(1, 100)");
  EXPECT_EQ(connection.must("FETCH 10 FROM c").rows.size(), 10u);
  other.must("SELECT 1");
  EXPECT_EQ(connection.must("FETCH 10 FROM c").rows[0][0], "11");
  connection.must("COMMIT");
  EXPECT_SQLSTATE(connection.exec("FETCH 10 FROM c"), "34000");
}

// A client that sends without reading must not deadlock the pair.
TEST_F(PipelineTest, MuchIsSentBeforeAnythingIsRead) {
  NEEDS_PROXY();
  start_trusting();
  RawClient client(port(), 30);
  client.log_in();
  const std::string big(20'000, 'x');
  std::string group = raw_parse("", "SELECT $1::text") + raw_bind("", "", {big}) + raw_execute("") + raw_sync();
  std::thread writer([&] {
    for (int i = 0; i < 500; ++i) client.send(group);
  });
  std::size_t rows = 0;
  for (int i = 0; i < 500; ++i) rows += raw_find(client.receive_until('Z'), 'D').body.size() > big.size() ? 1 : 0;
  writer.join();
  EXPECT_EQ(rows, 500u);
}

// A Query or a FunctionCall ends a batch that has no Sync: its server is free then.
TEST_F(PipelineTest, AQueryBehindABatchWithoutSyncFreesTheServer) {
  start_trusting(1);
  const std::string function_call = raw_message('F', raw_int32(1598) + raw_int16(0) + raw_int16(0) + raw_int16(0));  // random()
  for (const auto& [end, types] : {std::pair{raw_query("SELECT 2"), "12DCTDCZ"}, std::pair{function_call, "12DCVZ"}}) {
    auto client = raw(), other = raw();
    client.send(raw_parse("", "SELECT 1") + raw_bind("", "") + raw_execute("") + end);
    EXPECT_EQ(raw_types(client.receive_until('Z')), types);
    EXPECT_EQ(raw_types(other.query("SELECT 3")), "TDCZ");
    client.send(raw_sync());
    EXPECT_EQ(raw_types(client.receive_until('Z')), "Z");
  }
}

}  // namespace
}  // namespace pgweir::support
