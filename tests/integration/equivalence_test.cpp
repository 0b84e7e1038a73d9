// The scenarios of tests/equivalence: the same message sequences to PostgreSQL and through the proxy, in the
// configurations that make a difference. The runner (run.py) starts the proxy itself, since scenarios may end it.
// PGWEIR_SCENARIOS in the environment: only these (names or groups, by blanks).
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/pg_cluster.h"
#include "tests/support/proxy_process.h"

namespace pgweir::support {
namespace {

// Scenarios log in without a password.
PgOptions trusting() { return {.hba = {"host all all 127.0.0.1/32 trust"}}; }

std::unique_ptr<PgCluster> new_server() {
  auto server = std::make_unique<PgCluster>(trusting());
  server->exec("GRANT reader TO app");
  return server;
}

class EquivalenceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { direct_ = new_server(); }
  static void TearDownTestSuite() {
    direct_.reset();
    plain_.reset();
    replica_.reset();
  }

  // The server behind the proxy of the configurations with one shard.
  static PgCluster& plain() {
    if (!plain_) plain_ = new_server();
    return *plain_;
  }
  static PgCluster& replica() {
    if (!replica_) replica_ = plain().make_replica();
    replica_->wait_for_replay_of(plain());
    return *replica_;
  }
  static std::string one_shard() { return plain_cluster("fediflow", plain().endpoint()); }

  // Every scenario of the configuration, before servers (comma-separated) with these lines of [pool].
  static void run_scenarios(const std::string& configuration, const std::string& clusters, const std::string& pool,
                            const std::string& servers) {
    const ProxyProcess proxy({.clusters = clusters,
                              .tls_client = "disable",
                              .tls_server = "disable",
                              .auth = "method = \"trust\"",
                              .pool = pool + "\ncheckout_timeout = \"5s\"",
                              .extra = "[[user]]\nname = \"postgres\"\npassword = \"postgres-secret\"\n"},
                             ProxyProcess::Stopped{});
    const std::string log = proxy.config_file().string() + ".log";
    try {
      std::vector<std::string> command = {std::string(PGWEIR_SOURCE_DIR) + "/tests/equivalence/run.py", "--configuration",
                                          configuration, "--direct", direct_->endpoint(), "--servers", servers, "--proxy",
                                          "127.0.0.1:" + std::to_string(proxy.port()), "--binary", PGWEIR_BINARY,
                                          "--config", proxy.config_file().string(), "--log", log};
      std::istringstream chosen(std::getenv("PGWEIR_SCENARIOS") ? std::getenv("PGWEIR_SCENARIOS") : "");
      for (std::string name; chosen >> name;) command.push_back(name);
      const std::string output = run({.command = std::move(command)}, Milliseconds{300'000});
      std::istringstream lines(output);
      for (std::string line; std::getline(lines, line);)
        if (line.rfind("same ", 0) != 0 && line.rfind("refused ", 0) != 0) std::cout << line << "\n";
    } catch (const std::runtime_error& error) {
      ADD_FAILURE() << error.what() << "\nproxy's log:\n" << read_file(log);
    }
  }
  static void run_plain(const std::string& configuration, const std::string& pool) {
    run_scenarios(configuration, one_shard(), pool, plain().endpoint());
  }

  static inline std::unique_ptr<PgCluster> direct_, plain_, replica_;
};

TEST_F(EquivalenceTest, OneServerConnection) { run_plain("one", "size = 1"); }
TEST_F(EquivalenceTest, TwoServerConnections) { run_plain("two", "size = 2"); }
TEST_F(EquivalenceTest, FewStatementsKept) { run_plain("small", "size = 1\nmax_prepared_statements = 2"); }
TEST_F(EquivalenceTest, SessionMode) { run_plain("session", "size = 8\nmode = \"session\""); }
TEST_F(EquivalenceTest, ShutdownReloadAndMemory) { run_plain("own", "size = 8"); }
TEST_F(EquivalenceTest, ShutdownInSessionMode) { run_plain("own_session", "size = 8\nmode = \"session\""); }

// Where statements may have to be routed, nothing is sent on before the statement in front of it is decided.
TEST_F(EquivalenceTest, OneServerConnectionAndAReplica) {
  run_scenarios("routed", one_shard() + "replicas = [\"" + replica().endpoint() + "\"]\n", "size = 1",
                plain().endpoint());
}

// Ids below 100, below 200 and the rest (scenarios_shards.py).
constexpr const char* kTables = R"(
[cluster.fediflow.placement.by_id]
type = "range"
key_type = "int"
ranges = [ { to = 100, branch = "a" }, { from = 100, to = 200, branch = "b" }, { from = 200, branch = "c" } ]
[[cluster.fediflow.table]]
name = "public.r"
kind = "reference"
)";

TEST_F(EquivalenceTest, ThreeShards) {
  std::unique_ptr<PgCluster> shards[] = {new_server(), new_server(), new_server()};
  std::string clusters = "[cluster.fediflow]\nhome = \"a\"\n", servers;
  for (int i = 0; i < 3; ++i) {
    clusters += "[[cluster.fediflow.shard]]\nname = \"" + std::string(1, static_cast<char>('a' + i)) +
                "\"\nprimary = \"" + shards[i]->endpoint() + "\"\n";
    servers += (i > 0 ? "," : "") + shards[i]->endpoint();
  }
  clusters += kTables;
  for (const std::string table : {"t", "u", "c", "made"})
    clusters += "[[cluster.fediflow.table]]\nname = \"public." + table + "\"\nplacement = \"by_id\"\nkey = [\"id\"]\n";
  run_scenarios("shards", clusters, "size = 8", servers);
}

}  // namespace
}  // namespace pgweir::support
