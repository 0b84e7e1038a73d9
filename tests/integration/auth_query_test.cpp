// [auth] query: users that are not in the configuration, looked up on the server.
#include <thread>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;
using testing::Not;

class AuthQueryTest : public ProxyTest {
 protected:
  static constexpr const char* kQuery =
      "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END FROM pg_authid "
      "WHERE rolname = $1 AND rolcanlogin";

  void SetUp() override {
    // A test may have left some of them behind.
    server().exec(
        "DO $$ DECLARE r text; BEGIN FOREACH r IN ARRAY ARRAY['bob','carol','old','nologin','expired','bare','late'] "
        "LOOP EXECUTE format('DROP ROLE IF EXISTS %I', r); END LOOP; END $$; "
        "CREATE ROLE bob LOGIN PASSWORD 'bob-secret'; CREATE ROLE carol LOGIN PASSWORD 'carol-secret'; "
        "CREATE ROLE nologin PASSWORD 'nologin-secret'; CREATE ROLE bare LOGIN; "
        "CREATE ROLE expired LOGIN PASSWORD 'expired-secret' VALID UNTIL '2001-01-01'; "
        "SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'old-secret'");
  }
  void start_query(const std::string& method = "scram-sha-256", const std::string& query = kQuery,
                   const std::string& more = "", const std::string& endpoint = "") {
    ProxyOptions options{.auth = "method = \"" + method + "\"\nquery = \"" + query + "\"\nquery_user = \"postgres\"\n" + more,
                         .extra = "[[user]]\nname = \"postgres\"\npassword = \"postgres-secret\"\n",
                         .metrics = false};
    if (!endpoint.empty()) options.clusters = plain_cluster("fediflow", endpoint);
    start(std::move(options));
  }
  static std::string failure(Parameters given) { return Connection::try_open(std::move(given)).second; }
  Parameters with(const std::string& user, const std::string& password) {
    auto given = parameters(user);
    given["password"] = password;
    return given;
  }
};

TEST_F(AuthQueryTest, AUserOfTheServerLogsInWithItsVerifier) {
  NEEDS_PROXY();
  start_query();
  auto bob = connect("bob");
  EXPECT_EQ(bob.must("SELECT current_user::text").value(), "bob");  // and logs in to the server as itself
  EXPECT_EQ(connect("carol").must("SELECT current_user::text").value(), "carol");
  EXPECT_THAT(failure(with("bob", "guess")), HasSubstr("password authentication failed for user \"bob\""));
  // Those of the configuration are not asked for.
  EXPECT_EQ(connect().must("SELECT current_user::text").value(), "app");
}

TEST_F(AuthQueryTest, WhoMayNotLogInIsRefusedLikeAnUnknownUser) {
  NEEDS_PROXY();
  start_query();
  for (const char* user : {"nobody", "nologin", "expired", "bare", "bo'b", "b\xff"}) {
    EXPECT_THAT(failure(parameters(user)), HasSubstr("password authentication failed")) << user;
    EXPECT_THAT(failure(with(user, "guess")), HasSubstr("password authentication failed")) << user;
  }
  // A stranger learns nothing of databases either.
  EXPECT_THAT(failure(parameters("nobody", "elsewhere")), HasSubstr("password authentication failed"));
  EXPECT_THAT(failure(parameters("bob", "elsewhere")), HasSubstr("database \"elsewhere\" does not exist"));
}

TEST_F(AuthQueryTest, SeveralRowsOrAnotherNameAreNobodys) {
  NEEDS_PROXY();
  start_query("scram-sha-256", "SELECT rolname, rolpassword FROM pg_authid WHERE $1 <> '' AND rolname IN ('bob','carol')");
  EXPECT_THAT(failure(parameters("bob")), HasSubstr("password authentication failed"));
  start_query("scram-sha-256", "SELECT rolname, rolpassword FROM pg_authid WHERE $1 <> '' AND rolname = 'bob'");
  EXPECT_EQ(failure(parameters("bob")), "");
  EXPECT_THAT(failure(with("carol", "bob-secret")), HasSubstr("password authentication failed"));
}

TEST_F(AuthQueryTest, Md5VerifiersLogInWhereTheServerTakesThem) {
  NEEDS_PROXY();
  PgCluster takes_md5({.hba = {"local all all trust", "host all old 127.0.0.1/32 md5", "host all all 127.0.0.1/32 scram-sha-256"}});
  takes_md5.exec("SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'old-secret'");
  start_query("md5", kQuery, "", takes_md5.endpoint());
  EXPECT_EQ(connect("old").must("SELECT current_user::text").value(), "old");
  EXPECT_THAT(failure(with("old", "guess")), HasSubstr("password authentication failed for user \"old\""));
  // The method md5 takes SCRAM verifiers as PostgreSQL does.
  takes_md5.exec("CREATE ROLE bob LOGIN PASSWORD 'bob-secret'");
  EXPECT_EQ(connect("bob").must("SELECT current_user::text").value(), "bob");
  // An md5 verifier is no use for a client that must do SCRAM.
  start_query("scram-sha-256", kQuery, "", takes_md5.endpoint());
  EXPECT_THAT(failure(parameters("old")), HasSubstr("password authentication failed"));
}

TEST_F(AuthQueryTest, AnMd5VerifierCannotLogInToAServerThatWantsScram) {
  NEEDS_PROXY();
  start_query("md5");
  auto [connection, error] = Connection::try_open(parameters("old"));
  const std::string text = connection ? connection->exec("SELECT 1").error.value_or(Report{}).message : error;
  EXPECT_THAT(text, HasSubstr("SCRAM"));
}

TEST_F(AuthQueryTest, PlainMethodChecksTheVerifier) {
  NEEDS_PROXY();
  start_query("plain");
  EXPECT_EQ(connect("bob").must("SELECT current_user::text").value(), "bob");
  EXPECT_THAT(failure(with("bob", "guess")), HasSubstr("password authentication failed"));
}

TEST_F(AuthQueryTest, TrustAsksWhetherThereIsSuchAUser) {
  NEEDS_PROXY();
  start_query("trust");
  EXPECT_THAT(failure(parameters("nobody")), HasSubstr("role \"nobody\" does not exist"));
  EXPECT_THAT(failure(parameters("nologin")), HasSubstr("role \"nologin\" does not exist"));
  // There is one, though the proxy has no password to log in to the server with.
  EXPECT_THAT(failure(parameters("bob")), Not(HasSubstr("does not exist")));
}

TEST_F(AuthQueryTest, ANewPasswordCountsAfterOneFailureAtMost) {
  NEEDS_PROXY();
  start_query();
  EXPECT_EQ(failure(parameters("bob")), "");
  server().exec("ALTER ROLE bob PASSWORD 'another'");
  // The answer is cached; the failed login makes the next one ask again (not more than once a second).
  EXPECT_TRUE(wait_until([&] { return failure(with("bob", "another")).empty(); }, Milliseconds{4'000}));
  EXPECT_THAT(failure(parameters("bob")), HasSubstr("password authentication failed"));
}

TEST_F(AuthQueryTest, AnswersAreCachedAlsoTheNegativeOnes) {
  NEEDS_PROXY();
  server().exec("DROP TABLE IF EXISTS asked; CREATE TABLE asked (name text); "
                "CREATE OR REPLACE FUNCTION count_asked(n text) RETURNS TABLE (a text, b text) LANGUAGE plpgsql AS $$ BEGIN "
                "INSERT INTO public.asked VALUES (n); RETURN QUERY SELECT rolname::text, rolpassword FROM pg_authid WHERE rolname = n; END $$");
  start_query("scram-sha-256", "SELECT * FROM public.count_asked($1)");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(failure(parameters("bob")), "");
    EXPECT_NE(failure(parameters("nobody")), "");
  }
  EXPECT_EQ(server().exec("SELECT count(*) FROM asked WHERE name = 'bob'").value(), "1");
  EXPECT_EQ(server().exec("SELECT count(*) FROM asked WHERE name = 'nobody'").value(), "1");
  // A reload forgets.
  proxy().reload_file(proxy().config_text());
  ASSERT_TRUE(proxy().wait_for_log("was reloaded"));
  EXPECT_TRUE(wait_until([&] {
    EXPECT_EQ(failure(parameters("bob")), "");
    return server().exec("SELECT count(*) FROM asked WHERE name = 'bob'").value() == "2";
  }));
}

TEST_F(AuthQueryTest, AServerThatDoesNotAnswerDelaysNobodyElse) {
  NEEDS_PROXY();
  start_query("scram-sha-256", "SELECT rolname, rolpassword FROM pg_authid, pg_sleep(CASE $1 WHEN 'carol' THEN 60 ELSE 0 END) WHERE rolname = $1");
  EXPECT_EQ(failure(parameters("bob")), "");
  std::string told;
  std::thread slow([&, given = parameters("carol")] { told = failure(given); });
  ASSERT_TRUE(wait_until([] { return backends("true") >= 0 && server_->exec("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").value() == "1"; }));
  // Others of the same worker, also new ones whose answer is known.
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(connect().must("SELECT 1").value(), "1");
  EXPECT_EQ(failure(parameters("bob")), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  slow.join();
  EXPECT_THAT(told, HasSubstr("the password of user \"carol\" could not be looked up"));
}

// As docs/configuration.md shows it.
TEST_F(AuthQueryTest, AnUnprivilegedQueryUserAsksThroughAFunction) {
  NEEDS_PROXY();
  server().exec(
      "DROP SCHEMA IF EXISTS lookups CASCADE; DROP ROLE IF EXISTS asker; CREATE SCHEMA lookups; "
      "CREATE ROLE asker LOGIN PASSWORD 'asker-secret'; GRANT USAGE ON SCHEMA lookups TO asker; "
      "CREATE FUNCTION lookups.lookup(name text, OUT rolname name, OUT rolpassword text) RETURNS SETOF record "
      "LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog "
      "AS $$ SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END "
      "FROM pg_authid WHERE rolname = $1 AND rolcanlogin AND NOT rolsuper $$; "
      "REVOKE EXECUTE ON FUNCTION lookups.lookup FROM PUBLIC; GRANT EXECUTE ON FUNCTION lookups.lookup TO asker");
  start(ProxyOptions{.auth = "query = \"SELECT rolname, rolpassword FROM lookups.lookup($1)\"\nquery_user = \"asker\"",
                     .extra = "[[user]]\nname = \"asker\"\npassword = \"asker-secret\"\n",
                     .metrics = false});
  EXPECT_EQ(connect("bob").must("SELECT current_user::text").value(), "bob");
  for (const char* user : {"postgres", "nologin", "expired"})
    EXPECT_THAT(failure(parameters(user)), HasSubstr("password authentication failed")) << user;
}

TEST_F(AuthQueryTest, AQueryThatFailsIsToldInTheLogOnly) {
  NEEDS_PROXY();
  start_query("scram-sha-256", "SELECT secret_column, rolpassword FROM pg_authid WHERE rolname = $1");
  const std::string text = failure(parameters("bob"));
  EXPECT_THAT(text, HasSubstr("the password of user \"bob\" could not be looked up"));
  EXPECT_THAT(text, Not(HasSubstr("secret_column")));
  EXPECT_TRUE(proxy().wait_for_log("column \"secret_column\" does not exist"));
  EXPECT_EQ(failure(parameters()), "");
}

TEST_F(AuthQueryTest, TheConnectionComesBackAfterARestart) {
  NEEDS_PROXY();
  PgCluster shaky;
  shaky.exec("CREATE ROLE bob LOGIN PASSWORD 'bob-secret'; CREATE ROLE carol LOGIN PASSWORD 'carol-secret'");
  start_query("scram-sha-256", kQuery, "query_database = \"postgres\"\n", shaky.endpoint());
  EXPECT_EQ(failure(parameters("bob")), "");
  EXPECT_EQ(shaky.exec("SELECT count(*) FROM pg_stat_activity WHERE usename = 'postgres' AND datname = 'postgres' AND application_name = 'pgweir'").value(), "1");
  shaky.restart();
  EXPECT_EQ(failure(parameters("carol")), "");
}

}  // namespace
}  // namespace pgweir::support
