#include "tests/support/wait.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

namespace pgweir::support {
namespace {

constexpr unsigned kFirstPort = 15'000;
constexpr unsigned kPorts = 15'000;  // up to 29,999: Linux's ephemeral range starts at 32,768

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool can_bind(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const sockaddr_in address = loopback(port);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

// The descriptor stays open on purpose: the lock lasts as long as the process.
bool reserve(std::uint16_t port) {
  static const std::string directory = [] {
    std::string path = "/tmp/pgweir-ports-" + std::to_string(::getuid());
    ::mkdir(path.c_str(), 0700);
    return path;
  }();
  const int fd = ::open((directory + "/" + std::to_string(port)).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0 && can_bind(port)) return true;
  ::close(fd);
  return false;
}

}  // namespace

bool wait_until(const std::function<bool()>& condition, Milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  Milliseconds pause{1};
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return condition();
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, Milliseconds{20});
  }
  return true;
}

std::uint16_t free_port() {
  static thread_local std::mt19937 random{std::random_device{}()};
  for (unsigned attempt = 0; attempt < kPorts; ++attempt) {
    const auto port = static_cast<std::uint16_t>(kFirstPort + random() % kPorts);
    if (reserve(port)) return port;
  }
  throw std::runtime_error("no free port on 127.0.0.1");
}

bool accepts(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

}  // namespace pgweir::support
