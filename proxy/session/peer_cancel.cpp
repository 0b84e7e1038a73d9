#include "proxy/session/peer_cancel.h"

#include <atomic>

#include "protocol/frontend_codec.h"
#include "proxy/log/log.h"
#include "proxy/net/resolver.h"
#include "proxy/net/stream.h"
#include "proxy/net/timer.h"

namespace pgweir::session {
namespace {

constexpr auto kDeadline = std::chrono::milliseconds(5000);
constexpr int kMostUnderWay = 256;  // strangers can make us forward: each costs a socket for a moment
constexpr char kMark = '\x01';
constexpr std::size_t kShortKey = 4, kLongKey = 32;  // of CancelRegistry::make()

std::atomic<int> under_way{0};

// Sends one request and waits for the peer to close. Owns itself.
class Forwarding final : public net::Disposable, public net::StreamHandler {
 public:
  Forwarding(net::Worker& worker, std::string request) : worker_(worker), request_(std::move(request)) {
    under_way.fetch_add(1, std::memory_order_relaxed);
    timer_.set<&Forwarding::finish>(this);
    timer_.arm(worker, kDeadline);
  }
  ~Forwarding() override {
    *alive_ = false;
    under_way.fetch_sub(1, std::memory_order_relaxed);
  }

  void start(net::Resolver& resolver, const config::Endpoint& peer) {
    if (auto known = resolver.try_resolve(peer); known && !known->empty()) return connect_to(known->front());
    resolver.resolve(peer, kDeadline, worker_,
                     [this, alive = alive_, name = peer.to_string()](net::Result<net::Resolver::Addresses> found) {
                       if (!*alive || finished_) return;
                       if (found) return connect_to(found->front());
                       log::warning("a cancel request cannot be forwarded to {}: {}", name, found.error().text);
                       finish();
                     });
  }

  std::size_t on_bytes(std::string_view bytes) override { return bytes.size(); }
  void on_connected() override { stream_->send(request_); }
  void on_closed(const net::StreamError&) override { finish(); }

 private:
  void connect_to(const net::SocketAddress& address) {
    stream_ = net::Stream::connect(worker_, address, kDeadline, this);
  }
  void finish() {
    if (std::exchange(finished_, true)) return;
    timer_.cancel();
    worker_.dispose(std::unique_ptr<net::Disposable>(this));
  }

  net::Worker& worker_;
  std::string request_;
  std::unique_ptr<net::Stream> stream_;
  net::Timer timer_;
  bool finished_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

unsigned node_of(std::int32_t pid) { return (static_cast<std::uint32_t>(pid) >> 21) & 0x3ffu; }

std::string mark_forwarded(std::string_view key) { return std::string(key) + kMark; }

std::string_view forwarded_key(std::string_view key) {
  const bool marked = (key.size() == kShortKey + 1 || key.size() == kLongKey + 1) && key.back() == kMark;
  return marked ? key.substr(0, key.size() - 1) : std::string_view();
}

void forward_cancel(WorkerContext& context, std::int32_t pid, std::string_view key) {
  if (pid <= 0 || (key.size() != kShortKey && key.size() != kLongKey)) return;
  const auto& config = *context.snapshot()->config;
  const unsigned node = node_of(pid);
  if (node == config.listen.node_id || under_way.load(std::memory_order_relaxed) >= kMostUnderWay) return;
  for (const config::Peer& peer : config.peers) {
    if (peer.node_id != node) continue;
    std::string request;
    protocol::encode_cancel_request(pid, mark_forwarded(key), request);
    (new Forwarding(context.worker, std::move(request)))->start(context.runtime.login_services.resolver(), peer.address);
    return;
  }
}

}  // namespace pgweir::session
