#include "proxy/control/catalog_loader.h"

#include <algorithm>

#include "proxy/control/catalog_once.h"
#include "proxy/control/catalog_queries.h"
#include "proxy/control/custom_code.h"
#include "proxy/control/session_code.h"
#include "proxy/log/log.h"

namespace pgweir::control {
namespace {

using namespace std::chrono_literals;
using protocol::SqlError;

constexpr auto kConnectBound = 3s;
constexpr auto kReadBound = 15s;

constexpr char kBegin[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ";
constexpr char kEnd[] = "; COMMIT";

std::string together(const std::vector<std::string>& queries) {
  std::string sql = kBegin;
  for (std::size_t i = 0; i < queries.size(); ++i) sql += (i > 0 ? "; " : "") + queries[i];
  return sql + kEnd;
}

std::vector<std::string> shard_queries(bool canonical) {
  std::vector<std::string> queries{change_token_query(), server_query(), fingerprints_query(), oids_query(),
                                   indexes_query(), custom_code_query("true"), session_code_query()};
  if (!canonical) return queries;
  for (const auto& query :
       {schemas_query(), relations_query(), columns_query(), unique_indexes_query(), foreign_keys_query(),
        functions_query(false), operators_query(), types_query(), enum_labels_query(), collations_query()})
    queries.push_back(query);
  return queries;
}

std::vector<std::string> table_queries() {
  return {relations_query(), columns_query(), unique_indexes_query(), foreign_keys_query()};
}

// Of the content, so that TRUNCATE or a refreshed materialized view, which change rows of the catalogs but no
// definition, leave the catalog as it is. `from`: the first result that counts.
std::uint64_t content_hash(const std::vector<RowSet>& results, std::size_t from) {
  std::uint64_t hash = 0x9e3779b97f4a7c15;  // any odd constants do; these are of SplitMix64
  const auto mix = [&hash](std::uint64_t value) {
    hash = (hash ^ value) * 0xbf58476d1ce4e5b9;
    hash ^= hash >> 29;
  };
  for (std::size_t i = from; i < results.size(); ++i) {
    mix(results[i].cells.size());
    for (std::size_t cell = 0; cell < results[i].cells.size(); ++cell)
      mix(std::hash<std::string>{}(results[i].cells[cell]) + (results[i].nulls[cell] ? 1 : 0));
  }
  return hash;
}

// Results without those of BEGIN and COMMIT.
bool take(Reply& reply, std::size_t count) {
  if (!reply.ok() || reply.results.size() != count + 2) return false;
  reply.results.erase(reply.results.begin());
  return true;
}

SqlError incomplete() {
  return SqlError{"08P01", "the server answered with another number of results", {}, {}, {}, {}};
}

}  // namespace

CatalogLoader::CatalogLoader(asio::io_context& context, net::Resolver& resolver,
                             std::shared_ptr<const config::Config> config, const config::Cluster& cluster)
    : context_(context), config_(std::move(config)), cluster_(cluster) {
  const std::string& canonical = cluster.catalog_shard.empty() ? cluster.home : cluster.catalog_shard;
  for (std::size_t i = 0; i < cluster.shards.size(); ++i) {
    if (cluster.shards[i].name == canonical) catalog_shard_ = i;
    sources_.push_back(std::make_unique<Source>(context, resolver));
  }
}

// Token, and where it changed the facts; for the catalog shard also everything else.
Async<void> CatalogLoader::refresh(std::size_t shard) {
  Source& source = *sources_[shard];
  source.changed = false;
  source.error = co_await source.connection.ensure(recovery_login(*config_, cluster_, cluster_.shards[shard].primary),
                                                   kConnectBound);
  if (source.error) co_return;
  Reply token = co_await source.connection.query(change_token_query(), kReadBound);
  if (!token.ok() || token.results.size() != 1 || token.results[0].rows() != 1) {
    source.error = token.error ? token.error : incomplete();
    co_return;
  }
  if (source.facts.known && token.results[0].text(0, 0) == source.token) co_return;

  const bool canonical = shard == catalog_shard_;
  const std::vector<std::string> queries = shard_queries(canonical);
  Reply reply = co_await source.connection.query(together(queries), kReadBound);
  if (!take(reply, queries.size())) {
    source.error = reply.error ? reply.error : incomplete();
    if (source.connection.is_open()) source.connection.close();  // a failed transaction block may be open
    co_return;
  }
  auto& r = reply.results;
  const std::uint64_t content = content_hash(r, 1);
  if (source.facts.known && content == source.content) {
    source.token = r[0].text(0, 0);
    co_return;
  }
  ShardFacts facts = read_shard_facts(r[1], r[2], r[3], r[4]);
  read_custom_settings(r[0], r[5], facts);
  read_session_code(r[6], facts.session_code);
  if (canonical) {
    if (built_in_version_ != facts.version_num) {
      Reply functions = co_await source.connection.query(functions_query(true), kReadBound);
      if (!functions.ok() || functions.results.size() != 1) {
        source.error = functions.error ? functions.error : incomplete();
        co_return;
      }
      built_in_ = read_functions(functions.results[0]);
      built_in_version_ = facts.version_num;
    }
    source.rows = CatalogRows{r[1],
                              std::move(r[7]),
                              std::move(r[8]),
                              std::move(r[9]),
                              std::move(r[10]),
                              std::move(r[11]),
                              std::move(r[12]),
                              std::move(r[13]),
                              std::move(r[14]),
                              std::move(r[15]),
                              std::move(r[16])};
  }
  source.facts = std::move(facts);
  source.content = content;
  source.token = r[0].text(0, 0);
  source.changed = true;
}

// Tables that stand on this shard and not on the catalog shard.
Async<void> CatalogLoader::read_tables(std::size_t shard) {
  Source& source = *sources_[shard];
  const auto& canonical = sources_[catalog_shard_]->facts.fingerprints;
  const auto& own = source.facts.fingerprints;
  const bool foreign =
      std::any_of(own.begin(), own.end(), [&](const auto& table) { return !canonical.contains(table.first); });
  if (!foreign) {
    source.rows = {};
    co_return;
  }
  const std::vector<std::string> queries = table_queries();
  Reply reply = co_await source.connection.query(together(queries), kReadBound);
  if (!take(reply, queries.size())) {
    source.error = reply.error ? reply.error : incomplete();
    source.token.clear();  // read again next time
    source.content = 0;
    source.connection.close();
    co_return;
  }
  source.rows.relations = std::move(reply.results[0]);
  source.rows.columns = std::move(reply.results[1]);
  source.rows.unique_indexes = std::move(reply.results[2]);
  source.rows.foreign_keys = std::move(reply.results[3]);
}

// Differences with which no statement over several shards could be right.
std::optional<SqlError> CatalogLoader::disagreement() const {
  const ShardFacts& canonical = sources_[catalog_shard_]->facts;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const ShardFacts& facts = sources_[i]->facts;
    if (!facts.known || facts.encoding == canonical.encoding) continue;
    return SqlError{"0A000",
                    "shards differ in their encoding: " + cluster_.shards[catalog_shard_].name + " has " +
                        canonical.encoding + ", " + cluster_.shards[i].name + " has " + facts.encoding,
                    {},
                    "Create the databases with one encoding.",
                    {},
                    {}};
  }
  return std::nullopt;
}

// What other shards have under the name of a table that lives on the catalog shard alone does not matter.
bool CatalogLoader::only_on_catalog_shard(const routing::CatalogTable& table) const {
  const std::string& canonical = cluster_.shards[catalog_shard_].name;
  for (const config::Table& listed : cluster_.tables)
    if (listed.name == table.name && listed.schema == table.schema)
      return listed.kind == config::TableKind::Local && listed.shard == canonical;
  return cluster_.unlisted == canonical;
}

std::shared_ptr<const routing::Catalog> CatalogLoader::build() {
  const Source& canonical = *sources_[catalog_shard_];
  auto catalog = std::make_shared<routing::Catalog>(build_catalog(canonical.rows, built_in_));
  std::vector<ShardFacts> facts;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = *sources_[i];
    facts.push_back(source.facts);
    if (i != catalog_shard_ && source.rows.relations.rows() > 0)
      add_foreign_tables(*catalog, source.rows, map_oids(canonical.facts, source.facts));
    if (source.changed && source.facts.version_num / 10000 != canonical.facts.version_num / 10000)
      log::warning("cluster {}: shard {} runs PostgreSQL {}, shard {} runs {}", cluster_.name, cluster_.shards[i].name,
                   source.facts.version, cluster_.shards[catalog_shard_].name, canonical.facts.version);
  }
  compare_shards(*catalog, facts, catalog_shard_);
  for (auto& table : catalog->tables) table.drifted &= !only_on_catalog_shard(table);
  catalog->epoch = (catalog_ ? catalog_->epoch : 0) + 1;
  for (const auto& table : catalog->tables)
    if (table.drifted)
      log::warning("cluster {}: table {}.{} differs between shards", cluster_.name, table.schema, table.name);
  return catalog;
}

Async<CatalogLoader::Outcome> CatalogLoader::load() {
  std::vector<Async<void>> tasks;
  for (std::size_t i = 0; i < sources_.size(); ++i) tasks.push_back(refresh(i));
  co_await when_all(context_, std::move(tasks));
  Outcome outcome;
  bool changed = false;
  outcome.complete = true;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    changed |= sources_[i]->changed;
    outcome.complete &= sources_[i]->facts.known;
    if (!sources_[i]->error || (outcome.error && i != catalog_shard_)) continue;
    outcome.error = sources_[i]->error;
    outcome.error->message = "shard " + cluster_.shards[i].name + ": " + outcome.error->message;
  }
  outcome.catalog = catalog_;
  if (!sources_[catalog_shard_]->facts.known || (!changed && catalog_)) co_return outcome;
  std::vector<Async<void>> further;
  for (std::size_t i = 0; i < sources_.size(); ++i)
    if (i != catalog_shard_ && sources_[i]->facts.known && sources_[i]->connection.is_open())
      further.push_back(read_tables(i));
  co_await when_all(context_, std::move(further));
  if (auto wrong = disagreement()) {
    outcome.error = wrong;
    co_return outcome;
  }
  catalog_ = build();
  outcome.catalog = catalog_;
  co_return outcome;
}

namespace {

struct Once {
  routing::Result<std::shared_ptr<const routing::Catalog>> result =
      SqlError{"08006", "the servers did not answer in time", {}, {}, {}, {}};
  Async<void> run(CatalogLoader& loader) {
    auto outcome = co_await loader.load();
    if (outcome.catalog)
      result = outcome.catalog;
    else if (outcome.error)
      result = *outcome.error;
  }
};

}  // namespace

routing::Result<std::shared_ptr<const routing::Catalog>> load_catalog_once(const config::Config& config,
                                                                           const config::Cluster& cluster,
                                                                           std::chrono::milliseconds bound) {
  Once once;
  asio::io_context context;
  net::Resolver resolver;
  CatalogLoader loader(context, resolver, std::shared_ptr<const config::Config>(std::shared_ptr<void>(), &config),
                       cluster);
  spawn(context, once.run(loader), "reading the schema");
  context.run_for(bound);
  return once.result;
}

}  // namespace pgweir::control
