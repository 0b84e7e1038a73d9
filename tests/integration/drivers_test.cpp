// Real drivers through the proxy in transaction mode, with fewer server connections than clients: every script of
// tests/drivers against a one-shard cluster (plain) and against the demo's shards (sharded). PGWEIR_DRIVERS_DIRECT=1
// leaves the proxy out (one PostgreSQL instead), to tell a driver's or a script's fault from the proxy's.
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "tests/support/demo_cluster.h"
#include "tests/support/proxy_process.h"

namespace pgweir::support {
namespace {

const bool kDirect = std::getenv("PGWEIR_DRIVERS_DIRECT") != nullptr;

class DriverTest : public testing::TestWithParam<const char*> {
 protected:
  static void run_driver(const std::string& mode, std::uint16_t port) {
    const std::string script = std::string(PGWEIR_SOURCE_DIR) + "/tests/drivers/run";
    try {
      run({.command = {script, GetParam()},
           .environment = {{"PGHOST", "127.0.0.1"},
                           {"PGPORT", std::to_string(port)},
                           {"PGUSER", "app"},
                           {"PGPASSWORD", "app-secret"},
                           {"PGDATABASE", "fediflow"},
                           {"PGSSLMODE", "require"},
                           {"PGWEIR_TEST_MODE", mode}}},
          Milliseconds{180'000});
    } catch (const std::runtime_error& error) {
      ADD_FAILURE() << error.what();
    }
  }
};

std::string driver_name(const testing::TestParamInfo<const char*>& info) { return info.param; }
const auto kDrivers = testing::Values("psql", "pgbench", "psycopg2", "psycopg3", "asyncpg", "node_pg", "postgres_js",
                                     "pgjdbc", "ruby_pg", "php_pgsql", "perl_dbd");

class PlainDriverTest : public DriverTest {
 protected:
  static void SetUpTestSuite() {
    server_.emplace();
    if (!kDirect) {
      proxy_.emplace(ProxyOptions{.clusters = plain_cluster("fediflow", server_->endpoint()), .pool = "size = 5"});
    }
  }
  static void TearDownTestSuite() {
    proxy_.reset();
    server_.reset();
  }
  static inline std::optional<PgCluster> server_;
  static inline std::optional<ProxyProcess> proxy_;
};

TEST_P(PlainDriverTest, GetsWhatPostgresqlGives) {
  run_driver("plain", kDirect ? server_->port() : proxy_->port());
  if (proxy_) {
    EXPECT_TRUE(proxy_->running()) << proxy_->log();
  }
}
INSTANTIATE_TEST_SUITE_P(Plain, PlainDriverTest, kDrivers, driver_name);

class ShardedDriverTest : public DriverTest {
 protected:
  static void SetUpTestSuite() {
    if (kDirect) {
      server_.emplace();
    } else {
      cluster_.emplace();
      proxy_.emplace(ProxyOptions{.clusters = cluster_->config(), .pool = "size = 5"});
    }
    Connection connection = kDirect ? server_->connect() : proxy_->connect();
    create_demo_tables(connection);
    load_demo_rows(connection, 0.02);
  }
  static void TearDownTestSuite() {
    proxy_.reset();
    cluster_.reset();
    server_.reset();
  }
  static inline std::optional<PgCluster> server_;
  static inline std::optional<DemoCluster> cluster_;
  static inline std::optional<ProxyProcess> proxy_;
};

TEST_P(ShardedDriverTest, GetsWhatOnePostgresqlWouldGive) {
  run_driver("sharded", kDirect ? server_->port() : proxy_->port());
  if (proxy_) {
    EXPECT_TRUE(proxy_->running()) << proxy_->log();
  }
}
INSTANTIATE_TEST_SUITE_P(Sharded, ShardedDriverTest, kDrivers, driver_name);

}  // namespace
}  // namespace pgweir::support
