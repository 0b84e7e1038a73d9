#include "routing/plan/router.h"

#include <algorithm>

#include "routing/plan/analysis_cache.h"
#include "routing/plan/decide.h"
#include "routing/plan/planner.h"
#include "routing/plan/refusal.h"
#include "routing/plan/temp_names.h"
#include "routing/plan/template.h"
#include "routing/sql/parse.h"
#include "routing/sql/token.h"

namespace pgweir::routing {

StatementTemplate::~StatementTemplate() = default;

struct Router::Impl {
  explicit Impl(std::size_t bytes) : cache(bytes) {}

  AnalysisCache cache;
  // The last resolved search path: sessions of one application share it.
  std::string path_setting, path_user;
  const Catalog* path_catalog = nullptr;
  std::uint64_t path_version = 0;
  SearchPath path;
  std::string path_key;

  void resolve_path(const ClusterRouting& cluster, const RouteContext& context) {
    if (path_setting == context.search_path && path_user == context.user && path_catalog == cluster.catalog.get() &&
        path_version == cluster.version)
      return;
    path = SearchPath::resolve(context.search_path, context.user, cluster.catalog.get());
    path_key = path.key();
    path_setting = context.search_path;
    path_user = context.user;
    path_catalog = cluster.catalog.get();
    path_version = cluster.version;
  }

  std::shared_ptr<const Analysis> analyze(const ClusterRouting& cluster, std::string_view text, bool standard_strings);
  Result<Route> plain(const ClusterRouting& cluster, const StatementFacts& facts, const StatementTemplate& statement,
                      const RouteContext& context);
};

namespace {

void unparsable(Analysis& analysis, std::string message) {
  StatementFacts facts;
  facts.kind = StatementKind::Unparsable;
  facts.end = analysis.text.size();
  facts.may_change_session = facts.runs_code = true;
  analysis.statements.push_back(std::move(facts));
  analysis.templates.push_back(std::make_shared<StatementTemplate>());
  analysis.parse_error = std::move(message);
}

// A temp relation that a function has made may hide a table of several shards.
std::optional<SqlError> hidden_by_temp(const ClusterRouting& cluster, const Plan& plan,
                                       std::span<const std::string> temp) {
  if (plan.names_index) {
    return refuse(reason::kTempShadows, "an index of a temp table may have the name of the index",
                  "Write the index's schema.");
  }
  for (const auto& name : plan.unqualified) {
    if (cluster.names_beyond_home.contains(name) && std::find(temp.begin(), temp.end(), name) != temp.end())
      return temp_shadows(name);
  }
  return std::nullopt;
}

bool uses_temp(const Plan& plan, std::span<const std::string> temp) {
  if (plan.names_index) return true;
  for (const auto& name : plan.unqualified) {
    for (const auto& t : temp) {
      if (name == t) return true;
    }
  }
  return false;
}

}  // namespace

std::shared_ptr<const Analysis> Router::Impl::analyze(const ClusterRouting& cluster, std::string_view text,
                                                      bool standard_strings) {
  auto analysis = std::make_shared<Analysis>();
  analysis->text = text;
  analysis->cluster_version = cluster.version;
  analysis->path_key = path_key;
  // Our lexer and libpg_query read '...' without backslash escapes.
  if (!standard_strings && text.find('\\') != std::string_view::npos) {
    unparsable(*analysis, "backslashes in strings are not analysed with standard_conforming_strings = off");
    return analysis;
  }
  sql::ParseResult parsed = sql::parse(text);
  if (!parsed.error.empty()) {
    unparsable(*analysis, std::move(parsed.error));
    return analysis;
  }
  for (auto& statement : parsed.statements) {
    auto made = std::make_shared<StatementTemplate>();
    analysis->statements.push_back(statement_facts(cluster, path, *statement, text));
    auto hints = sql::comment_hints(text.substr(statement->begin, statement->end - statement->begin));
    if (parsed.statements.size() == 1) hints = sql::comment_hints(text);
    made->hint_shard = std::move(hints.shard);
    made->hint_sharding_key = std::move(hints.sharding_key);
    made->hint_role = std::move(hints.role);
    made->hint_unknown = std::move(hints.unknown);
    if (!cluster.plain) {
      made->plan = Planner(cluster, path, analysis->text, {}).build(*statement);
      made->statement = std::move(statement);
    }
    analysis->templates.push_back(std::move(made));
  }
  return analysis;
}

Router::Router(std::size_t cache_bytes) : impl_(std::make_unique<Impl>(cache_bytes)) {}
Router::~Router() = default;

std::shared_ptr<const Analysis> Router::analyze(const ClusterRouting& cluster, std::string_view text,
                                                const RouteContext& context) {
  impl_->resolve_path(cluster, context);
  const AnalysisCache::Key key{text, cluster.version, context.standard_conforming_strings, impl_->path_key};
  if (auto known = impl_->cache.find(key)) return known;
  auto made = impl_->analyze(cluster, text, context.standard_conforming_strings);
  impl_->cache.insert(key, made);
  return made;
}

// One shard and no tables: every statement is its.
Result<Route> Router::Impl::plain(const ClusterRouting& cluster, const StatementFacts& facts,
                                  const StatementTemplate& statement, const RouteContext& context) {
  auto role = decide_role(cluster, facts, statement, context);
  if (!role.ok()) return role.error();
  Route route;
  route.shards = ShardSet::single(ShardId{0});
  route.role = *role;
  route.write = !facts.read_only;
  route.ddl = facts.kind == StatementKind::Ddl;
  route.no_transaction_block = facts.no_transaction_block;
  if (context.want_explanation)
    route.explanation = std::string("one shard, ") + (route.role == Role::Replica ? "replica" : "primary") + "\n";
  return route;
}

Result<Route> Router::route(const ClusterRouting& cluster, const Analysis& analysis, std::size_t index,
                            std::span<const Parameter> parameters, const RouteContext& context) {
  impl_->resolve_path(cluster, context);
  std::shared_ptr<const Analysis> renewed;
  const Analysis* current = &analysis;
  if (analysis.cluster_version != cluster.version || analysis.path_key != impl_->path_key) {
    renewed = analyze(cluster, analysis.text, context);
    current = renewed.get();
  }
  if (index >= current->statements.size()) {
    Route route;  // an empty query: any shard answers it
    route.shards = ShardSet::all(cluster.cluster->shards.size());
    route.any_shard = route.shards.size() > 1;
    return route;
  }
  const StatementFacts& facts = current->statements[index];
  const StatementTemplate& statement = *current->templates[index];
  if (cluster.plain) {
    // Hints are answered here too, so that an application sees the same on every cluster.
    const bool hint = (facts.kind == StatementKind::Set || facts.kind == StatementKind::SetLocal ||
                       facts.kind == StatementKind::Reset || facts.kind == StatementKind::Show) &&
                      facts.name.substr(0, 7) == "pgweir.";
    const bool explain = facts.kind == StatementKind::Explain;
    if (!hint && !explain) return impl_->plain(cluster, facts, statement, context);
    const auto parsed = sql::parse(current->text);
    if (index < parsed.statements.size()) {
      auto plan = Planner(cluster, impl_->path, current->text, {}).build(*parsed.statements[index]);
      if (hint && plan->refusal) return *plan->refusal;
      if (plan->fixed && plan->fixed->kind == Route::Kind::Local) return *plan->fixed;
    }
    return impl_->plain(cluster, facts, statement, context);
  }
  if (!statement.plan) {
    return refuse(reason::kUnparsable, current->parse_error,
                  "Statements on a sharded cluster are read with the grammar of PostgreSQL 15.", "42601");
  }
  if (!context.temp_tables.empty() && uses_temp(*statement.plan, context.temp_tables)) {
    if (auto hidden = hidden_by_temp(cluster, *statement.plan, context.temp_tables)) return *hidden;
    const auto plan = Planner(cluster, impl_->path, current->text, context.temp_tables).build(*statement.statement);
    return decide({cluster, current->text, facts, statement, *plan, parameters, context});
  }
  return decide({cluster, current->text, facts, statement, *statement.plan, parameters, context});
}

Router::CacheStats Router::cache_stats() const { return impl_->cache.stats(); }

}  // namespace pgweir::routing
