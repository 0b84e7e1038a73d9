// Cancel requests: they end what their session runs, wherever it runs, and nothing else.
#include <signal.h>

#include <fstream>
#include <future>
#include <thread>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class CancelTest : public ProxyTest {
 protected:
  static bool runs(const std::string& marker) {
    return wait_until([&] { return backends("state = 'active' AND query LIKE '%" + marker + "%'") > 0; });
  }
};

TEST_F(CancelTest, EndsARunningQuery) {
  auto connection = connect();
  auto running = std::async(std::launch::async, [&] { return connection.exec("SELECT pg_sleep(60) /* mine */"); });
  ASSERT_TRUE(runs("mine"));
  EXPECT_EQ(connection.cancel(), "");
  const auto result = running.get();
  EXPECT_EQ(result.sqlstate(), "57014") << result;
  EXPECT_EQ(result.error.value_or(Report{}).message, "canceling statement due to user request");
  EXPECT_EQ(connection.must("SELECT 1").value(), "1");
}

TEST_F(CancelTest, EndsARunningQueryInABlock) {
  auto connection = connect();
  connection.must("BEGIN");
  auto running =
      std::async(std::launch::async, [&] { return connection.params("SELECT pg_sleep(60) /* block */", {}); });
  ASSERT_TRUE(runs("block"));
  EXPECT_EQ(connection.cancel(), "");
  EXPECT_EQ(running.get().sqlstate(), "57014");
  EXPECT_EQ(connection.transaction_status(), PQTRANS_INERROR);
  connection.must("ROLLBACK");
}

TEST_F(CancelTest, EndsTheWaitForAServer) {
  NEEDS_PROXY();
  default_pool_size = 1;
  auto holder = connect(), waiter = connect();
  holder.must("BEGIN");
  holder.must("SELECT 1");
  auto waiting = std::async(std::launch::async, [&] { return waiter.exec("SELECT 'served'"); });
  ASSERT_TRUE(wait_until([&] { return proxy().metrics().find("waiting") != std::string::npos; }));
  ASSERT_TRUE(wait_until([&] {
    if (waiting.wait_for(Milliseconds{0}) == std::future_status::ready) return true;
    EXPECT_EQ(waiter.cancel(), "");  // again, until the wait has begun
    return waiting.wait_for(Milliseconds{50}) == std::future_status::ready;
  }));
  EXPECT_EQ(waiting.get().sqlstate(), "57014");
  EXPECT_EQ(holder.must("SELECT 'untouched'").value(), "untouched");
  holder.must("COMMIT");
  EXPECT_EQ(waiter.must("SELECT 'later'").value(), "later");
}

TEST_F(CancelTest, OfAnIdleSessionDoesNothing) {
  default_pool_size = 1;
  auto idle = connect(), busy = connect();
  idle.must("SELECT 1");  // its last server is the one that busy gets now
  auto running = std::async(std::launch::async, [&] { return busy.exec("SELECT pg_sleep(1), 'done' /* busy */"); });
  ASSERT_TRUE(runs("busy"));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(idle.cancel(), "");
  EXPECT_TRUE(running.get().ok());
  EXPECT_EQ(idle.must("SELECT 1").value(), "1");
}

TEST_F(CancelTest, WithAWrongKeyDoesNothing) {
  NEEDS_PROXY();
  auto connection = connect(), other = connect();
  auto running =
      std::async(std::launch::async, [&] { return connection.exec("SELECT pg_sleep(0.5), 'done' /* wrong */"); });
  ASSERT_TRUE(runs("wrong"));
  EXPECT_EQ(other.cancel(), "");
  EXPECT_TRUE(running.get().ok());
}

// Sessions that share one server; half of them are cancelled again and again. A cancel that comes too late must never
// hit whoever got the server next.
TEST_F(CancelTest, NeverHitsAnotherClientsQuery) {
  default_pool_size = 2;
  (void)port();
  std::atomic<bool> stop{false};
  std::atomic<unsigned> innocent{0}, hit{0}, cancelled{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      auto connection = connect();
      while (!stop) {
        const auto result = connection.exec("SELECT count(*) FROM generate_series(1, 200)");
        ++innocent;
        if (!result.ok()) ++hit;
      }
    });
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      auto connection = connect();
      std::atomic<bool> over{false};
      std::thread canceller([&] {
        while (!over) (void)connection.cancel();
      });
      while (!stop) {
        const auto result = connection.exec("SELECT count(*) FROM generate_series(1, 3000)");
        if (result.sqlstate() == "57014") ++cancelled;
      }
      over = true;
      canceller.join();
    });
  EXPECT_TRUE(wait_until([&] { return innocent > 3'000 && cancelled > 50; }, Milliseconds{20'000}))
      << innocent << " others' queries, " << cancelled << " cancelled";
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(hit, 0u) << "of " << innocent << ", with " << cancelled << " cancelled";
}

// The postmaster takes the cancel's connection but does not read it for longer than we wait. What it does with it later
// must not hit whoever would have had the server next.
TEST_F(CancelTest, ThatIsNotTakenInTimeCostsTheServer) {
  NEEDS_PROXY();
  default_pool_size = 1;
  auto admin = server().admin();
  auto cancelled = connect(), next = connect();
  const std::string pid = cancelled.must("SELECT pg_backend_pid()").value();
  auto running = std::async(std::launch::async, [&] { return cancelled.exec("SELECT pg_sleep(0.5) /* late */"); });
  ASSERT_TRUE(runs("late"));
  std::ifstream file(server().directory() / "postmaster.pid");
  pid_t postmaster = 0;
  ASSERT_TRUE(file >> postmaster);
  ASSERT_EQ(::kill(postmaster, SIGSTOP), 0);
  const std::string sent = cancelled.cancel();
  const auto result = running.get();
  auto waiting = std::async(std::launch::async, [&] { return next.exec("SELECT pg_sleep(1), 'untouched' /* next */"); });
  // Either the server is closed, or it serves the next client, which is the fault that is looked for.
  const bool decided = wait_until(
      [&] {
        const auto state = admin.must("SELECT query LIKE '%next%' FROM pg_stat_activity WHERE pid = " + pid);
        return state.rows.empty() || state.value() == "t";
      },
      Milliseconds{15'000});
  ::kill(postmaster, SIGCONT);
  EXPECT_EQ(sent, "");
  EXPECT_TRUE(result.ok()) << result;
  EXPECT_TRUE(decided);
  const auto untouched = waiting.get();
  EXPECT_TRUE(untouched.ok()) << untouched;
  EXPECT_EQ(cancelled.must("SELECT 1").value(), "1");
}

// The server is still in the session's hands when the time is over: it ends when it would have been given back.
TEST_F(CancelTest, ThatIsNotTakenInTimeCostsTheServerOfABlock) {
  NEEDS_PROXY();
  default_pool_size = 1;
  auto admin = server().admin();
  auto holder = connect();
  holder.must("BEGIN");
  const std::string pid = holder.must("SELECT pg_backend_pid()").value();
  auto running = std::async(std::launch::async, [&] { return holder.exec("SELECT pg_sleep(6) /* held */"); });
  ASSERT_TRUE(runs("held"));
  std::ifstream file(server().directory() / "postmaster.pid");
  pid_t postmaster = 0;
  ASSERT_TRUE(file >> postmaster);
  ASSERT_EQ(::kill(postmaster, SIGSTOP), 0);
  const std::string sent = holder.cancel();
  const auto result = running.get();
  const auto committed = holder.exec("COMMIT");
  const bool gone = wait_until(
      [&] { return admin.must("SELECT FROM pg_stat_activity WHERE pid = " + pid).rows.empty(); }, Milliseconds{3'000});
  ::kill(postmaster, SIGCONT);
  EXPECT_EQ(sent, "");
  EXPECT_TRUE(result.ok()) << result;
  EXPECT_TRUE(committed.ok()) << committed;
  EXPECT_TRUE(gone);
  EXPECT_EQ(holder.must("SELECT 1").value(), "1");
}

TEST_F(CancelTest, MayComeOverTls) {
  NEEDS_PROXY();
  start(ProxyOptions{.tls_client = "require"});
  auto given = parameters();
  given["sslmode"] = "require";
  auto connection = Connection::open(given);
  auto running = std::async(std::launch::async, [&] { return connection.exec("SELECT pg_sleep(60) /* tls */"); });
  ASSERT_TRUE(runs("tls"));
  EXPECT_EQ(connection.cancel(), "");  // this libpq sends it in the clear, which is allowed too
  EXPECT_EQ(running.get().sqlstate(), "57014");
}

}  // namespace
}  // namespace pgweir::support
