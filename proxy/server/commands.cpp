#include "proxy/server/commands.h"

#include <chrono>
#include <iostream>

#include "config/loader.h"
#include "proxy/control/catalog_once.h"
#include "proxy/control/snapshot_update.h"
#include "routing/plan/router.h"

namespace pgweir::server {
namespace {

using routing::Route;

constexpr std::chrono::seconds kCatalogLimit{10};
constexpr std::int64_t kPostgresEpoch = 946'684'800;  // 2000-01-01 UTC in Unix seconds

const char* kind_name(Route::Kind kind) {
  switch (kind) {
    case Route::Kind::OneShard:
      return "one shard";
    case Route::Kind::Scatter:
      return "scatter";
    case Route::Kind::Broadcast:
      return "broadcast";
    case Route::Kind::Split:
      return "split";
    case Route::Kind::CopyIn:
      return "copy in";
    case Route::Kind::CopyOut:
      return "copy out";
    case Route::Kind::Local:
      break;
  }
  return "answered by the proxy";
}

void print(const Route& route, const config::Cluster& cluster) {
  std::cout << "route:  " << kind_name(route.kind) << (route.any_shard ? " (any of them)" : "") << "\n";
  if (route.kind != Route::Kind::Local) {
    std::cout << "shards:";
    for (const auto shard : route.shards) std::cout << " " << cluster.shards[shard.value].name;
    std::cout << "\nrole:   " << (route.role == routing::Role::Replica ? "replica" : "primary") << "\n";
  }
  if (!route.pushed_sql.empty()) std::cout << "sql:    " << route.pushed_sql << "\n";
  for (const auto& statement : route.statements)
    std::cout << "sql on " << cluster.shards[statement.shard.value].name << ": " << statement.sql << "\n";
  if (!route.explanation.empty()) std::cout << route.explanation << (route.explanation.back() == '\n' ? "" : "\n");
}

void print(const routing::SqlError& error) {
  std::cout << "refused: " << error.message << "\n";
  std::cout << "sqlstate: " << error.sqlstate << "\n";
  if (!error.reason.empty()) std::cout << "reason: " << error.reason << "\n";
  if (!error.detail.empty()) std::cout << "detail: " << error.detail << "\n";
  if (!error.hint.empty()) std::cout << "hint:   " << error.hint << "\n";
}

// Statement by statement; false: one was refused.
bool route_all(const routing::ClusterRouting& cluster, const std::string& sql, const routing::RouteContext& context) {
  routing::Router router;
  const auto analysis = router.analyze(cluster, sql, context);
  if (!analysis->parse_error.empty()) std::cout << "the parser says: " << analysis->parse_error << "\n";
  bool all = true;
  for (std::size_t i = 0; i < analysis->statements.size(); ++i) {
    if (i > 0) std::cout << "\n";
    auto route = router.route(cluster, *analysis, i, {}, context);
    if (route.ok())
      print(route.value(), *cluster.cluster);
    else
      print(route.error());
    all &= route.ok();
  }
  return all;
}

}  // namespace

std::shared_ptr<const config::Config> load_and_print(const std::string& path, bool print_warnings) {
  auto loaded = config::load_file(path);
  for (const auto& finding : loaded.diagnostics)
    if (print_warnings || finding.severity == config::Severity::Error) std::cout << finding.to_string() << "\n";
  return loaded.config;
}

int check_command(const std::string& path, bool live) {
  const auto config = load_and_print(path, true);
  if (!config) return 1;
  if (live) {
    std::cout << "check --live is not built yet: the file was read, no server was asked.\n";
    return 1;
  }
  std::cout << path << ": the configuration is valid\n";
  return 0;
}

int route_command(const RouteArguments& arguments) {
  const auto config = load_and_print(arguments.path, false);
  if (!config) return 1;
  const config::Cluster* cluster =
      arguments.cluster.empty() ? &config->clusters.front() : config->find_cluster(arguments.cluster);
  if (cluster == nullptr) {
    std::cout << "there is no cluster \"" << arguments.cluster << "\" in " << arguments.path << "\n";
    return 1;
  }
  auto catalog = control::load_catalog_once(*config, *cluster, kCatalogLimit);
  if (!catalog.ok()) std::cout << "the schema could not be read: " << catalog.error().message << "\n";
  auto known = catalog.ok() ? catalog.value() : std::make_shared<const routing::Catalog>();
  auto routing = routing::ClusterRouting::make(config, *cluster, known, control::next_routing_version());
  if (!routing.ok()) {
    print(routing.error());
    return 1;
  }
  routing::RouteContext context;
  const std::string user = !arguments.user.empty() ? arguments.user
                           : config->users.empty() ? ""
                                                   : config->users.front().name;
  context.user = user;
  if (!arguments.search_path.empty()) context.search_path = arguments.search_path;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  context.now_microseconds =
      std::chrono::duration_cast<std::chrono::microseconds>(now).count() - kPostgresEpoch * 1'000'000;
  return route_all(*routing.value(), arguments.sql, context) ? 0 : 1;
}

}  // namespace pgweir::server
