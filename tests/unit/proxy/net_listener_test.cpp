#include "proxy/net/listener.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <condition_variable>
#include <fstream>
#include <mutex>

#include "proxy/net/resolver.h"
#include "tests/unit/proxy/net_support.h"

namespace pgweir::net {
namespace {

SocketAddress loopback() { return *SocketAddress::from_ip("127.0.0.1", 0); }

std::unique_ptr<Peer> connect_to(const SocketAddress& address) {
  auto peer = std::make_unique<Peer>(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(peer->fd(), address.data(), address.size()), 0) << address.to_string();
  return peer;
}

TEST(SocketAddress, ToAndFromText) {
  EXPECT_EQ(SocketAddress::from_ip("10.1.2.3", 5432)->to_string(), "10.1.2.3:5432");
  EXPECT_EQ(SocketAddress::from_ip("[::1]", 5432)->to_string(), "[::1]:5432");
  EXPECT_EQ(SocketAddress::from_ip("::1", 5432), SocketAddress::from_ip("[::1]", 5432));
  EXPECT_FALSE(SocketAddress::from_ip("localhost", 1));
  EXPECT_EQ(SocketAddress::from_path("/tmp/x")->to_string(), "unix:/tmp/x");
  EXPECT_FALSE(SocketAddress::from_path(std::string(200, 'x')));
  const config::Endpoint directory{"/run/postgresql", 5433, true};
  EXPECT_EQ(unix_socket_path(directory), "/run/postgresql/.s.PGSQL.5433");
}

TEST(Acceptor, HandsOverConnectionsOfAllItsSockets) {
  std::promise<std::pair<int, std::string>> got;
  Acceptor acceptor([&](int fd, const SocketAddress& peer) { got.set_value({fd, peer.host()}); });
  for (int i = 0; i < 2; ++i) {
    auto socket = ListeningSocket::open(loopback(), {});
    ASSERT_TRUE(socket.ok());
    acceptor.add(std::move(*socket));
  }
  const auto addresses = acceptor.addresses();
  EXPECT_NE(addresses[0].port(), 0);
  ASSERT_TRUE(acceptor.start().ok());
  const auto client = connect_to(addresses[1]);
  auto future = got.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  const auto [fd, host] = future.get();
  EXPECT_EQ(host, "127.0.0.1");
  Peer server(fd);
  EXPECT_TRUE(client->send("x"));
  acceptor.stop();
  acceptor.stop();
  EXPECT_EQ(acceptor.accepted(), 1u);
  Peer refused(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_NE(::connect(refused.fd(), addresses[1].data(), addresses[1].size()), 0);
}

TEST(ListeningSocket, PortTakenIsAnErrorThatNamesIt) {
  auto first = ListeningSocket::open(loopback(), {});
  ASSERT_TRUE(first.ok());
  const auto second = ListeningSocket::open(first->address(), {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().sys_errno, EADDRINUSE);
  EXPECT_NE(second.error().text.find(first->address().to_string()), std::string::npos);
}

TEST(ListeningSocket, ReusePortSharesTheAddress) {
  ListenOptions options;
  options.reuse_port = true;
  auto first = ListeningSocket::open(loopback(), options);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(ListeningSocket::open(first->address(), options).ok());
}

TEST(ListeningSocket, UnixSocketFileLeftByACrashIsReplacedALiveOneIsNot) {
  const std::string path = ::testing::TempDir() + "pgweir-listen-" + std::to_string(::getpid());
  const SocketAddress address = *SocketAddress::from_path(path);
  ::unlink(path.c_str());
  {
    Peer crashed(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(crashed.fd(), address.data(), address.size()), 0);
    ASSERT_EQ(::listen(crashed.fd(), 1), 0);
  }
  ListenOptions options;
  options.unix_mode = 0700;
  {
    auto socket = ListeningSocket::open(address, options);
    ASSERT_TRUE(socket.ok()) << socket.error().text;
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    const auto second = ListeningSocket::open(address, options);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().sys_errno, EADDRINUSE);
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << "the live socket's file is gone";
  }
  struct stat status{};
  EXPECT_NE(::stat(path.c_str(), &status), 0) << "the file outlived its socket";
  std::ofstream(path) << "precious";
  EXPECT_FALSE(ListeningSocket::open(address, options).ok());
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << "a file that is no socket was removed";
  ::unlink(path.c_str());
}

TEST(ListenOn, AnyAddress) {
  auto sockets = listen_on({"*", 0, false}, {});
  ASSERT_TRUE(sockets.ok()) << sockets.error().text;
  EXPECT_GE(sockets->size(), 1u);
}

TEST(Acceptor, OutOfDescriptorsPausesAndRecovers) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> accepted;
  int troubles = 0;
  Acceptor acceptor(
      [&](int fd, const SocketAddress&) {
        const std::lock_guard lock(mutex);
        accepted.push_back(fd);
        changed.notify_all();
      },
      [&](const StreamError& error) {
        const std::lock_guard lock(mutex);
        EXPECT_EQ(error.sys_errno, EMFILE);
        ++troubles;
        changed.notify_all();
      });
  acceptor.add(std::move(ListeningSocket::open(loopback(), {}).value()));
  const SocketAddress address = acceptor.addresses().front();
  ASSERT_TRUE(acceptor.start().ok());
  Peer client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{3, before.rlim_max};  // no descriptor above standard error
  ::setrlimit(RLIMIT_NOFILE, &none);
  ASSERT_EQ(::connect(client.fd(), address.data(), address.size()), 0);
  std::unique_lock lock(mutex);
  const bool troubled = changed.wait_for(lock, kPatience, [&] { return troubles > 0; });
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(troubled);
  EXPECT_TRUE(changed.wait_for(lock, kPatience, [&] { return accepted.size() == 1; }));
  lock.unlock();
  acceptor.stop();
  for (const int fd : accepted) ::close(fd);
}

// ---- names ----

struct Asked {
  std::promise<Result<Resolver::Addresses>> promise;
  Result<Resolver::Addresses> get() {
    auto future = promise.get_future();
    EXPECT_EQ(future.wait_for(kPatience), std::future_status::ready);
    return future.get();
  }
};

bool run_here(const std::function<void()>& function) {
  function();
  return true;
}

Result<Resolver::Addresses> ask(Resolver& resolver, const std::string& host, Duration deadline = kPatience) {
  auto asked = std::make_shared<Asked>();
  resolver.resolve({host, 5432, false}, deadline, &run_here,
                   [asked](Result<Resolver::Addresses> result) { asked->promise.set_value(std::move(result)); });
  return asked->get();
}

TEST(Resolver, CachesAnswersAndFailures) {
  auto lookups = std::make_shared<std::atomic<int>>(0);
  Resolver resolver({}, [lookups](const std::string& host, std::uint16_t port) -> Result<Resolver::Addresses> {
    ++*lookups;
    if (host == "absent.test") return StreamError{StreamError::Kind::Io, 0, "no such host"};
    return Resolver::Addresses{*SocketAddress::from_ip("192.0.2.1", port)};
  });
  EXPECT_FALSE(resolver.try_resolve({"db.test", 5432, false}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(resolver, "db.test").value().front().to_string(), "192.0.2.1:5432");
  EXPECT_EQ(lookups->load(), 1);
  EXPECT_TRUE(resolver.try_resolve({"db.test", 5432, false}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(resolver, "absent.test").error().text, "no such host");
  EXPECT_LE(lookups->load(), 4);
  EXPECT_EQ(ask(resolver, "127.0.0.1").value().front().host(), "127.0.0.1");
  EXPECT_TRUE(resolver.try_resolve({"::1", 5432, false}));
}

TEST(Resolver, DeadlineHoldsWhileTheLookupIsStuckAndQueuesAreBounded) {
  auto release = std::make_shared<std::promise<void>>();
  std::shared_future<void> released = release->get_future().share();
  Resolver::Options options;
  options.max_waiting = 2;
  auto dropped = std::make_shared<int>(0);
  {
    Resolver resolver(options, [released](const std::string&, std::uint16_t) -> Result<Resolver::Addresses> {
      released.wait();
      return StreamError{StreamError::Kind::Io, 0, "late"};
    });
    const auto ignore = [dropped](Result<Resolver::Addresses>) { ADD_FAILURE() << "answered after destruction"; };
    resolver.resolve({"first.test", 1, false}, kPatience, &run_here, ignore);
    EXPECT_EQ(ask(resolver, "second.test", Duration{20}).error().kind, StreamError::Kind::Timeout);
    resolver.resolve({"first.test", 1, false}, kPatience, &run_here, ignore);
    EXPECT_EQ(ask(resolver, "third.test").error().kind, StreamError::Kind::Limit);
  }
  EXPECT_EQ(dropped.use_count(), 1);
  release->set_value();
}

TEST(Resolver, AnswersOnTheWorker) {
  Worker worker(0);
  ASSERT_TRUE(worker.start().ok());
  Resolver resolver;
  std::promise<bool> on_worker;
  resolver.resolve({"localhost", 5432, false}, kPatience, worker, [&](Result<Resolver::Addresses> result) {
    EXPECT_TRUE(result.ok());
    on_worker.set_value(worker.on_own_thread());
  });
  auto future = on_worker.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(future.get());
}

}  // namespace
}  // namespace pgweir::net
