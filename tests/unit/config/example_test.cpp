// The first example of docs/configuration.md, loaded with every value checked.
#include "config/describe.h"
#include "config_support.h"
#include "docs_support.h"

namespace pgweir::config {
namespace {

using std::chrono::milliseconds;

class Example : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* file : {"server.crt", "server.key", "clients-ca.crt", "servers-ca.crt"}) folder_.write(file, "x");
    setenv("APP_PASSWORD", "swordfish", 1);
    path_ = folder_.write("pgweir.toml", documented_examples().at(0));
    result_ = load_file(path_);
    ASSERT_TRUE(result_.config) << all_of(result_);
  }
  void TearDown() override { unsetenv("APP_PASSWORD"); }
  const Config& config() const { return *result_.config; }
  const Cluster& cluster() const { return config().clusters.at(0); }

  Folder folder_;
  std::string path_;
  LoadResult result_;
};

TEST_F(Example, WarnsOnlyAboutUsersThatAreNotThere) {
  ASSERT_EQ(result_.diagnostics.size(), 2u) << all_of(result_);
  EXPECT_EQ(result_.diagnostics[0].severity, Severity::Warning);
  EXPECT_THAT(result_.diagnostics[0].message, testing::HasSubstr("\"admin\" has no [[user]]"));
  EXPECT_THAT(result_.diagnostics[1].message, testing::HasSubstr("\"stats\" has no [[user]]"));
}

TEST_F(Example, Process) {
  EXPECT_EQ(config().path, path_);
  const Listen& listen = config().listen;
  EXPECT_EQ(listen.addresses,
            (std::vector<Endpoint>{{"127.0.0.1", 6432, false}, {"/run/pgweir", 6432, true}}));
  EXPECT_EQ(listen.workers, 0u);
  EXPECT_EQ(listen.max_clients, 10'000u);
  EXPECT_FALSE(listen.reuse_port);
  EXPECT_EQ(listen.node_id, 0u);
  EXPECT_EQ(listen.client_login_timeout, milliseconds(60'000));
  EXPECT_EQ(listen.max_statement_size, 16u << 20);
  EXPECT_TRUE(config().peers.empty());
  EXPECT_EQ(config().tls_client,
            (ClientTls{TlsMode::Allow, folder_ / "server.crt", folder_ / "server.key", folder_ / "clients-ca.crt"}));
  EXPECT_EQ(config().tls_server, (ServerTls{TlsMode::Prefer, folder_ / "servers-ca.crt", "", ""}));
  EXPECT_EQ(config().admin, (Admin{"pgweir", {"admin"}, {"stats"}}));
  EXPECT_EQ(config().metrics.address, (Endpoint{"127.0.0.1", 9127, false}));
  EXPECT_EQ(config().log, (Log{LogLevel::Info, LogFormat::Text}));
  EXPECT_EQ(config().auth, (Auth{AuthMethod::ScramSha256, "", "", "", ""}));
}

TEST_F(Example, UserAndPool) {
  ASSERT_EQ(config().users.size(), 1u);
  const User& user = config().users[0];
  EXPECT_EQ(user.name, "app");
  EXPECT_EQ(user.password, (Secret{Secret::Kind::Plain, "swordfish"}));
  EXPECT_EQ(user.server_user, "app");
  EXPECT_EQ(user.server_password, user.password);
  EXPECT_EQ(user.pool, PoolOverride{});
  EXPECT_EQ(user.max_client_connections, 0u);
  const Pool& pool = config().pool;
  EXPECT_EQ(pool.mode, PoolMode::Transaction);
  EXPECT_EQ(pool.size, 20u);
  EXPECT_EQ(pool.min_size, 0u);
  EXPECT_EQ(pool.reserve_size, 0u);
  EXPECT_EQ(pool.checkout_timeout, milliseconds(30'000));
  EXPECT_EQ(pool.server_idle_timeout, milliseconds(600'000));
  EXPECT_EQ(pool.server_lifetime, milliseconds(3'600'000));
  EXPECT_EQ(pool.query_timeout, milliseconds(0));
  EXPECT_EQ(pool, Pool{}) << "the example shows the defaults";
}

TEST_F(Example, Cluster) {
  ASSERT_EQ(config().clusters.size(), 1u);
  EXPECT_EQ(cluster().name, "fediflow");
  EXPECT_EQ(cluster().database, "fediflow");
  EXPECT_EQ(cluster().home, "eu1");
  EXPECT_EQ(cluster().unlisted, "eu1");
  EXPECT_EQ(cluster().catalog_shard, "eu1");
  EXPECT_EQ(cluster().reads, Reads::Primary);
  EXPECT_EQ(cluster().recovery_user, "app");
  EXPECT_FALSE(cluster().recovery_user_configured);
  EXPECT_EQ(cluster().recovery_password.value, "swordfish");
  EXPECT_EQ(cluster().pool, config().pool);
  EXPECT_EQ(config().find_cluster("fediflow"), &cluster());
  EXPECT_EQ(config().find_cluster("other"), nullptr);
  EXPECT_EQ(cluster().shards,
            (std::vector<Shard>{{"eu1", "eu", "hot", {"127.0.0.1", 5501, false}, {{"127.0.0.1", 5502, false}}},
                                {"us1", "us", "", {"127.0.0.1", 5503, false}, {}},
                                {"archive", "", "cold", {"127.0.0.1", 5504, false}, {}}}));
}

TEST_F(Example, Placements) {
  ASSERT_EQ(cluster().placements.size(), 3u);
  const Placement& tenant = cluster().placements[0];
  EXPECT_EQ(tenant.name, "by_tenant");
  EXPECT_EQ(tenant.type, PlacementType::Hash);
  EXPECT_EQ(tenant.key_type, KeyType::Uuid);
  EXPECT_EQ(tenant.hash, HashKind::Postgres);
  EXPECT_EQ(tenant.buckets, 1024u);
  EXPECT_EQ(tenant.bucket_map, (std::vector<BucketRange>{{0, 511, {"eu1", ""}}, {512, 1023, {"us1", ""}}}));
  EXPECT_EQ(tenant.pins, (std::vector<ListEntry>{{"0b9c1c1e-0000-4000-8000-000000000001", {"us1", ""}}}));
  const Placement& region = cluster().placements[1];
  EXPECT_EQ(region.name, "by_region");
  EXPECT_EQ(region.type, PlacementType::List);
  EXPECT_EQ(region.key_type, KeyType::Text);
  EXPECT_EQ(region.entries,
            (std::vector<ListEntry>{{"eu", {"eu1", ""}}, {"de", {"eu1", ""}}, {"us", {"", "by_tenant"}}}));
  EXPECT_EQ(region.default_branch, std::nullopt);
  const Placement& time = cluster().placements[2];
  EXPECT_EQ(time.name, "by_time");
  EXPECT_EQ(time.type, PlacementType::Range);
  EXPECT_EQ(time.key_type, KeyType::TimestampTz);
  EXPECT_EQ(time.ranges, (std::vector<RangeEntry>{{std::nullopt, "2025-01-01", {"archive", ""}},
                                                  {"2025-01-01", std::nullopt, {"", "by_tenant"}}}));
}

TEST_F(Example, Tables) {
  ASSERT_EQ(cluster().tables.size(), 4u);
  EXPECT_EQ(cluster().tables[0], (Table{"public", "users", TableKind::Sharded, "by_tenant", {"tenant_id"}, ""}));
  EXPECT_EQ(cluster().tables[1],
            (Table{"public", "activities", TableKind::Sharded, "by_time", {"published_at", "tenant_id"}, ""}));
  EXPECT_EQ(cluster().tables[2], (Table{"public", "tenants", TableKind::Reference, "", {}, ""}));
  EXPECT_EQ(cluster().tables[3], (Table{"public", "jobs", TableKind::Local, "", {}, "eu1"}));
  EXPECT_TRUE(cluster().functions.empty());
}

TEST_F(Example, DumpShowsNoSecret) {
  bool hidden = false;
  for (const Setting& setting : describe(config())) {
    EXPECT_EQ(setting.value.find("swordfish"), std::string::npos) << setting.key;
    hidden = hidden || (setting.key == "user.app.password" && setting.value == "***");
  }
  EXPECT_TRUE(hidden);
  EXPECT_THAT(describe(config()),
              testing::IsSupersetOf(std::vector<Setting>{
                  {"listen.address", "127.0.0.1:6432, unix:/run/pgweir:6432"},
                  {"pool.checkout_timeout", "30s"},
                  {"cluster.fediflow.shard.eu1.replicas", "127.0.0.1:5502"},
                  {"cluster.fediflow.placement.by_tenant.map.512-1023", "us1"},
                  {"cluster.fediflow.placement.by_region.map.us", "{ placement = \"by_tenant\" }"},
                  {"cluster.fediflow.placement.by_time.ranges.0.to", "2025-01-01"},
                  {"cluster.fediflow.recovery_password", "***"},
                  {"cluster.fediflow.table.public.activities.key", "published_at, tenant_id"}}));
}

}  // namespace
}  // namespace pgweir::config
