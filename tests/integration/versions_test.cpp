// Newer servers behind the proxy: PostgreSQL 17 and 18 with SCRAM and TLS on both sides, every driver of
// tests/drivers; protocol 3.2 from end to end on 18.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <mutex>
#include <thread>

#include "tests/support/pg_cluster.h"
#include "tests/support/proxy_process.h"
#include "tests/support/wait.h"

namespace pgweir::support {
namespace {

using testing::StartsWith;

// Between the proxy and its server: relays and keeps the first bytes that each connection sends.
class Tap {
 public:
  explicit Tap(std::uint16_t server) : server_(server), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("the tap cannot listen");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { loop(); });
  }
  ~Tap() {
    stopping_ = true;
    thread_.join();
    for (const auto& link : links_)
      for (const int fd : link.fds) ::close(fd);
    ::close(listener_);
  }
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> openings() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> all;
    for (const auto& link : links_) all.push_back(link.opening);
    return all;
  }

 private:
  struct Link {
    int fds[2];
    std::string opening;
    bool open = true;
  };
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  void loop() {
    while (!stopping_) {
      std::vector<pollfd> watched = {{listener_, POLLIN, 0}};
      for (const auto& link : links_)
        for (const int fd : link.fds) watched.push_back({link.open ? fd : -1, POLLIN, 0});
      if (::poll(watched.data(), watched.size(), 50) <= 0) continue;
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 1; i < watched.size(); ++i)
        if (watched[i].revents != 0) relay(links_[(i - 1) / 2], (i - 1) % 2);
      if (watched[0].revents != 0) accept();
    }
  }
  void accept() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_);
    (void)::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    links_.push_back({{client, server}, {}, true});
  }
  static void relay(Link& link, std::size_t from) {
    char bytes[16384];
    const ssize_t count = ::recv(link.fds[from], bytes, sizeof bytes, 0);
    if (count <= 0) {
      link.open = false;
      for (const int fd : link.fds) ::shutdown(fd, SHUT_RDWR);
      return;
    }
    if (from == 0 && link.opening.empty()) link.opening.assign(bytes, static_cast<std::size_t>(count));
    (void)::send(link.fds[1 - from], bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL);
  }

  const std::uint16_t server_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<Link> links_;
  std::thread thread_;
};

class NewerServers : public testing::Test {
 protected:
  static PgCluster& server(int major) {
    auto& made = servers_[major];
    if (!made) made = std::make_unique<PgCluster>(PgOptions{.bin = newer_postgres(major)});
    return *made;
  }

  static ProxyOptions options(const std::string& endpoint) {
    return {.clusters = plain_cluster("fediflow", endpoint), .tls_server = "require", .pool = "size = 5"};
  }
  // Prints what the driver says when it fails.
  static void run_driver(const std::string& name, std::uint16_t port, const std::map<std::string, std::string>& more) {
    std::map<std::string, std::string> environment = {
        {"PGHOST", "127.0.0.1"},        {"PGPORT", std::to_string(port)}, {"PGUSER", "app"},
        {"PGPASSWORD", "app-secret"},   {"PGDATABASE", "fediflow"},       {"PGSSLMODE", "require"},
        {"PGWEIR_TEST_MODE", "plain"}};
    environment.insert(more.begin(), more.end());
    try {
      run({.command = {std::string(PGWEIR_SOURCE_DIR) + "/tests/drivers/run", name}, .environment = environment},
          Milliseconds{180'000});
    } catch (const std::runtime_error& error) {
      ADD_FAILURE() << name << ": " << error.what();
    }
  }

 private:
  static inline std::map<int, std::unique_ptr<PgCluster>> servers_;   // for all tests here

  // Stops them when the last test is over, while the environment still is.
  class Ending : public testing::Environment {
    void TearDown() override { servers_.clear(); }
  };
  static inline testing::Environment* const ending_ = testing::AddGlobalTestEnvironment(new Ending);
};

class NewerServerTest : public NewerServers, public testing::WithParamInterface<int> {};

// pgbench takes half a minute of load: with PGWEIR_LONG=1. PostgreSQL 15 has all of them in drivers_test.cpp.
std::vector<std::string> drivers() {
  std::vector<std::string> all = {"psql",        "psycopg2", "psycopg3", "asyncpg",   "node_pg",
                                  "postgres_js", "pgjdbc",   "ruby_pg",  "php_pgsql", "perl_dbd"};
  if (std::getenv("PGWEIR_LONG") != nullptr) all.emplace_back("pgbench");
  return all;
}

class NewerDriverTest : public NewerServers, public testing::WithParamInterface<std::tuple<int, std::string>> {};

TEST_P(NewerDriverTest, GetsWhatPostgresqlGives) {
  const auto& [major, driver] = GetParam();
  ProxyProcess proxy(options(server(major).endpoint()));
  EXPECT_THAT(proxy.connect().parameter("server_version"), StartsWith(std::to_string(major)));
  // On 18 those that stand on libpq are given that of PostgreSQL 18, and refuse anything older than protocol 3.2. Not Ruby's:
  // its cancel reads a structure that is private to the libpq that it was made for.
  const bool libpq = driver.starts_with("ps") || driver == "pgbench" || driver == "php_pgsql" || driver == "perl_dbd";
  std::map<std::string, std::string> newest;
  if (libpq && major == 18)
    newest = {{"LD_LIBRARY_PATH", (newer_postgres(18).parent_path() / "lib").string()},
              {"PGMINPROTOCOLVERSION", "3.2"},
              {"PGMAXPROTOCOLVERSION", "3.2"}};
  run_driver(driver, proxy.port(), newest);
  EXPECT_TRUE(proxy.running()) << proxy.log();
}

INSTANTIATE_TEST_SUITE_P(Major, NewerDriverTest, testing::Combine(testing::Values(17, 18), testing::ValuesIn(drivers())),
                         [](const auto& test) { return std::get<1>(test.param) + "_" + std::to_string(std::get<0>(test.param)); });

TEST_P(NewerServerTest, AClientIsToldTheSameParametersAsDirectly) {
  ProxyProcess proxy(options(server(GetParam()).endpoint()));
  Connection direct = server(GetParam()).connect();
  Connection client = proxy.connect();
  // search_path is reported from 18 on.
  for (const char* name : {"server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone", "is_superuser",
                           "session_authorization", "integer_datetimes", "scram_iterations", "search_path",
                           "default_transaction_read_only", "in_hot_standby", "standard_conforming_strings"})
    EXPECT_EQ(client.parameter(name), direct.parameter(name)) << name;
}

INSTANTIATE_TEST_SUITE_P(Major, NewerServerTest, testing::Values(17, 18), testing::PrintToStringParamName());

class Protocol32Test : public NewerServers {};

TEST_F(Protocol32Test, TheServerIsAskedForItAndCancelledByItsLongKey) {
  Tap tap(server(18).port());
  ProxyOptions plain = options(tap.endpoint());
  plain.tls_server = "disable";
  ProxyProcess proxy(plain);
  Connection client = proxy.connect();
  auto slow = std::async(std::launch::async, [&] { return client.exec("SELECT pg_sleep(60)"); });
  ASSERT_TRUE(wait_until([] {
    return server(18).exec("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'").value() == "1";
  }));
  EXPECT_EQ(client.cancel(), "");
  EXPECT_EQ(slow.get().sqlstate(), "57014");

  const std::string version_32("\0\3\0\2", 4), cancel_request("\0\0\0\x2c\x04\xd2\x16\x2e", 8);  // 44 bytes: a key of 32
  bool asked = false, cancelled = false;
  for (const std::string& opening : tap.openings()) {
    asked |= opening.substr(4, 4) == version_32 && opening.find("app") != std::string::npos;
    cancelled |= opening.substr(0, 8) == cancel_request && opening.size() == 44;
  }
  EXPECT_TRUE(asked);
  EXPECT_TRUE(cancelled);
}

// PostgreSQL 15 answers the same request by its own version.
TEST(Protocol30, AnOlderServerIsSpokenToInItsOwn) {
  PgCluster older;
  Tap tap(older.port());
  ProxyProcess proxy({.clusters = plain_cluster("fediflow", tap.endpoint()), .tls_server = "disable"});
  Connection client = proxy.connect();
  auto slow = std::async(std::launch::async, [&] { return client.exec("SELECT pg_sleep(60)"); });
  ASSERT_TRUE(wait_until([&] {
    return older.exec("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'").value() == "1";
  }));
  EXPECT_EQ(client.cancel(), "");
  EXPECT_EQ(slow.get().sqlstate(), "57014");
  bool cancelled = false;
  for (const std::string& opening : tap.openings()) cancelled |= opening.size() == 16 && opening[3] == 16;
  EXPECT_TRUE(cancelled);
}

}  // namespace
}  // namespace pgweir::support
