// The demo's platform for tests: three shards, its tables and its rows (scripts/lib/demo-*).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/pg_cluster.h"

namespace pgweir::support {

// Shards eu1 and us1 (each with a streaming replica when asked for) and archive, with nothing in them. Tables come from
// create_demo_tables() and load_demo_rows(), through the proxy or directly.
class DemoCluster {
 public:
  struct Options {
    PgOptions server;
    bool replicas = false;
  };
  DemoCluster() : DemoCluster(Options{}) {}
  explicit DemoCluster(const Options& options);

  PgCluster& eu1() { return *eu1_; }
  PgCluster& us1() { return *us1_; }
  PgCluster& archive() { return *archive_; }
  PgCluster& eu1_replica() { return *eu1_replica_; }  // only with replicas
  PgCluster& us1_replica() { return *us1_replica_; }
  std::vector<PgCluster*> primaries() { return {eu1_.get(), us1_.get(), archive_.get()}; }
  void wait_for_replicas();

  // The cluster's part of a configuration (demo-cluster.toml), for ProxyOptions::clusters. Endpoints follow promotions
  // only where the test asks again.
  std::string config() const;
  // With other lines in [cluster.fediflow]: "reads = \"replica\"".
  std::string config(const std::string& reads) const;

 private:
  std::unique_ptr<PgCluster> eu1_, us1_, archive_, eu1_replica_, us1_replica_;
};

// Names of the demo's tables, in loading order.
const std::vector<std::string>& demo_tables();
// Runs scripts/lib/demo-schema.sql, one statement at a time; throws on the first failure.
void create_demo_tables(Connection& connection);
// The rows of one table as COPY text. Scale 1 is about 220,000 rows in all; cached per scale on this machine.
std::string demo_rows(const std::string& table, double scale);
// COPY of all tables through `connection`; throws on the first failure. Returns the number of rows.
std::size_t load_demo_rows(Connection& connection, double scale = 0.05);

}  // namespace pgweir::support
