#include "proxy/net/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>

#include "proxy/net/stream_internal.h"

namespace pgweir::net {
namespace {

constexpr Duration kUnixRetry{2};  // a unix socket whose backlog is full refuses at once instead of waiting

void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on unix sockets, which have no delay
}

StreamError connect_error(int sys_errno, const SocketAddress& address) {
  return system_error(sys_errno, "cannot connect to " + address.to_string());
}

StreamError connect_timeout(const SocketAddress& address) {
  return {StreamError::Kind::Timeout, ETIMEDOUT, "timed out connecting to " + address.to_string()};
}

}  // namespace

void Stream::PhaseDelete::operator()(Phase* phase) const { delete phase; }
void Stream::TlsDelete::operator()(Tls* tls) const { delete tls; }

Stream::Stream(Worker& worker, int fd, StreamHandler* handler) : worker_(&worker), handler_(handler), fd_(fd) {
  worker.enlist(*this);
}

Stream::~Stream() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  handler_ = nullptr;
  shut();
}

Result<std::unique_ptr<Stream>> Stream::adopt_fd(Worker& worker, int fd, StreamHandler* handler) {
  std::unique_ptr<Stream> stream(new Stream(worker, fd, handler));
  stream->paused_ = handler == nullptr;
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  set_no_delay(fd);
  if (auto attached = worker.attach(*stream, fd, 0); !attached.ok()) return std::move(attached.error());
  return stream;
}

std::unique_ptr<Stream> Stream::connect(Worker& worker, const SocketAddress& address, Duration timeout,
                                        StreamHandler* handler) {
  std::unique_ptr<Stream> stream(new Stream(worker, -1, handler));
  stream->state_ = State::Connecting;
  stream->blocked_ = true;  // until the socket says that it is writable, that is, connected
  stream->phase_.reset(new Phase);
  Phase& phase = *stream->phase_;
  phase.address = address;
  phase.timer.set<&Stream::on_phase_timer>(stream.get());
  if (timeout.count() > 0) phase.deadline = worker.now() + timeout;
  stream->fd_ = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (stream->fd_ < 0) {
    stream->fail_later(connect_error(errno, address));
    return stream;
  }
  if (!address.is_unix()) set_no_delay(stream->fd_);
  stream->try_connect();
  return stream;
}

void Stream::try_connect() {
  Phase& phase = *phase_;
  const int result = ::connect(fd_, phase.address.data(), phase.address.size());
  const bool retry = result != 0 && errno == EAGAIN && phase.address.is_unix();
  if (result != 0 && errno != EINPROGRESS && !retry) return fail_later(connect_error(errno, phase.address));
  if (phase.deadline != Clock::time_point{} || retry) {
    const auto left = std::chrono::ceil<Duration>(phase.deadline - worker_->now());
    if (phase.deadline != Clock::time_point{} && left.count() <= 0) {
      return fail_later(connect_timeout(phase.address));
    }
    const bool soon = retry && (phase.deadline == Clock::time_point{} || left > kUnixRetry);
    phase.timer.arm(*worker_, soon ? kUnixRetry : left);
  }
  if (retry) return;
  // Registered only now: a socket that never tried to connect counts as hung up.
  phase.in_progress = true;
  if (auto attached = worker_->attach(*this, fd_, EPOLLOUT); !attached.ok()) fail_later(std::move(attached.error()));
}

void Stream::on_phase_timer() {
  if (state_ == State::Lingering && phase_->stay && end_acknowledged() && phase_->stay()) return phase_->timer.arm(*worker_, phase_->linger);
  if (state_ == State::Lingering) return lingered();
  if (!phase_->in_progress) {
    Guard guard(*this);
    try_connect();
    return;
  }
  fail(connect_timeout(phase_->address));
}

void Stream::connected(bool readable) {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return fail(connect_error(error, phase_->address));
  phase_.reset();
  state_ = State::Open;
  readable_ = readable;
  paused_ = paused_ || handler_ == nullptr;
  Guard guard(*this);
  write_out();  // what was sent before; also ends the watch for EPOLLOUT
  if (handler_ != nullptr) handler_->on_connected();
  if (guard.gone()) return;
  after_write(true);
  if (!guard.gone() && readable_ && reading()) read_ready();
}

Result<std::unique_ptr<Stream>> Stream::adopt(Worker& worker, Detached detached, StreamHandler* handler) {
  std::unique_ptr<Stream> stream(new Stream(worker, std::exchange(detached.fd_, -1), handler));
  stream->paused_ = handler == nullptr;
  stream->bytes_in_ = detached.bytes_in_;
  stream->bytes_out_ = detached.bytes_out_;
  if (auto attached = worker.attach(*stream, stream->fd_, 0); !attached.ok()) return std::move(attached.error());
  worker.count_migration();
  if (detached.ssl_ != nullptr) {
    stream->tls_.reset(new Tls);
    stream->tls_->context = std::move(detached.tls_context_);
    stream->tls_->ready = true;
    stream->tls_attach(std::exchange(detached.ssl_, nullptr));
  }
  stream->retained_.assign(worker.blocks(), detached.unread_);
  stream->wire_.append(worker.blocks(), detached.unsent_wire_);
  stream->plain_.append(worker.blocks(), detached.unsent_plain_);
  if (stream->unsent() > 0) {
    stream->above_high_water();
    worker.schedule_flush(*stream);
  }
  if (!stream->retained_.empty()) {
    stream->present_ = true;
    worker.schedule_ready(*stream);
  }
  return stream;
}

Detached Stream::release() {
  assert(!in_on_bytes_);
  return release(0);
}

Detached Stream::release(std::size_t consumed) {
  assert(state_ == State::Open && !handshaking());
  if (unsent() > 0 && !blocked_) write_out();
  Detached detached;
  detached.unread_ = in_on_bytes_ ? lent_.substr(consumed) : retained_.view();
  for (; !wire_.empty(); wire_.consume(worker_->blocks(), wire_.front().size())) detached.unsent_wire_ += wire_.front();
  for (; !plain_.empty(); plain_.consume(worker_->blocks(), plain_.front().size())) {
    detached.unsent_plain_ += plain_.front();
  }
  if (tls_ != nullptr) {
    detached.tls_context_ = std::move(tls_->context);
    detached.ssl_ = std::exchange(tls_->ssl, nullptr);
  }
  detached.bytes_in_ = bytes_in_;
  detached.bytes_out_ = bytes_out_;
  worker_->detach(*this, fd_);
  detached.fd_ = std::exchange(fd_, -1);
  handler_ = nullptr;
  shut();
  return detached;
}

void Stream::set_handler(StreamHandler* handler) {
  if (state_ == State::Closed) return;
  handler_ = handler;
  want_ = 0;
  if (handler != nullptr) present_again();
}

void Stream::on_io(std::uint32_t events) {
  if (state_ == State::Connecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) connected((events & (EPOLLIN | EPOLLRDHUP)) != 0);
    return;
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = readable_ = true;
  if ((events & EPOLLIN) != 0) readable_ = true;
  Guard guard(*this);
  if (blocked_ && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
    write_out();
    after_write(true);
    if (guard.gone() || fd_ < 0) return;
  }
  if (state_ == State::Lingering) return discard_input();
  // What was kept while the handler paused comes first: behind it may be the end.
  if (std::exchange(present_, false) && reading() && !retained_.empty() && !present()) return;
  if (readable_ && reading()) return read_ready();
  tell_hangup();
}

void Stream::on_ready() {
  if (state_ == State::Lingering) return discard_input();
  if (failure_ != nullptr && !reading()) return fail(*failure_);
  if (tls_ != nullptr && tls_->take_unread && !tls_take_unread()) return;
  if (std::exchange(present_, false) && reading() && !retained_.empty() && !present()) return;
  if (readable_ && reading()) return read_ready();
  tell_hangup();
}

void Stream::fail(StreamError error) {
  if (state_ == State::Closed) return;
  if (state_ == State::Lingering) return lingered();
  if (failure_ != nullptr && error.kind != StreamError::Kind::Tls) error = *failure_;
  StreamHandler* handler = std::exchange(handler_, nullptr);
  if (error.kind == StreamError::Kind::Eof && handler != nullptr) {
    state_ = State::Ended;
    retained_.clear(worker_->blocks());
  } else {
    shut();
  }
  if (handler != nullptr) handler->on_closed(error);
}

// For failures noticed while the handler is calling: it hears of them after it has returned. What the peer sent before
// it went (its last words, often an ErrorResponse) is read first.
void Stream::fail_later(StreamError error) {
  if (failure_ == nullptr) failure_ = std::make_unique<StreamError>(std::move(error));
  wire_.clear(worker_->blocks());
  plain_.clear(worker_->blocks());
  hung_up_ = readable_ = true;
  worker_->schedule_ready(*this);
}

void Stream::shut() {
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  wire_.clear(worker_->blocks());
  plain_.clear(worker_->blocks());
  retained_.clear(worker_->blocks());
  worker_->detach(*this, fd_);
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  tls_.reset();
  if (phase_ != nullptr) phase_->timer.cancel();
}

void Stream::close() {
  handler_ = nullptr;
  shut();
}

void Stream::close_after_flush() {
  if (state_ == State::Closed) return;
  handler_ = nullptr;
  if (state_ == State::Connecting || failure_ != nullptr) return shut();
  state_ = State::Draining;
  tls_say_goodbye();
  worker_->schedule_flush(*this);
}

void Stream::finish(std::unique_ptr<Stream> stream, Duration linger, Task ended, std::function<bool()> stay) {
  Stream& self = *stream;
  Worker& worker = *self.worker_;
  self.handler_ = nullptr;
  if (self.state_ == State::Connecting || self.failure_ != nullptr) self.shut();
  if (self.state_ == State::Closed) {
    if (ended) worker.defer(std::move(ended));
    return worker.dispose(std::move(stream));
  }
  self.tls_say_goodbye();
  self.state_ = State::Lingering;
  self.retained_.clear(worker.blocks());
  self.phase_.reset(new Phase);
  self.phase_->timer.set<&Stream::on_phase_timer>(&self);
  self.phase_->timer.arm(worker, linger);
  self.phase_->linger = linger;
  self.phase_->stay = std::move(stay);
  self.phase_->ended = std::move(ended);
  self.phase_->self = std::move(stream);
  worker.schedule_flush(self);
}

// Everything is written: the end of close_after_flush(), or the half-close of finish().
void Stream::flushed() {
  if (state_ == State::Draining) return shut();
  ::shutdown(fd_, SHUT_WR);
  if (readable_) worker_->schedule_ready(*this);
}

// The peer's system has our end; its process has not closed its side.
bool Stream::end_acknowledged() const {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) return info.tcpi_state == TCP_FIN_WAIT2;
  return unsent() == 0;  // a unix socket
}

void Stream::lingered() {
  if (phase_ == nullptr || phase_->self == nullptr) return;
  Worker& worker = *worker_;
  std::unique_ptr<Stream> self = std::move(phase_->self);
  if (phase_->ended) worker.defer(std::move(phase_->ended));
  shut();
  worker.dispose(std::move(self));
}

void Stream::on_orphaned() {
  std::unique_ptr<Stream> self;  // a lingering stream belongs to the worker and goes with it
  if (phase_ != nullptr) self = std::move(phase_->self);
  handler_ = nullptr;
  shut();
  if (self == nullptr) worker_ = nullptr;
}

bool Stream::peer_closed_probe() const {
  if (fd_ < 0 || hung_up_ || failure_ != nullptr) return true;
  char byte = 0;
  const ssize_t count = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count >= 0 || (errno != EAGAIN && errno != EINTR);
}

SocketAddress Stream::peer_address() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (fd_ < 0 || ::getpeername(fd_, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return {reinterpret_cast<sockaddr*>(&storage), length};
}

SocketAddress Stream::local_address() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (fd_ < 0 || ::getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return {reinterpret_cast<sockaddr*>(&storage), length};
}

void Stream::set_keepalive(int idle, int interval, int count) {
  const auto set = [this](int level, int option, int value) { ::setsockopt(fd_, level, option, &value, sizeof value); };
  if (fd_ < 0 || local_address().is_unix()) return;
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  if (idle > 0) set(IPPROTO_TCP, TCP_KEEPIDLE, idle);
  if (interval > 0) set(IPPROTO_TCP, TCP_KEEPINTVL, interval);
  if (count > 0) set(IPPROTO_TCP, TCP_KEEPCNT, count);
  if (idle > 0 && interval > 0 && count > 0) set(IPPROTO_TCP, TCP_USER_TIMEOUT, 1000 * (idle + interval * count));
}

}  // namespace pgweir::net
