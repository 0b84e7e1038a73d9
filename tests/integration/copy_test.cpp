// COPY in and out through the pooler, with everything that goes wrong in the middle.
#include <sys/socket.h>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class CopyTest : public ProxyTest {
 protected:
  void start_trusting() { start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1"}); }
  void expect_clean_for_others() {
    EXPECT_TRUE(no_transaction_is_open());
    auto other = connect();
    EXPECT_EQ(other.must("SELECT 'clean'").value(), "clean");
  }
};

TEST_F(CopyTest, RowsGoInAndComeOut) {
  table("copied", "id int, text text");
  auto connection = connect();
  std::string data;
  for (int i = 0; i < 50'000; ++i) data += std::to_string(i) + "\trow " + std::to_string(i) + "\n";
  EXPECT_EQ(connection.copy_in("COPY copied FROM STDIN", data).tag, "COPY 50000");
  const auto [result, out] = connection.copy_out("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT");
  EXPECT_EQ(result.tag, "COPY 50000");
  EXPECT_TRUE(out == data);
  EXPECT_EQ(connection.must("SELECT count(*) FROM copied").value(), "50000");
}

TEST_F(CopyTest, BinaryAndCsvPassThrough) {
  table("formats", "id int, text text");
  auto connection = connect();
  EXPECT_EQ(connection.copy_in("COPY formats FROM STDIN WITH (FORMAT csv, HEADER)", "id,text\n1,\"a,b\"\n2,\n").tag,
            "COPY 2");
  const auto [result, binary] = connection.copy_out("COPY formats TO STDOUT (FORMAT binary)");
  EXPECT_EQ(result.tag, "COPY 2");
  EXPECT_EQ(connection.copy_in("COPY formats FROM STDIN (FORMAT binary)", binary).tag, "COPY 2");
  EXPECT_EQ(connection.must("SELECT count(*) FROM formats WHERE text = 'a,b'").value(), "2");
}

TEST_F(CopyTest, AnErrorInTheMiddleUndoesAllAndTheRestOfTheDataIsDropped) {
  table("broken", "id int PRIMARY KEY");
  auto connection = connect();
  std::string data = "1\nx\n";
  for (int i = 0; i < 300'000; ++i) data += std::to_string(i) + "\n";
  const auto failed = connection.copy_in("COPY broken FROM STDIN", data);
  EXPECT_EQ(failed.sqlstate(), "22P02") << failed;
  EXPECT_EQ(connection.must("SELECT count(*) FROM broken").value(), "0");
  EXPECT_SQLSTATE(connection.copy_in("COPY missing FROM STDIN", "1\n"), "42P01");
  EXPECT_EQ(connection.copy_in("COPY broken FROM STDIN", "1\n2\n").tag, "COPY 2");
  expect_clean_for_others();
}

TEST_F(CopyTest, TheClientMayFailItsCopy) {
  table("failed", "id int");
  auto connection = connect();
  ASSERT_EQ(connection.exec("COPY failed FROM STDIN").status, PGRES_COPY_IN);
  PQputCopyData(connection.raw(), "1\n2\n", 4);
  PQputCopyEnd(connection.raw(), "changed my mind");
  const auto failed = connection.next();
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->sqlstate(), "57014");
  EXPECT_NE(failed->error->message.find("changed my mind"), std::string::npos);
  while (connection.next()) {
  }
  EXPECT_EQ(connection.must("SELECT count(*) FROM failed").value(), "0");
}

TEST_F(CopyTest, WithinABlockIsPartOfIt) {
  table("blocked", "id int");
  auto connection = connect();
  connection.must("BEGIN");
  EXPECT_EQ(connection.copy_in("COPY blocked FROM STDIN", "1\n").tag, "COPY 1");
  EXPECT_SQLSTATE(connection.copy_in("COPY blocked FROM STDIN", "x\n"), "22P02");
  EXPECT_EQ(connection.transaction_status(), PQTRANS_INERROR);
  connection.must("ROLLBACK");
  EXPECT_EQ(connection.must("SELECT count(*) FROM blocked").value(), "0");
}

TEST_F(CopyTest, InAMultiStatementQuery) {
  table("several", "id int");
  auto connection = connect();
  ASSERT_EQ(PQsendQuery(connection.raw(), "SELECT 1; COPY several FROM STDIN; SELECT 2"), 1);
  EXPECT_EQ(connection.next()->value(), "1");
  ASSERT_EQ(connection.next()->status, PGRES_COPY_IN);
  PQputCopyData(connection.raw(), "7\n", 2);
  PQputCopyEnd(connection.raw(), nullptr);
  EXPECT_EQ(connection.next()->tag, "COPY 1");
  EXPECT_EQ(connection.next()->value(), "2");
  EXPECT_FALSE(connection.next().has_value());
}

TEST_F(CopyTest, ByTheExtendedProtocol) {
  table("extended", "id int");
  auto connection = connect();
  ASSERT_EQ(connection.params("COPY extended FROM STDIN", {}).status, PGRES_COPY_IN);
  PQputCopyData(connection.raw(), "1\n2\n", 4);
  PQputCopyEnd(connection.raw(), nullptr);
  EXPECT_EQ(connection.next()->tag, "COPY 2");
  EXPECT_FALSE(connection.next().has_value());
  EXPECT_EQ(connection.must("SELECT sum(id) FROM extended").value(), "3");
}

// During copy-in Sync and Flush yield nothing; after an error late CopyData is dropped up to the Sync.
TEST_F(CopyTest, SyncAndFlushWithinCopyInAreIgnored) {
  NEEDS_PROXY();
  start_trusting();
  table("synced", "id int");
  RawClient client(port());
  client.log_in();
  client.send(raw_parse("", "COPY synced FROM STDIN") + raw_bind("", "") + raw_execute("") + raw_flush());
  EXPECT_EQ(raw_types(client.receive_until('G')), "12G");
  client.send(raw_message('d', "1\n") + raw_sync() + raw_flush() + raw_message('d', "2\n") + raw_message('c', "") +
              raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "CZ");
  EXPECT_EQ(raw_types(client.query("SELECT count(*) FROM synced")), "TDCZ");
  client.send(raw_query("COPY synced FROM STDIN") + raw_message('d', "x\n") + raw_message('d', "3\n") +
              raw_message('c', "") + raw_query("SELECT 'next'"));
  EXPECT_EQ(raw_types(client.receive_until('Z')), "GEZ");
  EXPECT_EQ(raw_types(client.receive_until('Z')), "TDCZ");
  expect_clean_for_others();
}

// The error comes while the client is in the middle of a large CopyData message, whose first half the server has: it
// must get the second half too, or it would take the next query for it.
TEST_F(CopyTest, AnErrorInTheMiddleOfAMessageLeavesNoHalfOfIt) {
  NEEDS_PROXY();
  start_trusting();
  table("halves", "id int");
  const std::string large = raw_message('d', std::string(400'000, '1') + "\n");
  {
    RawClient client(port());
    client.log_in();
    client.send(raw_query("COPY halves FROM STDIN"));
    client.receive_until('G');
    client.send(raw_message('d', "x\n") + large.substr(0, 200'000));
    EXPECT_EQ(raw_types(client.receive_until('Z')), "EZ");
    client.send(large.substr(200'000) + raw_message('c', "") + raw_query("SELECT 'next'"));
    EXPECT_EQ(raw_types(client.receive_until('Z')), "TDCZ");
  }
  expect_clean_for_others();
  {
    RawClient client(port());
    client.log_in();
    client.send(raw_query("COPY halves FROM STDIN"));
    client.receive_until('G');
    client.send(raw_message('d', "x\n") + large.substr(0, 200'000));
    EXPECT_EQ(raw_types(client.receive_until('Z')), "EZ");
  }
  expect_clean_for_others();
}

TEST_F(CopyTest, AQueryWithinCopyInFailsIt) {
  NEEDS_PROXY();
  start_trusting();
  table("queried", "id int");
  RawClient client(port());
  client.log_in();
  client.send(raw_query("COPY queried FROM STDIN"));
  client.receive_until('G');
  client.send(raw_message('d', "1\n") + raw_query("SELECT 1"));
  const auto answer = client.receive_until('E');
  EXPECT_EQ(raw_field(raw_find(answer, 'E').body, 'C'), "08P01");
  client.reset();
  expect_clean_for_others();
  EXPECT_EQ(server().exec("SELECT count(*) FROM queried").value(), "0");
}

TEST_F(CopyTest, CopyDataOutsideACopyIsIgnoredAsPostgresqlDoes) {
  NEEDS_PROXY();
  start_trusting();
  RawClient client(port());
  client.log_in();
  client.send(raw_message('d', "stray") + raw_message('c', "") + raw_message('f', raw_text("x")) +
              raw_query("SELECT 1"));
  EXPECT_EQ(raw_types(client.receive_until('Z')), "TDCZ");
}

TEST_F(CopyTest, AClientThatDiesInTheMiddleOfCopyInLeavesNothing) {
  default_pool_size = 1;
  table("deserted", "id int");
  for (const bool hard : {false, true}) {
    {
      auto connection = connect();
      ASSERT_EQ(connection.exec("COPY deserted FROM STDIN").status, PGRES_COPY_IN);
      PQputCopyData(connection.raw(), "1\n", 2);
      ASSERT_EQ(PQflush(connection.raw()), 0);
      if (hard) {
        const linger now{1, 0};
        ::setsockopt(PQsocket(connection.raw()), SOL_SOCKET, SO_LINGER, &now, sizeof now);
      }
    }
    expect_clean_for_others();
    EXPECT_EQ(server().exec("SELECT count(*) FROM deserted").value(), "0");
  }
}

TEST_F(CopyTest, AClientThatDiesInTheMiddleOfCopyOutLeavesNothing) {
  default_pool_size = 1;
  {
    auto connection = connect();
    ASSERT_EQ(connection.exec("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 3000000)) TO STDOUT").status,
              PGRES_COPY_OUT);
    char* buffer = nullptr;
    ASSERT_GT(PQgetCopyData(connection.raw(), &buffer, 0), 0);
    PQfreemem(buffer);
  }
  expect_clean_for_others();
}

TEST_F(CopyTest, AnErrorInTheMiddleOfCopyOutIsTold) {
  auto connection = connect();
  const auto [result, data] =
      connection.copy_out("COPY (SELECT 1 / (1000 - x) FROM generate_series(1, 2000) x) TO STDOUT");
  EXPECT_EQ(result.sqlstate(), "22012") << result;
  EXPECT_EQ(connection.must("SELECT 1").value(), "1");
}

}  // namespace
}  // namespace pgweir::support
