// What keeps its server: temporary tables, advisory locks, cursors WITH HOLD; and LISTEN/NOTIFY.
#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class PinningTest : public ProxyTest {
 protected:
  static std::string pid(Connection& connection) { return connection.must("SELECT pg_backend_pid()").value(); }
  // Waits for a notification; "channel payload", empty when none came.
  static std::string notification(Connection& connection, Milliseconds deadline = Milliseconds{5'000}) {
    std::string text;
    (void)wait_until(
        [&] {
          PQconsumeInput(connection.raw());
          if (PGnotify* notify = PQnotifies(connection.raw())) {
            text = std::string(notify->relname) + " " + notify->extra;
            PQfreemem(notify);
          }
          return !text.empty();
        },
        deadline);
    return text;
  }
};

TEST_F(PinningTest, TemporaryTablesStayWithTheirClient) {
  auto one = connect(), two = connect();
  one.must("CREATE TEMP TABLE mine (id int)");
  one.must("INSERT INTO mine VALUES (1)");
  for (int i = 0; i < 4; ++i) {
    two.must("SELECT 1");
    EXPECT_EQ(one.must("SELECT count(*) FROM mine").value(), "1");
    EXPECT_SQLSTATE(two.exec("SELECT count(*) FROM mine"), "42P01");
  }
  one.must("DROP TABLE mine");
  one.close();
  EXPECT_EQ(two.must("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").value(), "0");
}

TEST_F(PinningTest, ATemporaryTableOfOneWhoLeftIsGone) {
  default_pool_size = 1;
  {
    auto one = connect();
    one.must("CREATE TEMP TABLE left_behind (id int)");
  }
  auto two = connect();
  EXPECT_SQLSTATE(two.exec("SELECT * FROM left_behind"), "42P01");
}

TEST_F(PinningTest, TemporaryTablesMadeInFunctionsAreNoticed) {
  auto one = connect(), two = connect();
  one.must("DO $$ BEGIN CREATE TEMP TABLE hidden AS SELECT 5 AS x; END $$");
  for (int i = 0; i < 4; ++i) {
    EXPECT_SQLSTATE(two.exec("SELECT x FROM hidden"), "42P01");
    EXPECT_EQ(one.must("SELECT x FROM hidden").value(), "5");
  }
}

TEST_F(PinningTest, SessionAdvisoryLocksStayWithTheirClient) {
  auto one = connect(), two = connect();
  one.must("SELECT pg_advisory_lock(42)");
  const std::string first = pid(one);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(two.must("SELECT pg_try_advisory_lock(42)").value(), "f");
    EXPECT_EQ(pid(one), first);
  }
  EXPECT_EQ(one.must("SELECT pg_advisory_unlock(42)").value(), "t");
  EXPECT_EQ(two.must("SELECT pg_try_advisory_lock(42)").value(), "t");
  two.close();
  EXPECT_TRUE(wait_until(
      [&] { return server().exec("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").value() == "0"; }));
}

TEST_F(PinningTest, CursorsWithHoldStayWithTheirClient) {
  auto one = connect(), two = connect();
  one.must("DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 10)");
  two.must("SELECT 1");
  EXPECT_EQ(one.must("FETCH 3 FROM held").rows.size(), 3u);
  EXPECT_SQLSTATE(two.exec("FETCH 1 FROM held"), "34000");
  EXPECT_EQ(one.must("FETCH 1 FROM held").value(), "4");
  one.must("CLOSE held");
}

TEST_F(PinningTest, PinnedClientsShowAndTheRestIsServed) {
  NEEDS_PROXY();
  default_pool_size = 2;
  auto pinned = connect();
  pinned.must("CREATE TEMP TABLE pin (id int)");
  const auto clients = proxy().console().must("SHOW CLIENTS");
  std::ostringstream shown;
  shown << clients;
  EXPECT_NE(shown.str().find("temp"), std::string::npos) << shown.str();
  auto other = connect(), third = connect();
  EXPECT_EQ(other.must("SELECT 1").value(), "1");
  EXPECT_EQ(third.must("SELECT 1").value(), "1");
}

TEST_F(PinningTest, TheLastServerIsNotPinned) {
  NEEDS_PROXY();
  start(2, "checkout_timeout = \"2s\"");
  auto one = connect(), two = connect(), three = connect();
  one.must("CREATE TEMP TABLE pin (id int)");
  EXPECT_SQLSTATE(two.exec("CREATE TEMP TABLE pin (id int)"), "53300");
  EXPECT_EQ(three.must("SELECT 1").value(), "1");
}

TEST_F(PinningTest, ListenersAreTold) {
  auto listener = connect(), speaker = connect();
  listener.must("LISTEN news");
  speaker.must("SELECT 1");
  speaker.must("NOTIFY news, 'hello'");
  EXPECT_EQ(notification(listener), "news hello");
  speaker.must("SELECT pg_notify('news', 'again')");
  EXPECT_EQ(notification(listener), "news again");
  listener.must("UNLISTEN news");
  speaker.must("NOTIFY news, 'nobody'");
  listener.must("SELECT 1");
  EXPECT_EQ(notification(listener, Milliseconds{200}), "");
}

TEST_F(PinningTest, OwnNotificationsComeWithTheCommit) {
  auto one = connect();
  one.must("LISTEN self");
  one.must("BEGIN; NOTIFY self, 'x'");
  EXPECT_EQ(notification(one, Milliseconds{100}), "");
  one.must("COMMIT");
  EXPECT_EQ(notification(one), "self x");
}

TEST_F(PinningTest, OthersNeverHearAClientsChannel) {
  default_pool_size = 2;
  auto listener = connect(), bystander = connect();
  listener.must("LISTEN private");
  for (int i = 0; i < 5; ++i) {
    bystander.must("SELECT 1");
    bystander.must("NOTIFY private, 'p'");
  }
  bystander.must("SELECT 1");
  EXPECT_EQ(notification(bystander, Milliseconds{200}), "");
  EXPECT_EQ(notification(listener), "private p");
}

// No pin yet: nobody has asked for currval() before. Round robin gives every transaction another server.
TEST_F(PinningTest, TheFirstCurrvalFindsTheServerOfItsNextval) {
  NEEDS_PROXY();
  start(3, "server_round_robin = true");
  server().exec("CREATE SEQUENCE IF NOT EXISTS found; GRANT ALL ON SEQUENCE found TO app");
  auto one = connect(), two = connect();
  one.must("BEGIN");
  two.must("BEGIN");
  two.must("SELECT 1");
  one.must("SELECT 1");
  one.must("COMMIT");
  two.must("COMMIT");
  EXPECT_NE(pid(one), pid(one));
  const std::string mine = one.must("SELECT nextval('found')").value();
  one.must("SELECT 1");
  EXPECT_EQ(one.must("SELECT currval('found')").value(), mine);
}

TEST_F(PinningTest, CurrvalNeverTellsAnothersValue) {
  default_pool_size = 1;
  server().exec("CREATE SEQUENCE IF NOT EXISTS counted; GRANT ALL ON SEQUENCE counted TO app");
  auto one = connect(), two = connect();
  const std::string mine = one.must("SELECT nextval('counted')").value();
  const auto foreign = two.exec("SELECT currval('counted')");
  EXPECT_TRUE(foreign.sqlstate() == "55000" || foreign.sqlstate() == "53300") << foreign;
  const auto last = two.exec("SELECT lastval()");
  EXPECT_TRUE(last.sqlstate() == "55000" || last.sqlstate() == "53300") << last;
  EXPECT_EQ(one.must("SELECT currval('counted')").value(), mine);
}

}  // namespace
}  // namespace pgweir::support
