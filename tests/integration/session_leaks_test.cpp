// What one client leaves on a server must never be met by the next one: custom settings that functions made, sequence
// values, temporary objects of every kind. And the client's own must not get lost.
#include <sstream>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class SessionLeaksTest : public ProxyTest {
 protected:
  void SetUp() override { default_pool_size = 1; }
  void start_trusting(const std::string& pool_lines = "") {
    start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1\n" + pool_lines});
  }
  RawClient raw(const std::vector<std::pair<std::string, std::string>>& more = {}) {
    RawClient client(port());
    client.log_in(kVersion30, more);
    return client;
  }
  // The value of a custom setting, nothing where the session never had it.
  static Cell custom(Connection& connection, const std::string& name) {
    return connection.must("SELECT current_setting('" + name + "', true)").rows[0][0];
  }
  static std::string clients(ProxyProcess& proxy) {
    std::ostringstream shown;
    shown << proxy.console().must("SHOW CLIENTS");
    return shown.str();
  }
  // `set` gives the client this value; it has it ever after, and nobody else sees it.
  void expect_own(const std::string& set, const std::string& name, const std::string& value) {
    auto one = connect(), two = connect();
    EXPECT_OK(one.exec(set));
    EXPECT_EQ(custom(one, name), value) << set;
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(custom(two, name), std::nullopt) << set;
      EXPECT_EQ(custom(one, name), value) << set;
    }
    one.close();
    auto three = connect();
    EXPECT_EQ(custom(three, name), std::nullopt) << set;
    EXPECT_EQ(custom(two, name), std::nullopt) << set;
  }
  // The body of a function leaky(t text), made directly on the server: the proxy has not read the catalog since.
  static void leaky(const std::string& rest) {
    server().exec("DROP FUNCTION IF EXISTS leaky(text); CREATE FUNCTION leaky(t text) RETURNS text " + rest +
                  "; GRANT EXECUTE ON FUNCTION leaky(text) TO app");
  }
  static void sequences() {
    server().exec(
        "DROP TABLE IF EXISTS numbered; DROP SEQUENCE IF EXISTS moved; CREATE SEQUENCE moved; GRANT ALL ON SEQUENCE moved TO "
        "app; CREATE TABLE numbered (id serial, v int); GRANT ALL ON numbered, numbered_id_seq TO app");
  }
};

TEST_F(SessionLeaksTest, ACustomSettingThatAFunctionMakesIsItsClients) {
  leaky("LANGUAGE plpgsql AS $$ BEGIN RETURN set_config('app.first', t, false); END $$");
  expect_own("SELECT leaky('alice')", "app.first", "alice");
}

TEST_F(SessionLeaksTest, ACustomSettingOfAFunctionThatChangedBehindTheProxyIsItsClients) {
  leaky("LANGUAGE sql AS 'SELECT t'");
  connect().must("SELECT leaky('nothing')");
  leaky("LANGUAGE plpgsql AS $$ BEGIN PERFORM t; SET SESSION app . \"Second\" = 'bob'; RETURN ''; END $$");
  expect_own("SELECT leaky('')", "app.Second", "bob");
}

TEST_F(SessionLeaksTest, ACustomSettingOfAFunctionMadeInTheSameTransactionIsItsClients) {
  expect_own(
      "BEGIN; CREATE OR REPLACE FUNCTION pg_temp.own() RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.third', 'carol', "
      "false) $$; SELECT pg_temp.own(); DROP FUNCTION pg_temp.own(); COMMIT",
      "app.third", "carol");
}

TEST_F(SessionLeaksTest, ACustomSettingOfAStableFunctionIsItsClients) {
  leaky("LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN set_config('app.stable', t, false); END $$");
  expect_own("SELECT leaky('stella')", "app.stable", "stella");
}

TEST_F(SessionLeaksTest, ACustomSettingOfASqlStandardBodyIsItsClients) {
  leaky("LANGUAGE sql BEGIN ATOMIC SELECT set_config('app.fourth', t, false); END");
  expect_own("SELECT leaky('dora')", "app.fourth", "dora");
}

TEST_F(SessionLeaksTest, ACustomSettingBehindATriggerOrAViewIsItsClients) {
  server().exec(
      "CREATE TABLE IF NOT EXISTS watched (a text); CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ "
      "BEGIN EXECUTE 'SET app.fifth = ' || quote_literal(NEW.a); RETURN NEW; END $$; CREATE OR REPLACE TRIGGER note BEFORE "
      "INSERT ON watched FOR EACH ROW EXECUTE FUNCTION note(); GRANT ALL ON watched TO app; CREATE OR REPLACE VIEW setting "
      "AS SELECT set_config('app.sixth', 'fred', false) AS s; GRANT SELECT ON setting TO app");
  expect_own("INSERT INTO watched VALUES ('eve')", "app.fifth", "eve");
  expect_own("SELECT * FROM setting", "app.sixth", "fred");
}

TEST_F(SessionLeaksTest, ANameGivenAsAParameterIsReadFromTheBind) {
  auto one = connect(), two = connect();
  EXPECT_EQ(one.params("SELECT set_config($1, $2, false)", {"app.bound", "gina"}).value(), "gina");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(custom(two, "app.bound"), std::nullopt);
    EXPECT_EQ(custom(one, "app.bound"), "gina");
  }
}

TEST_F(SessionLeaksTest, ASettingWhoseNameNobodyKnowsKeepsItsServer) {
  default_pool_size = 2;
  leaky("LANGUAGE sql AS $$ SELECT set_config('app.' || t, t, false) $$");
  const std::pair<const char*, const char*> ways[] = {
      {"DO $$ BEGIN PERFORM set_config('app.' || 'x1', 'x1', false); END $$", "x1"},
      {"SELECT set_config(concat('app.', 'x2'), 'x2', false)", "x2"},
      {"DO $$ DECLARE n text := 'x3'; BEGIN EXECUTE format('SET app.%I = %L', n, n); END $$", "x3"},
      {"SELECT leaky('x4')", "x4"},
      {"PREPARE p (text) AS SELECT set_config('app.' || $1, $1, false); EXECUTE p('x5'); DEALLOCATE p", "x5"}};
  for (const auto& [sql, value] : ways) {
    expect_own(sql, std::string("app.") + value, value);
    if (direct()) continue;
    auto pinned = connect();
    EXPECT_OK(pinned.exec(sql));
    EXPECT_TRUE(wait_until([&] { return clients(proxy()).find("custom_setting") != std::string::npos; })) << sql;
  }
}

TEST_F(SessionLeaksTest, AFunctionCalledByTheProtocolLeavesNothingToOthers) {
  leaky("LANGUAGE sql AS $$ SELECT set_config('app.called', t, false) $$");
  const auto oid = static_cast<std::uint32_t>(std::stoul(server().exec("SELECT 'leaky'::regproc::oid").value()));
  start_trusting();
  auto one = raw();
  const auto argument = [](std::string_view text) { return raw_int32(static_cast<std::uint32_t>(text.size())) + std::string(text); };
  one.send(raw_message('F', raw_int32(oid) + raw_int16(0) + raw_int16(1) + argument("x") + raw_int16(0)));
  EXPECT_EQ(raw_types(one.receive_until('Z')), "VZ");
  // set_config itself
  one.send(raw_message('F', raw_int32(2078) + raw_int16(0) + raw_int16(3) + argument("app.direct") + argument("y") + argument("f") + raw_int16(0)));
  EXPECT_EQ(raw_types(one.receive_until('Z')), "VZ");
  auto two = connect();
  EXPECT_EQ(custom(two, "app.called"), std::nullopt);
  EXPECT_EQ(custom(two, "app.direct"), std::nullopt);
  const auto rows = one.query("SELECT current_setting('app.called') || current_setting('app.direct')");
  EXPECT_NE(raw_find(rows, 'D').body.find("xy"), std::string::npos);
}

TEST_F(SessionLeaksTest, SetLocalLeavesNothingToOthers) {
  auto one = connect(), two = connect();
  one.must("BEGIN");
  one.must("SET LOCAL app.local = 'h'");
  EXPECT_EQ(custom(one, "app.local"), "h");
  one.must("COMMIT");
  EXPECT_EQ(custom(two, "app.local"), std::nullopt);
  EXPECT_EQ(custom(one, "app.local"), "");  // as on a direct connection
}

TEST_F(SessionLeaksTest, LastvalInABlockIsNotAnothers) {
  sequences();
  auto one = connect(), two = connect();
  one.must("SELECT nextval('moved')");
  two.must("BEGIN");
  EXPECT_SQLSTATE(two.exec("SELECT lastval()"), "55000");
  two.must("ROLLBACK");
  one.must("SELECT nextval('moved')");
  two.must("BEGIN; INSERT INTO numbered (v) VALUES (1)");
  EXPECT_SQLSTATE(two.exec("SELECT currval('moved')"), "55000");
  two.must("ROLLBACK");
}

TEST_F(SessionLeaksTest, LastvalOfABatchIsNotAnothers) {
  sequences();
  start_trusting();
  auto one = connect();
  one.must("SELECT nextval('moved')");
  auto two = raw();
  two.send(raw_parse("", "BEGIN") + raw_bind("", "") + raw_execute("") + raw_parse("", "SELECT lastval()") + raw_bind("", "") +
           raw_execute("") + raw_sync());
  const auto replies = two.receive_until('Z');
  EXPECT_EQ(raw_field(raw_find(replies, 'E').body, 'C'), "55000");
  EXPECT_EQ(raw_find(replies, 'Z').body, "E");
}

TEST_F(SessionLeaksTest, OwnSequenceValuesOfABlockStay) {
  sequences();
  auto one = connect(), two = connect();
  for (int i = 0; i < 3; ++i) {
    const auto others = two.must("SELECT nextval('moved')").value();
    one.must("BEGIN");
    const auto id = one.must("INSERT INTO numbered (v) VALUES (1) RETURNING id").value();
    EXPECT_EQ(one.must("SELECT lastval()").value(), id);
    EXPECT_EQ(one.params("SELECT currval('numbered_id_seq')", {}).value(), id);
    const auto seen = one.exec("SELECT currval('moved')");
    EXPECT_TRUE(seen.sqlstate() == "55000" || seen.value() != others) << seen;
    one.must("ROLLBACK");
    const auto moved = one.must("SELECT nextval('moved')").value();
    EXPECT_EQ(one.must("SELECT currval('moved')").value(), moved);  // nobody was there in between
  }
}

// One's own value of an earlier transaction is as wrong as another's when a later one has moved the sequence elsewhere.
TEST_F(SessionLeaksTest, AnOldValueOnAnotherServerIsNotTold) {
  if (!direct()) start(2);
  sequences();
  auto one = connect(), other = connect(), third = connect();
  const auto first = one.must("SELECT pg_backend_pid(), nextval('moved')");
  other.must("BEGIN; SELECT 1");
  const auto second = one.must("SELECT pg_backend_pid(), nextval('moved')");
  third.must(direct() ? "SELECT 1" : "BEGIN; SELECT 1");
  if (!direct()) {
    ASSERT_NE(first.rows[0][0], second.rows[0][0]);
  }
  other.must("COMMIT");  // now the first server alone is free
  const auto last = one.exec("SELECT lastval()");
  if (last.ok())
    EXPECT_EQ(last.value(), second.rows[0][1].value());
  else
    EXPECT_EQ(last.sqlstate(), "55000");
}

TEST_F(SessionLeaksTest, SequencesThatCopyOrAFunctionMovedAreNotTold) {
  sequences();
  leaky("LANGUAGE plpgsql AS $$ BEGIN RETURN CASE t WHEN '' THEN lastval() ELSE nextval(t) END; END $$");
  auto one = connect(), two = connect();
  EXPECT_OK(one.copy_in("COPY numbered (v) FROM STDIN", "1\n"));
  EXPECT_SQLSTATE(two.exec("SELECT lastval()"), "55000");
  one.must("SELECT leaky('moved')");
  EXPECT_SQLSTATE(two.exec("SELECT lastval()"), "55000");
  one.must("SELECT nextval('moved')");
  EXPECT_SQLSTATE(two.exec("SELECT leaky('')"), "55000");
}

TEST_F(SessionLeaksTest, ABatchThatUsesSequencesStaysOneTransaction) {
  sequences();
  start_trusting();
  auto one = connect();
  one.must("SELECT nextval('moved')");
  auto two = raw();
  const auto step = [](const char* sql) { return raw_parse("", sql) + raw_bind("", "") + raw_execute(""); };
  two.send(step("INSERT INTO numbered (v) VALUES (7)") + step("SELECT nextval('moved')") + step("SELECT lastval()") +
           step("SELECT 1/0") + raw_sync());
  EXPECT_EQ(raw_field(raw_find(two.receive_until('Z'), 'E').body, 'C'), "22012");
  EXPECT_EQ(one.must("SELECT count(*) FROM numbered").value(), "0");
  // A named statement and an open unnamed one live through it.
  two.send(raw_parse("kept", "SELECT 'kept'") + raw_parse("", "SELECT 'unnamed'") + raw_sync());
  two.receive_until('Z');
  one.must("SELECT nextval('moved')");
  two.send(raw_parse("l", "SELECT nextval('moved')") + raw_bind("", "l") + raw_execute("") + raw_bind("", "") + raw_execute("") +
           raw_bind("", "kept") + raw_execute("") + raw_sync());
  EXPECT_EQ(raw_types(two.receive_until('Z')), "12DC2DC2DCZ");
}

TEST_F(SessionLeaksTest, ASequenceStatementBehindAnErrorDoesNotHoldTheServer) {
  sequences();
  start_trusting();
  auto one = connect();
  auto two = raw();
  two.send(raw_parse("lv", "SELECT lastval()") + raw_sync());
  two.receive_until('Z');
  one.must("SELECT nextval('moved')");
  two.send(raw_parse("", "selec") + raw_flush());
  two.receive_until('E');
  two.send(raw_bind("", "lv") + raw_execute("") + raw_sync());
  EXPECT_EQ(raw_types(two.receive_until('Z')), "Z");
  EXPECT_EQ(raw_types(two.query("SELECT 1")), "TDCZ");
  EXPECT_EQ(one.must("SELECT 1").value(), "1");
  EXPECT_EQ(raw_field(raw_find(two.query("SELECT lastval()"), 'E').body, 'C'), "55000");
}

TEST_F(SessionLeaksTest, TemporaryObjectsOfEveryKindStayWithTheirClient) {
  default_pool_size = 2;
  const std::pair<const char*, const char*> objects[] = {
      {"CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 5'", "SELECT pg_temp.mine()"},
      {"CREATE TYPE pg_temp.mood AS ENUM ('a')", "SELECT 'a'::pg_temp.mood"},
      {"CREATE TYPE pg_temp.pair AS (a int)", "SELECT '(1)'::pg_temp.pair"},
      {"CREATE DOMAIN pg_temp.small AS int", "SELECT 1::pg_temp.small"},
      {"DO $$ BEGIN CREATE DOMAIN pg_temp.hidden AS int; END $$", "SELECT 1::pg_temp.hidden"},
      {"SET search_path = pg_temp, public; CREATE TYPE unqualified AS ENUM ('a')", "SELECT 'a'::pg_temp.unqualified"},
      {"CREATE OPERATOR pg_temp.### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)", "SELECT 1 OPERATOR(pg_temp.###) 2"},
      {"CREATE TEXT SEARCH CONFIGURATION pg_temp.words (COPY = simple)", "SELECT to_tsvector('pg_temp.words', 'x')"}};
  for (const auto& [make, use] : objects) {
    auto one = connect(), two = connect();
    EXPECT_OK(one.exec(make));
    for (int i = 0; i < 2; ++i) {
      EXPECT_FALSE(two.exec(use).ok()) << use;
      EXPECT_OK(one.exec(use));
    }
  }
}

TEST_F(SessionLeaksTest, ResettingDoesNotMakeReportedSettingsFlap) {
  NEEDS_PROXY();
  start_trusting();
  auto client = raw({{"DateStyle", "SQL, DMY"}, {"application_name", "mine"}});
  for (const char* reset : {"DISCARD ALL", "RESET ALL", "RESET DateStyle", "SET DateStyle TO DEFAULT"}) {
    EXPECT_EQ(raw_types(client.query(reset)), "CZ") << reset;
    EXPECT_EQ(raw_types(client.query("SELECT date '2024-02-01'")), "TDCZ") << reset;
    // One that has left the startup value comes back to it, and is told so at once.
    EXPECT_EQ(raw_find(client.query("SET DateStyle = 'German'"), 'S').body, raw_text("DateStyle") + raw_text("German, DMY"));
    EXPECT_EQ(raw_find(client.query(reset), 'S').body, raw_text("DateStyle") + raw_text("SQL, DMY")) << reset;
    const auto rows = client.query("SELECT date '2024-02-01'");
    EXPECT_EQ(raw_types(rows), "TDCZ") << reset;
    EXPECT_NE(raw_find(rows, 'D').body.find("01/02/2024"), std::string::npos) << reset;
  }
  // Also where the client keeps its server.
  client.query("CREATE TEMP TABLE kept (a int)");
  EXPECT_EQ(raw_types(client.query("RESET DateStyle")), "CZ");
  EXPECT_NE(raw_find(client.query("SELECT date '2024-02-01'"), 'D').body.find("01/02/2024"), std::string::npos);
  client.query("DROP TABLE kept");
  // What was sent behind it without waiting meets the startup values, too.
  client.send(raw_query("DISCARD ALL") + raw_query("SELECT date '2024-02-01'"));
  EXPECT_EQ(raw_types(client.receive_until('Z')), "CZ");
  EXPECT_NE(raw_find(client.receive_until('Z'), 'D').body.find("01/02/2024"), std::string::npos);
}

}  // namespace
}  // namespace pgweir::support
