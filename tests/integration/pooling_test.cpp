// The pool as clients see it: waiting, servers that end or restart, session mode.
#include <future>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;

class PoolingTest : public ProxyTest {};

TEST_F(PoolingTest, MoreClientsThanServersAreAllServed) {
  NEEDS_PROXY();
  start(3);
  (void)port();
  std::vector<std::future<int>> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(std::async(std::launch::async, [this] {
      auto connection = connect();
      int served = 0;
      for (int round = 0; round < 50; ++round) served += connection.exec("SELECT 1").ok() ? 1 : 0;
      return served;
    }));
  for (auto& one : all) EXPECT_EQ(one.get(), 50);
  EXPECT_LE(pooled_backends(), 3);
}

TEST_F(PoolingTest, AWaitThatEndsTellsThePoolsNumbersAndTheSessionGoesOn) {
  NEEDS_PROXY();
  start(2, "checkout_timeout = \"200ms\"");
  auto one = connect(), two = connect(), three = connect();
  one.must("BEGIN; SELECT 1");
  two.must("BEGIN; SELECT 1");
  const auto late = three.exec("SELECT 1");
  ASSERT_EQ(late.sqlstate(), "53300") << late;
  EXPECT_THAT(late.error->message + late.error->detail, HasSubstr("2 active"));
  EXPECT_THAT(late.error->detail, HasSubstr("2 allowed"));
  EXPECT_THAT(late.error->detail, HasSubstr("waiting"));
  EXPECT_NE(late.error->hint, "");
  one.must("COMMIT");
  EXPECT_EQ(three.must("SELECT 'served'").value(), "served");
  EXPECT_EQ(two.must("SELECT 'kept'").value(), "kept");
}

TEST_F(PoolingTest, AServerThatRestartsWhileIdleIsNotNoticed) {
  NEEDS_PROXY();
  auto one = connect(), two = connect();
  for (int round = 0; round < 3; ++round) {
    one.must("SELECT 1");
    two.must("SELECT 1");
    server().restart();
    EXPECT_TRUE(wait_until([&] { return one.exec("SELECT 1").ok(); }, Milliseconds{2'000}));
    EXPECT_EQ(two.exec("SELECT 'goes on'").value(), "goes on");
    ASSERT_TRUE(one.alive() && two.alive());
  }
}

// The FATAL of an idle server's end is nobody's answer.
TEST_F(PoolingTest, AnIdleServersEndIsNeverShownToTheNextClient) {
  NEEDS_PROXY();
  auto one = connect(), two = connect();
  for (int round = 0; round < 30; ++round) {
    one.must("SELECT 1");
    server().exec(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = 'app' AND state = 'idle'");
    const auto next = (round % 2 == 0 ? one : two).exec("SELECT 'fine'");
    EXPECT_TRUE(next.ok()) << "round " << round << ": " << next;
    EXPECT_TRUE(one.take_notices().empty());
  }
}

TEST_F(PoolingTest, AServerThatEndsWithinATransactionIsTold) {
  auto one = connect();
  one.must("BEGIN");
  const std::string pid = one.must("SELECT pg_backend_pid()").value();
  server().exec("SELECT pg_terminate_backend(" + pid + ")");
  const auto next = one.exec_all("SELECT 1");
  ASSERT_FALSE(next.empty());
  EXPECT_FALSE(next[0].ok());
  if (direct()) return;
  // Whatever the client's session does now, no one gets half of that transaction.
  auto two = connect();
  EXPECT_EQ(two.must("SELECT 1").value(), "1");
}

TEST_F(PoolingTest, TransactionsKeepTheirServer) {
  auto one = connect(), two = connect();
  one.must("BEGIN");
  const std::string pid = one.must("SELECT pg_backend_pid()").value();
  for (int i = 0; i < 5; ++i) {
    EXPECT_NE(two.must("SELECT pg_backend_pid()").value(), pid);
    EXPECT_EQ(one.must("SELECT pg_backend_pid()").value(), pid);
  }
  one.must("COMMIT");
}

TEST_F(PoolingTest, NowIsTheTransactionsOwn) {
  auto one = connect();
  one.must("BEGIN");
  const std::string begun = one.must("SELECT now()").value();
  EXPECT_EQ(one.must("SELECT now()").value(), begun);
  one.must("COMMIT");
  EXPECT_NE(one.must("SELECT now()").value(), begun);
}

TEST_F(PoolingTest, SessionModeKeepsTheServerUntilTheClientLeaves) {
  NEEDS_PROXY();
  start(2, "mode = \"session\"\ncheckout_timeout = \"200ms\"");
  auto one = connect();
  const std::string pid = one.must("SELECT pg_backend_pid()").value();
  one.must("CREATE TEMP TABLE own (id int); SET work_mem = '17MB'; PREPARE p AS SELECT 5; LISTEN here");
  auto two = connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(two.must("SELECT pg_backend_pid()").value(), pid);
    EXPECT_EQ(one.must("SELECT pg_backend_pid()").value(), pid);
  }
  EXPECT_EQ(one.must("EXECUTE p").value(), "5");
  auto [three, error] = Connection::try_open(parameters());
  if (three) {
    EXPECT_SQLSTATE(three->exec("SELECT 1"), "53300");
    three->close();
  }
  one.close();
  auto four = connect();
  ASSERT_TRUE(wait_until([&] { return four.exec("SELECT 1").ok(); }));
  EXPECT_NE(four.must("SHOW work_mem").value(), "17MB");
  EXPECT_SQLSTATE(four.exec("SELECT * FROM own"), "42P01");
  EXPECT_SQLSTATE(four.exec("EXECUTE p"), "26000");
  EXPECT_EQ(four.must("SELECT count(*) FROM pg_listening_channels()").value(), "0");
}

TEST_F(PoolingTest, UsersNeverShareAServer) {
  auto app = connect(), reader = connect("reader");
  EXPECT_EQ(app.must("SELECT session_user").value(), "app");
  EXPECT_EQ(reader.must("SELECT session_user").value(), "reader");
  EXPECT_EQ(app.must("SELECT current_user").value(), "app");
}

TEST_F(PoolingTest, IdleInTransactionTimeoutEndsTheTransaction) {
  NEEDS_PROXY();
  start(1, "idle_in_transaction_timeout = \"200ms\"");
  auto one = connect(), two = connect();
  one.must("BEGIN");
  one.must("SELECT 1");
  EXPECT_EQ(two.must("SELECT 'after the timeout'").value(), "after the timeout");
  EXPECT_FALSE(one.exec("SELECT 1").ok());
}

TEST_F(PoolingTest, QueryTimeoutEndsAQuery) {
  NEEDS_PROXY();
  start(1, "query_timeout = \"200ms\"");
  auto one = connect();
  const auto slow = one.exec_all("SELECT pg_sleep(60)");
  ASSERT_FALSE(slow.empty());
  EXPECT_FALSE(slow[0].ok());
  EXPECT_TRUE(no_transaction_is_open());
  auto two = connect();
  EXPECT_EQ(two.must("SELECT 1").value(), "1");
}

}  // namespace
}  // namespace pgweir::support
