// Sockets of both sides: unix sockets, IPv6, keepalive; how the kernel has them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/integration/proxy_fixture.h"

namespace pgweir::support {
namespace {

class TransportTest : public ProxyTest {
 protected:
  // Listens also on `address`.
  void start_at(const std::string& address, ProxyOptions options) {
    proxy_.emplace(std::move(options), ProxyProcess::Stopped{});
    const std::string first = "\"127.0.0.1:" + std::to_string(proxy_->port()) + "\"";
    std::string text = proxy_->config_text();
    write_file(proxy_->config_file(), text.replace(text.find(first), first.size(), first + ", \"" + address + "\""));
    proxy_->start();
  }
  // The proxy's sockets, as duplicates of ours.
  static std::vector<int> sockets_of(pid_t pid) {
    std::vector<int> all;
    const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
      const int fd = static_cast<int>(::syscall(SYS_pidfd_getfd, process, std::stoi(entry.path().filename().string()), 0));
      if (fd >= 0) all.push_back(fd);
    }
    ::close(process);
    return all;
  }
  static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return ::getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
  }
};

TEST_F(TransportTest, UnixSocketsOnBothSides) {
  NEEDS_PROXY();
  TempDir temp("sockets");
  start_at("unix:" + temp.path().string(),
           ProxyOptions{.clusters = plain_cluster("fediflow", "unix:" + server().directory().string() + ":" + std::to_string(server().port())),
                        .listen_extra = "unix_socket_mode = \"0770\""});
  struct stat status{};
  ASSERT_EQ(::stat((temp.path() / (".s.PGSQL." + std::to_string(port()))).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0770u);
  auto given = parameters();
  given["host"] = temp.path().string();
  auto client = Connection::open(given);
  EXPECT_EQ(client.must("SELECT client_addr IS NULL AND client_port = -1 FROM pg_stat_activity WHERE pid = pg_backend_pid()").value(), "t");
  EXPECT_EQ(connect().must("SELECT 'by TCP too'").value(), "by TCP too");
  expect_stop();
  EXPECT_EQ(proxy().terminate(), 0);
  EXPECT_NE(::stat((temp.path() / (".s.PGSQL." + std::to_string(port()))).c_str(), &status), 0) << "the socket file is left";
}

TEST_F(TransportTest, Ipv6OnBothSides) {
  NEEDS_PROXY();
  PgCluster six({.settings = {"listen_addresses = '127.0.0.1,::1'"}, .hba = {"host all all 127.0.0.1/32 scram-sha-256", "host all all ::1/128 scram-sha-256"}});
  const auto listening = free_port();
  start_at("[::1]:" + std::to_string(listening),
           ProxyOptions{.clusters = plain_cluster("fediflow", "[::1]:" + std::to_string(six.port()))});
  auto given = parameters();
  given["host"] = "::1";
  given["port"] = std::to_string(listening);
  auto client = Connection::open(given);
  EXPECT_EQ(client.must("SELECT host(client_addr) FROM pg_stat_activity WHERE pid = pg_backend_pid()").value(), "::1");
  bool shown = false;
  for (const auto& row : proxy().console().must("SHOW CLIENTS").rows)
    for (const auto& cell : row) shown = shown || cell == "::1";
  EXPECT_TRUE(shown);
}

// "localhost" is ::1 first on most systems, and servers often listen on 127.0.0.1 only.
TEST_F(TransportTest, AServersNameMayHaveAddressesThatDoNotAnswer) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = plain_cluster("fediflow", "localhost:" + std::to_string(server().port()))});
  EXPECT_EQ(connect().must("SELECT 1").value(), "1");
}

TEST_F(TransportTest, BothSidesNoticeAPeerThatIsSilentlyGone) {
  NEEDS_PROXY();
  start(ProxyOptions{.metrics = false});
  auto client = connect();
  client.must("BEGIN; SELECT 1");
  const auto sockets = sockets_of(proxy().pid());
  if (sockets.empty()) GTEST_SKIP() << "this system does not let a parent look at its child's sockets";
  int clients = 0, servers = 0;
  for (const int fd : sockets) {
    sockaddr_in peer{}, local{};
    socklen_t length = sizeof peer;
    const bool connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0 && peer.sin_family == AF_INET;
    length = sizeof local;
    if (connected) ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
    const bool of_client = connected && ntohs(local.sin_port) == port();
    const bool of_server = connected && ntohs(peer.sin_port) == server().port() && option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 60;
    if (of_client || of_server) {
      EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
      EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
      EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
      EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
      EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 90'000);
    }
    clients += of_client ? 1 : 0;
    servers += of_server ? 1 : 0;
  }
  for (const int fd : sockets) ::close(fd);
  EXPECT_EQ(clients, 1);
  EXPECT_GE(servers, 1);  // the control plane's connections have libpq's defaults
  client.must("COMMIT");
}

}  // namespace
}  // namespace pgweir::support
