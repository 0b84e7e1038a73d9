// What administrators do to a running proxy: PAUSE and RESUME around a server's restart, DISABLE, RECONNECT, KILL.
#include <signal.h>

#include <atomic>
#include <future>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class ConsoleTest : public ProxyTest {
 protected:
  // Starts a statement elsewhere and returns when the proxy shows its client waiting.
  std::future<QueryResult> waiting(Connection& connection, const std::string& sql) {
    const int before = waiters();
    auto result = std::async(std::launch::async, [&connection, sql] { return connection.exec(sql); });
    EXPECT_TRUE(wait_until([&] { return waiters() > before; })) << sql;
    return result;
  }
  int waiters() {
    const auto pools = proxy().console().must("SHOW POOLS");
    int sum = 0;
    for (std::size_t row = 0; row < pools.rows.size(); ++row) sum += std::stoi(cell(pools, row, "cl_waiting"));
    return sum;
  }
  static std::string cell(const QueryResult& result, std::size_t row, const std::string& column) {
    for (std::size_t i = 0; i < result.columns.size(); ++i)
      if (result.columns[i] == column) return result.rows.at(row).at(i).value_or("");
    ADD_FAILURE() << "no column " << column;
    return {};
  }
  static bool is_waiting(const std::future<QueryResult>& result) {
    return result.wait_for(std::chrono::milliseconds(0)) == std::future_status::timeout;
  }
};

TEST_F(ConsoleTest, PauseWaitsForTransactionsAndResumeLetsWaitersGoInTurn) {
  NEEDS_PROXY();
  start(ProxyOptions{.pool = "size = 1", .workers = 1});
  auto admin = proxy().console();
  auto busy = connect(), second = connect(), third = connect();
  busy.must("BEGIN; SELECT 1");
  auto pause = std::async(std::launch::async, [&] { return admin.exec("PAUSE fediflow"); });
  ASSERT_TRUE(proxy().wait_for_log("is paused by the console"));
  EXPECT_SQLSTATE(proxy().console().exec("PAUSE fediflow"), "55000");
  auto first_answer = waiting(second, "SELECT clock_timestamp()::text");
  auto second_answer = waiting(third, "SELECT clock_timestamp()::text");
  EXPECT_TRUE(is_waiting(pause));
  busy.must("SELECT 2");  // what runs goes on
  busy.must("COMMIT");
  const auto paused = pause.get();
  ASSERT_TRUE(paused.ok()) << paused;
  EXPECT_TRUE(wait_until([] { return pooled_backends() == 0; }));
  EXPECT_TRUE(wait_until([] { return pooled_backends() == 0; }));
  EXPECT_TRUE(is_waiting(first_answer));
  admin.must("RESUME fediflow");
  const std::string one = first_answer.get().value(), two = second_answer.get().value();
  EXPECT_LT(one, two);
  EXPECT_SQLSTATE(admin.exec("RESUME fediflow"), "55000");
}

// The restart nobody notices: 12 clients insert rows of their own without a pause while the server goes and comes back.
TEST_F(ConsoleTest, NoQueryIsLostOrRunTwiceOverARestartOfThePausedServer) {
  NEEDS_PROXY();
  table("restarted", "client int, number int");
  start(4, "checkout_timeout = \"60s\"");
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0}, done{0};
  std::vector<Connection> clients;
  for (int i = 0; i < 12; ++i) clients.push_back(connect());
  std::vector<int> written(clients.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients.size(); ++i)
    threads.emplace_back([&, i] {
      while (!stop) {
        const int number = written[i] + 1;
        const std::string values = std::to_string(i) + ", " + std::to_string(number);
        const auto result = number % 3 == 0
                                ? clients[i].params("INSERT INTO restarted VALUES ($1, $2)",
                                                    {std::to_string(i), std::to_string(number)})
                                : clients[i].exec("INSERT INTO restarted VALUES (" + values + ")");
        if (!result.ok()) {
          ++failed;
          std::cerr << result << "\n";
          return;
        }
        written[i] = number;
        ++done;
      }
    });
  auto admin = proxy().console();
  for (int round = 0; round < 2; ++round) {
    const int before = done;
    EXPECT_TRUE(wait_until([&] { return done > before + 200 || failed > 0; }));
    EXPECT_OK(admin.exec("PAUSE"));
    server().restart();
    EXPECT_OK(admin.exec("RESUME"));
  }
  const int before = done;
  EXPECT_TRUE(wait_until([&] { return done > before + 200 || failed > 0; }));
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  auto direct = server().connect();
  for (std::size_t i = 0; i < clients.size(); ++i)
    EXPECT_EQ(direct.must("SELECT count(*) || '/' || count(DISTINCT number) || '/' || max(number) FROM restarted WHERE client = " +
                          std::to_string(i)).value(),
              std::to_string(written[i]) + "/" + std::to_string(written[i]) + "/" + std::to_string(written[i]));
}

TEST_F(ConsoleTest, AQueryThatWaitsWhilePausedCanBeCancelledAndTimesOut) {
  NEEDS_PROXY();
  start(2, "checkout_timeout = \"1500ms\"");
  auto admin = proxy().console();
  auto one = connect(), two = connect();
  admin.must("PAUSE");
  auto cancelled = waiting(one, "SELECT 1");
  EXPECT_EQ(one.cancel(), "");
  EXPECT_EQ(cancelled.get().sqlstate(), "57014");
  const auto late = two.exec("SELECT 1");
  EXPECT_EQ(late.sqlstate(), "53300") << late;
  EXPECT_NE(late.error.value_or(Report{}).detail.find("It is paused."), std::string::npos) << late;
  admin.must("RESUME");
  EXPECT_EQ(one.must("SELECT 'one'").value(), "one");
  EXPECT_EQ(two.must("SELECT 'two'").value(), "two");
}

TEST_F(ConsoleTest, PauseWaitsForWhatIsPinned) {
  NEEDS_PROXY();
  start(2);
  auto admin = proxy().console();
  auto pinned = connect();
  pinned.must("CREATE TEMP TABLE kept (id int)");
  auto pause = std::async(std::launch::async, [&] { return admin.exec("PAUSE fediflow"); });
  ASSERT_TRUE(proxy().wait_for_log("is paused by the console"));
  EXPECT_SQLSTATE(proxy().console().exec("PAUSE fediflow"), "55000");
  pinned.must("INSERT INTO kept VALUES (1)");
  EXPECT_TRUE(is_waiting(pause));
  pinned.close();
  const auto paused = pause.get();
  EXPECT_TRUE(paused.ok()) << paused;
}

TEST_F(ConsoleTest, SignalsPauseAndResume) {
  NEEDS_PROXY();
  start(2);
  auto client = connect();
  client.must("SELECT 1");
  ASSERT_EQ(::kill(proxy().pid(), SIGUSR1), 0);
  ASSERT_TRUE(wait_until([&] { return proxy().console().exec("PAUSE").sqlstate() == "55000"; }));
  ASSERT_TRUE(wait_until([] { return pooled_backends() == 0; }));
  auto answer = waiting(client, "SELECT 'resumed'");
  ASSERT_EQ(::kill(proxy().pid(), SIGUSR2), 0);
  EXPECT_EQ(answer.get().value(), "resumed");
}

TEST_F(ConsoleTest, DisableRefusesNewClientsAndKeepsThoseThatAreThere) {
  NEEDS_PROXY();
  start(2);
  auto admin = proxy().console();
  auto client = connect();
  admin.must("DISABLE fediflow");
  EXPECT_EQ(client.must("SELECT 'stays'").value(), "stays");
  const auto [refused, why] = Connection::try_open(parameters());
  EXPECT_FALSE(refused.has_value());
  EXPECT_NE(why.find("not currently accepting connections"), std::string::npos) << why;
  admin.must("ENABLE fediflow");
  EXPECT_EQ(connect().must("SELECT 'in'").value(), "in");
  EXPECT_SQLSTATE(admin.exec("DISABLE"), "42601");
  EXPECT_SQLSTATE(admin.exec("DISABLE nowhere"), "3D000");
  EXPECT_SQLSTATE(admin.exec("PAUSE pgweir"), "55000");
}

TEST_F(ConsoleTest, ReconnectReplacesEachServerWhenItIsFree) {
  NEEDS_PROXY();
  start(2);
  auto admin = proxy().console();
  auto holder = connect(), other = connect();
  holder.must("BEGIN");
  const auto held = holder.must("SELECT pg_backend_pid()").value();
  const auto idle = other.must("SELECT pg_backend_pid()").value();
  admin.must("RECONNECT fediflow");
  auto closed = std::async(std::launch::async, [&] { return admin.exec("WAIT_CLOSE fediflow"); });
  ASSERT_TRUE(wait_until([&] { return backends("pid = " + idle) == 0; }));
  EXPECT_NE(other.must("SELECT pg_backend_pid()").value(), idle);
  EXPECT_EQ(holder.must("SELECT pg_backend_pid()").value(), held);
  EXPECT_TRUE(is_waiting(closed));
  holder.must("COMMIT");
  const auto result = closed.get();
  EXPECT_TRUE(result.ok()) << result;
  EXPECT_TRUE(wait_until([&] { return backends("pid = " + held) == 0; }));
}

TEST_F(ConsoleTest, KillClientEndsItsQueryAndNothingElse) {
  NEEDS_PROXY();
  start(2);
  auto admin = proxy().console();
  auto victim = connect(), other = connect();
  other.must("SET application_name = 'other'");
  victim.must("SET application_name = 'victim'");
  auto running = std::async(std::launch::async, [&] { return victim.exec_all("SELECT pg_sleep(60) /* killed */").front(); });
  ASSERT_TRUE(wait_until([] { return backends("state = 'active' AND query LIKE '%/* killed */%'") == 1; }));
  const auto clients = admin.must("SHOW CLIENTS");
  std::string id;
  for (std::size_t row = 0; row < clients.rows.size(); ++row)
    if (cell(clients, row, "application_name") == "victim") id = cell(clients, row, "id");
  ASSERT_NE(id, "");
  EXPECT_OK(admin.exec("KILL_CLIENT " + id));
  EXPECT_SQLSTATE(running.get(), "57P01");
  EXPECT_TRUE(wait_until([] { return backends("query LIKE '%/* killed */%'") == 0; }));
  EXPECT_EQ(other.must("SELECT 'alive'").value(), "alive");
  EXPECT_SQLSTATE(admin.exec("KILL_CLIENT " + id), "02000");
  EXPECT_SQLSTATE(admin.exec("KILL_CLIENT x"), "42601");
}

TEST_F(ConsoleTest, KillEndsAllAndNewClientsWaitUntilResume) {
  NEEDS_PROXY();
  start(2);
  auto admin = proxy().console();
  auto idle = connect(), busy = connect();
  busy.must("BEGIN; SELECT 1");
  admin.must("KILL fediflow");
  EXPECT_FALSE(idle.exec("SELECT 1").ok());
  EXPECT_FALSE(busy.exec("SELECT 1").ok());
  EXPECT_TRUE(wait_until([] { return pooled_backends() == 0; }));
  auto next = std::async(std::launch::async, [&] {
    auto connection = connect();
    return connection.exec("SELECT 'later'");
  });
  ASSERT_TRUE(wait_until([&] { return waiters() > 0; }) || is_waiting(next));
  EXPECT_TRUE(is_waiting(next));
  admin.must("RESUME fediflow");
  EXPECT_EQ(next.get().value(), "later");
}

TEST_F(ConsoleTest, WhoMayOnlyLookCannotAct) {
  NEEDS_PROXY();
  start(ProxyOptions{.pool = "size = 2"});
  auto stats = proxy().connect("stats", "pgweir");
  for (const char* command : {"PAUSE", "RESUME", "DISABLE fediflow", "ENABLE fediflow", "RECONNECT", "WAIT_CLOSE", "KILL",
                              "KILL fediflow", "KILL_CLIENT 1", "SUSPEND", "RELOAD", "SHUTDOWN"}) {
    EXPECT_SQLSTATE(stats.exec(command), "42501");
    EXPECT_SQLSTATE(stats.params(command, {}), "42501");
  }
  EXPECT_TRUE(stats.exec("SHOW POOLS").ok());
  EXPECT_SQLSTATE(proxy().console().exec("SUSPEND"), "0A000");
}

TEST_F(ConsoleTest, DriversReadPgbouncersTables) {
  NEEDS_PROXY();
  start(2);
  auto client = connect();
  client.must("BEGIN; SELECT 1");
  EXPECT_NO_THROW(run({.command = {std::string(PGWEIR_SOURCE_DIR) + "/tests/drivers/run", "console"},
                       .environment = {{"PGHOST", "127.0.0.1"},
                                       {"PGPORT", std::to_string(proxy().port())},
                                       {"PGUSER", "stats"},
                                       {"PGPASSWORD", "stats-secret"},
                                       {"PGDATABASE", "pgbouncer"},
                                       {"PGSSLMODE", "disable"}}},
                      Milliseconds{60'000}));
}

TEST_F(ConsoleTest, AnswersTheExtendedProtocol) {
  NEEDS_PROXY();
  start(2);
  auto admin = proxy().console();
  const auto version = admin.params("SHOW VERSION", {});
  ASSERT_TRUE(version.ok()) << version;
  EXPECT_EQ(version.value().substr(0, 6), "pgweir");
  const auto pools = admin.params("SHOW DATABASES;", {});
  ASSERT_TRUE(pools.ok()) << pools;
  EXPECT_EQ(cell(pools, 0, "name"), "fediflow");
  EXPECT_SQLSTATE(admin.params("SHOW NOTHING", {}), "42601");
  EXPECT_SQLSTATE(admin.params("SHOW VERSION; SHOW VERSION", {}), "42601");
  EXPECT_SQLSTATE(admin.params("SHOW VERSION", {"1"}), "08P01");
  EXPECT_OK(admin.params("RELOAD", {}));
  EXPECT_OK(admin.params("PAUSE", {}));
  EXPECT_OK(admin.params("RESUME", {}));
}

}  // namespace
}  // namespace pgweir::support
