// Pool: a server that refuses or does not answer, and a pool that a reload takes away: who waits is told, at once.
#include "proxy/pool/checkout.h"
#include "proxy/pool/pool.h"
#include "proxy/pool/pool_manager.h"

namespace pgweir::pool {
namespace {

// While a server is down, one attempt per interval; other requests get the last attempt's error at once.
constexpr auto kRetryInterval = std::chrono::milliseconds(200);
// An attempt that takes longer, soon after one that failed, will hardly end otherwise.
constexpr auto kNoAnswer = std::chrono::seconds(1);
constexpr auto kSoon = std::chrono::seconds(60);

protocol::SqlError gone(const ServerTarget& target) {
  return {"57P01", "server " + target.label + " has been taken out of the configuration", {}, {}, {}, {}};
}

}  // namespace

void Pool::drain() {
  std::deque<Waiter> waiting;
  protocol::SqlError error;
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    waiting.swap(waiters_);
    leave_line_locked();
    error = gone(*target_);
  }
  for (const Waiter& waiter : waiting) tell(waiter.ticket, error);
  if (manager_.groups_waiting()) manager_.retry_groups();
  for (unsigned w = 0; w < manager_.worker_count(); ++w)
    manager_.worker(w).post([this, w] { close_idle(w); });
}

void Pool::tell(CheckoutTicket to, const protocol::SqlError& error) {
  manager_.worker(to.worker).post([this, to, error] {
    if (auto* checkout = manager_.find(to)) checkout->fail(error);
  });
}

std::optional<protocol::SqlError> Pool::last_failure() const {
  const std::lock_guard lock(mutex_);
  return failure_ ? std::optional(failure_->error) : std::nullopt;
}

std::optional<protocol::SqlError> Pool::recent_failure_locked(Clock::time_point now) const {
  if (draining_) return gone(*target_);
  if (paused_ || !fails_locked()) return std::nullopt;
  const bool unanswered = connecting_ > 0 && now - attempting_since_ > kNoAnswer && attempting_since_ - failure_->when < kSoon;
  return unanswered || now - failure_->when < kRetryInterval ? std::optional(failure_->error) : std::nullopt;
}

bool Pool::take_place_for_waiter_locked(Clock::time_point now) {
  if (connecting_ >= waiters_.size() || in_line_) return false;
  if (failure_ && now - failure_->when < kRetryInterval && total_ - closing_ > connecting_) return false;
  return take_place_locked();
}

void Pool::on_connect_failed(const protocol::SqlError& error, CheckoutTicket bound) {
  std::deque<Waiter> failed;
  {
    const std::lock_guard lock(mutex_);
    --connecting_;
    lose_place_locked();
    ++counters_.connect_failures;
    failure_ = Failure{error, Clock::now()};
    // Nobody will come back to serve the queue: its requests get the server's own error instead of a silent wait.
    if (fails_locked() && !paused_) failed.swap(waiters_);
    leave_line_locked();
  }
  if (bound.id != 0) tell(bound, error);
  for (const auto& waiter : failed) tell(waiter.ticket, error);
  if (manager_.groups_waiting()) manager_.retry_groups();
}

}  // namespace pgweir::pool
