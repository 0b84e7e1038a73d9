// How many servers of a pool single clients may keep, and what is counted of it; and sequence values that outlive their
// transaction where clients ask for them.
#include <algorithm>
#include <atomic>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class MaxPinnedTest : public ProxyTest {
 protected:
  std::string clients() {
    std::ostringstream shown;
    shown << proxy().console().must("SHOW CLIENTS");
    return shown.str();
  }
  // The value of the first sample of this family whose labels contain `label`.
  double sample(const std::string& family, const std::string& label = "") {
    std::istringstream lines(proxy().metrics());
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with(family) && line.find_first_of("{ ") == family.size() && line.find(label) != std::string::npos)
        return std::strtod(line.c_str() + line.rfind(' ') + 1, nullptr);
    return -1;
  }
  static std::string pid(Connection& connection) { return connection.must("SELECT pg_backend_pid()").value(); }
};

TEST_F(MaxPinnedTest, WhatWouldKeepOneMoreIsRefusedWithTheReasons) {
  NEEDS_PROXY();
  start(3, "max_pinned = 2\ncheckout_timeout = \"5s\"");
  auto one = connect(), two = connect(), three = connect();
  one.must("CREATE TEMP TABLE pin (id int)");
  two.must("SELECT pg_advisory_lock(1)");
  const char* statements[] = {"CREATE TEMP TABLE pin (id int)", "SELECT pg_advisory_lock_shared(2)", "LOAD 'plpgsql'",
                              "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT 1 AS a INTO TEMP pin"};
  for (const auto* sql : statements) {
    const auto refused = three.exec(sql);
    ASSERT_EQ(refused.sqlstate(), "53300") << sql << refused;
    EXPECT_EQ(refused.error->detail, "Kept by clients: temp_tables 1, advisory_lock 1.") << sql;
    EXPECT_NE(refused.error->hint.find("max_pinned (2)"), std::string::npos) << refused.error->hint;
    EXPECT_SQLSTATE(three.params(sql, {}), "53300");
  }
  EXPECT_EQ(three.must("SELECT 1").value(), "1");
  // It fails a block like any error.
  three.must("BEGIN; SELECT 1");
  EXPECT_SQLSTATE(three.exec("CREATE TEMP TABLE pin (id int)"), "53300");
  EXPECT_SQLSTATE(three.exec("SELECT 1"), "25P02");
  three.must("ROLLBACK");
  // Who has a server may do as much there as he likes; what is only for a transaction keeps nothing.
  one.must("SELECT pg_advisory_lock(3)");
  three.must("SELECT pg_advisory_xact_lock(4)");
  EXPECT_EQ(sample("pgweir_pinned", "reason=\"temp_tables\"") + sample("pgweir_pinned", "reason=\"advisory_lock\""), 2);
  EXPECT_EQ(sample("pgweir_pins_refused_total"), 11);
  // A place is free again when the state is gone, and when the client is.
  two.must("SELECT pg_advisory_unlock(1)");
  EXPECT_TRUE(wait_until([&] { return three.exec("CREATE TEMP TABLE pin (id int)").ok(); }));
  one.close();
  EXPECT_TRUE(wait_until([&] { return two.exec("SELECT pg_advisory_lock(1)").ok(); }));
}

TEST_F(MaxPinnedTest, APoolOfOneMayBeKept) {
  start(1);
  auto one = connect();
  one.must("CREATE TEMP TABLE pin (id int)");
  one.must("INSERT INTO pin VALUES (1)");
  one.must("DROP TABLE pin");
  EXPECT_EQ(connect().must("SELECT 1").value(), "1");
}

TEST_F(MaxPinnedTest, TheBoundHoldsAcrossWorkers) {
  NEEDS_PROXY();
  start(4, "checkout_timeout = \"20s\"");
  std::vector<Connection> all;
  for (int i = 0; i < 12; ++i) all.push_back(connect());
  std::atomic<int> made{0}, refused{0};
  std::vector<std::thread> threads;
  for (auto& each : all)
    threads.emplace_back([&] {
      const auto result = each.exec("CREATE TEMP TABLE pin (id int)");
      made += result.ok() ? 1 : 0;
      refused += result.sqlstate() == "53300" ? 1 : 0;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(made, 3);
  EXPECT_EQ(refused, 9);
}

// A function's text does not tell what it leaves: its server is kept beyond the bound, and counted.
TEST_F(MaxPinnedTest, WhatIsFoundAfterwardsIsKept) {
  NEEDS_PROXY();
  start(3, "max_pinned = 1");
  auto one = connect(), two = connect(), three = connect();
  one.must("CREATE TEMP TABLE pin (id int)");
  two.must("DO $$ BEGIN CREATE TEMP TABLE hidden AS SELECT 5 AS x; END $$");
  three.must("SELECT 1");
  EXPECT_EQ(two.must("SELECT x FROM hidden").value(), "5");
  EXPECT_EQ(sample("pgweir_pinned", "reason=\"temp_tables\""), 2);
  EXPECT_EQ(sample("pgweir_pinned_total", "reason=\"temp_tables\""), 2);
  EXPECT_EQ(three.must("SELECT pg_try_advisory_lock(9)").value(), "t");
  EXPECT_EQ(three.must("SELECT pg_advisory_unlock(9)").value(), "t");
}

TEST_F(MaxPinnedTest, ALibraryStaysWithWhoLoadedIt) {
  NEEDS_PROXY();
  start(2);
  server().exec("ALTER ROLE app SUPERUSER");  // others may load what is in $libdir/plugins only
  auto one = connect(), two = connect();
  EXPECT_OK(one.exec("LOAD 'plpgsql'"));
  server().exec("ALTER ROLE app NOSUPERUSER");
  const auto kept = pid(one);
  EXPECT_NE(clients().find("library"), std::string::npos);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(pid(two), kept);
    EXPECT_EQ(pid(one), kept);
  }
  one.close();
  EXPECT_TRUE(wait_until([&] { return backends("pid = " + kept) == 0; }));
}

TEST_F(MaxPinnedTest, TransactionsAndServersAreCounted) {
  NEEDS_PROXY();
  start(2);
  const char* after = "pgweir_server_after_transaction_total";
  auto one = connect(), two = connect();
  const auto released = sample(after, "released"), kept = sample(after, "kept");
  for (int i = 0; i < 3; ++i) one.must("SELECT 1");
  one.must("CREATE TEMP TABLE pin (id int)");
  one.must("SELECT 1");
  const auto first = pid(one);
  EXPECT_NE(pid(two), first);
  EXPECT_TRUE(wait_until([&] { return sample(after, "released") - released == 4 && sample(after, "kept") - kept == 3; }))
      << proxy().metrics();
  const auto shown = proxy().console().must("SHOW CLIENTS");
  const auto column = static_cast<std::size_t>(std::find(shown.columns.begin(), shown.columns.end(), "servers") - shown.columns.begin());
  for (const auto& row : shown.rows) EXPECT_TRUE(row.at(column) == "1" || row.at(column) == "2") << shown;
  one.close();
  EXPECT_TRUE(wait_until([&] { return sample("pgweir_session_servers_count") >= 1; }));
}

// Where somebody asks for currval(), who moves a sequence keeps the server that knows it; elsewhere nobody does.
TEST_F(MaxPinnedTest, SequenceValuesAreKeptWhereTheyAreRead) {
  NEEDS_PROXY();
  start(4);
  server().exec(
      "CREATE SEQUENCE IF NOT EXISTS read_seq; GRANT ALL ON SEQUENCE read_seq TO app; CREATE TABLE IF NOT EXISTS read_rows (id "
      "serial, v int); GRANT ALL ON read_rows, read_rows_id_seq TO app");
  auto writer = connect(), reader = connect(), third = connect();
  const auto disturb = [&] { third.must("SELECT nextval('read_seq')"); };
  writer.must("INSERT INTO read_rows (v) VALUES (1)");
  EXPECT_EQ(clients().find("sequence"), std::string::npos);
  EXPECT_SQLSTATE(reader.exec("SELECT lastval()"), "55000");
  for (int i = 0; i < 3; ++i) {
    const auto id = reader.must("INSERT INTO read_rows (v) VALUES (1) RETURNING id").value();
    disturb();
    EXPECT_EQ(reader.must("SELECT lastval()").value(), id);
    EXPECT_EQ(reader.must("SELECT currval('read_rows_id_seq')").value(), id);
    disturb();
    const auto moved = reader.params("SELECT nextval('read_seq')", {}).value();
    disturb();
    EXPECT_EQ(reader.params("SELECT currval('read_seq')", {}).value(), moved);
  }
  EXPECT_NE(clients().find("sequence"), std::string::npos);
  // Its server is no secret: the next client gets it without the values.
  reader.close();
  auto next = connect();
  for (int i = 0; i < 4; ++i) EXPECT_SQLSTATE(next.exec("SELECT lastval()"), "55000");
}

TEST_F(MaxPinnedTest, TheOnlyServerIsNotKeptForSequences) {
  NEEDS_PROXY();
  start(1, "checkout_timeout = \"5s\"");
  server().exec("CREATE SEQUENCE IF NOT EXISTS read_seq; GRANT ALL ON SEQUENCE read_seq TO app");
  auto one = connect(), two = connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(one.exec("SELECT nextval('read_seq')"));
    EXPECT_OK(one.exec("SELECT lastval()"));
    EXPECT_SQLSTATE(two.exec("SELECT lastval()"), "55000");
  }
}

TEST_F(MaxPinnedTest, WhoNeverReadsSequencesKeepsNoServerForThem) {
  NEEDS_PROXY();
  start(4);
  server().exec("CREATE SEQUENCE IF NOT EXISTS read_seq; GRANT ALL ON SEQUENCE read_seq TO app");
  auto reader = connect(), writer = connect();
  EXPECT_SQLSTATE(reader.exec("SELECT currval('read_seq')"), "55000");
  writer.must("SELECT nextval('read_seq')");
  EXPECT_NE(clients().find("sequence"), std::string::npos);  // it may yet
  for (int i = 0; i < 10; ++i) writer.must("SELECT nextval('read_seq')");
  EXPECT_EQ(clients().find("sequence"), std::string::npos);
}

}  // namespace
}  // namespace pgweir::support
