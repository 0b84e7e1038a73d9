// What the cases run against: one plain PostgreSQL, and the proxy over the demo's shards, both with the same tables and
// rows; and a second plain PostgreSQL to try the cases themselves.
#pragma once

#include <map>
#include <string>

#include "tests/oracle/runner.h"
#include "tests/support/demo_cluster.h"
#include "tests/support/proxy_process.h"

namespace pgweir::oracle {

// The demo's tables, and those of setup.sql and of the cases (tables.toml), by where their rows live.
const std::map<std::string, TableHome>& table_homes();

// The demo's rows and setup.sql's on one plain server. Reversed: the rows are loaded last line first, and the planner
// prefers other plans, so that an order that nothing promises comes out differently.
class PlainWorld {
 public:
  explicit PlainWorld(bool reversed = false);
  support::PgCluster& server() { return server_; }

 private:
  support::PgCluster server_;
};

// Three shards behind the proxy; tables and rows went in through the proxy. Throws std::runtime_error when they could
// not.
class ShardedWorld {
 public:
  ShardedWorld();
  support::ProxyProcess& proxy() { return proxy_; }
  support::DemoCluster& cluster() { return cluster_; }

 private:
  support::DemoCluster cluster_;
  support::ProxyProcess proxy_;
};

// format_type() of an OID on a server; remembered.
std::function<std::string(Oid)> type_names_of(support::PgCluster& server);

}  // namespace pgweir::oracle
