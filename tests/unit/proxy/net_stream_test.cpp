#include "proxy/net/stream.h"

#include <sys/un.h>

#include <thread>
#include <vector>

#include "tests/unit/proxy/net_support.h"

namespace pgweir::net {
namespace {

// Messages of a four-byte length in front of the text; consumes whole ones only.
std::size_t whole_messages(std::string_view bytes, Stream& stream, std::vector<std::string>& messages) {
  std::size_t used = 0;
  while (bytes.size() - used >= 4) {
    std::uint32_t length = 0;
    std::memcpy(&length, bytes.data() + used, 4);
    if (bytes.size() - used < 4 + length) {
      stream.want(4 + length);
      break;
    }
    messages.emplace_back(bytes.substr(used + 4, length));
    used += 4 + length;
  }
  return used;
}

std::string message(std::string_view text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  return std::string(reinterpret_cast<const char*>(&length), 4).append(text);
}

TEST_F(StreamTest, EveryByteArrivesAlone) {
  open();
  std::vector<std::string> messages;
  on_bytes([&](std::string_view bytes) {
    const std::size_t used = whole_messages(bytes, *recorder.stream, messages);
    for (; !messages.empty(); messages.clear()) recorder.stream->send(messages.front());
    return used;
  });
  const std::string text = "one message, a byte at a time";
  for (int round = 0; round < 3; ++round) {
    for (const char c : message(text)) {
      ASSERT_TRUE(peer->send({&c, 1}));
      on(worker, [] {});
    }
    EXPECT_EQ(peer->receive(text.size()), text);
  }
  EXPECT_EQ(on(worker, [&] { return recorder.stream->unread(); }), 0u);
}

TEST_F(StreamTest, WantPresentsALargeMessageOnceAndWhole) {
  open();
  std::vector<std::string> messages;
  on(worker, [&] { recorder.stream->set_retain_limit(8u << 20); });
  on_bytes([&](std::string_view bytes) { return whole_messages(bytes, *recorder.stream, messages); });
  const std::string large = pattern(3u << 20);
  ASSERT_TRUE(peer->send(message(large) + message("after")));
  ASSERT_TRUE(eventually(worker, [&] { return messages.size() == 2; }));
  EXPECT_TRUE(same(messages[0], large));
  EXPECT_EQ(messages[1], "after");
  EXPECT_LE(recorder.calls, 3);
}

TEST_F(StreamTest, RetainLimitEndsTheStream) {
  open();
  on_bytes([](std::string_view) { return std::size_t{0}; });
  on(worker, [&] { recorder.stream->set_retain_limit(100'000); });
  peer->send(std::string(400'000, 'x'));
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(recorder.closed->kind, StreamError::Kind::Limit);
}

TEST_F(StreamTest, WantBeyondTheLimitEndsTheStreamAtOnce) {
  open();
  on_bytes([&](std::string_view) {
    recorder.stream->want(std::size_t{1} << 40);
    return std::size_t{0};
  });
  peer->send("x");
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(recorder.closed->kind, StreamError::Kind::Limit);
}

TEST_F(StreamTest, PausedNothingIsReadAndResumePresentsWhatWasKept) {
  open();
  on_bytes([&](std::string_view bytes) {
    recorder.received += bytes.substr(0, 1);
    recorder.stream->pause();
    return std::size_t{1};
  });
  peer->send("abc");
  ASSERT_TRUE(eventually(worker, [&] { return recorder.received == "a"; }));
  peer->send("def");
  EXPECT_EQ(on(worker, [&] { return recorder.stream->unread(); }), 2u);
  on_bytes(nullptr);
  on(worker, [&] { recorder.stream->resume(); });
  ASSERT_TRUE(eventually(worker, [&] { return recorder.received == "abcdef"; }));
}

TEST_F(StreamTest, HangupIsToldWhilePausedAndNothingIsLost) {
  open();
  on(worker, [&] { recorder.stream->pause(); });
  peer->send("last");
  peer->close();
  ASSERT_TRUE(eventually(worker, [&] { return recorder.hangups == 1; }));
  EXPECT_FALSE(recorder.closed);
  on(worker, [&] {
    EXPECT_TRUE(recorder.stream->peer_hung_up());
    recorder.stream->resume();
  });
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(recorder.closed->kind, StreamError::Kind::Eof);
  EXPECT_EQ(recorder.received, "last");
  EXPECT_EQ(recorder.hangups, 1);
}

TEST_F(StreamTest, HalfCloseStillGetsItsAnswer) {
  open();
  on_bytes([&](std::string_view bytes) {
    recorder.stream->send(bytes);
    return bytes.size();
  });
  on(worker, [&] { recorder.closing = [&] { recorder.stream->close_after_flush(); }; });
  const std::string sent = pattern(2u << 20);
  std::thread sender([&] {
    peer->send(sent);
    peer->half_close();
  });
  EXPECT_TRUE(same(peer->receive(sent.size()), sent));
  EXPECT_TRUE(peer->at_end());
  sender.join();
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(recorder.closed->kind, StreamError::Kind::Eof);
}

TEST_F(StreamTest, ResetIsToldAsSuch) {
  open();
  peer->reset();
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(recorder.closed->kind, StreamError::Kind::Reset);
  EXPECT_FALSE(recorder.stream->is_open());
}

TEST_F(StreamTest, LastWordsOfThePeerAreReadWhenWritingFails) {
  open();
  on(worker, [&] { recorder.stream->send("never read, so that the peer's close becomes a reset"); });
  char byte = 0;
  ASSERT_EQ(::recv(peer->fd(), &byte, 1, MSG_PEEK), 1);
  on(worker, [&] {
    peer->send("FATAL");
    peer->close();
    recorder.stream->send("into the void");
    recorder.stream->flush_now();
    EXPECT_FALSE(recorder.closed) << "told from within flush_now()";
  });
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(recorder.received, "FATAL");
  EXPECT_EQ(recorder.closed->kind, StreamError::Kind::Reset);
}

TEST_F(StreamTest, WriteFailureWhilePausedIsTold) {
  open();
  on(worker, [&] { recorder.stream->pause(); });
  peer->reset();
  on(worker, [&] {
    recorder.stream->send("x");
    recorder.stream->flush_now();
  });
  ASSERT_TRUE(is_closed());
}

TEST_F(StreamTest, MayBeDestroyedInItsOwnCallback) {
  open();
  on_bytes([&](std::string_view bytes) {
    recorder.stream.reset();
    return bytes.size();
  });
  peer->send("x");
  EXPECT_TRUE(peer->at_end());
  on(worker, [&] { EXPECT_FALSE(recorder.closed); });
}

TEST_F(StreamTest, MayBeDestroyedInOnClosed) {
  open();
  on(worker, [&] { recorder.closing = [&] { recorder.stream.reset(); }; });
  peer->close();
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(worker.counters().streams, 0u);
}

TEST_F(StreamTest, FinishDeliversTheLastMessagePastUnreadInput) {
  open();
  on(worker, [&] { recorder.stream->pause(); });
  peer->send(std::string(200'000, 'x'));
  const std::string last = pattern(300'000);
  on(worker, [&] {
    recorder.stream->send(last);
    Stream::finish(std::move(recorder.stream), std::chrono::seconds(60));
  });
  EXPECT_TRUE(same(peer->receive(last.size()), last));
  EXPECT_TRUE(peer->at_end());
  EXPECT_EQ(worker.counters().streams, 1u) << "waits for the peer's close";
  peer->close();
  EXPECT_TRUE(eventually(worker, [&] { return worker.counters().streams == 0; }));
}

TEST_F(StreamTest, FinishGivesUpOnAPeerThatDoesNotRead) {
  open();
  on(worker, [&] {
    recorder.stream->send(std::string(32u << 20, 'x'));
    Stream::finish(std::move(recorder.stream), Duration{20});
  });
  EXPECT_TRUE(eventually(worker, [&] { return worker.counters().streams == 0; }));
}

TEST_F(StreamTest, WaterMarks) {
  open();
  const std::string large = pattern(16u << 20);
  on(worker, [&] {
    recorder.stream->send(large);
    EXPECT_TRUE(recorder.stream->above_high_water());
    EXPECT_EQ(recorder.drained, 0);
  });
  EXPECT_TRUE(same(peer->receive(large.size()), large));
  ASSERT_TRUE(eventually(worker, [&] { return recorder.drained == 1; }));
  EXPECT_EQ(on(worker, [&] { return recorder.stream->unsent(); }), 0u);
  on(worker, [&] { recorder.stream->send("small"); });
  EXPECT_EQ(peer->receive(5), "small");
  EXPECT_EQ(on(worker, [&] { return recorder.drained; }), 1);
}

TEST_F(StreamTest, IdleProbe) {
  open();
  on(worker, [&] {
    recorder.stream->pause();
    EXPECT_FALSE(recorder.stream->peer_closed_probe());
    peer->close();
    EXPECT_TRUE(recorder.stream->peer_closed_probe());
  });
}

TEST_F(StreamTest, AddressesAndCounters) {
  open();
  peer->send("12345");
  ASSERT_TRUE(eventually(worker, [&] { return recorder.received.size() == 5; }));
  on(worker, [&] {
    recorder.stream->send("123");
    recorder.stream->flush_now();
    EXPECT_EQ(recorder.stream->bytes_in(), 5u);
    EXPECT_EQ(recorder.stream->bytes_out(), 3u);
    EXPECT_EQ(recorder.stream->peer_address().host(), "127.0.0.1");
    EXPECT_NE(recorder.stream->local_address().port(), recorder.stream->peer_address().port());
    recorder.stream->set_keepalive(60, 10, 3);
  });
}

// Two streams that pass everything to each other, with back-pressure: the shape of the relay.
struct Relay {
  struct Side : StreamHandler {
    Side* other = nullptr;
    std::unique_ptr<Stream> stream;
    std::size_t most_unsent = 0;
    bool closed = false;
    std::size_t on_bytes(std::string_view bytes) override {
      other->stream->send(bytes);
      other->most_unsent = std::max(other->most_unsent, other->stream->unsent());
      if (other->stream->above_high_water()) stream->pause();
      return bytes.size();
    }
    void on_drained() override { other->stream->resume(); }
    void on_closed(const StreamError&) override { closed = true; }
  };
  Side a, b;
  Relay() { a.other = &b, b.other = &a; }
};

TEST_F(StreamTest, BulkBothWaysAtOnceWithBackPressure) {
  Relay relay;
  const auto left = tcp_pair(), right = tcp_pair();
  Peer a(left.second), b(right.second);
  on(worker, [&] {
    relay.a.stream = std::move(Stream::adopt_fd(worker, left.first, &relay.a).value());
    relay.b.stream = std::move(Stream::adopt_fd(worker, right.first, &relay.b).value());
  });
  const std::string there = pattern((4u << 20) * kScale, 1), back = pattern((4u << 20) * kScale, 2);
  std::thread send_a([&] { EXPECT_TRUE(a.send(there)); }), send_b([&] { EXPECT_TRUE(b.send(back)); });
  std::string got_a;
  std::thread receive_a([&] { got_a = a.receive(back.size()); });
  const std::string got_b = b.receive(there.size());
  send_a.join(), send_b.join(), receive_a.join();
  EXPECT_TRUE(same(got_b, there));
  EXPECT_TRUE(same(got_a, back));
  on(worker, [&] {
    EXPECT_LE(relay.a.most_unsent, Stream::kHighWater + Worker::kScratchSize);
    EXPECT_LE(relay.b.most_unsent, Stream::kHighWater + Worker::kScratchSize);
    relay.a.stream.reset();
    relay.b.stream.reset();
  });
}

// ---- connecting ----

struct ConnectTest : StreamTest {
  void connect(const SocketAddress& address, Duration timeout) {
    on(worker, [this, address, timeout] {
      recorder.stream = Stream::connect(worker, address, timeout, &recorder);
      recorder.stream->send("hello");
      EXPECT_FALSE(recorder.closed) << "told from within connect()";
    });
  }
  int listen(const SocketAddress& address, int backlog) {
    const int fd = ::socket(address.family(), SOCK_STREAM, 0);
    EXPECT_EQ(::bind(fd, address.data(), address.size()), 0);
    EXPECT_EQ(::listen(fd, backlog), 0);
    return fd;
  }
  static SocketAddress address_of(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
    return {reinterpret_cast<sockaddr*>(&storage), length};
  }
};

TEST_F(ConnectTest, Tcp) {
  Peer listener(listen(*SocketAddress::from_ip("127.0.0.1", 0), 8));
  connect(address_of(listener.fd()), std::chrono::seconds(60));
  Peer server(::accept(listener.fd(), nullptr, nullptr));
  EXPECT_EQ(server.receive(5), "hello");
  server.send("welcome");
  ASSERT_TRUE(eventually(worker, [&] { return recorder.received == "welcome"; }));
  EXPECT_EQ(recorder.connected, 1);
  EXPECT_EQ(on(worker, [&] { return worker.timers().armed(); }), 0u);
}

TEST_F(ConnectTest, Refused) {
  const int fd = listen(*SocketAddress::from_ip("127.0.0.1", 0), 8);
  const SocketAddress address = address_of(fd);
  ::close(fd);
  connect(address, std::chrono::seconds(60));
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(recorder.closed->sys_errno, ECONNREFUSED);
  EXPECT_NE(recorder.closed->text.find(address.to_string()), std::string::npos);
  EXPECT_EQ(recorder.connected, 0);
}

TEST_F(ConnectTest, TimesOutWhereNobodyAccepts) {
  Peer listener(listen(*SocketAddress::from_ip("127.0.0.1", 0), 0));
  const SocketAddress address = address_of(listener.fd());
  std::vector<std::unique_ptr<Peer>> fill;  // a full accept queue lets further attempts hang
  for (int i = 0; i < 3; ++i) {
    fill.push_back(std::make_unique<Peer>(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)));
    [[maybe_unused]] const int ignored = ::connect(fill.back()->fd(), address.data(), address.size());
  }
  connect(address, Duration{50});
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(recorder.closed->kind, StreamError::Kind::Timeout);
}

TEST_F(ConnectTest, UnixSocketAndAFullBacklog) {
  const std::string path = ::testing::TempDir() + "pgweir-net-" + std::to_string(::getpid()) + ".sock";
  ::unlink(path.c_str());
  const SocketAddress address = *SocketAddress::from_path(path);
  connect(address, std::chrono::seconds(60));
  ASSERT_TRUE(is_closed());
  EXPECT_EQ(recorder.closed->sys_errno, ENOENT);

  Peer listener(listen(address, 0));
  Peer first(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::connect(first.fd(), address.data(), address.size()), 0);
  recorder.closed.reset();
  connect(address, std::chrono::seconds(60));
  on(worker, [] {});
  ::close(::accept(listener.fd(), nullptr, nullptr));
  Peer server(::accept(listener.fd(), nullptr, nullptr));
  EXPECT_EQ(server.receive(5), "hello");
  on(worker, [&] { EXPECT_FALSE(recorder.closed); });
  ::unlink(path.c_str());
}

TEST_F(ConnectTest, DestroyedWhileConnecting) {
  Peer listener(listen(*SocketAddress::from_ip("127.0.0.1", 0), 8));
  connect(address_of(listener.fd()), std::chrono::seconds(60));
  on(worker, [&] { recorder.stream.reset(); });
  EXPECT_EQ(on(worker, [&] { return worker.timers().armed(); }), 0u);
}

}  // namespace
}  // namespace pgweir::net
