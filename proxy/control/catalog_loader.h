// Reads the schema of one cluster over kept connections to its primaries. Private to control/; used by one coroutine at
// a time.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/control/catalog_build.h"
#include "proxy/control/pg_connection.h"

namespace pgweir::control {

class CatalogLoader {
 public:
  // `cluster` is a part of `config`.
  CatalogLoader(asio::io_context& context, net::Resolver& resolver, std::shared_ptr<const config::Config> config,
                const config::Cluster& cluster);

  struct Outcome {
    // The newest catalog: the same object as before where nothing has changed; null before the first success.
    std::shared_ptr<const routing::Catalog> catalog;
    std::optional<protocol::SqlError> error;  // why it is not newer; without effect on `catalog`
    bool complete = false;                    // every shard has answered at least once
  };
  // Compares each shard's change token and reads again what changed. A shard that does not answer keeps its last facts;
  // one that never did is taken to be like the catalog shard (statements there fail anyway) until it answers.
  Async<Outcome> load();

 private:
  struct Source {
    explicit Source(asio::io_context& context, net::Resolver& resolver) : connection(context, resolver) {}
    PgConnection connection;
    std::string token;          // of `facts`
    std::uint64_t content = 0;  // hash of what was read
    bool changed = false;
    ShardFacts facts;
    CatalogRows rows;  // the catalog shard: everything; others: tables that the catalog shard lacks
    std::optional<protocol::SqlError> error;
  };
  Async<void> refresh(std::size_t shard);
  Async<void> read_tables(std::size_t shard);
  std::optional<protocol::SqlError> disagreement() const;
  bool only_on_catalog_shard(const routing::CatalogTable& table) const;
  std::shared_ptr<const routing::Catalog> build();

  asio::io_context& context_;
  std::shared_ptr<const config::Config> config_;
  const config::Cluster& cluster_;
  std::size_t catalog_shard_ = 0;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<routing::CatalogFunction> built_in_;
  int built_in_version_ = 0;
  std::shared_ptr<const routing::Catalog> catalog_;
};

}  // namespace pgweir::control
