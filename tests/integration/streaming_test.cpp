// Large results, rows and parameters: they stream, and the proxy's memory stays bounded.
#include <sys/socket.h>

#include <fstream>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class StreamingTest : public ProxyTest {
 protected:
  // A line of /proc/<pid>/status in KiB: "VmRSS", "VmHWM" (the most so far).
  long status(const std::string& name) {
    std::ifstream file("/proc/" + std::to_string(proxy().pid()) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
    return 0;
  }
  // Reads a result row by row; the number of bytes in its cells.
  static std::size_t drain(Connection& connection, const std::string& sql) {
    PQsendQuery(connection.raw(), sql.c_str());
    PQsetSingleRowMode(connection.raw());
    std::size_t bytes = 0;
    while (PGresult* row = PQgetResult(connection.raw())) {
      EXPECT_TRUE(PQresultStatus(row) == PGRES_SINGLE_TUPLE || PQresultStatus(row) == PGRES_TUPLES_OK)
          << PQresultErrorMessage(row);
      for (int i = 0; i < PQntuples(row); ++i) bytes += static_cast<std::size_t>(PQgetlength(row, i, 0));
      PQclear(row);
    }
    return bytes;
  }
};

constexpr long kMiB = 1024;  // in KiB

TEST_F(StreamingTest, AHundredMegabytesOfRowsPassInBoundedMemory) {
  auto connection = connect();
  connection.must("SELECT 1");
  const long before = direct() ? 0 : status("VmRSS");
  EXPECT_EQ(drain(connection, "SELECT repeat('x', 10000) FROM generate_series(1, 10000)"), 100'000'000u);
  if (direct()) return;
  EXPECT_LT(status("VmHWM") - before, 16 * kMiB);
}

TEST_F(StreamingTest, OneRowOfAHundredMegabytesPassesInBoundedMemory) {
  auto connection = connect();
  connection.must("SELECT 1");
  const long before = direct() ? 0 : status("VmRSS");
  EXPECT_EQ(drain(connection, "SELECT repeat('x', 100000000)"), 100'000'000u);
  if (direct()) return;
  EXPECT_LT(status("VmHWM") - before, 32 * kMiB);
}

TEST_F(StreamingTest, AClientThatDoesNotReadHoldsTheServerBackNotTheMemory) {
  auto slow = connect();
  slow.must("SELECT 1");
  const long before = direct() ? 0 : status("VmRSS");
  PQsendQuery(slow.raw(), "SELECT repeat('x', 10000) FROM generate_series(1, 30000)");
  // The server is blocked in its write to us: that is the end of the chain.
  ASSERT_TRUE(wait_until([] { return backends("wait_event = 'ClientWrite'") == 1; }));
  auto other = connect();
  EXPECT_EQ(other.must("SELECT 'goes on'").value(), "goes on");
  if (!direct()) {
    EXPECT_LT(status("VmHWM") - before, 16 * kMiB);
  }
  std::size_t rows = 0;
  while (auto result = slow.next()) rows += result->rows.size();
  EXPECT_EQ(rows, 30'000u);
}

// A server that was held back for a slow client must be read again for the next one.
TEST_F(StreamingTest, TheServerOfASlowClientServesTheNextOne) {
  if (!direct()) start(1, "checkout_timeout = \"20s\"");
  auto slow = connect(), next = connect();
  const int small = 4096;  // the client's kernel takes little at a time, so the proxy's queue fills
  ASSERT_EQ(setsockopt(PQsocket(slow.raw()), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  for (int rows = 500; rows < 620; rows += 10) {
    PQsendQuery(slow.raw(), ("SELECT repeat('x', 10000) FROM generate_series(1, " + std::to_string(rows) + ")").c_str());
    ASSERT_TRUE(wait_until([&] { return direct() || backends("wait_event = 'ClientWrite' OR state = 'idle'") >= 1; }));
    std::size_t got = 0;
    while (auto result = slow.next()) got += result->rows.size();
    ASSERT_EQ(got, static_cast<std::size_t>(rows));
    PQsendQuery(next.raw(), "SELECT 'next'");
    ASSERT_TRUE(wait_until([&] {
      PQconsumeInput(next.raw());
      return !PQisBusy(next.raw());
    })) << "after " << rows << " rows";
    while (auto result = next.next()) ASSERT_TRUE(result->ok()) << *result;
  }
}

TEST_F(StreamingTest, LargeParametersArrive) {
  auto connection = connect();
  const std::string value(12'000'000, 'p');
  EXPECT_EQ(connection.params("SELECT length($1::text)", {value}).value(), "12000000");
  const auto echoed = connection.params("SELECT $1::text", {value});
  ASSERT_TRUE(echoed.ok()) << echoed;
  EXPECT_TRUE(echoed.value() == value);
}

// Longer than max_statement_size: a plain pooler need not understand it.
TEST_F(StreamingTest, AStatementLongerThanTheLimitStreamsOrIsRefusedCleanly) {
  start(ProxyOptions{.listen_extra = "max_statement_size = \"1MiB\"", .pool = "size = 1"});
  auto connection = connect();
  const auto result = connection.exec("SELECT length('" + std::string(5'000'000, 'x') + "')");
  if (!result.ok()) {
    EXPECT_EQ(result.sqlstate(), "54000") << result;
  } else {
    EXPECT_EQ(result.value(), "5000000");
  }
  EXPECT_TRUE(no_transaction_is_open());
  EXPECT_EQ(connect().must("SELECT 1").value(), "1");
}

TEST_F(StreamingTest, ManyColumnsAndNullsAreUnchanged) {
  auto through = connect(), straight = server().connect();
  std::string sql = "SELECT NULL::int AS c0";
  for (int i = 1; i < 1'600; ++i) sql += ", " + std::to_string(i) + " AS c" + std::to_string(i);
  const auto a = through.must(sql), b = straight.must(sql);
  EXPECT_EQ(a.columns, b.columns);
  EXPECT_EQ(a.rows, b.rows);
}

}  // namespace
}  // namespace pgweir::support
