#include "tests/support/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string_view>
#include <utility>

#include "tests/support/wait.h"

namespace pgweir::support {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string receive_some(int fd) {
  std::string bytes(64 * 1024, '\0');
  const ssize_t count = ::recv(fd, bytes.data(), bytes.size(), 0);
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

void without_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Relay::Relay(std::uint16_t target) : target_(target), port_(free_port()) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port_);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 64) != 0 || ::pipe(wake_) != 0)
    throw std::runtime_error("the relay cannot listen");
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake();
  thread_.join();
  for (auto& pair : pairs_) close_pair(pair, std::nullopt);
  for (const int fd : {listener_, wake_[0], wake_[1]}) ::close(fd);
}

void Relay::wake() { [[maybe_unused]] const auto written = ::write(wake_[1], "w", 1); }

void Relay::plan(Plan plan) {
  const std::lock_guard lock(mutex_);
  plan_ = std::move(plan);
  answered_ = 0;
}

bool Relay::carried_out() const {
  const std::lock_guard lock(mutex_);
  return !plan_ && now_.empty();
}

std::size_t Relay::answered() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answered_, 0);
}

void Relay::put_in(const std::string& bytes) {
  {
    const std::lock_guard lock(mutex_);
    now_ = bytes;
  }
  wake();
}

void Relay::close_pair(Pair& pair, std::optional<End> end) {
  if (pair.proxy < 0) return;
  const linger hard{1, 0};
  if (end == End::Rst) ::setsockopt(pair.proxy, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(pair.proxy);
  ::close(pair.server);
  pair.proxy = pair.server = -1;
}

void Relay::run() {
  while (true) {
    std::vector<pollfd> waiting{{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& pair : pairs_) {
      waiting.push_back({pair.proxy, POLLIN, 0});
      waiting.push_back({pair.server, POLLIN, 0});
    }
    ::poll(waiting.data(), waiting.size(), -1);
    if (waiting[0].revents != 0) {
      char byte = 0;
      [[maybe_unused]] const auto count = ::read(wake_[0], &byte, 1);
      std::string now;
      {
        const std::lock_guard lock(mutex_);
        if (ending_) return;
        now.swap(now_);
      }
      for (auto& pair : pairs_)
        if (pair.pooled && !now.empty()) send_all(pair.proxy, now);
    }
    std::size_t at = 2;
    for (auto pair = pairs_.begin(); pair != pairs_.end(); at += 2) {
      bool open = true;
      if (waiting[at].revents != 0) open = from_proxy(*pair);
      if (open && waiting[at + 1].revents != 0) open = from_server(*pair);
      if (!open) close_pair(*pair, std::nullopt);
      pair = open ? std::next(pair) : pairs_.erase(pair);
    }
    if (waiting[1].revents != 0) accept_one();  // last: `waiting` has no entries for it
  }
}

void Relay::accept_one() {
  Pair pair;
  pair.proxy = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  pair.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(target_);
  if (::connect(pair.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return close_pair(pair, std::nullopt);
  without_delay(pair.proxy);
  without_delay(pair.server);
  pairs_.push_back(pair);
}

// False: the pair has ended.
bool Relay::from_proxy(Pair& pair) {
  const std::string bytes = receive_some(pair.proxy);
  if (bytes.empty()) return false;
  if (!std::exchange(pair.started, true)) {
    using namespace std::string_literals;
    pair.pooled = bytes.find("\0application_name\0pgweir"s) == std::string::npos;
  }
  return send_all(pair.server, bytes);
}

bool Relay::from_server(Pair& pair) {
  const std::string bytes = receive_some(pair.server);
  return !bytes.empty() && answer(pair, bytes);
}

bool Relay::answer(Pair& pair, std::string_view bytes) {
  std::optional<Plan> due;
  std::size_t before = bytes.size();
  if (pair.pooled) {
    const std::lock_guard lock(mutex_);
    answered_ += bytes.size();
    if (plan_ && plan_->after <= bytes.size()) {
      due = std::exchange(plan_, std::nullopt);
      before = due->after;
    } else if (plan_) {
      plan_->after -= bytes.size();
    }
  }
  if (!due) return send_all(pair.proxy, bytes);
  std::string changed = std::string(bytes.substr(0, before)) + due->put_in;
  if (!due->end) changed += bytes.substr(before);
  const bool sent = send_all(pair.proxy, changed);  // in one piece
  if (due->end) close_pair(pair, due->end);
  return sent && !due->end;
}

}  // namespace pgweir::support
