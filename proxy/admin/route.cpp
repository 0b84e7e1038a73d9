// ROUTE [<cluster>:] <statement>: decides where the statement would go, as for a new session of the cluster with the
// server's default settings, and runs nothing. Parameters ($1) have no value, so the shards they could choose are all
// named. What the router refuses is an answer too, not an error.
#include <algorithm>
#include <chrono>

#include "proxy/admin/command.h"
#include "proxy/admin/route_table.h"

namespace pgweir::admin {
namespace {

using protocol::SqlError;
using routing::ClusterRouting;

// One statement at a time is analysed here: the cache only has to hold that.
constexpr std::size_t kCacheBytes = 1u << 20;

struct Request {
  std::string cluster;   // empty: not named
  std::string_view sql;
};

Request parse(std::string_view text) {
  const auto tokens = tokenize(text, 3);
  const auto is_colon = [&](std::size_t i) { return i < tokens.size() && tokens[i].text == ":"; };
  if (tokens.empty()) return {{}, text};
  const bool name = tokens[0].kind == Token::Kind::Word || tokens[0].kind == Token::Kind::QuotedName;
  if (name && is_colon(1) && !is_colon(2)) return {name_of(tokens[0]), text.substr(tokens[1].end())};
  return {{}, text};
}

std::string cluster_names(const config::Config& config) {
  std::string names;
  for (const config::Cluster& cluster : config.clusters) names += (names.empty() ? "" : ", ") + cluster.name;
  return names;
}

// As written, else the only one that differs in case (the folding of an unquoted name may have changed it).
const config::Cluster* find_cluster(const config::Config& config, const std::string& name) {
  if (const config::Cluster* exact = config.find_cluster(name)) return exact;
  const auto same = [&](const config::Cluster& cluster) { return same_word(cluster.name, name); };
  if (std::ranges::count_if(config.clusters, same) != 1) return nullptr;
  return &*std::ranges::find_if(config.clusters, same);
}

std::int64_t now_microseconds() {
  constexpr std::int64_t kPostgresEpoch = 946'684'800LL * 1'000'000;  // 2000-01-01 UTC in Unix microseconds
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count() - kPostgresEpoch;
}

Answer decide(const ClusterRouting& routing, std::string_view sql) {
  routing::Router router(kCacheBytes);
  routing::RouteContext context;
  context.now_microseconds = now_microseconds();
  const auto analysis = router.analyze(routing, sql, context);
  if (analysis->statements.empty()) {
    return SqlError{"42601", "ROUTE needs a statement", {}, "ROUTE [<cluster>:] <statement>", {}, {}};
  }
  context.parameters_known = analysis->statements.front().max_parameter == 0;
  const auto route = router.route(routing, *analysis, 0, {}, context);
  Table table = route ? route_table(*routing.cluster, *route) : refusal_table(*routing.cluster, route.error());
  if (!analysis->parse_error.empty()) table.add("parse error", analysis->parse_error);
  return table;
}

}  // namespace

void route(const Invocation& invocation, Done done) {
  const auto snapshot = invocation.runtime.snapshot();
  const config::Config& config = *snapshot->config;
  const Request request = parse(invocation.statement.substr(invocation.arguments));
  if (tokenize(request.sql, 1).empty())
    return done(SqlError{"42601", "ROUTE needs a statement", {}, "ROUTE [<cluster>:] <statement>", {}, {}});
  if (request.cluster.empty() && config.clusters.size() != 1)
    return done(SqlError{"42601", "ROUTE needs the name of a cluster", {},
                         "ROUTE <cluster>: <statement>; clusters: " + cluster_names(config), {}, {}});
  const config::Cluster* cluster =
      request.cluster.empty() ? &config.clusters.front() : find_cluster(config, request.cluster);
  if (!cluster)
    return done(SqlError{"3D000", "cluster \"" + request.cluster + "\" does not exist", {},
                         "clusters: " + cluster_names(config), {}, {}});
  const auto routing = snapshot->cluster(cluster->name);
  if (!routing)
    return done(SqlError{"57P03", "cluster \"" + cluster->name + "\" is not ready yet", {}, "Try again soon.", {}, {}});
  done(decide(*routing, request.sql));
}

}  // namespace pgweir::admin
