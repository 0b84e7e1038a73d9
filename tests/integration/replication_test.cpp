// Replication connections through the proxy: PostgreSQL's own clients, one server connection each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <future>
#include <map>
#include <optional>

#include "tests/support/pg_cluster.h"
#include "tests/support/proxy_process.h"
#include "tests/support/wait.h"

namespace pgweir::support {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kReplicator = "[[user]]\nname = \"replicator\"\npassword = \"replicator-secret\"\n";

PgOptions publisher() {
  return {.settings = {"wal_level = logical"},
          .hba = {"host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"}};
}

void create_replicator(PgCluster& server) {
  server.exec("CREATE ROLE replicator LOGIN REPLICATION PASSWORD 'replicator-secret'; GRANT pg_read_all_data TO replicator");
}

class ReplicationTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<PgCluster>(publisher());
    create_replicator(*server_);
  }
  static void TearDownTestSuite() { server_.reset(); }
  void start(const std::string& pool = "size = 5", std::string clusters = "") {
    if (clusters.empty()) clusters = plain_cluster("fediflow", server_->endpoint());
    proxy_.emplace(ProxyOptions{.clusters = std::move(clusters), .pool = pool, .extra = kReplicator});
  }
  void TearDown() override {
    if (HasFailure() && proxy_) std::cerr << proxy_->log();
    proxy_.reset();
  }

  Parameters parameters(const std::string& kind, const std::string& user = "replicator") {
    Parameters all = proxy_->parameters(user);
    all["replication"] = kind;
    return all;
  }
  // One of PostgreSQL's programs, connected as the replicator. Throws with its output when it fails.
  void program(const std::string& name, std::vector<std::string> arguments) {
    std::vector<std::string> command = {"/usr/lib/postgresql/15/bin/" + name};
    command.insert(command.end(), arguments.begin(), arguments.end());
    run({.command = command, .environment = environment()}, Milliseconds{120'000});
  }
  std::map<std::string, std::string> environment() const {
    return {{"PGHOST", "127.0.0.1"},
            {"PGPORT", std::to_string(proxy_->port())},
            {"PGUSER", "replicator"},
            {"PGPASSWORD", "replicator-secret"}};
  }
  static std::string walsenders() {
    return server_->exec("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'").value();
  }

  static inline std::unique_ptr<PgCluster> server_;
  std::optional<ProxyProcess> proxy_;
  TempDir directory_{"replication"};
};

TEST_F(ReplicationTest, ABaseBackupIsComplete) {
  start();
  server_->exec("CREATE TABLE filling AS SELECT i, repeat(md5(i::text), 20) AS t FROM generate_series(1, 40000) i");
  const std::string target = (directory_.path() / "backup").string();
  program("pg_basebackup", {"-D", target, "-X", "stream", "-c", "fast", "--no-sync"});
  program("pg_verifybackup", {target});
  EXPECT_TRUE(wait_until([] { return walsenders() == "0"; })) << "a server connection stayed";
  server_->exec("DROP TABLE filling");
}

TEST_F(ReplicationTest, ReceivedWalIsTheServersOwn) {
  start();
  Process receiver({.command = {"/usr/lib/postgresql/15/bin/pg_receivewal", "-D", directory_.path().string(), "--no-sync"},
                    .environment = environment(),
                    .output = directory_.path() / "log"});
  const std::string streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
  ASSERT_TRUE(wait_until([&] { return server_->exec(streaming).value() == "1"; })) << read_file(directory_.path() / "log");
  server_->exec("CREATE TABLE written AS SELECT generate_series(1, 50000) AS i");
  const std::string segment = server_->exec("SELECT pg_walfile_name(pg_current_wal_lsn())").value();
  server_->exec("SELECT pg_switch_wal()");
  ASSERT_TRUE(wait_until([&] { return fs::exists(directory_.path() / segment); }, Milliseconds{30'000}));
  EXPECT_TRUE(read_file(directory_.path() / segment) == read_file(server_->directory() / "pg_wal" / segment));
  receiver.signal(SIGINT);  // it ends its stream in order
  EXPECT_EQ(receiver.wait(Milliseconds{10'000}), 0) << read_file(directory_.path() / "log");
  EXPECT_TRUE(wait_until([] { return walsenders() == "0"; })) << "a server connection stayed";
  server_->exec("DROP TABLE written");
}

TEST_F(ReplicationTest, ALogicalSubscriptionFollows) {
  start();
  PgCluster subscriber;
  for (PgCluster* each : {server_.get(), &subscriber}) each->exec("CREATE TABLE followed (i int PRIMARY KEY, t text)");
  server_->exec("GRANT ALL ON followed TO app; CREATE PUBLICATION everything FOR TABLE followed");
  Connection writer = proxy_->connect();
  writer.must("INSERT INTO followed SELECT i, 'before' FROM generate_series(1, 1000) i");
  subscriber.exec("CREATE SUBSCRIPTION follower CONNECTION 'host=127.0.0.1 port=" + std::to_string(proxy_->port()) +
                  " user=replicator password=replicator-secret dbname=fediflow' PUBLICATION everything");
  const auto rows = [&](const std::string& text) {
    return subscriber.exec("SELECT count(*) FROM followed WHERE t = '" + text + "'").value();
  };
  EXPECT_TRUE(wait_until([&] { return rows("before") == "1000"; }, Milliseconds{30'000})) << subscriber.log();
  writer.must("INSERT INTO followed SELECT i, 'after' FROM generate_series(1001, 1500) i");
  writer.must("UPDATE followed SET t = 'changed' WHERE i <= 10");
  EXPECT_TRUE(wait_until([&] { return rows("after") == "500" && rows("changed") == "10"; }, Milliseconds{30'000}));
  subscriber.exec("DROP SUBSCRIPTION follower");  // its slot is dropped through the proxy
  EXPECT_EQ(server_->exec("SELECT count(*) FROM pg_replication_slots").value(), "0");
  server_->exec("DROP PUBLICATION everything; DROP TABLE followed");
}

TEST_F(ReplicationTest, QueriesAndCancelWork) {
  start();
  Connection client = Connection::open(parameters("database"));
  EXPECT_EQ(client.parameter("server_version"), server_->connect().parameter("server_version"));
  EXPECT_EQ(client.exec("IDENTIFY_SYSTEM").rows.at(0).at(3), "fediflow");
  auto slow = std::async(std::launch::async, [&] { return client.exec("SELECT pg_sleep(60)"); });
  ASSERT_TRUE(wait_until([] {
    return server_->exec("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'").value() == "1";
  }));
  EXPECT_EQ(client.cancel(), "");
  EXPECT_EQ(slow.get().sqlstate(), "57014");
  EXPECT_EQ(client.exec("SELECT 1").value(), "1");
  EXPECT_THAT(proxy_->console().exec("SHOW CLIENTS").rows.at(0).back().value_or(""), HasSubstr("replication"));
}

TEST_F(ReplicationTest, BytesAreThoseOfTheCluster) {
  start();
  auto console = proxy_->console();
  const auto bytes = [&] {
    const auto row = console.must("SHOW STATS_TOTALS").rows.at(0);
    return std::pair(std::stoull(row.at(4).value_or("")), std::stoull(row.at(5).value_or("")));
  };
  Connection client = Connection::open(parameters("database"));
  const auto before = bytes();
  client.must("IDENTIFY_SYSTEM");
  const auto after = bytes();
  EXPECT_EQ(after.first - before.first, 5u + sizeof("IDENTIFY_SYSTEM"));
  EXPECT_GT(after.second - before.second, 50u);
}

TEST_F(ReplicationTest, StartupSettingsReachTheServer) {
  start();
  Parameters with = parameters("database");
  with["options"] = "-c work_mem=3MB -c search_path=pg_catalog";
  with["application_name"] = "copier";
  Connection client = Connection::open(with);
  EXPECT_EQ(client.exec("SELECT current_setting('work_mem')").value(), "3MB");
  EXPECT_EQ(client.exec("SELECT current_setting('application_name')").value(), "copier");
}

TEST_F(ReplicationTest, TheServerDecidesWhoMay) {
  start();
  EXPECT_THAT(Connection::try_open(parameters("database", "app")).second, HasSubstr("replication"));
  Parameters wrong = parameters("database");
  wrong["password"] = "guessed";
  EXPECT_THAT(Connection::try_open(wrong).second, HasSubstr("password authentication failed"));
  // The refusals are nobody else's failure.
  EXPECT_EQ(proxy_->connect().exec("SELECT 1").value(), "1");
}

TEST_F(ReplicationTest, EachCountsInItsUsersPool) {
  start("size = 2");
  std::vector<Connection> held;
  held.push_back(Connection::open(parameters("database")));
  held.push_back(Connection::open(parameters("true")));
  EXPECT_EQ(walsenders(), "2");
  EXPECT_THAT(Connection::try_open(parameters("true")).second, HasSubstr("2 allowed"));
  held.pop_back();
  EXPECT_TRUE(wait_until([&] { return Connection::try_open(parameters("true")).first.has_value(); }));
}

TEST_F(ReplicationTest, ShutdownDoesNotWaitForIt) {
  start();
  Connection client = Connection::open(parameters("true"));
  EXPECT_EQ(proxy_->terminate(), 0);
  EXPECT_FALSE(client.exec("IDENTIFY_SYSTEM").ok());
  proxy_.reset();
  EXPECT_TRUE(wait_until([] { return walsenders() == "0"; }));
}

TEST_F(ReplicationTest, OfSeveralShardsOneMustBeNamed) {
  PgCluster second(publisher());
  create_replicator(second);
  start("size = 5", "[cluster.fediflow]\ndatabase = \"fediflow\"\n[[cluster.fediflow.shard]]\nname = \"one\"\nprimary = \"" +
                        server_->endpoint() + "\"\n[[cluster.fediflow.shard]]\nname = \"two\"\nprimary = \"" +
                        second.endpoint() + "\"\n");
  EXPECT_THAT(Connection::try_open(parameters("database")).second, HasSubstr("goes to one shard"));
  EXPECT_THAT(Connection::try_open(parameters("true")).second, HasSubstr("fediflow/one"));
  Parameters named = parameters("database");
  named["dbname"] = "fediflow/two";
  EXPECT_EQ(Connection::open(named).exec("SELECT current_setting('port')").value(), std::to_string(second.port()));
  named = parameters("true");
  named["dbname"] = "replication";  // as libpq's physical clients say
  named["options"] = "-c pgweir.shard=two";
  EXPECT_EQ(Connection::open(named).exec("SHOW port").value(), std::to_string(second.port()));
  named["options"] = "-c pgweir.shard=three";
  EXPECT_THAT(Connection::try_open(named).second, HasSubstr("has no shard \"three\""));
}

}  // namespace
}  // namespace pgweir::support
