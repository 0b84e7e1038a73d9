// Who may come in, and what is said to those who may not.
#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;
using testing::Not;

class LoginTest : public ProxyTest {
 protected:
  // The text of a failed connection; empty when it succeeded.
  static std::string failure(Parameters given) { return Connection::try_open(std::move(given)).second; }
};

TEST_F(LoginTest, AWrongPasswordAndAnUnknownUserReadAlike) {
  NEEDS_PROXY();
  auto wrong = parameters();
  wrong["password"] = "guess";
  EXPECT_THAT(failure(wrong), HasSubstr("password authentication failed for user \"app\""));
  auto unknown = parameters("nobody");
  EXPECT_THAT(failure(unknown), HasSubstr("password authentication failed for user \"nobody\""));
  auto empty = parameters();
  empty["password"] = "";
  EXPECT_NE(failure(empty), "");
  EXPECT_EQ(failure(parameters()), "");
}

TEST_F(LoginTest, AnUnknownDatabaseIsNamed) {
  NEEDS_PROXY();
  EXPECT_THAT(failure(parameters("app", "elsewhere")), HasSubstr("database \"elsewhere\" does not exist"));
  // Only after the password: a stranger learns nothing of databases.
  auto stranger = parameters("app", "elsewhere");
  stranger["password"] = "guess";
  EXPECT_THAT(failure(stranger), HasSubstr("password authentication failed"));
}

TEST_F(LoginTest, TlsIsDemandedWhereConfigured) {
  NEEDS_PROXY();
  start(ProxyOptions{.tls_client = "require"});
  EXPECT_NE(failure(parameters()), "");
  auto with_tls = parameters();
  with_tls["sslmode"] = "verify-full";
  with_tls["sslrootcert"] = certificates().ca;
  auto connection = Connection::open(with_tls);
  EXPECT_TRUE(connection.uses_tls());
  EXPECT_EQ(connection.must("SELECT 1").value(), "1");
  with_tls["channel_binding"] = "require";
  EXPECT_EQ(failure(with_tls), "");
}

TEST_F(LoginTest, TlsIsRefusedWhereDisabledAndUsedWhereAllowed) {
  NEEDS_PROXY();
  start(ProxyOptions{.tls_client = "disable"});
  auto with_tls = parameters();
  with_tls["sslmode"] = "require";
  EXPECT_THAT(failure(with_tls), HasSubstr("does not support SSL"));
  start(ProxyOptions{.tls_client = "allow"});
  with_tls["port"] = std::to_string(port());
  EXPECT_EQ(failure(with_tls), "");
  EXPECT_EQ(failure(parameters()), "");
}

TEST_F(LoginTest, TheServerMayDemandTls) {
  NEEDS_PROXY();
  PgCluster strict({.hba = {"local all all trust", "hostssl all all 127.0.0.1/32 scram-sha-256"}});
  start(ProxyOptions{.clusters = plain_cluster("fediflow", strict.endpoint()), .tls_server = "require"});
  EXPECT_EQ(connect().must("SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()").value(), "true");
  // And the proxy may demand it of a server.
  start(ProxyOptions{.clusters = plain_cluster("fediflow", strict.endpoint()), .tls_server = "disable"});
  auto [connection, error] = Connection::try_open(parameters());
  const std::string text = connection ? connection->exec("SELECT 1").error.value_or(Report{}).message : error;
  EXPECT_THAT(text, HasSubstr("no encryption"));
}

TEST_F(LoginTest, TheServersVerdictOnItsPasswordReachesTheClient) {
  NEEDS_PROXY();
  start(ProxyOptions{.extra = "[[user]]\nname = \"mallory\"\npassword = \"m\"\nserver_user = \"app\"\n"
                              "server_password = \"not this\"\n"});
  auto as_mallory = parameters("mallory");
  as_mallory["password"] = "m";
  auto [connection, error] = Connection::try_open(as_mallory);
  const std::string text = connection ? connection->exec("SELECT 1").error.value_or(Report{}).message : error;
  EXPECT_THAT(text, HasSubstr("password authentication failed for user \"app\""));
  EXPECT_THAT(text, Not(HasSubstr("not this")));
  // Another user's sessions are untouched by it.
  EXPECT_EQ(connect().must("SELECT 1").value(), "1");
}

TEST_F(LoginTest, AnUnreachableServerIsNamedAndTheSessionServesAgainWhenItIsBack) {
  NEEDS_PROXY();
  PgCluster shaky;
  start(ProxyOptions{.clusters = plain_cluster("fediflow", shaky.endpoint()), .pool = "size = 2"});
  auto connection = connect();
  connection.must("SELECT 1");
  shaky.stop();
  const auto down = connection.exec("SELECT 1");
  ASSERT_FALSE(down.ok());
  EXPECT_EQ(down.sqlstate().substr(0, 2) == "08" || down.sqlstate() == "57P01" || down.sqlstate() == "57P03", true)
      << down;
  ASSERT_TRUE(connection.alive()) << down;
  const auto still_down = connection.exec("SELECT 1");
  EXPECT_EQ(still_down.sqlstate().substr(0, 2), "08") << still_down;
  EXPECT_THAT(still_down.error->message, HasSubstr("main"));
  shaky.start();
  EXPECT_TRUE(wait_until([&] { return connection.exec("SELECT 1").ok(); }, Milliseconds{2'000}));
}

TEST_F(LoginTest, ParametersAreToldAsTheServerTellsThem) {
  auto connection = connect();
  auto straight = server().connect();
  for (const char* name :
       {"server_version", "server_encoding", "client_encoding", "DateStyle", "IntervalStyle", "TimeZone",
        "integer_datetimes", "standard_conforming_strings", "is_superuser", "session_authorization", "in_hot_standby",
        "default_transaction_read_only", "application_name"}) {
    EXPECT_EQ(connection.parameter(name), straight.parameter(name)) << name;
  }
  EXPECT_NE(connection.backend_pid(), 0);
}

TEST_F(LoginTest, StartupOptionsAreSettings) {
  auto given = parameters();
  given["application_name"] = "billing";
  given["options"] = "-c statement_timeout=12345 --search_path=\"a\\ b\",public -c app.tenant=t1";
  given["client_encoding"] = "LATIN1";
  auto connection = Connection::open(given);
  EXPECT_EQ(connection.parameter("application_name"), "billing");
  EXPECT_EQ(connection.parameter("client_encoding"), "LATIN1");
  EXPECT_EQ(connection.must("SHOW statement_timeout").value(), "12345ms");
  EXPECT_EQ(connection.must("SHOW application_name").value(), "billing");
  EXPECT_EQ(connection.must("SHOW search_path").value(), "\"a b\",public");
  EXPECT_EQ(connection.must("SHOW app.tenant").value(), "t1");
  // RESET means the startup value, not the server's.
  connection.must("SET statement_timeout = 1");
  connection.must("RESET statement_timeout");
  EXPECT_EQ(connection.must("SHOW statement_timeout").value(), "12345ms");
  EXPECT_EQ(connect().must("SHOW statement_timeout").value(), "0");
}

TEST_F(LoginTest, AnInvalidStartupSettingIsRefusedAsPostgresqlDoes) {
  auto given = parameters();
  given["options"] = "-c statement_timeout=soon";
  auto [connection, error] = Connection::try_open(given);
  const std::string text = connection ? connection->exec("SELECT 1").error.value_or(Report{}).message : error;
  EXPECT_THAT(text, HasSubstr("invalid value for parameter \"statement_timeout\": \"soon\""));
  EXPECT_EQ(connect().must("SELECT 1").value(), "1");
}

TEST_F(LoginTest, OneClientMoreThanAllowedIsRefused) {
  NEEDS_PROXY();
  start(ProxyOptions{.listen_extra = "max_clients = 3"});
  std::vector<Connection> all;
  for (int i = 0; i < 3; ++i) all.push_back(connect());
  EXPECT_THAT(failure(parameters()), HasSubstr("too many"));
  all.pop_back();
  EXPECT_TRUE(wait_until([&] { return failure(parameters()).empty(); }));
  EXPECT_EQ(all[0].must("SELECT 1").value(), "1");
}

}  // namespace
}  // namespace pgweir::support
