// Stream: a connected TCP or unix socket, optionally under TLS. It lives on one worker and is used on that worker's
// thread only; release() and adopt() move it to another. Its owner holds it by unique_ptr and may destroy it at any
// time, also within a callback of its own (destroying the handler within a callback is the handler's business:
// Worker::dispose).
//
// Output is queued and written once at the end of the wake-up. Input is read once per edge into the worker's scratch
// memory and lent to the handler. Nothing is held in memory per stream while it is idle.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/net/block_pool.h"
#include "proxy/net/endpoint.h"
#include "proxy/net/error.h"
#include "proxy/net/retained_buffer.h"
#include "proxy/net/task.h"
#include "proxy/net/tls.h"
#include "proxy/net/worker.h"

namespace pgweir::net {

class StreamHandler {
 public:
  // All bytes not consumed yet, contiguous, retained tail first; never empty. Returns how many (<= size) are consumed:
  // the rest is kept and presented again with what follows, or after resume(), present_again() or set_handler(). May
  // call anything on this and other streams; after pause() in here the rest is simply kept. The view dies when the call
  // returns, or when this stream is closed, released or destroyed in it (the return value is then ignored).
  virtual std::size_t on_bytes(std::string_view bytes) = 0;
  virtual void on_connected() {}  // connect() succeeded; sends made before are under way
  // unsent() fell to the low-water mark or below after it had been above the high-water mark
  virtual void on_drained() {}
  // The peer has gone or half-closed while this stream is paused: at most once. What it sent before is still there.
  virtual void on_hangup() {}
  // Once, no further callback follows. After Eof what is sent can still reach a peer that only closed its own direction
  // (close_after_flush, finish). Not called for the owner's own close(), release() or destruction.
  virtual void on_closed(const StreamError& error) = 0;

 protected:
  virtual ~StreamHandler() = default;
};

// A stream between two workers: move it inside a posted task. Closes the socket when destroyed.
class Detached {
 public:
  Detached() = default;
  Detached(Detached&& other) noexcept;
  Detached& operator=(Detached&& other) noexcept;
  ~Detached();
  bool empty() const { return fd_ < 0; }
  std::size_t unread() const { return unread_.size(); }

 private:
  friend class Stream;
  void reset();
  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
  std::shared_ptr<const TlsContext> tls_context_;
  std::string unread_;        // plain
  std::string unsent_wire_;   // as it goes on the wire
  std::string unsent_plain_;  // not yet encrypted
  std::uint64_t bytes_in_ = 0, bytes_out_ = 0;
};

class Stream final : public Disposable, private IoWatch {
 public:
  // Takes a connected socket (made non-blocking, TCP_NODELAY set); the fd is closed on error too. `handler` may be
  // null: then the stream is as if paused until set_handler() and resume().
  static Result<std::unique_ptr<Stream>> adopt_fd(Worker& worker, int fd, StreamHandler* handler);
  // Starts connecting. The outcome comes in a later wake-up or at the end of this one: on_connected, or on_closed
  // (Timeout after `timeout`; 0: none). send() is allowed before.
  static std::unique_ptr<Stream> connect(Worker& worker, const SocketAddress& address, Duration timeout,
                                         StreamHandler* handler);
  // The other half of release(), on the new worker. Unread bytes are presented in the same wake-up.
  static Result<std::unique_ptr<Stream>> adopt(Worker& worker, Detached detached, StreamHandler* handler);
  ~Stream() override;

  void set_handler(StreamHandler* handler);
  Worker& worker() const { return *worker_; }

  // Output. The bytes are copied, unless they are many (>= kDirect) and the socket takes them at once. Failures come as
  // on_closed, never from in here. Ignored after close. Back-pressure is the caller's: look at above_high_water().
  void send(std::string_view bytes);
  void flush_now();
  std::size_t unsent() const { return plain_.size() + wire_.size(); }
  // True: on_drained() will follow.
  bool above_high_water() const {
    if (unsent() <= high_water()) return false;
    return was_above_ = true;
  }
  void set_water_marks(std::size_t low, std::size_t high) { low_water_ = clamped(low), high_water_ = clamped(high); }

  // Input. While paused nothing is read; what arrives is remembered. resume() presents unconsumed bytes again and reads
  // on, later in this wake-up or at once in the next.
  void pause() { paused_ = true; }
  void resume();
  bool paused() const { return paused_; }
  void present_again();
  std::size_t unread() const { return retained_.size(); }  // received (and decrypted), not consumed; outside on_bytes
  std::string_view unread_bytes() const { return retained_.view(); }
  // In on_bytes: do not call again before `total` bytes are there (or the end). The buffer grows once. Above the retain
  // limit the stream fails with Limit. Holds until the next on_bytes.
  void want(std::size_t total) { want_ = clamped(total); }
  // Most bytes that may stay unconsumed while the handler asks for more; default kRetainLimit.
  void set_retain_limit(std::size_t bytes) { retain_limit_ = clamped(bytes); }
  // Most bytes taken from the socket per read, so that many paused streams keep little; default: the whole scratch.
  void set_read_size(std::size_t bytes) { read_size_ = bytes < 1024 ? 1024 : static_cast<std::uint32_t>(bytes); }
  bool peer_hung_up() const { return hung_up_; }  // known so far, without a system call
  // One MSG_PEEK receive: true when the peer has closed, failed, or sent anything that nobody asked for (under TLS: any
  // record). For servers that leave the idle list.
  bool peer_closed_probe() const;

  // Ends. None of them calls back.
  void close();              // at once; unsent bytes are lost
  void close_after_flush();  // no more reading; when all is written, or the peer fails
  // Hands the stream to its worker, which writes what is unsent, half-closes, discards input until the peer closes so
  // that no reset overtakes the last message, and deletes it; at most `linger` long. `ended` is deferred on the worker
  // when the peer has closed or `linger` is over; dropped when the worker stops. `stay`: is asked after each
  // `linger` where the peer's system has acknowledged the end, so that its process is there and busy: true: it lingers on (until
  // set_keepalive() tells that the system has gone).
  static void finish(std::unique_ptr<Stream> stream, Duration linger = Duration{5000}, Task ended = {},
                     std::function<bool()> stay = {});
  bool is_open() const { return fd_ >= 0; }

  // TLS. Unconsumed bytes are taken as the peer's first TLS bytes: a caller that answered an SSLRequest must first see
  // that none are there (CVE-2021-23214); for direct TLS on_bytes returns 0 after calling this. `on_ready` runs when
  // the handshake is done, before any on_bytes; failure is on_closed(Tls). send() before on_ready is queued as
  // application data. `server_name` is sent as SNI (unless an address) and checked under Verify::Full.
  void start_tls_server(std::shared_ptr<const TlsContext> context, Task on_ready);
  void start_tls_client(std::shared_ptr<const TlsContext> context, const std::string& server_name, Task on_ready);
  bool tls_active() const { return tls_ != nullptr; }
  TlsInfo tls_info() const;  // precondition: tls_active() and ready

  // Takes the socket off this worker, for adopt() elsewhere. Not while connecting or in a TLS handshake. Outside
  // on_bytes, or inside it with the number of bytes consumed of the view. The Stream object is closed afterwards.
  Detached release();
  Detached release(std::size_t consumed);

  int fd() const { return fd_; }
  SocketAddress peer_address() const;  // a system call; keep the text if it is needed often. Empty when unknown.
  SocketAddress local_address() const;
  std::uint64_t bytes_in() const { return bytes_in_; }    // on the wire
  std::uint64_t bytes_out() const { return bytes_out_; }
  // SO_KEEPALIVE with these times in seconds (0: the system's default), and where none is 0 the same bound, idle + interval *
  // count, for what the peer does not acknowledge (TCP_USER_TIMEOUT); no-op for unix sockets.
  void set_keepalive(int idle, int interval, int count);

  static constexpr std::size_t kDirect = 16 * 1024;
  static constexpr std::size_t kRetainLimit = 1024 * 1024;
  static constexpr std::size_t kLowWater = 64 * 1024, kHighWater = 256 * 1024;
  // While memory is tight (MemoryAccount::tight) one read and what may wait to be written are this small.
  static constexpr std::size_t kTightWater = 16 * 1024;
  static constexpr std::uint32_t kTightRead = 16 * 1024;

 private:
  // Ended: the peer sent its end; output is still possible. Draining: close_after_flush(). Lingering: finish().
  enum class State : std::uint8_t { Connecting, Open, Ended, Draining, Lingering, Closed };
  class Guard;   // learns whether the stream was destroyed in a callback
  struct Phase;  // what only the beginning and the end of a connection's life need
  struct Tls;
  struct TlsBio;
  struct PhaseDelete { void operator()(Phase* phase) const; };
  struct TlsDelete { void operator()(Tls* tls) const; };

  Stream(Worker& worker, int fd, StreamHandler* handler);
  void on_io(std::uint32_t epoll_events) override;
  void on_ready() override;
  void on_flush() override;
  void on_orphaned() override;

  // stream_read.cpp; those that return bool say whether the stream is still there and reading may go on
  bool handshaking() const;
  bool reading() const;
  void read_ready();
  bool read_once();
  bool read_plain();
  long receive(char* to, std::size_t size);
  bool read_failed(long result);
  bool arrived_in_scratch(std::size_t tail, std::size_t count);
  bool direct_reads() const;
  char* direct_space(std::size_t at_least);
  bool deliver(std::string_view bytes, bool in_scratch);
  bool keep(std::string_view rest, std::size_t consumed, bool in_scratch);
  bool present();
  void tell_hangup();
  void discard_input();

  // stream_write.cpp
  static std::uint32_t clamped(std::size_t bytes) { return static_cast<std::uint32_t>(std::min<std::size_t>(bytes, UINT32_MAX)); }
  std::size_t high_water() const { return worker_->memory().tight() ? std::min<std::size_t>(high_water_, kTightWater) : high_water_; }
  std::size_t low_water() const { return worker_->memory().tight() ? 0 : low_water_; }
  std::size_t read_size() const { return worker_->memory().tight() ? std::min(read_size_, kTightRead) : read_size_; }
  bool writable() const { return state_ != State::Connecting && state_ != State::Closed && !failure_; }
  void write_out();
  std::size_t write_wire(std::string_view extra, bool& full);
  void send_direct(std::string_view bytes);
  void after_write(bool may_call_back);
  void set_blocked(bool blocked);

  // stream.cpp
  void fail(StreamError error);
  void fail_later(StreamError error);
  void shut();
  void flushed();
  void lingered();
  bool end_acknowledged() const;
  void try_connect();
  void connected(bool readable);
  void on_phase_timer();

  // stream_tls.cpp
  void start_tls(std::shared_ptr<const TlsContext> context, const std::string& server_name, Task on_ready);
  bool read_tls();
  bool feed_tls(std::string_view cipher);
  bool shake_hands();
  bool decrypt(char* to, std::size_t room, std::size_t& count);
  bool tls_became_ready();
  bool tls_take_unread();
  void tls_failed(int result, const char* what);
  void encrypt_queued();
  void encrypt_direct(std::string_view bytes);
  bool encrypt(std::string_view bytes);
  void tls_say_goodbye();
  void tls_attach(ssl_st* ssl);

  Worker* worker_;
  StreamHandler* handler_;
  int fd_;
  State state_ = State::Open;
  bool paused_ = false;
  bool readable_ = false;     // an edge said so, or the last read was full; cleared by a short read
  bool hung_up_ = false;
  bool hangup_told_ = false;
  bool blocked_ = false;      // EPOLLOUT is registered
  mutable bool was_above_ = false;  // on_drained is owed
  bool present_ = false;      // unconsumed bytes are due to be presented
  bool in_on_bytes_ = false;
  std::uint32_t read_size_ = Worker::kScratchSize;
  bool* destroyed_ = nullptr;
  std::uint32_t want_ = 0, retain_limit_ = kRetainLimit, low_water_ = kLowWater, high_water_ = kHighWater;
  std::string_view lent_;     // what on_bytes is looking at
  RetainedBuffer retained_;
  OutputQueue wire_, plain_;  // plain_: to be encrypted
  std::uint64_t bytes_in_ = 0, bytes_out_ = 0;
  std::unique_ptr<StreamError> failure_;  // of writing or connecting; told by on_closed after what can still be read
  std::unique_ptr<Phase, PhaseDelete> phase_;
  std::unique_ptr<Tls, TlsDelete> tls_;
};

}  // namespace pgweir::net
