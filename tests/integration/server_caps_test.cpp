// Caps of server connections that pools share: never exceeded as the server itself counts, and nobody starves.
#include <atomic>
#include <thread>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

using testing::HasSubstr;

class ServerCapsTest : public ProxyTest {
 protected:
  // Databases fediflow and second, on one server.
  static std::string two_databases() {
    return plain_cluster("fediflow", server_->endpoint()) +
           plain_cluster("second", server_->endpoint(), "database = \"fediflow\"\n");
  }
  // Asks the server all the time how many connections of pools it has.
  class Watch {
   public:
    explicit Watch(const std::string& condition) {
      thread_ = std::thread([this, condition, direct = server().connect("postgres")]() mutable {
        while (!stop_) {
          const int now = std::stoi(direct.must("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                                                "AND application_name NOT LIKE 'pgweir%' AND " + condition).value());
          most_ = std::max(most_.load(), now);
          ++looks_;
        }
      });
    }
    ~Watch() { end(); }
    int end() {
      stop_ = true;
      if (thread_.joinable()) thread_.join();
      return most_;
    }
    int looks() const { return looks_; }

   private:
    std::atomic<bool> stop_{false};
    std::atomic<int> most_{0}, looks_{0};
    std::thread thread_;
  };
  // Clients that run transactions without pause.
  class Load {
   public:
    Load(std::vector<Connection> clients) {
      for (auto& client : clients)
        threads_.emplace_back([this, client = std::move(client)]() mutable {
          while (!stop_) {
            const auto result = client.exec("SELECT pg_sleep(0.001)");
            if (!result.ok()) ADD_FAILURE() << result;
            if (!result.ok()) return;
            ++served_;
          }
        });
    }
    ~Load() { end(); }
    void end() {
      stop_ = true;
      for (auto& thread : threads_)
        if (thread.joinable()) thread.join();
    }
    int served() const { return served_; }

   private:
    std::atomic<bool> stop_{false};
    std::atomic<int> served_{0};
    std::vector<std::thread> threads_;
  };
  std::vector<Connection> clients(int count, const std::string& user, const std::string& database) {
    std::vector<Connection> all;
    for (int i = 0; i < count; ++i) all.push_back(Connection::open(parameters(user, database)));
    return all;
  }
  // A cell of a table of the console: of the first row that has `key` in the column `by`.
  std::string cell(const std::string& table, const std::string& by, const std::string& key, const std::string& column) {
    const auto all = proxy().console().must("SHOW " + table);
    const auto index = [&](const std::string& name) {
      return static_cast<std::size_t>(std::find(all.columns.begin(), all.columns.end(), name) - all.columns.begin());
    };
    for (const auto& row : all.rows)
      if (row.at(index(by)) == key) return row.at(index(column)).value_or("");
    return "";
  }
  std::string shown(const std::string& database, const std::string& column) { return cell("DATABASES", "name", database, column); }
};

TEST_F(ServerCapsTest, TwoDatabasesUnderLoadShareAGlobalCap) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = two_databases(), .listen_extra = "max_server_connections = 4", .pool = "size = 4", .workers = 2});
  Watch watch("usename = 'app'");
  Load first(clients(8, "app", "fediflow"));
  ASSERT_TRUE(wait_until([&] { return shown("fediflow", "current_connections") == "4"; }));
  // It has all there are, and its clients never rest: the other gets its half all the same.
  Load second(clients(8, "app", "second"));
  EXPECT_TRUE(wait_until([&] { return second.served() > 500; })) << second.served() << " served of the second database";
  EXPECT_EQ(shown("fediflow", "current_connections"), "2");
  EXPECT_EQ(shown("second", "current_connections"), "2");
  const int before = first.served();
  EXPECT_TRUE(wait_until([&] { return first.served() > before + 500; }));
  first.end();
  EXPECT_TRUE(wait_until([&] { return shown("second", "current_connections") == "4"; }));
  second.end();
  EXPECT_LE(watch.end(), 4);
  EXPECT_GT(watch.looks(), 20);
}

TEST_F(ServerCapsTest, MoreDatabasesThanServersTakeTurns) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = two_databases(), .listen_extra = "max_server_connections = 1", .pool = "size = 4", .workers = 2});
  Watch watch("usename IN ('app', 'reader')");
  Load first(clients(3, "app", "fediflow")), second(clients(3, "app", "second")), third(clients(3, "reader", "second"));
  EXPECT_TRUE(wait_until([&] { return std::min({first.served(), second.served(), third.served()}) > 100; }))
      << first.served() << ", " << second.served() << ", " << third.served() << " served";
  for (Load* load : {&first, &second, &third}) load->end();
  EXPECT_LE(watch.end(), 1);
}

TEST_F(ServerCapsTest, AnIdleServerOfAnotherDatabaseGivesWay) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = two_databases(), .listen_extra = "max_server_connections = 2", .pool = "size = 4", .workers = 2});
  Watch watch("usename = 'app'");
  auto first = clients(2, "app", "fediflow"), second = clients(1, "app", "second");
  for (auto& client : first) client.must("BEGIN; SELECT 1");
  for (auto& client : first) client.must("COMMIT");
  ASSERT_EQ(shown("fediflow", "current_connections"), "2");
  EXPECT_EQ(second[0].must("SELECT 'at once'").value(), "at once");
  EXPECT_EQ(shown("fediflow", "current_connections"), "1");
  EXPECT_EQ(watch.end(), 2);
}

TEST_F(ServerCapsTest, ADatabasesCapIsOfAllItsUsersAndTold) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = plain_cluster("fediflow", server_->endpoint(), "max_server_connections = 2\n") +
                                 plain_cluster("second", server_->endpoint(), "database = \"fediflow\"\n"),
                     .pool = "size = 4\ncheckout_timeout = \"300ms\"",
                     .workers = 2});
  EXPECT_EQ(shown("fediflow", "max_connections"), "2");
  auto app = clients(2, "app", "fediflow"), reader = clients(1, "reader", "fediflow");
  for (auto& client : app) client.must("BEGIN; SELECT 1");
  const auto refused = reader[0].exec("SELECT 1");
  ASSERT_EQ(refused.sqlstate(), "53300") << refused;
  EXPECT_THAT(refused.error->detail,
              HasSubstr("2 of 2 server connections of database \"fediflow\" (max_server_connections) are open."));
  EXPECT_EQ(clients(1, "reader", "second")[0].must("SELECT 1").value(), "1");  // another database is not concerned
  app[0].must("COMMIT");
  EXPECT_EQ(reader[0].must("SELECT 'mine'").value(), "mine");
  app[1].must("COMMIT");
}

TEST_F(ServerCapsTest, AUsersCapHoldsUnderLoad) {
  NEEDS_PROXY();
  start(ProxyOptions{.pool = "size = 5\nmax_connections = 2", .workers = 2});
  Watch watch("usename = 'app'"), other("usename = 'reader'");
  {
    Load app(clients(6, "app", "fediflow")), reader(clients(3, "reader", "fediflow"));
    EXPECT_TRUE(wait_until([&] { return app.served() > 300 && reader.served() > 300; }));
  }
  EXPECT_EQ(watch.end(), 2);
  EXPECT_EQ(other.end(), 2);  // each user has its own
}

TEST_F(ServerCapsTest, AReloadLowersACap) {
  NEEDS_PROXY();
  start(ProxyOptions{.listen_extra = "max_server_connections = 4", .pool = "size = 4", .workers = 2});
  Load app(clients(6, "app", "fediflow"));
  ASSERT_TRUE(wait_until([&] { return shown("fediflow", "current_connections") == "4"; }));
  std::string text = proxy().config_text();
  const std::string key = "max_server_connections = 4";
  proxy().reload_file(text.replace(text.find(key), key.size(), "max_server_connections = 1"));
  EXPECT_TRUE(wait_until([] { return pooled_backends() == 1; }));
  Watch watch("usename = 'app'");
  const int before = app.served();
  EXPECT_TRUE(wait_until([&] { return app.served() > before + 200; }));
  EXPECT_EQ(watch.end(), 1);
}

// PostgreSQL's own limit: who can be served by what is open waits for it; where nothing is, the server's error is told.
TEST_F(ServerCapsTest, TheServersOwnLimitIsWaitedForOrTold) {
  NEEDS_PROXY();
  start(3);
  server().exec("ALTER ROLE reader CONNECTION LIMIT 1");
  auto both = clients(2, "reader", "fediflow");
  both[0].must("BEGIN; SELECT 1");
  ASSERT_EQ(PQsendQuery(both[1].raw(), "SELECT 'served'"), 1);
  EXPECT_TRUE(wait_until([&] { return cell("POOLS", "user", "reader", "cl_waiting") == "1"; }));
  both[0].must("COMMIT");
  const auto served = both[1].next();
  ASSERT_TRUE(served && served->ok());
  EXPECT_EQ(served->value(), "served");
  while (both[1].next()) continue;
  proxy().console().must("RECONNECT fediflow");
  ASSERT_TRUE(wait_until([] { return server().exec("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'").value() == "0"; }));
  {
    auto taken = server().connect("reader");
    const auto refused = both[0].exec("SELECT 1");
    EXPECT_EQ(refused.sqlstate(), "53300") << refused;
    EXPECT_THAT(refused.error->message, HasSubstr("too many connections for role \"reader\""));
    EXPECT_EQ(connect().must("SELECT 'others are served'").value(), "others are served");
  }
  EXPECT_TRUE(wait_until([&] { return both[0].exec("SELECT 1").ok(); }));
  server().exec("ALTER ROLE reader CONNECTION LIMIT -1");
}

}  // namespace
}  // namespace pgweir::support
