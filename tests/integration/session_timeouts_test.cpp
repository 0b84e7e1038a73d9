// A client's own statement_timeout must end its own statements only: neither what makes a server ready for the next client,
// nor what reads back what it has set.
#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class SessionTimeoutsTest : public ProxyTest {
 protected:
  void SetUp() override { default_pool_size = 1; }
  void start_trusting() { start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 1\n"}); }
  // Reading this text alone takes a server longer than a millisecond.
  static std::string big() { return std::string(6 << 20, 'x'); }
};

TEST_F(SessionTimeoutsTest, WhatAnotherClientLeftDoesNotEndTheSettingsOfTheNext) {
  start_trusting();
  auto slow = connect(), quick = connect();
  EXPECT_OK(slow.exec("SELECT set_config('app.big', '" + big() + "', false)"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(quick.exec("SET statement_timeout = 1"));
    EXPECT_EQ(slow.must("SELECT length(current_setting('app.big'))").rows[0][0], std::to_string(6 << 20));
    EXPECT_EQ(slow.must("SHOW statement_timeout").rows[0][0], "0");
    EXPECT_EQ(quick.must("SHOW statement_timeout").rows[0][0], "1ms");
  }
}

TEST_F(SessionTimeoutsTest, WhatAnotherClientLeftDoesNotEndALogin) {
  start_trusting();
  auto quick = connect();
  for (int i = 0; i < 5; ++i) {
    EXPECT_OK(quick.exec("SET statement_timeout = 1"));
    // Startup settings that nobody had before: the server is asked what it tells with them.
    RawClient client(port());
    std::string options = "-c app.login=" + std::to_string(i) + std::string(9000, 'y');
    client.log_in(kVersion30, {{"options", options}, {"TimeZone", "Etc/GMT-" + std::to_string(i + 1)}});
  }
}

TEST_F(SessionTimeoutsTest, ASettingIsKeptThoughItsReadingBackTakesLongerThanItsTimeout) {
  start_trusting();
  auto client = connect(), other = connect();
  // The names make reading them back long. (More of them, or code that makes names up, would pin their client.)
  std::string many;
  for (int i = 0; i < 900; ++i) many += "SET app.s" + std::to_string(i) + " = 'v" + std::to_string(i) + "';";
  EXPECT_OK(client.exec(many));
  EXPECT_OK(client.exec("SET statement_timeout = 1"));
  EXPECT_EQ(other.must("SELECT 1").rows[0][0], "1");
  EXPECT_EQ(client.must("SHOW statement_timeout").rows[0][0], "1ms");
  EXPECT_EQ(client.must("SHOW app.s899").rows[0][0], "v899");
}

}  // namespace
}  // namespace pgweir::support
