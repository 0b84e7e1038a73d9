// One PostgreSQL server per suite and one proxy per test in front of it: the plain pooler in transaction mode.
// PGWEIR_DIRECT=1 leaves the proxy out, to tell a test's fault from the proxy's; tests of the proxy itself are skipped.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/pg_cluster.h"
#include "tests/support/proxy_process.h"

namespace pgweir::support {

// Skips the test where there is no proxy; for use in a test's body.
#define NEEDS_PROXY() \
  if (direct()) GTEST_SKIP() << "only with the proxy"

class ProxyTest : public testing::Test {
 protected:
  static bool direct() { return std::getenv("PGWEIR_DIRECT") != nullptr; }
  static void SetUpTestSuite() {
    PgOptions options;
    if (direct()) options.hba = {"host all all 127.0.0.1/32 trust", "local all all trust"};
    server_ = std::make_unique<PgCluster>(options);
  }
  static void TearDownTestSuite() { server_.reset(); }

  // Starts the proxy; `options.clusters` is filled in when empty. Without a call the first connect() starts one with
  // a pool of `default_pool_size` connections.
  void start(ProxyOptions options) {
    if (direct()) return;
    if (options.clusters.empty()) options.clusters = plain_cluster("fediflow", server_->endpoint());
    proxy_.emplace(std::move(options));
  }
  void start(unsigned pool_size, const std::string& pool_lines = "") {
    start(ProxyOptions{.pool = "size = " + std::to_string(pool_size) + "\n" + pool_lines});
  }
  void TearDown() override {
    if (proxy_) {
      EXPECT_TRUE(stopped_ || proxy_->running()) << "the proxy has ended:\n" << proxy_->log();
      if (HasFailure()) std::cerr << "proxy's log:\n" << proxy_->log() << "\n";
    }
    proxy_.reset();
  }

  static PgCluster& server() { return *server_; }
  ProxyProcess& proxy() {
    if (!proxy_) start(default_pool_size);
    return *proxy_;
  }
  std::uint16_t port() { return direct() ? server_->port() : proxy().port(); }
  Parameters parameters(const std::string& user = "app", const std::string& database = "fediflow") {
    return {{"host", "127.0.0.1"},
            {"port", std::to_string(port())},
            {"user", user},
            {"password", user + "-secret"},
            {"dbname", database}};
  }
  Connection connect(const std::string& user = "app") { return Connection::open(parameters(user)); }
  // The proxy is meant to end in this test.
  void expect_stop() { stopped_ = true; }

  // How many server processes of user app the condition on pg_stat_activity holds for.
  static int backends(const std::string& condition = "true") {
    return std::stoi(server_
                         ->exec("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND "
                                "usename = 'app' AND (" +
                                condition + ")")
                         .value());
  }
  // Those of the pool; the control plane has connections too.
  static int pooled_backends() { return backends("application_name NOT LIKE 'pgweir%'"); }
  [[nodiscard]] static bool no_transaction_is_open(Milliseconds deadline = Milliseconds{10'000}) {
    return wait_until([] { return backends("state <> 'idle'") == 0; }, deadline);
  }
  // A table of this name, made anew, directly on the server.
  static void table(const std::string& name, const std::string& columns) {
    server_->connect().must("DROP TABLE IF EXISTS " + name + "; CREATE TABLE " + name + " (" + columns + ")");
  }

  unsigned default_pool_size = 2;
  static inline std::unique_ptr<PgCluster> server_;
  std::optional<ProxyProcess> proxy_;

 private:
  bool stopped_ = false;
};

// sqlstate of a result, "" when it succeeded; prints the whole on failure.
#define EXPECT_SQLSTATE(result, state)                             \
  do {                                                             \
    const QueryResult checked_result = (result);                   \
    EXPECT_EQ(checked_result.sqlstate(), state) << checked_result; \
  } while (false)
#define EXPECT_OK(result)                               \
  do {                                                  \
    const QueryResult checked_result = (result);        \
    EXPECT_TRUE(checked_result.ok()) << checked_result; \
  } while (false)

}  // namespace pgweir::support
