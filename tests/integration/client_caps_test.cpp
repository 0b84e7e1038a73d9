// listen.max_clients and user.max_client_connections, counted over all workers.
#include <atomic>
#include <mutex>
#include <thread>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;

class ClientCapsTest : public ProxyTest {
 protected:
  static std::string failure(Parameters given) { return Connection::try_open(std::move(given)).second; }
  static std::string limited(unsigned cap) {
    return "[[user]]\nname = \"limited\"\npassword = \"limited-secret\"\nserver_user = \"app\"\n"
           "server_password = \"app-secret\"\nmax_client_connections = " + std::to_string(cap) + "\n";
  }
  void start_limited(unsigned cap, const std::string& listen = "") {
    start(ProxyOptions{.listen_extra = listen, .extra = limited(cap), .workers = 4, .metrics = false});
  }
  // How many of `count` connections made at once by four threads come in; all stay open until the last has tried.
  int admitted(const Parameters& given, int count) {
    std::mutex mutex;
    std::vector<Connection> open;
    std::vector<std::thread> threads;
    std::atomic<int> left{count};
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        while (left.fetch_sub(1) > 0) {
          auto [connection, error] = Connection::try_open(given);
          const std::lock_guard lock(mutex);
          if (connection)
            open.push_back(std::move(*connection));
          else if (error.find("too many") == std::string::npos)
            ADD_FAILURE() << error;
        }
      });
    for (auto& thread : threads) thread.join();
    return static_cast<int>(open.size());
  }
};

TEST_F(ClientCapsTest, AUsersCapIsExactOverAllWorkers) {
  NEEDS_PROXY();
  start_limited(5);
  EXPECT_EQ(admitted(parameters("limited"), 40), 5);
  // All have gone, and as many may come again.
  EXPECT_TRUE(wait_until([&] { return admitted(parameters("limited"), 12) == 5; }));
  std::vector<Connection> all;
  for (int i = 0; i < 5; ++i) all.push_back(connect("limited"));
  const std::string text = failure(parameters("limited"));
  EXPECT_THAT(text, HasSubstr("too many connections for role \"limited\""));
  EXPECT_THAT(text, HasSubstr("max_client_connections of this user is 5"));
  EXPECT_EQ(failure(parameters()), "");
  EXPECT_EQ(all[0].must("SELECT 1").value(), "1");
}

TEST_F(ClientCapsTest, MaxClientsIsExactOverAllWorkers) {
  NEEDS_PROXY();
  start_limited(0, "max_clients = 7");
  EXPECT_EQ(admitted(parameters(), 40), 7);
}

TEST_F(ClientCapsTest, HoweverASessionEndsItsPlaceIsFree) {
  NEEDS_PROXY();
  start_limited(1);
  const auto comes_in = [&] { return failure(parameters("limited")).empty(); };
  { auto polite = connect("limited"); }
  EXPECT_TRUE(wait_until(comes_in));
  // A refusal behind the password gives its place back too.
  EXPECT_THAT(failure(parameters("limited", "elsewhere")), HasSubstr("does not exist"));
  EXPECT_TRUE(wait_until(comes_in));
  EXPECT_THAT(failure(parameters("limited", "pgweir")), HasSubstr("may not use the console"));
  EXPECT_TRUE(wait_until(comes_in));
  // The server ends it.
  {
    auto ended = connect("limited");
    ended.must("BEGIN");
    server().exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' OR "
                  "(usename = 'app' AND pid <> pg_backend_pid())");
    (void)ended.exec("SELECT 1");
  }
  EXPECT_TRUE(wait_until(comes_in));
  // A wrong password takes none.
  auto wrong = parameters("limited");
  wrong["password"] = "guess";
  auto only = connect("limited");
  EXPECT_THAT(failure(wrong), HasSubstr("password authentication failed"));
  EXPECT_THAT(failure(parameters("limited")), HasSubstr("too many connections"));
  EXPECT_EQ(only.must("SELECT 1").value(), "1");
}

TEST_F(ClientCapsTest, AVanishedClientLeavesNoCount) {
  NEEDS_PROXY();
  start(ProxyOptions{.auth = "method = \"trust\"",
                     .extra = "[[user]]\nname = \"solo\"\nserver_user = \"app\"\nserver_password = \"app-secret\"\n"
                              "max_client_connections = 1\n",
                     .workers = 4,
                     .metrics = false});
  const auto startup = raw_startup(kVersion30, {{"user", "solo"}, {"database", "fediflow"}});
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(wait_until([&] {
      RawClient client(port());
      client.send(startup);
      const auto welcome = client.receive_until('Z');
      if (welcome.empty() || welcome.back().type != 'Z') return false;
      client.send(raw_query("SELECT pg_sleep(0.05)"));
      client.reset();
      return true;
    }));
  }
}

TEST_F(ClientCapsTest, AReloadKeepsTheCount) {
  NEEDS_PROXY();
  start_limited(3);
  auto first = connect("limited");
  auto second = connect("limited");
  std::string text = proxy().config_text();
  const std::string cap = "max_client_connections = 3";
  text.replace(text.find(cap), cap.size(), "max_client_connections = 1");
  proxy().reload_file(text);
  ASSERT_TRUE(proxy().wait_for_log("was reloaded"));
  EXPECT_THAT(failure(parameters("limited")), HasSubstr("too many connections"));
  first.close();
  EXPECT_THAT(failure(parameters("limited")), HasSubstr("too many connections"));
  second.close();
  EXPECT_TRUE(wait_until([&] { return failure(parameters("limited")).empty(); }));
}

TEST_F(ClientCapsTest, TheConsoleIsReachableWhenTheRestIsFull) {
  NEEDS_PROXY();
  start_limited(0, "max_clients = 1");
  auto only = connect();
  EXPECT_THAT(failure(parameters()), HasSubstr("sorry, too many clients already"));
  EXPECT_EQ(failure(parameters("admin", "pgweir")), "");
}

TEST_F(ClientCapsTest, StatementsOfAClientAreBoundedInCount) {
  NEEDS_PROXY();
  start(ProxyOptions{.listen_extra = "max_client_statements = 3", .metrics = false});
  auto client = connect(), other = connect();
  for (const char* name : {"a", "b"}) EXPECT_OK(client.prepare(name, "SELECT $1::int"));
  EXPECT_OK(client.exec("PREPARE c AS SELECT 3"));
  for (const auto& refused : {client.prepare("d", "SELECT 4"), client.exec("PREPARE d AS SELECT 4")}) {
    EXPECT_EQ(refused.sqlstate(), "54000");
    EXPECT_THAT(refused.error ? refused.error->message : "", HasSubstr("too many prepared statements"));
  }
  EXPECT_OK(other.prepare("d", "SELECT 4"));  // a bound of its own
  EXPECT_EQ(client.must("EXECUTE c").value(), "3");
  EXPECT_OK(client.exec("DEALLOCATE a"));
  EXPECT_OK(client.prepare("d", "SELECT 4"));
}

TEST_F(ClientCapsTest, StatementsOfAClientAreBoundedInBytes) {
  NEEDS_PROXY();
  start(ProxyOptions{.listen_extra = "max_statement_size = \"64KiB\"\nmax_client_statement_bytes = \"1KiB\"", .metrics = false});
  auto client = connect();
  // One statement that is taken at all has room.
  const std::string big = "SELECT 1 /* " + std::string(60 << 10, 'x') + " */";
  int taken = 0;
  QueryResult last;
  for (; taken < 100; ++taken)
    if (last = client.prepare("s" + std::to_string(taken), big); !last.ok()) break;
  EXPECT_GE(taken, 1);
  EXPECT_LT(taken, 10);
  EXPECT_EQ(last.sqlstate(), "54000");
  EXPECT_OK(client.exec("DEALLOCATE ALL"));
  EXPECT_OK(client.prepare("again", big));
}

}  // namespace
}  // namespace pgweir::support
