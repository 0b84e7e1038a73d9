// SHOW STATS: what PgBouncer's dashboards read, by cluster, exact for known work.
#include <algorithm>
#include <map>
#include <utility>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/support/demo_cluster.h"

namespace pgweir::support {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

Counts stats_of(Connection& console, const std::string& cluster) {
  const auto result = console.must("SHOW STATS");
  Counts row;
  for (const auto& cells : result.rows)
    if (cells[0] == cluster)
      for (std::size_t i = 1; i < cells.size(); ++i) row[result.columns[i]] = std::stoull(cells[i].value_or("0"));
  EXPECT_FALSE(row.empty()) << cluster;
  return row;
}

Counts operator-(Counts now, const Counts& before) {
  for (auto& [name, value] : now) value -= before.at(name);
  return now;
}

std::string counts(const Counts& of) {
  const auto at = [&](const char* name) { return std::to_string(of.at(name)); };
  return "xacts " + at("total_xact_count") + " queries " + at("total_query_count") + " parses " + at("total_client_parse_count") + "/" +
         at("total_server_parse_count") + " binds " + at("total_bind_count") + " errors " + at("total_error_count");
}

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

  Counts stats(const std::string& cluster = "fediflow") { return stats_of(*console_, cluster); }
  // What was added since the last call.
  Counts added() {
    const auto now = stats();
    return now - std::exchange(mark_, now);
  }
  std::string after(const std::string& request, int ready) {
    client_->send(request);
    for (int i = 0; i < ready; ++i) client_->receive_until('Z');
    return counts(added());
  }

  std::optional<Connection> console_;
  std::optional<RawClient> client_;
  Counts mark_;
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

TEST_F(StatsTest, AQueryIsAnExecuteNotABind) {
  NEEDS_PROXY();
  const std::string rows = raw_parse("", "SELECT generate_series(1, 3)") + raw_bind("p", "");
  EXPECT_EQ(after(rows + raw_describe('P', "p") + raw_sync(), 1), "xacts 1 queries 0 parses 1/1 binds 1 errors 0");
  EXPECT_EQ(after(rows + raw_execute("p", 1) + raw_execute("p", 1) + raw_execute("p") + raw_sync(), 1),
            "xacts 1 queries 3 parses 1/1 binds 1 errors 0");
  const std::string fails = raw_parse("", "SELECT 1 / $1::int") + raw_bind("", "", {"0"}) + raw_execute("");
  EXPECT_EQ(after(fails + raw_sync(), 1), "xacts 1 queries 1 parses 1/1 binds 1 errors 1");
  EXPECT_EQ(after(raw_query("SELECT nonsense FROM"), 1), "xacts 1 queries 1 parses 0/0 binds 0 errors 1");
  EXPECT_EQ(after(raw_query(""), 1), "xacts 1 queries 1 parses 0/0 binds 0 errors 0");
}

TEST_F(StatsTest, TransactionsOfOnePipelineHaveTheirTimesEach) {
  NEEDS_PROXY();
  client_->send(raw_query("SELECT pg_sleep(0.1)") + raw_query("SELECT pg_sleep(0.1)") + raw_query("SELECT pg_sleep(0.1)"));
  for (int i = 0; i < 3; ++i) client_->receive_until('Z');
  const auto three = added();
  EXPECT_EQ(three.at("total_xact_count"), 3u);
  EXPECT_GE(three.at("total_query_time"), 290'000u);
  EXPECT_GE(three.at("total_xact_time"), 290'000u);
}

TEST_F(StatsTest, ATransactionOfAClientThatLeftIsCounted) {
  NEEDS_PROXY();
  client_->query("BEGIN");
  client_->query("SELECT 1");
  client_->close();
  Counts sum = added();
  ASSERT_TRUE(wait_until([&] {
    for (const auto& [name, value] : added()) sum[name] += value;
    return sum.at("total_xact_count") != 0;
  }));
  EXPECT_EQ(counts(sum), "xacts 1 queries 2 parses 0/0 binds 0 errors 0");
}

TEST_F(StatsTest, NothingIsLostByReloads) {
  NEEDS_PROXY();
  const auto before = stats();
  const std::string fediflow = plain_cluster("fediflow", server().endpoint());
  proxy().reload(fediflow + plain_cluster("third", server().endpoint(), "database = \"fediflow\""));
  ASSERT_TRUE(wait_until([&] { return console_->must("SHOW DATABASES").rows.size() >= 2 && Connection::try_open(parameters("app", "third")).first; }));
  Connection::open(parameters("app", "third")).must("SELECT 1");
  EXPECT_EQ(counts(stats("third")), "xacts 1 queries 1 parses 0/0 binds 0 errors 0");
  client_->query("SELECT 1");
  EXPECT_EQ(counts(stats() - before), "xacts 1 queries 1 parses 0/0 binds 0 errors 0");
  proxy().reload(fediflow);
  ASSERT_TRUE(wait_until([&] { return !Connection::try_open(parameters("app", "third")).first; }));
  EXPECT_EQ(stats("third").at("total_xact_count"), 1u);
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

// Where BEGIN has no server yet, and where the proxy itself answers.
TEST(StatsOnShardsTest, WhatSeveralShardsAnswerIsCountedOnce) {
  DemoCluster shards;
  ProxyProcess proxy({.clusters = shards.config(), .auth = "method = \"trust\"", .pool = "size = 2"});
  auto setup = proxy.connect("app", "fediflow");
  create_demo_tables(setup);
  auto console = proxy.connect("stats", "pgweir");
  RawClient client(proxy.port());
  client.log_in();
  Counts mark = stats_of(console, "fediflow");
  const auto after = [&](const std::string& request, int ready) {
    client.send(request);
    for (int i = 0; i < ready; ++i) client.receive_until('Z');
    const auto now = stats_of(console, "fediflow");
    return counts(now - std::exchange(mark, now));
  };
  const std::string all = "SELECT count(*) FROM tenants";
  EXPECT_EQ(after(raw_query(all), 1), "xacts 1 queries 1 parses 0/0 binds 0 errors 0");
  EXPECT_EQ(after(raw_query("BEGIN") + raw_query(all) + raw_query("COMMIT"), 3), "xacts 1 queries 3 parses 0/0 binds 0 errors 0");
  EXPECT_EQ(after(raw_query("BEGIN") + raw_query("ROLLBACK"), 2), "xacts 1 queries 2 parses 0/0 binds 0 errors 0");
  EXPECT_EQ(after(raw_query("SELECT 1") + raw_query("SELECT 2"), 2), "xacts 2 queries 2 parses 0/0 binds 0 errors 0");
  client.send(raw_parse("", all) + raw_bind("", "") + raw_execute("") + raw_sync());
  client.receive_until('Z');
  const auto now = stats_of(console, "fediflow");
  const auto extended = now - std::exchange(mark, now);
  EXPECT_EQ(extended.at("total_xact_count"), 1u);
  EXPECT_EQ(extended.at("total_query_count"), 1u);
  EXPECT_EQ(extended.at("total_client_parse_count"), 1u);
  EXPECT_EQ(extended.at("total_bind_count"), 1u);
  EXPECT_GE(extended.at("total_server_parse_count"), 1u);  // on the shards
  EXPECT_GT(extended.at("total_query_time"), 0u);
  EXPECT_GT(extended.at("total_xact_time"), 0u);
}

}  // namespace
}  // namespace pgweir::support
