#include "proxy/session/cancel.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "protocol/frontend_codec.h"

namespace pgweir::session {
namespace {

constexpr auto kCancelTimeout = std::chrono::milliseconds(5000);

// One cancel connection: sends its request and waits for the server to close it, which PostgreSQL does after the signal
// was sent. Owns itself.
class CancelConnection final : public net::Disposable, public net::StreamHandler {
 public:
  CancelConnection(net::Worker& worker, pool::ServerConnection& server, const net::SocketAddress& address)
      : worker_(worker), cancels_(server.cancels) {
    protocol::encode_cancel_request(server.backend_pid(), server.cancel_key(), request_);
    ++cancels_->in_flight;
    timer_.set<&CancelConnection::on_timeout>(this);
    timer_.arm(worker, kCancelTimeout);
    stream_ = net::Stream::connect(worker, address, kCancelTimeout, this);
  }

  std::size_t on_bytes(std::string_view bytes) override { return bytes.size(); }
  void on_connected() override {
    sent_ = true;
    stream_->send(request_);
  }
  void on_closed(const net::StreamError& error) override { finish(error.kind == net::StreamError::Kind::Eof); }

 private:
  void on_timeout() { finish(false); }

  // answered: PostgreSQL has closed the connection, so the signal was sent or never will be.
  void finish(bool answered) {
    timer_.cancel();
    if (sent_ && !answered) cancels_->may_still_come = true;
    --cancels_->in_flight;
    while (cancels_->in_flight == 0 && !cancels_->ended.empty()) {  // one may send another cancel: the rest waits for it
      const auto done = std::move(cancels_->ended.front());
      cancels_->ended.erase(cancels_->ended.begin());
      done();
    }
    worker_.dispose(std::unique_ptr<net::Disposable>(this));
  }

  net::Worker& worker_;
  std::shared_ptr<pool::ServerConnection::Cancels> cancels_;
  std::string request_;
  std::unique_ptr<net::Stream> stream_;
  net::Timer timer_;
  bool sent_ = false;
};

}  // namespace

CancelRegistry::Key CancelRegistry::make(unsigned node_id, bool long_key, unsigned worker, std::uint64_t session) {
  const std::lock_guard lock(mutex_);
  while (true) {
    std::uint32_t random = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof random);
    const std::uint32_t pid = ((node_id & 0x3ffu) << 21) | (random & 0x1fffffu);
    if (pid == 0) continue;
    std::string secret(long_key ? 32 : 4, '\0');
    RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), static_cast<int>(secret.size()));
    entries_.emplace(static_cast<std::int32_t>(pid), Entry{secret, {worker, session}});
    return {static_cast<std::int32_t>(pid), std::move(secret)};
  }
}

void CancelRegistry::forget(std::int32_t pid, const std::string& secret) {
  const std::lock_guard lock(mutex_);
  auto [from, to] = entries_.equal_range(pid);
  for (auto i = from; i != to; ++i)
    if (i->second.secret == secret) {
      entries_.erase(i);
      return;
    }
}

std::optional<CancelRegistry::Target> CancelRegistry::find(std::int32_t pid, std::string_view secret) const {
  const std::lock_guard lock(mutex_);
  auto [from, to] = entries_.equal_range(pid);
  for (auto i = from; i != to; ++i)
    if (i->second.secret.size() == secret.size() && CRYPTO_memcmp(i->second.secret.data(), secret.data(), secret.size()) == 0)
      return i->second.target;
  return std::nullopt;
}

CancelRegistry& cancel_registry() {
  static CancelRegistry registry;
  return registry;
}

void send_cancel(WorkerContext& context, pool::ServerConnection& server) {
  // One cancel at a time per server: a second one says nothing new.
  if (server.cancels->in_flight != 0) return;
  // Where this connection goes: the server's name may have other addresses, or have moved.
  const net::SocketAddress address = server.stream().peer_address();
  if (address.empty()) return;
  context.cells.cancels_forwarded.add();
  new CancelConnection(context.worker, server, address);  // owns itself
}

void when_cancels_ended(pool::ServerConnection& server, std::function<void()> done) {
  if (server.cancels->in_flight == 0) return done();
  server.cancels->ended.push_back(std::move(done));
}

}  // namespace pgweir::session
