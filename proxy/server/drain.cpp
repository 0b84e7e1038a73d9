#include "proxy/server/drain.h"

#include <condition_variable>
#include <memory>
#include <mutex>

#include "proxy/session/accept.h"

namespace pgweir::server {
namespace {

struct Census {
  std::mutex mutex;
  std::condition_variable answered;
  std::size_t waiting = 0, sessions = 0;
  void answer(std::size_t count) {
    const std::lock_guard lock(mutex);
    --waiting;
    sessions += count;
    answered.notify_one();
  }
};

// Runs `first` on every worker, then counts its sessions.
template <class First>
std::size_t ask(runtime::Runtime& runtime, First first) {
  const auto census = std::make_shared<Census>();  // a worker may answer after the wait is over
  census->waiting = runtime.workers.size();
  for (net::Worker* worker : runtime.workers) {
    const bool posted = worker->post([census, worker, first, &runtime] {
      first(*worker);
      census->answer(session::session_count(runtime, *worker));
    });
    if (!posted) census->answer(0);
  }
  std::unique_lock lock(census->mutex);
  census->answered.wait_for(lock, std::chrono::seconds(1), [&] { return census->waiting == 0; });
  return census->sessions + census->waiting;
}

}  // namespace

std::size_t drain_sessions(runtime::Runtime& runtime, bool now) {
  return ask(runtime, [&runtime, now](net::Worker& worker) { session::drain(runtime, worker, now); });
}

std::size_t count_sessions(runtime::Runtime& runtime) {
  return ask(runtime, [](net::Worker&) {});
}

}  // namespace pgweir::server
