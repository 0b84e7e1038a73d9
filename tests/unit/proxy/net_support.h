// Helpers of the tests of proxy/net: socket pairs, a blocking peer, a recording handler, and a way to run on a worker.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "proxy/net/stream.h"
#include "proxy/net/worker.h"

namespace pgweir::net {

inline constexpr std::chrono::seconds kPatience{60};  // a test that waits this long has failed

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr std::size_t kScale = 1;
#else
inline constexpr std::size_t kScale = 8;
#endif

// Runs `function` on the worker and returns its result.
template <class F>
auto on(Worker& worker, F function) -> decltype(function()) {
  using R = decltype(function());
  auto promise = std::make_shared<std::promise<R>>();
  auto future = promise->get_future();
  worker.post(Task([promise, function = std::move(function)]() mutable {
    if constexpr (std::is_void_v<R>) {
      function();
      promise->set_value();
    } else {
      promise->set_value(function());
    }
  }));
  if (future.wait_for(kPatience) != std::future_status::ready) {
    ADD_FAILURE() << "the worker does not answer";
    std::abort();
  }
  return future.get();
}

// Waits until `condition`, asked on the worker, holds.
template <class F>
[[nodiscard]] bool eventually(Worker& worker, F condition) {
  const auto end = Clock::now() + kPatience;
  while (Clock::now() < end) {
    if (on(worker, condition)) return true;
    std::this_thread::yield();
  }
  return false;
}

// A connected pair of TCP sockets over loopback.
inline std::pair<int, int> tcp_pair() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(listener, 8), 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const int server = ::accept(listener, nullptr, nullptr);
  ::close(listener);
  return {client, server};
}

// The blocking other end of a stream.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {
    const timeval patience{kPatience.count(), 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { close(); }
  int fd() const { return fd_; }
  void close() { if (fd_ >= 0) ::close(std::exchange(fd_, -1)); }
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Exactly `size` bytes, fewer at the end of the connection.
  std::string receive(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t got = 0;
    while (got < size) {
      const ssize_t count = ::recv(fd_, bytes.data() + got, size - got, 0);
      if (count <= 0) break;
      got += static_cast<std::size_t>(count);
    }
    bytes.resize(got);
    return bytes;
  }
  bool at_end() {
    char byte = 0;
    return ::recv(fd_, &byte, 1, 0) == 0;
  }

 private:
  int fd_;
};

// Bytes whose every position is recognisable.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (char& c : bytes) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

// Equality of long texts; tells the place instead of printing megabytes.
inline ::testing::AssertionResult same(std::string_view got, std::string_view wanted) {
  if (got == wanted) return ::testing::AssertionSuccess();
  std::size_t at = 0;
  while (at < got.size() && at < wanted.size() && got[at] == wanted[at]) ++at;
  return ::testing::AssertionFailure() << got.size() << " bytes for " << wanted.size() << ", different from " << at;
}

// Keeps what it is told; on_bytes can be replaced.
struct Recorder : StreamHandler {
  std::unique_ptr<Stream> stream;
  std::string received;
  std::optional<StreamError> closed;
  int calls = 0, drained = 0, hangups = 0, connected = 0;
  std::function<std::size_t(std::string_view)> bytes;
  std::function<void()> closing;

  std::size_t on_bytes(std::string_view view) override {
    ++calls;
    if (bytes) return bytes(view);
    received += view;
    return view.size();
  }
  void on_connected() override { ++connected; }
  void on_drained() override { ++drained; }
  void on_hangup() override { ++hangups; }
  void on_closed(const StreamError& error) override {
    EXPECT_FALSE(closed.has_value()) << "on_closed twice";
    closed = error;
    if (closing) closing();
  }
};

// One running worker with one stream in a Recorder and its blocking peer.
class StreamTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(worker.start().ok()); }
  void TearDown() override {
    on(worker, [this] { recorder.stream.reset(); });
    EXPECT_EQ(on(worker, [this] { return worker.blocks().in_use(); }), 0u) << "memory held without a stream";
    worker.stop();
  }
  void open() {
    const auto [ours, theirs] = tcp_pair();
    peer.emplace(theirs);
    on(worker, [this, fd = ours] {
      auto adopted = Stream::adopt_fd(worker, fd, &recorder);
      ASSERT_TRUE(adopted.ok());
      recorder.stream = std::move(*adopted);
    });
  }
  void on_bytes(std::function<std::size_t(std::string_view)> function) {
    on(worker, [this, &function] { recorder.bytes = std::move(function); });
  }
  bool is_closed() { return eventually(worker, [this] { return recorder.closed.has_value(); }); }

  Worker worker{0};
  Recorder recorder;
  std::optional<Peer> peer;
};

}  // namespace pgweir::net
