#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/unit/proxy/net_certificates.h"
#include "tests/unit/proxy/net_support.h"

namespace pgweir::net {
namespace {

// Echoes, and moves to the next worker each time it has echoed `stride` bytes: in the middle of what it is reading.
class Nomad : public StreamHandler {
 public:
  Nomad(std::vector<std::unique_ptr<Worker>>& workers, std::size_t stride) : workers_(workers), stride_(stride) {}

  void settle(unsigned index, Detached detached) {
    Worker& worker = *workers_[index];
    at_ = index;
    echoed_ = 0;
    stream_ = std::move(Stream::adopt(worker, std::move(detached), this).value());
  }
  void start(unsigned index, int fd) {
    at_ = index;
    stream_ = std::move(Stream::adopt_fd(*workers_[index], fd, this).value());
  }
  Stream& stream() { return *stream_; }

  std::size_t on_bytes(std::string_view bytes) override {
    EXPECT_EQ(Worker::current(), workers_[at_].get());
    const std::size_t count = std::min(bytes.size(), stride_ - echoed_);
    stream_->send(bytes.substr(0, count));
    echoed_ += count;
    if (echoed_ < stride_) return count;
    Detached moving = stream_->release(count);
    stream_->worker().dispose(std::move(stream_));
    const unsigned next = (at_ + 1) % static_cast<unsigned>(workers_.size());
    ++moves;
    workers_[next]->post(Task([this, next, moving = std::move(moving)]() mutable { settle(next, std::move(moving)); }));
    return 0;  // ignored
  }
  void on_closed(const StreamError& error) override {
    end = error;
    stream_.reset();
    ended.store(true);
  }

  std::atomic<int> moves{0};
  std::atomic<bool> ended{false};
  StreamError end;

 private:
  std::vector<std::unique_ptr<Worker>>& workers_;
  const std::size_t stride_;
  std::size_t echoed_ = 0;
  unsigned at_ = 0;
  std::unique_ptr<Stream> stream_;
};

struct MigrationTest : ::testing::Test {
  std::vector<std::unique_ptr<Worker>> workers;
  void SetUp() override {
    for (unsigned i = 0; i < 3; ++i) {
      workers.push_back(std::make_unique<Worker>(i));
      ASSERT_TRUE(workers.back()->start().ok());
    }
  }
  void TearDown() override {
    for (auto& worker : workers) worker->stop();
  }
  std::uint64_t migrations() const {
    std::uint64_t sum = 0;
    for (const auto& worker : workers) sum += worker->counters().migrations;
    return sum;
  }
  static void await(const std::atomic<bool>& flag) {
    const auto end = Clock::now() + kPatience;
    while (!flag.load() && Clock::now() < end) std::this_thread::yield();
    ASSERT_TRUE(flag.load());
  }
};

TEST_F(MigrationTest, TenThousandMovesInTheMiddleOfAStreamLoseNothing) {
  constexpr std::size_t kConnections = 4, kMoves = 2500, kStride = 100;
  std::vector<std::unique_ptr<Nomad>> nomads;
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < kConnections; ++i) {
    const auto [ours, theirs] = tcp_pair();
    nomads.push_back(std::make_unique<Nomad>(workers, kStride));
    const unsigned first = static_cast<unsigned>(i % workers.size());
    on(*workers[first], [nomad = nomads.back().get(), first, fd = ours] { nomad->start(first, fd); });
    clients.emplace_back([i, fd = theirs] {
      Peer peer(fd);
      const std::string sent = pattern(kStride * kMoves, static_cast<std::uint32_t>(i));
      std::thread sender([&] { EXPECT_TRUE(peer.send(sent)); });
      EXPECT_TRUE(same(peer.receive(sent.size()), sent));
      sender.join();
    });
  }
  for (auto& client : clients) client.join();
  for (auto& nomad : nomads) {
    await(nomad->ended);
    EXPECT_GE(nomad->moves.load(), static_cast<int>(kMoves));
  }
  EXPECT_GE(migrations(), kConnections * kMoves);
  for (auto& worker : workers) EXPECT_EQ(worker->counters().streams, 0u);
}

TEST_F(MigrationTest, TlsConnectionMovesInTheMiddleOfItsRecords) {
  const Certificates& files = certificates();
  const auto server_tls = TlsContext::server({files.cert("server"), files.key("server"), "", {}}).value();
  const auto client_tls = TlsContext::client({TlsClientOptions::Verify::Full, files.cert("ca"), "", ""}).value();
  constexpr std::size_t kStride = 700, kMoves = 500;
  const std::string sent = pattern(kStride * kMoves);
  const auto [ours, theirs] = tcp_pair();
  Nomad nomad(workers, kStride);
  Recorder client;
  Worker& home = *workers[2];
  on(*workers[0], [&, fd = ours] {
    nomad.start(0, fd);
    nomad.stream().start_tls_server(server_tls, {});
  });
  on(home, [&, fd = theirs] {
    client.stream = std::move(Stream::adopt_fd(home, fd, &client).value());
    client.stream->start_tls_client(client_tls, "server.test", [&] { client.stream->send(sent); });
  });
  ASSERT_TRUE(eventually(home, [&] { return client.received.size() >= sent.size() || client.closed; }));
  on(home, [&] {
    EXPECT_TRUE(same(client.received, sent));
    client.stream.reset();
  });
  await(nomad.ended);
  EXPECT_GE(nomad.moves.load(), static_cast<int>(kMoves));
}

TEST_F(MigrationTest, UnreadAndUnsentBytesTravel) {
  const auto [ours, theirs] = tcp_pair();
  Peer peer(theirs);
  Recorder before, after;
  std::atomic<bool> moved{false};
  const std::string large = pattern(8u << 20);
  before.bytes = [&](std::string_view bytes) {
    EXPECT_EQ(bytes, "abcdef");
    before.stream->send(large);
    Detached detached = before.stream->release(2);
    EXPECT_EQ(detached.unread(), 4u);
    EXPECT_FALSE(before.stream->is_open());
    workers[1]->post(Task([&, detached = std::move(detached)]() mutable {
      after.stream = std::move(Stream::adopt(*workers[1], std::move(detached), &after).value());
      EXPECT_GT(after.stream->unsent(), 0u);
      moved = true;
    }));
    return std::size_t{0};
  };
  ASSERT_TRUE(peer.send("abcdef"));
  on(*workers[0], [&, fd = ours] { before.stream = std::move(Stream::adopt_fd(*workers[0], fd, &before).value()); });
  await(moved);
  ASSERT_TRUE(peer.send("gh"));
  EXPECT_TRUE(same(peer.receive(large.size()), large));
  ASSERT_TRUE(eventually(*workers[1], [&] { return after.received == "cdefgh"; }));
  EXPECT_EQ(after.drained, 1);
  on(*workers[1], [&] { after.stream.reset(); });
  on(*workers[0], [&] { before.stream.reset(); });
  EXPECT_FALSE(before.closed);
}

TEST_F(MigrationTest, DroppedOnTheWayIsClosed) {
  const auto [ours, theirs] = tcp_pair();
  Peer peer(theirs);
  Recorder recorder;
  workers[1]->stop();
  on(*workers[0], [&, fd = ours] {
    recorder.stream = std::move(Stream::adopt_fd(*workers[0], fd, &recorder).value());
    Detached detached = recorder.stream->release();
    recorder.stream.reset();
    EXPECT_FALSE(workers[1]->post(Task([detached = std::move(detached)] {})));
  });
  EXPECT_TRUE(peer.at_end());
}

}  // namespace
}  // namespace pgweir::net
