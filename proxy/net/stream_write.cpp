// Stream: output.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "proxy/net/stream_internal.h"

namespace pgweir::net {
namespace {

constexpr int kPieces = 32;                        // per sendmsg: half a megabyte

}  // namespace

void Stream::send(std::string_view bytes) {
  if (bytes.empty() || failure_ != nullptr) return;
  if (state_ != State::Open && state_ != State::Ended && state_ != State::Connecting) return;
  if (bytes.size() >= kDirect && !blocked_ && !handshaking()) {
    send_direct(bytes);
  } else {
    (tls_ == nullptr ? wire_ : plain_).append(worker_->blocks(), bytes);
  }
  above_high_water();
  if (!blocked_) worker_->schedule_flush(*this);
}

// Large pieces go out at once, behind what is queued and in the same system call, so that bulk is not copied.
void Stream::send_direct(std::string_view bytes) {
  if (tls_ != nullptr) return encrypt_direct(bytes);
  bool full = false;
  const std::size_t sent = write_wire(bytes, full);
  if (failure_ == nullptr) wire_.append(worker_->blocks(), bytes.substr(sent));
}

void Stream::flush_now() {
  if (!writable() || blocked_ || unsent() == 0) return;
  write_out();
  after_write(false);
}

void Stream::on_flush() {
  if (!writable()) return;
  if (!blocked_) write_out();
  after_write(true);
}

// Writes until everything is out or the socket blocks.
void Stream::write_out() {
  while (failure_ == nullptr) {
    if (tls_ != nullptr && tls_->ready) encrypt_queued();
    if (wire_.empty()) break;
    bool full = false;
    write_wire({}, full);
    if (full) return;
  }
  set_blocked(false);
}

// One system call for what is queued and then `extra`; returns how many bytes of `extra` were sent. `full`: the socket
// took less than it was offered, so an edge will follow.
std::size_t Stream::write_wire(std::string_view extra, bool& full) {
  std::array<iovec, kPieces + 1> pieces;
  const std::size_t queued = wire_.size();
  int count = wire_.fill(pieces.data(), kPieces);
  std::size_t offered = 0;
  for (int i = 0; i < count; ++i) offered += pieces[static_cast<std::size_t>(i)].iov_len;
  if (!extra.empty() && offered == queued) {
    pieces[static_cast<std::size_t>(count++)] = {const_cast<char*>(extra.data()), extra.size()};
    offered += extra.size();
  }
  ssize_t sent = 0;
  do {
    if (count == 1) {
      sent = ::send(fd_, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = static_cast<std::size_t>(count);
      sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN) {
    fail_later(system_error(errno, "send failed"));
    return 0;
  }
  const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  bytes_out_ += taken;
  wire_.consume(worker_->blocks(), std::min(taken, queued));
  full = taken < offered;
  if (full) set_blocked(true);
  return taken > queued ? taken - queued : 0;
}

void Stream::set_blocked(bool blocked) {
  if (blocked_ == blocked) return;
  blocked_ = blocked;
  worker_->rearm(*this, fd_, blocked ? std::uint32_t{EPOLLOUT} : 0u);
}

// on_drained is never called from within send() or flush_now(): then the flush of this wake-up tells it.
void Stream::after_write(bool may_call_back) {
  if (failure_ != nullptr || fd_ < 0) return;
  if (unsent() == 0 && (state_ == State::Draining || state_ == State::Lingering)) return flushed();
  if (!above_high_water() && was_above_ && unsent() <= low_water()) {
    if (!may_call_back) return worker_->schedule_flush(*this);
    was_above_ = false;
    if (handler_ != nullptr) handler_->on_drained();
  }
}

}  // namespace pgweir::net
