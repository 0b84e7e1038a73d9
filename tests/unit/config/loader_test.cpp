// What the cases cannot show: files, defaults, overrides, and values that depend on one another.
#include "config/describe.h"
#include "config/reference.h"
#include "config_support.h"

namespace pgweir::config {
namespace {

using std::chrono::milliseconds;

std::shared_ptr<const Config> load(const std::string& text) {
  const LoadResult result = load_text(text, "/etc/pgweir/test.toml");
  EXPECT_TRUE(result.config) << all_of(result);
  return result.config;
}

TEST(Loader, TellsWhyAFileCannotBeRead) {
  const Folder folder;
  const auto message = [](const std::string& path) {
    const LoadResult result = load_file(path);
    EXPECT_FALSE(result.config);
    EXPECT_EQ(result.diagnostics.size(), 1u);
    return result.diagnostics.at(0).to_string();
  };
  EXPECT_EQ(message(folder / "none.toml"), (folder / "none.toml") + ": error: the file does not exist");
  EXPECT_EQ(message(folder / ""), (folder / "") + ": error: this is a directory");
  EXPECT_EQ(message("/dev/zero"), "/dev/zero: error: the file is too large");
}

TEST(Loader, PrintsFindingsWithPlaceAndHint) {
  const LoadResult result = load_text(kBase + "read = 1\n", "x.toml");
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].to_string(),
            "x.toml:12:1: error: unknown key \"read\" in [cluster.c]\n  hint: did you mean \"reads\"?");
  EXPECT_FALSE(result.config);
}

TEST(Loader, NeverThrows) {
  for (const std::string& text : {std::string(), std::string("\xff\xfe"), std::string("a\0b", 3), std::string("[[["),
                                  "a = " + std::string(5'000, '['), std::string("\xef\xbb\xbf")}) {
    const LoadResult result = load_text(text, "");
    EXPECT_FALSE(result.config);
    EXPECT_FALSE(result.diagnostics.empty());
  }
}

TEST(Loader, TakesAByteOrderMarkAndWindowsLineEnds) {
  std::string text = "\xef\xbb\xbf";
  for (const char c : kBase) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_TRUE(load(text));
}

TEST(Loader, FillsDefaults) {
  const auto config = load(std::string(kUser) + kShard);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen.addresses, (std::vector<Endpoint>{{"127.0.0.1", 6432, false}}));
  const Cluster& cluster = config->clusters.at(0);
  EXPECT_EQ(cluster.database, "c");
  EXPECT_EQ(cluster.home, "a");
  EXPECT_EQ(cluster.catalog_shard, "a");
  EXPECT_EQ(cluster.unlisted, std::nullopt);
  EXPECT_EQ(cluster.pool, Pool{});
}

TEST(Loader, HomeFollowsUnlistedAndCatalogFollowsHome) {
  const std::string shards = std::string(kUser) + kShard + "[[cluster.c.shard]]\nname = \"b\"\nprimary = \"h:1\"\n";
  EXPECT_EQ(load(shards + "[cluster.c]\nunlisted = \"b\"\n")->clusters[0].home, "b");
  const auto config = load(shards + "[cluster.c]\nunlisted = \"b\"\nhome = \"a\"\n");
  EXPECT_EQ(config->clusters[0].home, "a");
  EXPECT_EQ(config->clusters[0].catalog_shard, "a");
  EXPECT_EQ(load(shards + "[cluster.c]\nunlisted = \"a\"\ncatalog_shard = \"b\"\n")->clusters[0].catalog_shard, "b");
}

TEST(Loader, PoolsInheritAndUsersOverride) {
  const auto config = load(kBase +
                           "[pool]\nsize = 40\nquery_timeout = \"9s\"\n"
                           "[cluster.c.pool]\nmode = \"session\"\nsize = 50\n"
                           "[[user]]\nname = \"r\"\npassword = \"p\"\npool_mode = \"statement\"\npool_min_size = 2\n"
                           "pool_reserve_size = 3\nmax_connections = 4\ncheckout_timeout = \"1s\"\n"
                           "idle_in_transaction_timeout = \"2s\"\nmax_client_connections = 7\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pool.size, 40u);
  const Cluster& cluster = config->clusters[0];
  EXPECT_EQ(cluster.pool.mode, PoolMode::Session);
  EXPECT_EQ(cluster.pool.size, 50u);
  EXPECT_EQ(cluster.pool.query_timeout, milliseconds(9'000));
  EXPECT_EQ(effective_pool(cluster, nullptr), cluster.pool);
  EXPECT_EQ(effective_pool(cluster, config->find_user("app")), cluster.pool);
  const Pool pool = effective_pool(cluster, config->find_user("r"));
  EXPECT_EQ(pool.mode, PoolMode::Statement);
  EXPECT_EQ(pool.size, 50u);
  EXPECT_EQ(pool.min_size, 2u);
  EXPECT_EQ(pool.reserve_size, 3u);
  EXPECT_EQ(pool.max_connections, 4u);
  EXPECT_EQ(pool.checkout_timeout, milliseconds(1'000));
  EXPECT_EQ(pool.idle_in_transaction_timeout, milliseconds(2'000));
  EXPECT_EQ(config->find_user("r")->max_client_connections, 7u);
}

TEST(Loader, SocketsTakeTheFirstPort) {
  const auto addresses = [](const std::string& list) {
    return load(kBase + "[listen]\naddress = " + list + "\n")->listen.addresses;
  };
  EXPECT_EQ(addresses("[\"unix:/run/a\", \"[::]:7000\", \"127.0.0.1:8000\"]")[0], (Endpoint{"/run/a", 7000, true}));
  EXPECT_EQ(addresses("[\"unix:/run/a\"]")[0], (Endpoint{"/run/a", 6432, true}));
  EXPECT_EQ(addresses("[\"127.0.0.1:1\", \"unix:/run/a:9\"]")[1], (Endpoint{"/run/a", 9, true}));
  EXPECT_EQ(addresses("[\"127.0.0.1:1\", \"unix:run\"]")[1], (Endpoint{"/etc/pgweir/run", 1, true}));
}

TEST(Loader, BranchesBecomeEqualRuns) {
  const auto config = load(kBase + "[cluster.c.placement.p]\ntype = \"hash\"\nkey_type = \"int8\"\nbuckets = 10\n"
                                   "branches = [\"a\", \"b\", \"a\"]\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->clusters[0].placements[0].bucket_map,
            (std::vector<BucketRange>{{0, 2, {"a", ""}}, {3, 5, {"b", ""}}, {6, 9, {"a", ""}}}));
  EXPECT_EQ(config->clusters[0].placements[0].key_type, KeyType::BigInt);
}

TEST(Loader, BucketMapAscends) {
  const auto config = load(kBase + "[cluster.c.placement.p]\ntype = \"hash\"\nkey_type = \"text\"\nbuckets = 4\n"
                                   "hash = \"xxh64\"\n[cluster.c.placement.p.map]\n\"2 - 3\" = \"b\"\n0-1 = \"a\"\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->clusters[0].placements[0].bucket_map,
            (std::vector<BucketRange>{{0, 1, {"a", ""}}, {2, 3, {"b", ""}}}));
  EXPECT_EQ(config->clusters[0].placements[0].hash, HashKind::Xxh64);
}

TEST(Loader, RangeBoundsMayBeNumbersAndDates) {
  const auto config = load(kBase + "[cluster.c.placement.p]\ntype = \"range\"\nkey_type = \"timestamptz\"\n"
                                   "ranges = [{ to = 2025-01-01T00:00:00Z, branch = \"a\" }]\n"
                                   "[cluster.c.placement.q]\ntype = \"range\"\nkey_type = \"int\"\n"
                                   "ranges = [{ from = -5, to = \"7\", branch = \"b\" }]\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->clusters[0].placements[0].ranges[0].to, "2025-01-01 00:00:00Z");
  EXPECT_EQ(config->clusters[0].placements[1].ranges[0].from, "-5");
}

TEST(Loader, RecoveryLogin) {
  const std::string users = "[[user]]\nname = \"v\"\npassword = \"md50123456789abcdef0123456789abcdef\"\n"
                            "server_password = \"sp\"\nserver_user = \"sv\"\n";
  const Cluster chosen = load(users + kShard + "[auth]\nmethod = \"md5\"\n")->clusters[0];
  EXPECT_EQ(chosen.recovery_user, "sv");
  EXPECT_EQ(chosen.recovery_password.value, "sp");
  EXPECT_FALSE(chosen.recovery_user_configured);
  const Cluster named = load(kBase + "recovery_user = \"app\"\n")->clusters[0];
  EXPECT_EQ(named.recovery_password.value, "secret");
  EXPECT_TRUE(named.recovery_user_configured);
  const Cluster own = load(kBase + "recovery_user = \"r\"\nrecovery_password = \"rp\"\n")->clusters[0];
  EXPECT_EQ(own.recovery_user, "r");
  EXPECT_EQ(own.recovery_password.value, "rp");
}

TEST(Loader, TablesAndFunctions) {
  const auto config = load(kBase + "[[cluster.c.table]]\nname = 'sales.\"Order Lines\"'\n"
                                   "kind = \"local\"\nshard = \"b\"\n"
                                   "triggers = \"shard\"\n[[cluster.c.function]]\nname = \"f\"\nreads = \"shard\"\n");
  ASSERT_TRUE(config);
  const Table& table = config->clusters[0].tables[0];
  EXPECT_EQ(table.schema, "sales");
  EXPECT_EQ(table.name, "Order Lines");
  EXPECT_TRUE(table.local_triggers);
  EXPECT_EQ(config->clusters[0].functions, (std::vector<Function>{{"public", "f", FunctionReads::Shard}}));
  EXPECT_THAT(describe(*config), testing::Contains(Setting{"cluster.c.table.sales.\"Order Lines\".shard", "b"}));
}

TEST(Loader, WarnsAboutAPrivateKeyThatEverybodyCanRead) {
  const Folder folder;
  folder.write("server.crt", "x", true);
  folder.write("server.key", "x", true);
  const std::string file = folder.write(
      "p.toml", kBase + "[tls.client]\nmode = \"require\"\ncert = \"server.crt\"\nkey = \"server.key\"\n");
  const LoadResult result = load_file(file);
  ASSERT_TRUE(result.config) << all_of(result);
  ASSERT_EQ(result.diagnostics.size(), 1u) << all_of(result);
  EXPECT_EQ(brief(result.diagnostics[0]),
            "15:7 warning: everybody can read the private key \"" + (folder / "server.key") + "\"");
  EXPECT_EQ(result.config->tls_client.key, folder / "server.key");
}

TEST(Loader, Peers) {
  const auto config = load(kBase + "[listen]\nnode_id = 2\n[[peer]]\nnode_id = 1023\naddress = \"[::1]:6432\"\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->peers, (std::vector<Peer>{{1023, {"::1", 6432, false}}}));
}

// No kind of secret comes out of the dump.
TEST(Describe, HidesEverySecret) {
  const std::string key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
  const auto config = load(kBase + "recovery_user = \"r\"\nrecovery_password = \"hidden1\"\n[[user]]\nname = \"u\"\n" +
                           "password = \"SCRAM-SHA-256$4096:c2FsdA==$" + key + ":" + key + "\"\n" +
                           "server_password = \"hidden2\"\n");
  ASSERT_TRUE(config);
  unsigned secrets = 0;
  for (const Setting& setting : describe(*config)) {
    for (const char* hidden : {"hidden", "secret", "SCRAM-SHA-256$", "AAEC"}) {
      EXPECT_EQ(setting.value.find(hidden), std::string::npos) << setting.key;
    }
    if (setting.key.ends_with("password")) {
      EXPECT_EQ(setting.value, "***") << setting.key;
      ++secrets;
    }
  }
  EXPECT_EQ(secrets, 5u);
}

}  // namespace
}  // namespace pgweir::config
