// Large results, rows and parameters: they stream, and the proxy's memory stays bounded.
#include <fstream>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

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

// A server that was held back for a slow client must be read again for the next one. It goes wrong only where a result ends
// in just the read that holds the server back, so that place is found first, and then results end all around it.
TEST_F(StreamingTest, TheServerOfASlowClientServesTheNextOne) {
  NEEDS_PROXY();
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1", .workers = 1});
  auto received = [&] {
    const std::string all = proxy().metrics(), line = "pgweir_bytes_total{side=\"server\",direction=\"received\"} ";
    const auto at = all.find(line);
    return at == std::string::npos ? 0L : std::stol(all.substr(at + line.size()));
  };
  auto ask = [&](RawClient& client, long bytes) {
    client.log_in();
    client.send(raw_query("SELECT repeat('x', 4000) FROM generate_series(1, " + std::to_string(bytes / 4011) + ")"));
  };
  auto next = connect();
  next.must("SELECT 1");
  long held = 0;
  {
    RawClient client(port());
    const long before = received();
    ask(client, 100'000'000);
    ASSERT_TRUE(wait_until([] { return backends("wait_event = 'ClientWrite'") == 1; }));
    ASSERT_TRUE(wait_until([&] { return std::exchange(held, received() - before) == held && held > 0; }));
  }
  ASSERT_TRUE(no_transaction_is_open());
  ASSERT_LT(held, 50'000'000);
  for (long bytes = held - 400'000; bytes < held + 100'000; bytes += 20'000) {
    RawClient client(port());
    ask(client, bytes);
    ASSERT_TRUE(wait_until([] { return backends("state = 'active'") == 0; })) << bytes << " of " << held;
    client.receive_until('Z');
    PQsendQuery(next.raw(), "SELECT 'next'");
    ASSERT_TRUE(wait_until([&] { return PQconsumeInput(next.raw()) == 1 && PQisBusy(next.raw()) == 0; }))
        << "after " << bytes << " bytes, where it is held back at " << held;
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
