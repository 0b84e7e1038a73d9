#include <openssl/ssl.h>
#include <unistd.h>

#include <utility>

#include "proxy/net/stream.h"

namespace pgweir::net {

Detached::Detached(Detached&& other) noexcept { *this = std::move(other); }

Detached& Detached::operator=(Detached&& other) noexcept {
  if (this == &other) return *this;
  reset();
  fd_ = std::exchange(other.fd_, -1);
  ssl_ = std::exchange(other.ssl_, nullptr);
  tls_context_ = std::move(other.tls_context_);
  unread_ = std::move(other.unread_);
  unsent_wire_ = std::move(other.unsent_wire_);
  unsent_plain_ = std::move(other.unsent_plain_);
  bytes_in_ = other.bytes_in_;
  bytes_out_ = other.bytes_out_;
  return *this;
}

Detached::~Detached() { reset(); }

void Detached::reset() {
  if (ssl_ != nullptr) SSL_free(std::exchange(ssl_, nullptr));
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace pgweir::net
