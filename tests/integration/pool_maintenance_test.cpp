// What a pool does by itself: the minimum is kept, idle and old connections are closed, and no client notices.
#include <set>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class PoolMaintenanceTest : public ProxyTest {
 protected:
  static std::set<std::string> pids() {
    std::set<std::string> all;
    for (const auto& row : server()
                               .exec("SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND "
                                     "application_name NOT LIKE 'pgweir%'")
                               .rows)
      all.insert(row[0].value_or(""));
    return all;
  }
  // As many connections of the pool at once as there are clients.
  void fill(std::size_t clients) {
    std::vector<Connection> all;
    for (std::size_t i = 0; i < clients; ++i) {
      all.push_back(connect());
      all.back().must("BEGIN");
      all.back().must("SELECT 1");
    }
    EXPECT_EQ(pids().size(), clients);
    for (auto& one : all) one.must("COMMIT");
  }
};

TEST_F(PoolMaintenanceTest, IdleConnectionsAreClosedAfterTheirTime) {
  NEEDS_PROXY();
  start(3, "server_idle_timeout = \"200ms\"");
  auto client = connect();
  fill(3);
  EXPECT_TRUE(wait_until([] { return pids().empty(); }));
  EXPECT_EQ(client.must("SELECT 'again'").value(), "again");
}

TEST_F(PoolMaintenanceTest, WithoutATimeIdleConnectionsStay) {
  NEEDS_PROXY();
  start(3, "server_idle_timeout = \"0s\"\nserver_lifetime = \"0s\"");
  fill(3);
  const auto kept = pids();
  server().exec("SELECT pg_sleep(0.8)");  // three rounds of housekeeping
  EXPECT_EQ(pids(), kept);
}

TEST_F(PoolMaintenanceTest, TheMinimumIsOpenedOnFirstUseAndKept) {
  NEEDS_PROXY();
  start(4, "min_size = 2\nserver_idle_timeout = \"200ms\"");
  auto client = connect();
  client.must("SELECT 1");
  EXPECT_TRUE(wait_until([] { return pids().size() == 2; }));
  fill(4);
  EXPECT_TRUE(wait_until([] { return pids().size() == 2; }));
  const auto kept = pids();
  server().exec("SELECT pg_sleep(0.8)");
  EXPECT_EQ(pids(), kept);
}

TEST_F(PoolMaintenanceTest, TheMinimumIsRestoredWhenServersEnd) {
  NEEDS_PROXY();
  start(4, "min_size = 2");
  auto client = connect();
  client.must("SELECT 1");
  ASSERT_TRUE(wait_until([] { return pids().size() == 2; }));
  const auto before = pids();
  for (const auto& pid : before) server().exec("SELECT pg_terminate_backend(" + pid + ", 5000)");
  EXPECT_TRUE(wait_until([&] {
    const auto now = pids();
    return now.size() == 2 && !now.contains(*before.begin()) && !now.contains(*before.rbegin());
  }));
  EXPECT_EQ(client.must("SELECT 'fine'").value(), "fine");
}

// Never under a transaction, and never so that a client sees more than another pid.
TEST_F(PoolMaintenanceTest, ConnectionsAreReplacedAtTheEndOfTheirLifetime) {
  NEEDS_PROXY();
  start(1, "server_lifetime = \"300ms\"");
  auto client = connect();
  client.must("BEGIN");
  const std::string pid = client.must("SELECT pg_backend_pid()").value();
  client.must("SELECT pg_sleep(0.8)");
  EXPECT_EQ(client.must("SELECT pg_backend_pid()").value(), pid);
  client.must("COMMIT");
  EXPECT_NE(client.must("SELECT pg_backend_pid()").value(), pid);
  std::set<std::string> seen;
  EXPECT_TRUE(wait_until([&] {
    const auto result = client.exec("SELECT pg_backend_pid()");
    EXPECT_TRUE(result.ok()) << result;
    seen.insert(result.value());
    return seen.size() >= 3;
  }));
  EXPECT_LE(pids().size(), 1u);  // one that is ending counts
}

TEST_F(PoolMaintenanceTest, TheMinimumIsReplacedAtTheEndOfItsLifetime) {
  NEEDS_PROXY();
  start(2, "min_size = 2\nserver_lifetime = \"1s\"");
  auto client = connect();
  client.must("SELECT 1");
  ASSERT_TRUE(wait_until([] { return pids().size() == 2; }));
  const auto first = pids();
  EXPECT_TRUE(wait_until([&] {
    const auto now = pids();
    return now.size() == 2 && !now.contains(*first.begin()) && !now.contains(*first.rbegin());
  }));
}

// A reload takes effect on what is open.
TEST_F(PoolMaintenanceTest, AReloadWithASmallerSizeClosesWhatIsTooMuch) {
  NEEDS_PROXY();
  start(4);
  fill(4);
  std::string text = proxy().config_text();
  const auto at = text.find("size = 4");
  ASSERT_NE(at, std::string::npos);
  proxy().reload_file(text.replace(at, 8, "size = 1"));
  EXPECT_TRUE(wait_until([] { return pids().size() == 1; }));  // though nobody uses it
  EXPECT_EQ(connect().must("SELECT 'fine'").value(), "fine");
}

}  // namespace
}  // namespace pgweir::support
