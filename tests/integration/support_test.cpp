// The test support itself, against PostgreSQL without a proxy: what the other tests rely on.
#include <gtest/gtest.h>

#include "tests/support/demo_cluster.h"
#include "tests/support/pg_cluster.h"

namespace pgweir::support {
namespace {

TEST(PgClusterTest, ServesWithTlsAndScram) {
  PgCluster server;
  EXPECT_EQ(server.connect().must("SELECT current_user").value(), "app");
  Connection tls = Connection::open({{"host", "127.0.0.1"},
                                     {"port", std::to_string(server.port())},
                                     {"user", "app"},
                                     {"password", "app-secret"},
                                     {"dbname", "fediflow"},
                                     {"sslmode", "verify-full"},
                                     {"sslrootcert", certificates().ca}});
  EXPECT_TRUE(tls.uses_tls());
  const auto [refused, error] = Connection::try_open(
      {{"port", std::to_string(server.port())}, {"user", "app"}, {"password", "wrong"}, {"dbname", "fediflow"}});
  EXPECT_FALSE(refused.has_value());
  EXPECT_NE(error.find("password authentication failed"), std::string::npos) << error;
}

TEST(PgClusterTest, ComesBackAfterKillWithItsData) {
  PgCluster server({.fsync = true});
  server.connect().must("CREATE TABLE kept AS SELECT 7 AS a");
  server.kill9();
  EXPECT_FALSE(server.running());
  EXPECT_FALSE(accepts(server.port()));
  server.start();
  EXPECT_EQ(server.connect().must("SELECT a FROM kept").value(), "7");
}

TEST(PgClusterTest, ReplicaFollowsAndIsPromoted) {
  PgCluster primary;
  auto replica = primary.make_replica();
  primary.connect().must("CREATE TABLE followed AS SELECT 7 AS a");
  replica->wait_for_replay_of(primary);
  Connection connection = replica->connect();
  EXPECT_EQ(connection.must("SELECT a FROM followed").value(), "7");
  EXPECT_EQ(connection.exec("INSERT INTO followed VALUES (8)").sqlstate(), "25006");
  primary.kill9();
  replica->promote();
  EXPECT_TRUE(replica->connect().exec("INSERT INTO followed VALUES (8)").ok());
}

TEST(ConnectionTest, KeepsNullsTypesErrorsAndNotices) {
  PgCluster server;
  Connection connection = server.connect();
  const QueryResult result = connection.params("SELECT $1::int AS number, $2::text AS word", {"4", std::nullopt});
  ASSERT_TRUE(result.ok()) << result;
  EXPECT_EQ(result.columns, (std::vector<std::string>{"number", "word"}));
  EXPECT_EQ(result.types, (std::vector<Oid>{23, 25}));
  EXPECT_EQ(result.rows, (std::vector<Row>{{"4", std::nullopt}}));
  const QueryResult failed = connection.exec("SELECT 1/0");
  EXPECT_EQ(failed.sqlstate(), "22012");
  EXPECT_EQ(failed.error->routine, "int4div");
  connection.must("DO $$ BEGIN RAISE NOTICE 'look'; END $$");
  const auto notices = connection.take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].message, "look");
  EXPECT_EQ(connection.exec_all("SELECT 1; SELECT 2; SELECT x").size(), 3U);
}

TEST(ConnectionTest, CopiesBothWaysAndPipelines) {
  PgCluster server;
  Connection connection = server.connect();
  connection.must("CREATE TABLE copied (a int, b text)");
  EXPECT_EQ(connection.copy_in("COPY copied FROM STDIN", "1\tone\n2\t\\N\n").tag, "COPY 2");
  EXPECT_EQ(connection.copy_in("COPY copied FROM STDIN", "x\tone\n").sqlstate(), "22P02");
  const auto [result, data] = connection.copy_out("COPY copied TO STDOUT");
  EXPECT_EQ(data, "1\tone\n2\t\\N\n") << result;
  ASSERT_TRUE(connection.enter_pipeline());
  ASSERT_TRUE(connection.send_params("SELECT $1::int", {"1"}));
  ASSERT_TRUE(connection.send_params("SELECT $1::int", {"2"}));
  ASSERT_TRUE(connection.sync());
  EXPECT_EQ(connection.next()->value(), "1");
  EXPECT_FALSE(connection.next().has_value());
  EXPECT_EQ(connection.next()->value(), "2");
  EXPECT_FALSE(connection.next().has_value());
  EXPECT_EQ(connection.next()->status, PGRES_PIPELINE_SYNC);
  EXPECT_TRUE(connection.exit_pipeline());
}

TEST(DemoClusterTest, HasTablesRowsAndConfiguration) {
  DemoCluster cluster(DemoCluster::Options{.replicas = true});
  Connection connection = cluster.eu1().connect();
  create_demo_tables(connection);
  const std::size_t rows = load_demo_rows(connection, 0.01);
  EXPECT_GT(rows, 1'500U);
  EXPECT_EQ(connection.must("SELECT count(*) FROM activities").value(), "700");
  cluster.wait_for_replicas();
  EXPECT_EQ(cluster.eu1_replica().connect().must("SELECT count(*) FROM activities").value(), "700");
  EXPECT_NE(cluster.config().find("primary = \"" + cluster.us1().endpoint() + "\""), std::string::npos);
  EXPECT_EQ(cluster.config().find("@US1"), std::string::npos);
  DemoCluster bare;
  EXPECT_EQ(bare.config().find("@EU1_REPLICA@"), std::string::npos);
}

}  // namespace
}  // namespace pgweir::support
