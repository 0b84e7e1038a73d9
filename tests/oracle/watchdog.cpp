#include "tests/oracle/watchdog.h"

#include <sys/socket.h>

namespace pgweir::oracle {

Watchdog::Watchdog(std::chrono::seconds limit)
    : limit_(limit), thread_([this](const std::stop_token& stop) { watch(stop); }) {}

Watchdog::Guard::Guard(Watchdog& watchdog, int socket) : watchdog_(watchdog) { watchdog_.set(socket); }
Watchdog::Guard::~Guard() { watchdog_.set(-1); }

void Watchdog::set(int socket) {
  const std::lock_guard lock(mutex_);
  const bool sleeping = socket_ < 0;
  socket_ = socket;
  deadline_ = std::chrono::steady_clock::now() + limit_;
  if (sleeping) changed_.notify_one();
}

void Watchdog::watch(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (socket_ < 0) {
      changed_.wait(lock, stop, [this] { return socket_ >= 0; });
      continue;
    }
    const auto deadline = deadline_;
    changed_.wait_until(lock, stop, deadline, [this, deadline] { return deadline_ != deadline; });
    if (socket_ >= 0 && std::chrono::steady_clock::now() >= deadline_) {
      ::shutdown(socket_, SHUT_RDWR);
      socket_ = -1;
    }
  }
}

}  // namespace pgweir::oracle
