#include "proxy/session/worker_context.h"

#include <atomic>

#include "proxy/session/admin_session.h"
#include "proxy/session/listening.h"
#include "proxy/session/login.h"
#include "proxy/session/replication.h"
#include "proxy/session/session.h"

namespace pgweir::session {

WorkerContext::WorkerContext(runtime::Runtime& runtime_in, net::Worker& worker_in)
    : runtime(runtime_in), worker(worker_in), cells(runtime_in.metrics.cells(worker_in.index())), tenancies(runtime_in.metrics, worker_in.index()) {}

WorkerContext::~WorkerContext() = default;

WorkerContext& WorkerContext::of(runtime::Runtime& runtime, net::Worker& worker) {
  // One runtime per process in practice; tests make several, one after the other, on other worker threads.
  static thread_local std::unique_ptr<WorkerContext> context;
  if (!context || &context->runtime != &runtime || &context->worker != &worker)
    context = std::make_unique<WorkerContext>(runtime, worker);
  return *context;
}

const runtime::SnapshotPtr& WorkerContext::snapshot() {
  if (const auto now = runtime.version(); now != version_) {
    version_ = now;
    snapshot_ = runtime.snapshot();
  }
  return snapshot_;
}

std::uint64_t next_session_id() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace pgweir::session
