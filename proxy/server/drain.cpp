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

}  // namespace

std::size_t drain_sessions(runtime::Runtime& runtime, bool now) {
  const auto census = std::make_shared<Census>();  // a worker may answer after the wait is over
  census->waiting = runtime.workers.size();
  for (net::Worker* worker : runtime.workers) {
    const bool posted = worker->post([census, worker, now, &runtime] {
      session::drain(runtime, *worker, now);
      census->answer(session::session_count(runtime, *worker));
    });
    if (!posted) census->answer(0);
  }
  std::unique_lock lock(census->mutex);
  census->answered.wait_for(lock, std::chrono::seconds(1), [&] { return census->waiting == 0; });
  return census->sessions + census->waiting;
}

}  // namespace pgweir::server
