// What the parts of Stream's implementation share. Not for users of the stream.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/net/stream.h"
#include "proxy/net/timer.h"

struct ssl_st;

namespace pgweir::net {

// On the stack of everything that calls a handler: gone() is true when the stream was destroyed meanwhile. Guards nest.
class Stream::Guard {
 public:
  explicit Guard(Stream& stream) : stream_(stream), outer_(std::exchange(stream.destroyed_, &gone_)) {}
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() {
    if (!gone_) {
      stream_.destroyed_ = outer_;
    } else if (outer_ != nullptr) {
      *outer_ = true;
    }
  }
  bool gone() const { return gone_; }

 private:
  bool gone_ = false;
  Stream& stream_;
  bool* outer_;
};

struct Stream::Phase {
  SocketAddress address;                // of the peer, while connecting
  Clock::time_point deadline{};         // of connecting; zero: none
  bool in_progress = false;             // connect() was accepted by the system
  std::unique_ptr<Stream> self;         // while lingering
  Task ended;                           // of finish()
  Duration linger{0};
  std::function<bool()> stay;
  Timer timer;
};

struct Stream::Tls {
  std::shared_ptr<const TlsContext> context;
  ssl_st* ssl = nullptr;
  Task on_ready;
  std::string_view input;      // ciphertext that OpenSSL may take now
  bool ready = false;          // handshake done
  int last_error = 0;          // of the last SSL_read
  bool take_unread = false;    // unconsumed plain bytes are the peer's first TLS bytes; or just: begin
  ~Tls();
};

// Reads of one stream in one wake-up before others get their turn.
inline constexpr int kReadsPerWakeup = 4;
// From here on unconsumed bytes are read into memory of their own instead of being copied through the scratch.
inline constexpr std::size_t kLargeTail = 64 * 1024;

}  // namespace pgweir::net
