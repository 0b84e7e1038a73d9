// Stream: TLS. OpenSSL reads ciphertext from the worker's scratch memory and writes it into the stream's output queue
// through a BIO of our own, so a connection has no buffers of its own while it is idle, and can move to another worker.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "proxy/net/stream_internal.h"
#include "proxy/net/tls_errors.h"

namespace pgweir::net {
namespace {

constexpr std::size_t kRecordSlack = 17 * 1024;  // OpenSSL may hold the beginning of one record from before

}  // namespace

Stream::Tls::~Tls() {
  if (ssl != nullptr) SSL_free(ssl);
}

struct Stream::TlsBio {
  static int read(BIO* bio, char* to, int size) {
    BIO_clear_retry_flags(bio);
    auto* stream = static_cast<Stream*>(BIO_get_data(bio));
    std::string_view& input = stream->tls_->input;
    if (input.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t count = std::min(input.size(), static_cast<std::size_t>(size));
    std::memcpy(to, input.data(), count);
    input.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int write(BIO* bio, const char* from, int size) {
    auto* stream = static_cast<Stream*>(BIO_get_data(bio));
    stream->wire_.append(stream->worker_->blocks(), {from, static_cast<std::size_t>(size)});
    return size;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pgweir stream");
      BIO_meth_set_read(m, &read);
      BIO_meth_set_write(m, &write);
      BIO_meth_set_ctrl(m, &control);
      return m;
    }();
    return made;
  }
};

// Makes the BIO point to this stream; creates it for a new connection.
void Stream::tls_attach(ssl_st* ssl) {
  BIO* bio = SSL_get_rbio(ssl);
  if (bio == nullptr) {
    bio = BIO_new(TlsBio::method());
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
  }
  BIO_set_data(bio, this);
  tls_->ssl = ssl;
}

void Stream::start_tls_server(std::shared_ptr<const TlsContext> context, Task on_ready) {
  assert(context->is_server());
  start_tls(std::move(context), {}, std::move(on_ready));
}

void Stream::start_tls_client(std::shared_ptr<const TlsContext> context, const std::string& server_name,
                              Task on_ready) {
  assert(!context->is_server());
  start_tls(std::move(context), server_name, std::move(on_ready));
}

void Stream::start_tls(std::shared_ptr<const TlsContext> context, const std::string& server_name, Task on_ready) {
  if (state_ != State::Open || tls_ != nullptr) return;
  SSL* ssl = SSL_new(context->native());
  if (ssl == nullptr) {
    return fail_later({StreamError::Kind::Tls, 0, "cannot create a TLS connection" + openssl_errors()});
  }
  tls_.reset(new Tls);
  tls_->context = std::move(context);
  tls_->on_ready = std::move(on_ready);
  tls_attach(ssl);
  if (tls_->context->is_server()) {
    SSL_set_accept_state(ssl);
  } else {
    SSL_set_connect_state(ssl);
    const bool numeric = SocketAddress::from_ip(server_name, 0).has_value();
    if (!server_name.empty() && !numeric) SSL_set_tlsext_host_name(ssl, server_name.c_str());
    if (tls_->context->verifies_host()) {
      X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
      X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      const int set = numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, server_name.c_str())
                              : X509_VERIFY_PARAM_set1_host(param, server_name.c_str(), server_name.size());
      if (set != 1 || server_name.empty()) {
        return fail_later({StreamError::Kind::Tls, 0, "cannot verify the host name \"" + server_name + "\""});
      }
    }
  }
  tls_->take_unread = true;
  worker_->schedule_ready(*this);
}

// The first step: begins the handshake, with what the peer has sent already.
bool Stream::tls_take_unread() {
  tls_->take_unread = false;
  present_ = false;
  const std::string early(retained_.view());  // once per connection, and usually empty
  retained_.clear(worker_->blocks());
  std::string_view rest = early;
  do {
    const std::string_view piece = rest.substr(0, Worker::kCipherScratchSize);
    rest.remove_prefix(piece.size());
    Guard guard(*this);
    if (!feed_tls(piece) || guard.gone()) return false;
  } while (!rest.empty());
  return true;
}

bool Stream::read_tls() {
  const std::span<char> cipher = worker_->cipher_scratch();
  const long count = receive(cipher.data(), std::min<std::size_t>(cipher.size(), read_size()));
  if (count <= 0) return read_failed(count);
  return feed_tls({cipher.data(), static_cast<std::size_t>(count)});
}

// Gives OpenSSL all of `cipher` and the handler all that it decrypts to. All of the input is taken every time: what is
// left of an incomplete record stays inside OpenSSL.
bool Stream::feed_tls(std::string_view cipher) {
  tls_->input = cipher;
  const bool was_ready = tls_->ready;
  if (!was_ready && !shake_hands()) return false;
  if (!tls_->ready) return true;
  const std::size_t tail = retained_.size();
  const std::size_t needed = cipher.size() + kRecordSlack;
  const bool direct = direct_reads() || !was_ready;
  std::size_t count = 0;
  if (direct) {
    char* to = direct_space(needed);
    const bool open = decrypt(to, retained_.room(), count);
    retained_.commit(count);
    if (count == 0 && tail == 0) retained_.clear(worker_->blocks());
    if (!was_ready && open && !tls_became_ready()) return false;
    if (open || count > 0) {
      Guard guard(*this);
      if (count > 0 && reading() && !present()) return false;
      if (guard.gone()) return false;
    }
    if (!open) tls_failed(0, "TLS failed");
    return open;
  }
  const bool open = decrypt(worker_->scratch().data() + tail, Worker::kScratchSize - tail, count);
  Guard guard(*this);
  if (count > 0 && !arrived_in_scratch(tail, count)) return false;
  if (guard.gone()) return false;
  if (!open) tls_failed(0, "TLS failed");
  return open;
}

bool Stream::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_->ssl);
  if (!wire_.empty()) worker_->schedule_flush(*this);
  if (result == 1) {
    tls_->ready = true;
    if (unsent() > 0) worker_->schedule_flush(*this);
    return true;
  }
  if (SSL_get_error(tls_->ssl, result) == SSL_ERROR_WANT_READ) return true;
  tls_failed(result, "TLS handshake failed");
  return false;
}

bool Stream::tls_became_ready() {
  Guard guard(*this);
  Task on_ready = std::move(tls_->on_ready);
  if (on_ready) on_ready();
  return !guard.gone() && state_ == State::Open;
}

// Decrypts until the input is used up. False: the peer has said its end, or the connection is broken.
bool Stream::decrypt(char* to, std::size_t room, std::size_t& count) {
  count = 0;
  while (true) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(tls_->ssl, to + count, room - count, &got);
    if (result == 1) {
      count += got;
      assert(count < room);
      continue;
    }
    if (!wire_.empty()) worker_->schedule_flush(*this);  // the answer to a key update, or an alert
    tls_->last_error = SSL_get_error(tls_->ssl, result);
    return tls_->last_error == SSL_ERROR_WANT_READ;
  }
}

void Stream::tls_failed(int result, const char* what) {
  if (state_ != State::Open) return;
  const int error = tls_->ready ? tls_->last_error : SSL_get_error(tls_->ssl, result);
  if (error == SSL_ERROR_ZERO_RETURN) return fail({StreamError::Kind::Eof, 0, "the peer closed the TLS connection"});
  std::string text = what + openssl_errors();
  const long verify = SSL_get_verify_result(tls_->ssl);
  if (verify != X509_V_OK) text += std::string(" (") + X509_verify_cert_error_string(verify) + ")";
  write_out();  // the alert that tells the peer why
  fail({StreamError::Kind::Tls, 0, std::move(text)});
}

// Appends the records to the output queue.
bool Stream::encrypt(std::string_view bytes) {
  ERR_clear_error();
  std::size_t written = 0;
  if (SSL_write_ex(tls_->ssl, bytes.data(), bytes.size(), &written) == 1 && written == bytes.size()) return true;
  fail_later({StreamError::Kind::Tls, 0, "TLS write failed" + openssl_errors()});
  return false;
}

void Stream::encrypt_queued() {
  while (!plain_.empty() && wire_.size() < Stream::kLowWater * 2) {
    const std::string_view piece = plain_.front();
    if (!encrypt(piece)) return;
    plain_.consume(worker_->blocks(), piece.size());
  }
}

void Stream::encrypt_direct(std::string_view bytes) {
  write_out();
  while (!bytes.empty() && failure_ == nullptr && !blocked_) {
    const std::string_view piece = bytes.substr(0, Stream::kLowWater);
    if (!encrypt(piece)) return;
    bytes.remove_prefix(piece.size());
    write_out();
  }
  if (failure_ == nullptr) plain_.append(worker_->blocks(), bytes);
}

// close_notify, behind everything that is queued.
void Stream::tls_say_goodbye() {
  if (tls_ == nullptr || !tls_->ready) return;
  while (!plain_.empty()) {
    const std::string_view piece = plain_.front();
    if (!encrypt(piece)) return;
    plain_.consume(worker_->blocks(), piece.size());
  }
  ERR_clear_error();
  SSL_shutdown(tls_->ssl);
}

TlsInfo Stream::tls_info() const { return describe_tls(tls_->ssl, tls_->context->is_server()); }

}  // namespace pgweir::net
