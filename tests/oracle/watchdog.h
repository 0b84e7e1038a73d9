// Ends a test's wait for an answer that never comes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace pgweir::oracle {

// While a Guard lives, a socket is watched; when `limit` passes first, the socket is shut down, so that libpq reports a
// lost connection. One guard at a time.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::seconds limit);
  class Guard {
   public:
    Guard(Watchdog& watchdog, int socket);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Watchdog& watchdog_;
  };

 private:
  void watch(const std::stop_token& stop);
  void set(int socket);

  const std::chrono::seconds limit_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int socket_ = -1;  // -1: nothing is watched
  std::chrono::steady_clock::time_point deadline_;
  std::jthread thread_;
};

}  // namespace pgweir::oracle
