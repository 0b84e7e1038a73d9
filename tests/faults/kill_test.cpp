// SIGKILL of a primary, of a replica and of clients in the middle of 50 clients' verified writes.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "tests/faults/load.h"
#include "tests/faults/three_shards.h"

namespace pgweir::support {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kClients = 50;

class KillTest : public testing::Test {
 protected:
  // Waits until each region has had this many more acknowledged writes.
  static void expect_progress(const Load& load, const std::vector<std::string>& regions, unsigned writes,
                              const std::string& when) {
    for (const auto& region : regions) {
      const unsigned before = load.acknowledged(region);
      EXPECT_TRUE(wait_until([&] { return load.acknowledged(region) >= before + writes; }, Milliseconds{20'000}))
          << region << " stands still " << when << ": " << load.last_failure(region);
    }
  }
};

TEST_F(KillTest, APrimaryUnderLoad) {
  ThreeShards cluster({});
  Load load(cluster.proxy().parameters(), {"a", "b", "c"}, kClients);
  expect_progress(load, {"a", "b", "c"}, 100, "at the start");
  for (int round = 0; round < rounds(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    cluster.shard(0).kill9();
    expect_progress(load, {"b", "c"}, 100, "while a is down");
    cluster.shard(0).start();
    const auto accepting = Clock::now();
    const unsigned before = load.acknowledged("a");
    EXPECT_TRUE(wait_until([&] { return load.acknowledged("a") > before; }, Milliseconds{10'000}))
        << load.last_failure("a");
    EXPECT_LT(Clock::now() - accepting, std::chrono::seconds(2)) << "the pool serves too late";
    expect_progress(load, {"a", "b", "c"}, 100, "after the restart");
  }
  load.stop();
  EXPECT_EQ(load.failures("b") + load.failures("c"), 0u) << load.last_failure("b") << load.last_failure("c");
  EXPECT_GT(load.failures("a"), 0u) << "the kill was not noticed: the test proves nothing";
  EXPECT_TRUE(cluster.no_transaction_is_open());
  load.expect_all_there("a", cluster.shard(0));
  load.expect_all_there("b", cluster.shard(1));
  load.expect_all_there("c", cluster.shard(2));
}

// Only the backends die: PostgreSQL ends all others itself and recovers.
TEST_F(KillTest, BackendsUnderLoad) {
  ThreeShards cluster({});
  Load load(cluster.proxy().parameters(), {"a", "b"}, kClients);
  expect_progress(load, {"a", "b"}, 100, "at the start");
  for (int round = 0; round < rounds(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    cluster.shard(0).kill_backends();
    expect_progress(load, {"a", "b"}, 200, "after the kill");
  }
  load.stop();
  EXPECT_EQ(load.failures("b"), 0u) << load.last_failure("b");
  EXPECT_TRUE(cluster.no_transaction_is_open());
  load.expect_all_there("a", cluster.shard(0));
  load.expect_all_there("b", cluster.shard(1));
}

TEST_F(KillTest, AReplicaUnderLoad) {
  ThreeShards cluster({.replica = true});
  const auto parameters = cluster.proxy().parameters();
  Load load(parameters, {"a", "b"}, kClients);
  auto reader = Connection::open(parameters);
  const std::string read = "SELECT current_setting('in_hot_standby'), count(*) FROM ledger WHERE region = 'a'";
  const auto reads = [&] {
    if (!reader.alive()) reader = Connection::open(parameters);
    return reader.exec(read);
  };
  const auto from_replica = [&] {
    const QueryResult result = reads();
    return result.ok() && result.value() == "on";
  };
  ASSERT_TRUE(wait_until(from_replica)) << reads();
  for (int round = 0; round < rounds(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    cluster.replica().kill9();
    (void)reads();
    expect_progress(load, {"a", "b"}, 100, "while the replica is down");
    cluster.replica().start();
    EXPECT_TRUE(wait_until(from_replica, Milliseconds{2'000})) << reads();
    expect_progress(load, {"a", "b"}, 50, "after the replica's restart");
  }
  load.stop();
  EXPECT_EQ(load.failures("a") + load.failures("b"), 0u) << load.last_failure("a") << load.last_failure("b");
  EXPECT_TRUE(cluster.no_transaction_is_open());
  load.expect_all_there("a", cluster.shard(0));
  load.expect_all_there("b", cluster.shard(1));
}

// The body of a client process: writes until it is killed, and notes each acknowledged id in a file. Not a test by
// itself.
TEST(DISABLED_ClientProcess, WritesUntilItIsKilled) {
  const std::string port = std::getenv("PGWEIR_CHILD_PORT"), base = std::getenv("PGWEIR_CHILD_BASE");
  std::ofstream notes(std::getenv("PGWEIR_CHILD_NOTES"));
  auto connection =
      Connection::open({{"port", port}, {"user", "app"}, {"password", "app-secret"}, {"dbname", "fediflow"}});
  for (std::int64_t id = std::stoll(base);; ++id) {
    connection.must("BEGIN");
    connection.must("INSERT INTO ledger (region, id) VALUES ('a', " + std::to_string(id) + ")");
    connection.must("SELECT count(*) FROM generate_series(1, 20000)");
    connection.must("COMMIT");
    notes << id << std::endl;
  }
}

TEST_F(KillTest, ClientsInTheMiddleOfTheirQueries) {
  constexpr int kProcesses = 16;
  ThreeShards cluster({.replica = false, .pool_size = 5});
  Load load(cluster.proxy().parameters(), {"a", "b"}, kClients - kProcesses);
  TempDir directory("clients");
  std::vector<std::int64_t> acknowledged;
  const auto notes = [&](int round, int child) {
    return directory.path() / (std::to_string(round) + "-" + std::to_string(child));
  };
  const auto lines = [](const std::filesystem::path& path) {
    std::ifstream file(path);
    std::vector<std::int64_t> ids;
    for (std::string line; std::getline(file, line) && !file.eof();) ids.push_back(std::stoll(line));  // complete lines
    return ids;
  };
  for (int round = 0; round < rounds(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::vector<Process> children;
    for (int child = 0; child < kProcesses; ++child) {
      const std::int64_t base = 1'000'000'000'000'000 + (round * 100 + child) * 1'000'000LL;
      children.emplace_back(ProcessOptions{
          .command = {"/proc/self/exe", "--gtest_also_run_disabled_tests", "--gtest_filter=DISABLED_ClientProcess.*"},
          .environment = {{"PGWEIR_CHILD_PORT", std::to_string(cluster.proxy().port())},
                          {"PGWEIR_CHILD_BASE", std::to_string(base)},
                          {"PGWEIR_CHILD_NOTES", notes(round, child).string()}}});
    }
    for (int child = 0; child < kProcesses; ++child)
      ASSERT_TRUE(wait_until([&] { return lines(notes(round, child)).size() >= 3; }, Milliseconds{30'000})) << child;
    for (auto& child : children) child.signal(SIGKILL);
    children.clear();
    for (int child = 0; child < kProcesses; ++child)
      for (const std::int64_t id : lines(notes(round, child))) acknowledged.push_back(id);
    expect_progress(load, {"a", "b"}, 200, "after the clients' end");
  }
  load.stop();
  EXPECT_EQ(load.failures("a") + load.failures("b"), 0u) << load.last_failure("a") << load.last_failure("b");
  EXPECT_TRUE(cluster.no_transaction_is_open());
  load.expect_all_there("a", cluster.shard(0), acknowledged);
  load.expect_all_there("b", cluster.shard(1));
}

}  // namespace
}  // namespace pgweir::support
