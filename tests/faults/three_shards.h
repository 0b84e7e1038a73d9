// Three primaries (the first with a replica when asked for) behind one proxy: table ledger by region ("a", "b", "c",
// one shard each) and the reference table rates.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/pg_cluster.h"
#include "tests/support/proxy_process.h"

namespace pgweir::support {

class ThreeShards {
 public:
  struct Options {
    bool replica = false;  // of shard a; reads go there
    unsigned pool_size = 10;
  };
  explicit ThreeShards(const Options& options) {
    for (auto& shard : shards_) shard = std::make_unique<PgCluster>(PgOptions{.fsync = true});
    if (options.replica) replica_ = shards_[0]->make_replica();
    proxy_.emplace(ProxyOptions{
        .clusters = config(), .pool = "size = " + std::to_string(options.pool_size) + "\ncheckout_timeout = \"10s\""});
    auto connection = proxy_->connect();
    connection.must("CREATE TABLE ledger (region text NOT NULL, id bigint NOT NULL, note text)");
    connection.must("CREATE TABLE rates (id bigint NOT NULL, rate int)");
  }
  PgCluster& shard(std::size_t index) { return *shards_[index]; }
  PgCluster& replica() { return *replica_; }
  ProxyProcess& proxy() { return *proxy_; }

  // A number from each shard's primary, asked directly.
  std::vector<std::string> on_each(const std::string& sql) {
    std::vector<std::string> values;
    for (auto& shard : shards_) values.push_back(shard->exec(sql).value());
    return values;
  }
  // Prepared transactions of ours on all shards.
  int prepared() {
    int count = 0;
    for (const auto& value : on_each("SELECT count(*) FROM pg_prepared_xacts WHERE gid LIKE 'pgweir:%'"))
      count += std::stoi(value);
    return count;
  }
  [[nodiscard]] bool no_transaction_is_open(Milliseconds deadline = Milliseconds{10'000}) {
    return wait_until(
        [this] {
          for (const auto& value :
               on_each("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state <> 'idle'"))
            if (value != "0") return false;
          return true;
        },
        deadline);
  }

 private:
  std::string config() const {
    std::string text = "[cluster.fediflow]\nhome = \"a\"\n";
    if (replica_) text += "reads = \"replica\"\n";
    const char* names[] = {"a", "b", "c"};
    for (std::size_t i = 0; i < 3; ++i) {
      text += std::string("\n[[cluster.fediflow.shard]]\nname = \"") + names[i] + "\"\nprimary = \"" +
              shards_[i]->endpoint() + "\"\n";
      if (i == 0 && replica_) text += "replicas = [\"" + replica_->endpoint() + "\"]\n";
    }
    return text +
           "\n[cluster.fediflow.placement.by_region]\ntype = \"list\"\nkey_type = \"text\"\n"
           "map = { a = \"a\", b = \"b\", c = \"c\" }\n"
           "\n[[cluster.fediflow.table]]\nname = \"public.ledger\"\nplacement = \"by_region\"\nkey = [\"region\"]\n"
           "\n[[cluster.fediflow.table]]\nname = \"public.rates\"\nkind = \"reference\"\n";
  }
  std::unique_ptr<PgCluster> shards_[3], replica_;
  std::optional<ProxyProcess> proxy_;
};

// How often a fault is repeated: few times by default, as often as the promise says with PGWEIR_LONG.
inline int rounds() { return std::getenv("PGWEIR_LONG") != nullptr ? 20 : 3; }

}  // namespace pgweir::support
