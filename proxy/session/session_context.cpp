// Session: what its decisions depend on.
#include <algorithm>

#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::SqlError;

void Session::refresh_routing() {
  const auto& newest = context_.snapshot();
  if (newest == snapshot_) return;
  snapshot_ = newest;
  if (auto cluster = snapshot_->cluster(identity_.database)) {
    routing_ = std::move(cluster);
    tenancy_ = context_.tenancies.of(snapshot_, *routing_, identity_.user);
  } else {
    ending_ = true;  // a reload took the cluster away: what runs may finish
    if (!tenancy_) tenancy_ = context_.tenancies.of_none(identity_.database);
  }
}

// A reload took the cluster away while nothing ran.
bool Session::ends_now() {
  if (!ending_ || in_block() || !links_.empty()) return false;
  fatal({"57P01", "terminating connection due to administrator command", {}, {}, {}, {}});
  return true;
}

const routing::RouteContext& Session::route_context() {
  auto& routes = context_.routes;
  routing::RouteContext& context = routes.context;
  if (routes.settings != settings_ || routes.told != told_) {
    routes.settings = settings_;
    routes.told = told_;
    context = routing::RouteContext{};
    context.want_explanation = false;
    routes.role = settings_->find("role") != nullptr;
    if (const auto* path = settings_->find("search_path")) context.search_path = *path;
    if (const auto* role = settings_->find("role")) context.user = *role;
    if (const auto* zone = told_->find("TimeZone")) context.literals.timezone = *zone;
    if (const auto* style = told_->find("DateStyle")) context.literals.datestyle = *style;
    if (const auto* strings = told_->find("standard_conforming_strings")) context.standard_conforming_strings = *strings == "on";
    const auto* client = told_->find("client_encoding");
    const auto* server = told_->find("server_encoding");
    context.server_encoding = !client || !server || *client == *server;
  }
  if (!routes.role) context.user = identity_.user;
  context.in_transaction = in_block() || !deferred_begin_.empty();
  context.read_only_transaction = read_only_block_;
  const RoutingHints& hints = hints_.or_default().now;
  context.hint_shard = hints.shard;
  context.hint_sharding_key = hints.key;
  context.hint_role = hints.role;
  context.temp_tables = temp_tables_;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  constexpr std::int64_t kPostgresEpoch = 946'684'800LL * 1'000'000;  // 2000-01-01 UTC in Unix microseconds
  context.now_microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count() - kPostgresEpoch;
  return context;
}

pool::Pool& Session::pool_for(const pool::EndpointId& endpoint) {
  if (endpoint.replica >= 0) return context_.runtime.pool_for(*snapshot_, *routing_->cluster, endpoint, identity_.user);
  auto& known = tenancy_->primaries[endpoint.shard.value];
  if (!known) known = &context_.runtime.pool_for(*snapshot_, *routing_->cluster, endpoint, identity_.user);
  return *known;
}

std::shared_ptr<const routing::Analysis> Session::analyze(std::string_view sql) {
  return context_.router.analyze(*routing_, sql, route_context());
}

void Session::note_route(const routing::Route* route, const SqlError* refusal) {
  using Kind = routing::Route::Kind;
  using metrics::RouteKind;
  auto kind = RouteKind::Refused;
  if (!refusal && route) {
    switch (route->kind) {
      case Kind::OneShard: kind = RouteKind::OneShard; break;
      case Kind::Scatter: kind = RouteKind::Scatter; break;
      case Kind::Broadcast: kind = RouteKind::Broadcast; break;
      case Kind::Split: kind = RouteKind::Split; break;
      case Kind::CopyIn: kind = RouteKind::CopyIn; break;
      case Kind::CopyOut: kind = RouteKind::CopyOut; break;
      case Kind::Local: kind = RouteKind::Local; break;
    }
  }
  context_.cells.queries[static_cast<std::size_t>(kind)].add();
}

void Session::count_assignment(std::chrono::microseconds waited) {
  context_.cells.count_wait(waited);
  tenancy_->cells->assignments.add();
  tenancy_->cells->wait_microseconds.add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, waited.count())));
}

// On the servers, or answered without them.
void Session::transaction_ended() {
  context_.cells.transactions.add();
  meter_.transaction_ends(*tenancy_->cells, context_.worker.now());
}

}  // namespace pgweir::session
