// Tables that change under prepared statements: every client sees what it would on a connection of its own, whichever server
// runs its statement and whoever prepared the same text there. All of this holds without the proxy, too (PGWEIR_DIRECT=1).
#include <atomic>
#include <thread>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/support/demo_cluster.h"

namespace pgweir::support {
namespace {

// By the number of the pool's connections.
class PreparedSchemaTest : public ProxyTest, public testing::WithParamInterface<unsigned> {
 protected:
  void SetUp() override { default_pool_size = GetParam(); }
  static void alter(const std::string& what) { server().connect().must("ALTER TABLE shaped " + what); }
  static void make_table() {
    table("shaped", "a int, b text");
    server().connect().must("INSERT INTO shaped VALUES (1, 'one'); GRANT ALL ON shaped TO app");
  }
  // Has a server of the pool to itself while it lives, so that others run on another one; with one server, nothing.
  std::optional<Connection> hold_one() {
    if (GetParam() == 1) return std::nullopt;
    auto holder = connect();
    holder.must("BEGIN");
    holder.must("SELECT 1");
    return holder;
  }
  static constexpr const char* kText = "SELECT * FROM shaped";
  static constexpr const char* kChanged = "0A000";
};
INSTANTIATE_TEST_SUITE_P(Servers, PreparedSchemaTest, testing::Values(1u, 2u));

#define EXPECT_COLUMNS(result, count)                            \
  do {                                                           \
    const QueryResult counted_result = (result);                 \
    EXPECT_TRUE(counted_result.ok()) << counted_result;          \
    EXPECT_EQ(counted_result.columns.size(), std::size_t{count}); \
  } while (false)

TEST_P(PreparedSchemaTest, AnOldStatementFailsUntilItIsPreparedAnew) {
  make_table();
  auto client = connect();
  EXPECT_OK(client.prepare("s", kText));
  EXPECT_COLUMNS(client.describe("s").first, 2);
  EXPECT_COLUMNS(client.execute("s"), 2);
  alter("ADD c int");
  for (int i = 0; i < 6; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    const auto refused = client.execute("s");
    EXPECT_EQ(refused.sqlstate(), kChanged) << i;
    EXPECT_EQ(refused.error.value().message, "cached plan must not change result type");
    EXPECT_SQLSTATE(client.describe("s").first, kChanged);
  }
  EXPECT_OK(client.exec("DEALLOCATE s"));
  EXPECT_OK(client.prepare("s", kText));
  for (int i = 0; i < 6; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    EXPECT_COLUMNS(client.execute("s"), 3);
  }
}

TEST_P(PreparedSchemaTest, OldAndNewClientsOfOneTextEachSeeTheirOwn) {
  make_table();
  auto old_client = connect();
  EXPECT_OK(old_client.prepare("s", kText));
  EXPECT_COLUMNS(old_client.execute("s"), 2);
  alter("ADD c int");
  auto new_client = connect();
  EXPECT_OK(new_client.prepare("s", kText));
  for (int i = 0; i < 8; ++i) {
    auto held = i % 3 == 0 ? hold_one() : std::nullopt;
    EXPECT_SQLSTATE(old_client.execute("s"), kChanged);
    EXPECT_COLUMNS(new_client.execute("s"), 3);
    if (i % 2 != 0) continue;
    old_client.must("BEGIN");
    EXPECT_SQLSTATE(old_client.execute("s"), kChanged);
    EXPECT_SQLSTATE(old_client.exec("SELECT 1"), "25P02");
    EXPECT_EQ(old_client.transaction_status(), PQTRANS_INERROR);
    old_client.must("ROLLBACK");
    new_client.must("BEGIN");
    EXPECT_COLUMNS(new_client.execute("s"), 3);
    new_client.must("COMMIT");
  }
}

TEST_P(PreparedSchemaTest, ItWorksAgainWhenTheTableIsAsItWas) {
  make_table();
  auto old_client = connect(), new_client = connect();
  EXPECT_OK(old_client.prepare("s", kText));
  alter("ADD c int");
  EXPECT_SQLSTATE(old_client.execute("s"), kChanged);
  EXPECT_OK(new_client.prepare("s", kText));
  EXPECT_COLUMNS(new_client.execute("s"), 3);
  alter("DROP c");
  for (int i = 0; i < 4; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    EXPECT_COLUMNS(old_client.execute("s"), 2);
    EXPECT_SQLSTATE(new_client.execute("s"), kChanged);
  }
}

TEST_P(PreparedSchemaTest, WhatAClientHasNotDescribedIsWhatItsParseGave) {
  make_table();
  auto client = connect();
  EXPECT_OK(client.prepare("s", kText));
  alter("ADD c int");
  for (int i = 0; i < 4; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    EXPECT_SQLSTATE(client.execute("s"), kChanged);
  }
}

TEST_P(PreparedSchemaTest, AChangedTypeNameAndModifierCount) {
  const std::string changes[] = {"ALTER b TYPE varchar(20)", "RENAME a TO z", "ALTER z TYPE bigint"};
  make_table();
  auto client = connect();
  for (const auto& change : changes) {
    EXPECT_OK(client.prepare("s", kText));
    EXPECT_COLUMNS(client.execute("s"), 2);
    alter(change);
    for (int i = 0; i < 3; ++i) {
      auto held = i % 2 == 0 ? hold_one() : std::nullopt;
      EXPECT_SQLSTATE(client.execute("s"), kChanged);
    }
    EXPECT_OK(client.exec("DEALLOCATE s"));
  }
}

TEST_P(PreparedSchemaTest, WhatDoesNotReturnTheColumnGoesOn) {
  make_table();
  auto client = connect(), other = connect();
  EXPECT_OK(client.prepare("s", "SELECT b FROM shaped WHERE a = $1"));
  EXPECT_EQ(client.execute("s", {"1"}).value(), "one");
  alter("ALTER a TYPE bigint");
  EXPECT_OK(other.prepare("s", "SELECT b FROM shaped WHERE a = $1"));
  for (int i = 0; i < 6; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    EXPECT_EQ(client.execute("s", {"1"}).value(), "one");
    // The parameter stays of the type that it had.
    EXPECT_SQLSTATE(client.execute("s", {"5000000000"}), "22003");
    EXPECT_OK(other.execute("s", {"5000000000"}));
  }
}

TEST_P(PreparedSchemaTest, AnAlterInTheOwnBlockAndItsRollback) {
  make_table();
  server().connect().must("ALTER TABLE shaped OWNER TO app");
  auto client = connect();
  EXPECT_OK(client.prepare("s", kText));
  client.must("BEGIN");
  client.must("ALTER TABLE shaped ADD c int");
  EXPECT_OK(client.prepare("inside", kText));
  EXPECT_COLUMNS(client.execute("inside"), 3);
  EXPECT_SQLSTATE(client.execute("s"), kChanged);
  client.must("ROLLBACK");
  for (int i = 0; i < 4; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    EXPECT_COLUMNS(client.execute("s"), 2);
    EXPECT_SQLSTATE(client.execute("inside"), kChanged);
  }
}

TEST_P(PreparedSchemaTest, SqlExecuteFailsLikewise) {
  make_table();
  auto client = connect(), other = connect();
  EXPECT_OK(client.exec(std::string("PREPARE s AS ") + kText));
  EXPECT_COLUMNS(client.exec("EXECUTE s"), 2);
  EXPECT_OK(client.prepare("p", kText));
  alter("ADD c int");
  EXPECT_OK(other.exec(std::string("PREPARE s AS ") + kText));
  EXPECT_OK(other.prepare("p", kText));
  for (int i = 0; i < 6; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    for (const auto* sql : {"EXECUTE s", "EXECUTE p", "EXPLAIN EXECUTE s"}) {
      EXPECT_SQLSTATE(client.exec(sql), kChanged);
      EXPECT_OK(other.exec(sql));
    }
    EXPECT_COLUMNS(other.exec("EXECUTE s"), 3);
    EXPECT_SQLSTATE(client.execute("s"), kChanged);
    EXPECT_COLUMNS(other.execute("s"), 3);
  }
}

// PostgreSQL does not look at what a utility statement gave when it was prepared.
TEST_P(PreparedSchemaTest, AFetchIsPreparedBeforeItsCursorIsThere) {
  make_table();
  auto client = connect();
  EXPECT_OK(client.prepare("fetch", "FETCH ALL FROM c"));
  EXPECT_OK(client.prepare("explain", std::string("EXPLAIN ") + kText));
  for (int i = 0; i < 4; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    client.must("BEGIN");
    client.must(std::string("DECLARE c CURSOR FOR ") + (i < 2 ? kText : "SELECT 1"));
    EXPECT_OK(client.execute("fetch"));
    client.must("COMMIT");
    EXPECT_OK(client.execute("explain"));
    if (i == 1) alter("ADD c int");
  }
}

// A newer table of the same name in front of the old one on search_path: no copy of before may be used.
TEST_P(PreparedSchemaTest, WhatHasJustBeenPreparedSeesThePresentTables) {
  server().exec("DROP SCHEMA IF EXISTS app CASCADE");
  make_table();
  auto before = connect(), after = connect();
  EXPECT_OK(before.prepare("s", "SELECT b FROM shaped"));
  for (int i = 0; i < 2; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    EXPECT_EQ(before.execute("s").value(), "one");
  }
  server().connect().must("CREATE SCHEMA app AUTHORIZATION app; CREATE TABLE app.shaped AS SELECT 'new'::text AS b; GRANT SELECT ON app.shaped TO app");
  EXPECT_OK(after.prepare("s", "SELECT b FROM shaped"));
  for (int i = 0; i < 6; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    EXPECT_EQ(after.execute("s").value(), "new");
  }
  server().exec("DROP SCHEMA app CASCADE");
}

TEST_P(PreparedSchemaTest, ATableThatIsGoneIsThatError) {
  make_table();
  auto client = connect();
  EXPECT_OK(client.prepare("s", kText));
  server().connect().must("DROP TABLE shaped");
  for (int i = 0; i < 4; ++i) {
    auto held = i % 2 == 0 ? hold_one() : std::nullopt;
    EXPECT_SQLSTATE(client.execute("s"), "42P01");
  }
  make_table();
  EXPECT_COLUMNS(client.execute("s"), 2);
}

// Many clients of one text on fewer servers while the table changes: nobody ever gets columns that it was not told.
TEST_P(PreparedSchemaTest, NobodyGetsOtherColumnsWhileTheTableChanges) {
  make_table();
  constexpr int kClients = 6, kChanges = 60;
  std::atomic<bool> changing{true};
  std::atomic<int> answered{0}, refused{0}, wrong{0};
  const auto work = [&](Connection client, unsigned number) {
    std::size_t told = 0;
    for (unsigned round = number; changing; ++round) {
      if (told == 0) {
        EXPECT_OK(client.exec("DEALLOCATE ALL"));
        EXPECT_OK(client.prepare("s", kText));
        const auto described = client.describe("s").first;
        if (described.ok()) told = described.columns.size();
        continue;
      }
      const auto result = client.execute("s");
      if (result.ok()) {
        ++answered;
        if (result.columns.size() != told) ++wrong;
        continue;
      }
      EXPECT_EQ(result.sqlstate(), kChanged) << result;
      ++refused;
      if (round % 3 == 0) told = 0;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kClients; ++i) threads.emplace_back(work, connect(), i);
  auto changer = server().connect();
  for (int i = 0; i < kChanges; ++i) {
    const int before = answered + refused;
    changer.must(i % 2 == 0 ? "ALTER TABLE shaped ADD c int" : "ALTER TABLE shaped DROP c");
    EXPECT_TRUE(wait_until([&] { return answered + refused > before + kClients; }));
  }
  changing = false;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0) << "of " << answered;
  EXPECT_GT(answered, 0);
  EXPECT_GT(refused, 0);
}

class PreparedSchemaPipelineTest : public ProxyTest {
 protected:
  static constexpr const char* kText = "SELECT * FROM piped";
  static void make_table() {
    table("piped", "a int, b text");
    server().connect().must("INSERT INTO piped VALUES (1, 'one'); GRANT ALL ON piped TO app");
  }
  void start_trusting(unsigned size) {
    start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = " + std::to_string(size)});
  }
};

// What stands in front of the refused message in its batch has happened, what stands behind it is skipped, and the next
// batch, already sent, is not touched.
TEST_F(PreparedSchemaPipelineTest, TheErrorStandsInItsPlace) {
  make_table();
  start_trusting(1);
  RawClient old_client(port()), new_client(port());
  old_client.log_in();
  new_client.log_in();
  old_client.send(raw_parse("s", kText) + raw_parse("one", "SELECT 1") + raw_sync());
  EXPECT_EQ(raw_types(old_client.receive_until('Z')), "11Z");
  server().connect().must("ALTER TABLE piped ADD c int");
  new_client.send(raw_parse("s", kText) + raw_sync());
  EXPECT_EQ(raw_types(new_client.receive_until('Z')), "1Z");
  for (int i = 0; i < 3; ++i) {
    const std::string one = raw_bind("", "one") + raw_execute("");
    old_client.send(one + raw_bind("", "s") + raw_execute("") + one + raw_sync() + one + raw_sync() + raw_describe('S', "s") + one + raw_sync());
    const auto failed = old_client.receive_until('Z');
    EXPECT_EQ(raw_types(failed), "2DCEZ");
    EXPECT_EQ(raw_field(raw_find(failed, 'E').body, 'C'), "0A000");
    EXPECT_EQ(raw_field(raw_find(failed, 'E').body, 'R'), "RevalidateCachedQuery");
    EXPECT_EQ(raw_types(old_client.receive_until('Z')), "2DCZ");
    EXPECT_EQ(raw_types(old_client.receive_until('Z')), "tEZ");
    new_client.send(raw_bind("", "s") + raw_execute("") + raw_sync());
    EXPECT_EQ(raw_types(new_client.receive_until('Z')), "2DCZ");
  }
}

// The unnamed statement, described and used in a later batch, as some drivers do without a cache.
TEST_F(PreparedSchemaPipelineTest, ADescribedUnnamedStatementKeepsItsShapeToo) {
  make_table();
  start_trusting(1);
  RawClient client(port()), other(port());
  client.log_in();
  other.log_in();
  client.send(raw_parse("", kText) + raw_describe('S', "") + raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "1tTZ");
  server().connect().must("ALTER TABLE piped ADD c int");
  if (!direct()) other.query("SELECT 'drops the unnamed statement of the server'");
  for (int i = 0; i < 3; ++i) {
    client.send(raw_bind("", "") + raw_execute("") + raw_sync());
    const auto failed = client.receive_until('Z');
    EXPECT_EQ(raw_types(failed), "EZ");
    EXPECT_EQ(raw_field(raw_find(failed, 'E').body, 'C'), "0A000");
  }
  server().connect().must("ALTER TABLE piped DROP c");
  client.send(raw_bind("", "") + raw_execute("") + raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "2DCZ");
}

// Where nothing has changed, a statement that is there is bound as it is: nothing goes in front of it.
TEST_F(PreparedSchemaPipelineTest, WhatIsThereIsUsedAsItIs) {
  NEEDS_PROXY();
  make_table();
  start_trusting(1);
  RawClient client(port()), other(port());
  client.log_in();
  other.log_in();
  const std::string text = "SELECT b, pg_backend_pid() FROM piped";
  client.send(raw_parse("s", text) + raw_sync());
  EXPECT_EQ(raw_types(client.receive_until('Z')), "1Z");
  const std::string prepared = "SELECT count(*)::text || ' ' || max(prepare_time)::text FROM pg_prepared_statements WHERE statement LIKE 'SELECT b%'";
  const auto look = [&] {
    client.query("BEGIN");
    const std::string seen = raw_find(client.query(prepared), 'D').body;
    client.query("COMMIT");
    return seen;
  };
  const auto before = look();
  for (int i = 0; i < 5; ++i) {
    client.send(raw_bind("", "s") + raw_execute("") + raw_sync());
    EXPECT_EQ(raw_types(client.receive_until('Z')), "2DCZ");
    other.query("SELECT 1");
  }
  EXPECT_EQ(look(), before);
}

// Whichever shard a statement goes to, and for all of them together.
TEST(PreparedSchemaOnShardsTest, AnOldStatementFailsUntilItIsPreparedAnew) {
  DemoCluster shards;
  ProxyProcess proxy({.clusters = shards.config(), .pool = "size = 2"});
  auto admin = proxy.connect("app", "fediflow"), client = proxy.connect("app", "fediflow");
  create_demo_tables(admin);
  const auto prepare = [&client](const std::string& suffix) {
    EXPECT_OK(client.prepare("one" + suffix, "SELECT * FROM content WHERE region = $1"));
    EXPECT_OK(client.prepare("all" + suffix, "SELECT * FROM content ORDER BY id"));
    return client.describe("one" + suffix).first.columns.size() + client.describe("all" + suffix).first.columns.size();
  };
  const auto before = prepare("");
  for (const std::string region : {"eu", "us", "museum"}) EXPECT_OK(client.execute("one", {region}));
  EXPECT_OK(client.execute("all"));
  admin.must("ALTER TABLE content ADD extra int");
  EXPECT_EQ(prepare(" new"), before + 2);
  for (int i = 0; i < 2; ++i) {
    for (const std::string region : {"us", "museum", "eu"}) {
      EXPECT_SQLSTATE(client.execute("one", {region}), "0A000");
      EXPECT_OK(client.execute("one new", {region}));
    }
    EXPECT_SQLSTATE(client.execute("all"), "0A000");
    EXPECT_OK(client.execute("all new"));
  }
  admin.must("ALTER TABLE content DROP extra");
  for (const std::string region : {"us", "museum", "eu"}) EXPECT_OK(client.execute("one", {region}));
  EXPECT_OK(client.execute("all"));
}

}  // namespace
}  // namespace pgweir::support
