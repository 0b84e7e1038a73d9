// SHOW STATS: what PgBouncer's dashboards read, by cluster, exact for known work.
#include <algorithm>
#include <map>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class StatsTest : public ProxyTest {
 protected:
  void SetUp() override {
    if (direct()) return;
    start(ProxyOptions{.clusters = plain_cluster("fediflow", server().endpoint()) + plain_cluster("other", server().endpoint(), "database = \"fediflow\""),
                       .auth = "method = \"trust\"",
                       .pool = "size = 1"});
    console_.emplace(proxy().connect("stats", "pgweir"));
    client_.emplace(port());
    client_->log_in();
    client_->query("SELECT 1");  // what the first statement on a server costs is not looked at
    mark_ = stats();
  }

  std::map<std::string, std::uint64_t> stats(const std::string& cluster = "fediflow") {
    const auto result = console_->must("SHOW STATS");
    std::map<std::string, std::uint64_t> row;
    for (const auto& cells : result.rows)
      if (cells[0] == cluster)
        for (std::size_t i = 1; i < cells.size(); ++i) row[result.columns[i]] = std::stoull(cells[i].value_or("0"));
    EXPECT_FALSE(row.empty()) << cluster;
    return row;
  }
  // What was added since the last call.
  std::map<std::string, std::uint64_t> added() {
    const auto now = stats();
    auto out = now;
    for (auto& [name, value] : out) value -= mark_[name];
    mark_ = now;
    return out;
  }
  static std::string counts(const std::map<std::string, std::uint64_t>& of) {
    const auto at = [&](const char* name) { return std::to_string(of.at(name)); };
    return "xacts " + at("total_xact_count") + " queries " + at("total_query_count") + " parses " + at("total_client_parse_count") + "/" +
           at("total_server_parse_count") + " binds " + at("total_bind_count") + " errors " + at("total_error_count");
  }
  std::string after(const std::string& request, int ready) {
    client_->send(request);
    for (int i = 0; i < ready; ++i) client_->receive_until('Z');
    return counts(added());
  }

  std::optional<Connection> console_;
  std::optional<RawClient> client_;
  std::map<std::string, std::uint64_t> mark_;
};

TEST_F(StatsTest, EveryTransactionAndStatementIsCountedOnce) {
  NEEDS_PROXY();
  EXPECT_EQ(after(raw_query("SELECT 1"), 1), "xacts 1 queries 1 parses 0/0 binds 0 errors 0");
  EXPECT_EQ(after(raw_query("SELECT 1") + raw_query("SELECT 2") + raw_query("SELECT 3"), 3), "xacts 3 queries 3 parses 0/0 binds 0 errors 0");
  EXPECT_EQ(after(raw_query("BEGIN") + raw_query("SELECT 1") + raw_query("COMMIT"), 3), "xacts 1 queries 3 parses 0/0 binds 0 errors 0");
  EXPECT_EQ(after(raw_query("SELECT 1 / 0"), 1), "xacts 1 queries 1 parses 0/0 binds 0 errors 1");
  const std::string bound = raw_bind("", "s") + raw_execute("");
  EXPECT_EQ(after(raw_parse("s", "SELECT 4") + bound + raw_sync() + bound + raw_sync(), 2), "xacts 2 queries 2 parses 1/1 binds 2 errors 0");
  EXPECT_EQ(after(raw_parse("", "SELECT 5") + raw_bind("", "") + raw_execute("") + raw_sync(), 1), "xacts 1 queries 1 parses 1/1 binds 1 errors 0");
  EXPECT_EQ(after(raw_query("SELECT 1; SELECT 2"), 1), "xacts 1 queries 1 parses 0/0 binds 0 errors 0");
  const std::string call = raw_message('F', raw_int32(1598) + raw_int16(0) + raw_int16(0) + raw_int16(0));  // random()
  EXPECT_EQ(after(call, 1), "xacts 1 queries 1 parses 0/0 binds 0 errors 0");
  // Another client parses the same text: its Parse is the later one, so the server's copy is made anew, and serves both.
  RawClient other(port());
  other.log_in();
  other.send(raw_parse("t", "SELECT 4") + raw_bind("", "t") + raw_execute("") + raw_sync());
  other.receive_until('Z');
  EXPECT_EQ(counts(added()), "xacts 1 queries 1 parses 1/1 binds 1 errors 0");
  EXPECT_EQ(after(bound + raw_sync(), 1), "xacts 1 queries 1 parses 0/0 binds 1 errors 0");
}

TEST_F(StatsTest, BytesAndTimesAreThoseOfTheClients) {
  NEEDS_PROXY();
  const std::string query = raw_query("SELECT repeat('b', 1000), pg_sleep(0.2)");
  client_->send(query);
  std::size_t received = 0;
  for (const auto& message : client_->receive_until('Z')) received += message.body.size() + 5;
  auto one = added();
  EXPECT_EQ(one["total_received"], query.size());
  EXPECT_EQ(one["total_sent"], received);
  EXPECT_EQ(one["total_server_assignment_count"], 1u);
  EXPECT_GE(one["total_query_time"], 190'000u);
  EXPECT_LT(one["total_query_time"], 5'000'000u);
  EXPECT_GE(one["total_xact_time"], one["total_query_time"]);
  // In a block the time between its statements is the transaction's, not a query's.
  client_->query("BEGIN");
  server().exec("SELECT pg_sleep(0.2)");
  client_->query("COMMIT");
  one = added();
  EXPECT_GE(one["total_xact_time"], 190'000u);
  EXPECT_LT(one["total_query_time"], one["total_xact_time"]);
}

TEST_F(StatsTest, WaitsAreMeasured) {
  NEEDS_PROXY();
  RawClient first(port()), second(port());
  for (auto* one : {&first, &second}) one->log_in();
  first.query("BEGIN; SELECT 1");
  (void)added();
  second.send(raw_query("SELECT 2"));
  server().exec("SELECT pg_sleep(0.2)");
  first.query("COMMIT");
  second.receive_until('Z');
  const auto waited = added();
  EXPECT_GE(waited.at("total_wait_time"), 150'000u);
  EXPECT_EQ(waited.at("total_server_assignment_count"), 1u);
}

TEST_F(StatsTest, EachClusterHasItsRowAndItsSeries) {
  NEEDS_PROXY();
  auto other = Connection::open(parameters("app", "other"));
  other.must("SELECT 1");
  EXPECT_EQ(counts(added()), "xacts 0 queries 0 parses 0/0 binds 0 errors 0");
  EXPECT_EQ(stats("other").at("total_xact_count"), 1u);
  const auto names = console_->must("SHOW STATS");
  ASSERT_EQ(names.rows.size(), 2u);
  EXPECT_EQ(names.rows[0][0], "fediflow");
  EXPECT_EQ(names.rows[1][0], "other");
  const std::string metrics = proxy().metrics();
  for (const std::string series : {"pgweir_cluster_transactions_total{cluster=\"other\"} 1", "pgweir_cluster_queries_total{cluster=\"other\"} 1",
                                   "pgweir_cluster_binds_total{cluster=\"other\"} 0"})
    EXPECT_NE(metrics.find(series), std::string::npos) << series;
  // All together.
  const auto totals = console_->must("SHOW TOTALS");
  const auto row = std::find_if(totals.rows.begin(), totals.rows.end(), [](const Row& one) { return one[0] == "xact_count"; });
  ASSERT_NE(row, totals.rows.end());
  EXPECT_EQ(std::stoull((*row)[1].value_or("")), stats().at("total_xact_count") + 1);
}

}  // namespace
}  // namespace pgweir::support
