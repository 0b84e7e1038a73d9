#include "tests/unit/proxy/pool_fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <stdexcept>

#include "tests/unit/proxy/net_certificates.h"

namespace pgweir::pool {
namespace {

constexpr std::uint32_t kSslRequest = 80877103;

std::string number(std::uint32_t value) {
  const std::uint32_t wire = htonl(value);
  return {reinterpret_cast<const char*>(&wire), sizeof wire};
}

std::string message(char type, const std::string& body) {
  return type + number(static_cast<std::uint32_t>(body.size() + 4)) + body;
}

std::string error_message(const std::string& severity, const std::string& sqlstate, const std::string& text) {
  const std::string end(1, '\0');
  return message('E', "S" + severity + end + "V" + severity + end + "C" + sqlstate + end + "M" + text + end + end);
}

}  // namespace

struct FakeServer::Connection {
  int fd = -1;
  SSL* ssl = nullptr;
  bool counted = false;
  std::thread thread;

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ssl != nullptr ? SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()))
                                       : static_cast<int>(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL));
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool receive(char* to, std::size_t size) {
    while (size > 0) {
      const auto count =
          ssl != nullptr ? SSL_read(ssl, to, static_cast<int>(size)) : static_cast<int>(::recv(fd, to, size, 0));
      if (count <= 0) return false;
      to += count;
      size -= static_cast<std::size_t>(count);
    }
    return true;
  }
  std::optional<std::uint32_t> receive_number() {
    std::uint32_t wire = 0;
    if (!receive(reinterpret_cast<char*>(&wire), sizeof wire)) return std::nullopt;
    return ntohl(wire);
  }
  // What follows a length word, which counts itself.
  std::optional<std::string> receive_rest() {
    const auto length = receive_number();
    if (!length || *length < 4 || *length > 100'000) return std::nullopt;
    std::string body(*length - 4, '\0');
    if (!receive(body.data(), body.size())) return std::nullopt;
    return body;
  }
};

FakeServer::FakeServer(Tls tls) : tls_(tls == Tls::On) {
  if (tls_) {
    std::signal(SIGPIPE, SIG_IGN);  // SSL_write to a connection that the pool has closed
    context_ = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_file(context_, net::certificates().cert("server").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context_, net::certificates().key("server").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_num_tickets(context_, 0);
  }
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 256) != 0)
    throw std::runtime_error("the fake server cannot listen");
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

FakeServer::~FakeServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& connection : connections_) ::shutdown(connection.fd, SHUT_RDWR);
  }
  changed_.notify_all();
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (auto& connection : connections_) {
    connection.thread.join();
    SSL_free(connection.ssl);
    ::close(connection.fd);
  }
  ::close(listener_);
  SSL_CTX_free(context_);
}

void FakeServer::accept_loop() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ::close(fd);
      return;
    }
    Connection& connection = connections_.emplace_back();
    connection.fd = fd;
    connection.thread = std::thread([this, &connection] { serve(connection); });
  }
}

void FakeServer::hold_logins(bool hold) {
  {
    const std::lock_guard lock(mutex_);
    hold_ = hold;
  }
  changed_.notify_all();
}

void FakeServer::hold_ends(bool hold) {
  {
    const std::lock_guard lock(mutex_);
    hold_ends_ = hold;
  }
  changed_.notify_all();
}

void FakeServer::refuse_logins(std::optional<std::string> sqlstate) {
  const std::lock_guard lock(mutex_);
  refusal_ = std::move(sqlstate);
}

void FakeServer::answer_logins_by(std::string bytes) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(bytes);
}

void FakeServer::end_connections() {
  const std::string last = error_message("FATAL", "57P01", "terminating connection due to administrator command");
  const std::lock_guard lock(mutex_);
  for (auto& connection : connections_) {
    (void)::send(connection.fd, last.data(), last.size(), MSG_NOSIGNAL);
    ::shutdown(connection.fd, SHUT_RDWR);
  }
}

void FakeServer::serve(Connection& connection) {
  if (log_in(connection)) {
    char type = 0;
    while (connection.receive(&type, 1)) {
      const auto body = connection.receive_rest();
      if (!body || type != 'Q') break;  // 'X', or what a pool never sends
      ++queries_;
      if (!connection.send(message('C', *body) + message('Z', "I"))) break;
    }
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !hold_ends_ || stopping_; });
  }
  if (connection.counted) --open_;
  ::shutdown(connection.fd, SHUT_RDWR);
}

bool FakeServer::log_in(Connection& connection) {
  auto packet = connection.receive_rest();
  std::uint32_t code = 0;
  if (packet && packet->size() >= 4) std::memcpy(&code, packet->data(), 4);
  if (packet && ntohl(code) == kSslRequest) {
    if (!connection.send(tls_ ? "S" : "N")) return false;
    if (tls_) {
      connection.ssl = SSL_new(context_);
      SSL_set_fd(connection.ssl, connection.fd);
      if (SSL_accept(connection.ssl) != 1) return false;
    }
    packet = connection.receive_rest();
  }
  if (!packet) return false;
  connection.counted = true;
  const unsigned now_open = ++open_;
  for (unsigned peak = peak_; now_open > peak && !peak_.compare_exchange_weak(peak, now_open);) {
  }
  std::uint32_t version = 0;
  std::memcpy(&version, packet->data(), std::min<std::size_t>(packet->size(), 4));
  return answer_startup(connection, ntohl(version) == (3u << 16 | 2u));
}

bool FakeServer::answer_startup(Connection& connection, bool newer) {
  std::optional<std::string> refusal, answer;
  {
    std::unique_lock lock(mutex_);
    ++held_;
    changed_.wait(lock, [this] { return !hold_ || stopping_; });
    --held_;
    refusal = refusal_;
    answer = answer_;
  }
  if (answer) return connection.send(*answer);
  const Newer how = newer_;
  if (newer && how == Newer::Refuses && !refusal) refusal = "0A000";
  if (refusal) {
    connection.send(error_message("FATAL", *refusal, "the fake server refuses"));
    return false;
  }
  ++logins_;
  const std::string end(1, '\0');
  const bool older = newer && how == Newer::Negotiates;
  const std::string key = newer && !older ? std::string(32, 'k') : number(logins_);
  return connection.send((older ? message('v', number(3u << 16) + number(0)) : std::string()) + message('R', number(0)) +
                         message('S', "server_version" + end + "15.0" + end) + message('K', number(4711) + key) +
                         message('Z', "I"));
}

}  // namespace pgweir::pool
