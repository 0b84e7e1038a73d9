// Stream: input.
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "proxy/net/stream_internal.h"

namespace pgweir::net {
namespace {

// room made per read beyond what is retained, when the total is not known
constexpr std::size_t kDirectRead = 64 * 1024;

}  // namespace

bool Stream::handshaking() const { return tls_ != nullptr && !tls_->ready; }

bool Stream::reading() const {
  return state_ == State::Open && handler_ != nullptr && (!paused_ || handshaking()) &&
         (failure_ == nullptr || failure_->kind != StreamError::Kind::Tls);
}

void Stream::resume() {
  paused_ = false;
  if (state_ == State::Closed || (!in_on_bytes_ && !readable_ && retained_.empty())) return;
  present_ = true;
  worker_->schedule_ready(*this);
}

void Stream::present_again() {
  if (state_ == State::Closed || (!in_on_bytes_ && retained_.empty())) return;
  present_ = true;
  worker_->schedule_ready(*this);
}

void Stream::tell_hangup() {
  if (!hung_up_ || !paused_ || hangup_told_ || handler_ == nullptr || state_ != State::Open) return;
  hangup_told_ = true;
  handler_->on_hangup();
}

void Stream::read_ready() {
  Guard guard(*this);
  for (int reads = 0; readable_ && reading(); ++reads) {
    if (reads == kReadsPerWakeup) {
      worker_->schedule_ready(*this);
      return;
    }
    const bool go_on = tls_ == nullptr ? read_plain() : read_tls();
    if (guard.gone() || !go_on) return;
  }
  tell_hangup();
}

// One receive of at most `size` bytes. A short one means that the socket is drained: the next arrival is a new edge, so
// asking again would only learn EAGAIN. Not so once the peer has hung up: there is no further edge, so read on to the
// end.
long Stream::receive(char* to, std::size_t size) {
  ssize_t count = 0;
  do {
    count = ::recv(fd_, to, size, MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    bytes_in_ += static_cast<std::uint64_t>(count);
    if (static_cast<std::size_t>(count) < size && !hung_up_) readable_ = false;
  }
  return count;
}

// What follows a receive() that brought nothing.
bool Stream::read_failed(long result) {
  if (result < 0 && errno == EAGAIN) {
    readable_ = false;
    // With a hang-up pending this means that only writing has failed; there is nothing left to wait for.
    if (failure_ != nullptr) fail(*failure_);
    return false;
  }
  if (result == 0) {
    fail({StreamError::Kind::Eof, 0, "the peer closed the connection"});
  } else {
    fail(system_error(errno, "receive failed"));
  }
  return false;
}

bool Stream::direct_reads() const { return want_ > kLargeTail || retained_.size() > kLargeTail; }

// Room behind the retained bytes for at least `at_least` more, in one step for the whole message when its size is
// known.
char* Stream::direct_space(std::size_t at_least) {
  const std::size_t total = std::max<std::size_t>(want_, retained_.size() + at_least);
  return retained_.reserve(worker_->blocks(), total);
}

bool Stream::read_plain() {
  if (direct_reads()) {
    const std::size_t missing = want_ > retained_.size() ? want_ - retained_.size() : 0;
    char* to = direct_space(missing > 0 ? missing : kDirectRead);
    const long count = receive(to, std::min<std::size_t>(retained_.room(), read_size()));
    if (count <= 0) return read_failed(count);
    retained_.commit(static_cast<std::size_t>(count));
    return retained_.size() < want_ || present();
  }
  const std::size_t tail = retained_.size();
  const std::size_t room = std::min<std::size_t>(Worker::kScratchSize - tail, read_size());
  const long count = receive(worker_->scratch().data() + tail, room);
  if (count <= 0) return read_failed(count);
  return arrived_in_scratch(tail, static_cast<std::size_t>(count));
}

// `count` new bytes lie in the scratch behind a gap for the retained ones.
bool Stream::arrived_in_scratch(std::size_t tail, std::size_t count) {
  char* scratch = worker_->scratch().data();
  if (tail + count < want_) {
    const std::size_t capacity = std::max<std::size_t>(tail + count, std::min(want_, retain_limit_));
    std::memcpy(retained_.reserve(worker_->blocks(), capacity), scratch + tail, count);
    retained_.commit(count);
    return true;
  }
  if (tail > 0) {
    std::memcpy(scratch, retained_.view().data(), tail);
    retained_.clear(worker_->blocks());
  }
  return deliver({scratch, tail + count}, true);
}

bool Stream::present() {
  if (retained_.size() < want_) return true;
  return deliver(retained_.view(), false);
}

bool Stream::deliver(std::string_view bytes, bool in_scratch) {
  Guard guard(*this);
  lent_ = bytes;
  want_ = 0;
  in_on_bytes_ = true;
  const std::size_t consumed = handler_->on_bytes(bytes);
  if (guard.gone()) return false;
  in_on_bytes_ = false;
  lent_ = {};
  if (state_ != State::Open) return false;  // closed, released, or being finished
  assert(consumed <= bytes.size());
  return keep(bytes.substr(consumed), consumed, in_scratch);
}

bool Stream::keep(std::string_view rest, std::size_t consumed, bool in_scratch) {
  if (in_scratch) {
    if (!rest.empty() && want_ > rest.size() && want_ <= retain_limit_) retained_.reserve(worker_->blocks(), want_);
    retained_.assign(worker_->blocks(), rest);
  } else {
    retained_.consume(worker_->blocks(), consumed);
  }
  if (tls_ != nullptr && tls_->take_unread) return false;  // TLS has just been started: the rest is for on_ready()
  const bool asks_for_more = !paused_ && !present_;
  if (asks_for_more && (want_ > retain_limit_ || retained_.size() >= retain_limit_)) {
    fail({StreamError::Kind::Limit, 0, "a message of " + std::to_string(std::max<std::size_t>(want_, retained_.size())) +
          " bytes or more exceeds the limit of " + std::to_string(retain_limit_)});
    return false;
  }
  return true;
}

// For finish(): what still arrives is thrown away until the peer has closed.
void Stream::discard_input() {
  for (int reads = 0; readable_; ++reads) {
    if (reads == kReadsPerWakeup) return worker_->schedule_ready(*this);
    const std::span<char> scratch = worker_->scratch();
    const long count = receive(scratch.data(), scratch.size());
    if (count > 0) continue;
    if (count < 0 && errno == EAGAIN) {
      readable_ = false;
      return;
    }
    return lingered();
  }
}

}  // namespace pgweir::net
