// Settings and other session state in transaction mode: two clients on one server never see each other's.
#include <map>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class SessionStateTest : public ProxyTest {
 protected:
  void SetUp() override { default_pool_size = 1; }
  static std::string show(Connection& connection, const std::string& name) {
    return connection.must("SHOW " + name).value();
  }
};

TEST_F(SessionStateTest, EverySettingStaysWithItsClient) {
  auto one = connect(), two = connect();
  struct Setting {
    const char* name;
    const char* value;
    const char* other;
  };
  const Setting all[] = {{"DateStyle", "SQL, DMY", "German, DMY"},
                         {"TimeZone", "Asia/Tokyo", "Europe/Berlin"},
                         {"search_path", "one, public", "two"},
                         {"application_name", "first", "second"},
                         {"statement_timeout", "7s", "8s"},
                         {"work_mem", "5MB", "6MB"},
                         {"extra_float_digits", "0", "2"},
                         {"IntervalStyle", "iso_8601", "sql_standard"},
                         {"bytea_output", "escape", "hex"},
                         {"standard_conforming_strings", "off", "on"},
                         {"lock_timeout", "3s", "4s"},
                         {"client_min_messages", "warning", "error"},
                         {"default_transaction_isolation", "serializable", "repeatable read"},
                         {"idle_in_transaction_session_timeout", "9s", "10s"}};
  std::map<std::string, std::string> ones, twos;
  for (const auto& setting : all) {
    // Lists are given as lists, the rest as literals.
    const bool list = std::string(setting.name) == "search_path";
    const auto literal = [&](const char* value) { return list ? std::string(value) : "'" + std::string(value) + "'"; };
    one.must("SET " + std::string(setting.name) + " = " + literal(setting.value));
    two.must("SET " + std::string(setting.name) + " TO " + literal(setting.other));
    ones[setting.name] = show(one, setting.name);
    twos[setting.name] = show(two, setting.name);
    EXPECT_NE(ones[setting.name], twos[setting.name]) << setting.name;
  }
  for (int round = 0; round < 3; ++round)
    for (const auto& setting : all) {
      EXPECT_EQ(show(one, setting.name), ones[setting.name]) << setting.name;
      EXPECT_EQ(show(two, setting.name), twos[setting.name]) << setting.name;
    }
  auto fresh = connect();
  auto straight = server().connect();
  for (const auto& setting : all) EXPECT_EQ(show(fresh, setting.name), show(straight, setting.name)) << setting.name;
}

TEST_F(SessionStateTest, ResultsFollowTheClientsSettings) {
  auto tokyo = connect(), berlin = connect();
  tokyo.must("SET TimeZone = 'Asia/Tokyo'");
  berlin.must("SET TimeZone = 'Europe/Berlin'; SET DateStyle = 'German'");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(tokyo.must("SELECT timestamptz '2024-06-01 00:00Z'").value(), "2024-06-01 09:00:00+09");
    EXPECT_EQ(berlin.params("SELECT timestamptz '2024-06-01 00:00Z'", {}).value(), "01.06.2024 02:00:00 CEST");
  }
}

TEST_F(SessionStateTest, ReportedSettingsAreToldToTheirClientOnly) {
  auto one = connect(), two = connect();
  one.must("SET application_name = 'mine'; SET TimeZone = 'Asia/Tokyo'");
  EXPECT_EQ(one.parameter("application_name"), "mine");
  EXPECT_EQ(one.parameter("TimeZone"), "Asia/Tokyo");
  two.must("SELECT 1");
  EXPECT_EQ(two.parameter("TimeZone"), "UTC");
  EXPECT_NE(two.parameter("application_name"), "mine");
  one.must("SELECT 1");
  EXPECT_EQ(one.parameter("TimeZone"), "Asia/Tokyo");
  one.must("BEGIN; SET TimeZone = 'Europe/Paris'");
  EXPECT_EQ(one.parameter("TimeZone"), "Europe/Paris");
  one.must("ROLLBACK");
  EXPECT_EQ(one.parameter("TimeZone"), "Asia/Tokyo");
  EXPECT_EQ(show(one, "TimeZone"), "Asia/Tokyo");
}

TEST_F(SessionStateTest, SetIsUndoneByRollbackAndSetLocalByTheEnd) {
  auto one = connect(), two = connect();
  one.must("SET work_mem = '5MB'");
  one.must("BEGIN");
  one.must("SET work_mem = '6MB'");
  EXPECT_EQ(show(one, "work_mem"), "6MB");
  one.must("ROLLBACK");
  two.must("SELECT 1");
  EXPECT_EQ(show(one, "work_mem"), "5MB");
  one.must("BEGIN");
  one.must("SET LOCAL work_mem = '7MB'");
  EXPECT_EQ(show(one, "work_mem"), "7MB");
  one.must("COMMIT");
  EXPECT_EQ(show(one, "work_mem"), "5MB");
  one.must("BEGIN");
  one.must("SET work_mem = '8MB'");
  one.must("SAVEPOINT s");
  one.must("SET work_mem = '9MB'");
  one.must("ROLLBACK TO s");
  one.must("COMMIT");
  two.must("SELECT 1");
  EXPECT_EQ(show(one, "work_mem"), "8MB");
  EXPECT_NE(show(two, "work_mem"), "8MB");
}

TEST_F(SessionStateTest, SetConfigAndCustomSettingsAreCarried) {
  auto one = connect(), two = connect();
  one.must("SELECT set_config('app.tenant', 't1', false)");
  EXPECT_EQ(one.must("SELECT current_setting('app.tenant')").value(), "t1");
  // A session that never set it gets the error of a fresh one, not the empty string of a used one.
  EXPECT_SQLSTATE(two.exec("SELECT current_setting('app.tenant')"), "42704");
  EXPECT_EQ(two.must("SELECT current_setting('app.tenant', true)").rows[0][0], std::nullopt);
  two.must("SET app.tenant = 't2'");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(one.must("SELECT current_setting('app.tenant')").value(), "t1");
    EXPECT_EQ(two.must("SELECT current_setting('app.tenant')").value(), "t2");
  }
  auto three = connect();
  EXPECT_SQLSTATE(three.exec("SELECT current_setting('app.tenant')"), "42704");
}

TEST_F(SessionStateTest, SettingsChangedWithinFunctionsAreNoticed) {
  server().exec(
      "CREATE OR REPLACE FUNCTION sneaky() RETURNS void LANGUAGE sql VOLATILE AS "
      "$$ SELECT set_config('work_mem', '11MB', false) $$; GRANT EXECUTE ON FUNCTION sneaky() TO app");
  auto one = connect(), two = connect();
  one.must("SELECT sneaky()");
  const auto straight = server().connect();
  EXPECT_EQ(show(one, "work_mem"), "11MB");
  EXPECT_NE(show(two, "work_mem"), "11MB");
  two.must("DO $$ BEGIN PERFORM set_config('work_mem', '12MB', false); END $$");
  EXPECT_EQ(show(two, "work_mem"), "12MB");
  EXPECT_EQ(show(one, "work_mem"), "11MB");
}

TEST_F(SessionStateTest, ResetAndDiscardRestoreTheStartupValues) {
  auto given = parameters();
  given["options"] = "-c work_mem=3MB";
  auto one = Connection::open(given);
  auto two = connect();
  for (const char* reset : {"RESET work_mem", "RESET ALL", "SET work_mem TO DEFAULT", "DISCARD ALL"}) {
    one.must("SET work_mem = '13MB'");
    two.must("SELECT 1");
    EXPECT_EQ(show(one, "work_mem"), "13MB");
    one.must(reset);
    two.must("SELECT 1");
    EXPECT_EQ(show(one, "work_mem"), "3MB") << reset;
  }
}

TEST_F(SessionStateTest, RolesAreCarriedAndNeverLeak) {
  server().exec("DROP ROLE IF EXISTS lesser; CREATE ROLE lesser; GRANT lesser TO app");
  auto one = connect(), two = connect();
  one.must("SET ROLE lesser");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(one.must("SELECT current_user").value(), "lesser");
    EXPECT_EQ(two.must("SELECT current_user").value(), "app");
  }
  one.must("RESET ROLE");
  EXPECT_EQ(one.must("SELECT current_user").value(), "app");
  EXPECT_FALSE(two.exec("SET ROLE nobody_there").ok());
  EXPECT_EQ(two.must("SELECT current_user").value(), "app");
}

TEST_F(SessionStateTest, AnInvalidSettingIsAnErrorAndChangesNothing) {
  auto one = connect();
  one.must("SET work_mem = '5MB'");
  EXPECT_SQLSTATE(one.exec("SET work_mem = 'much'"), "22023");
  EXPECT_SQLSTATE(one.exec("SET no_such_setting = 1"), "42704");
  EXPECT_EQ(show(one, "work_mem"), "5MB");
}

TEST_F(SessionStateTest, TransactionCharacteristicsAreForTheTransaction) {
  auto one = connect(), two = connect();
  one.must("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY");
  EXPECT_EQ(show(one, "transaction_isolation"), "serializable");
  EXPECT_SQLSTATE(one.exec("CREATE TABLE never (a int)"), "25006");
  one.must("ROLLBACK");
  EXPECT_EQ(show(two, "transaction_isolation"), "read committed");
  one.must("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
  EXPECT_EQ(show(two, "default_transaction_read_only"), "off");
  EXPECT_EQ(show(one, "default_transaction_read_only"), "on");
}

TEST_F(SessionStateTest, ManyClientsOnTwoServersKeepTheirOwn) {
  start(2);
  std::vector<Connection> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(connect());
    clients.back().must("SET application_name = 'c" + std::to_string(i) + "'; SET work_mem = '" +
                        std::to_string(i + 1) + "MB'");
  }
  for (int round = 0; round < 5; ++round)
    for (int i = 0; i < 12; ++i) {
      const int at = (i * 5 + round) % 12;
      const auto row = clients[static_cast<std::size_t>(at)]
                           .must("SELECT current_setting('application_name'), current_setting('work_mem')")
                           .rows[0];
      EXPECT_EQ(row, (Row{"c" + std::to_string(at), std::to_string(at + 1) + "MB"}));
    }
}

}  // namespace
}  // namespace pgweir::support
