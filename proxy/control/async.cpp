#include "proxy/control/async.h"

#include "proxy/log/log.h"

namespace pgweir::control {
namespace {

struct Join {
  explicit Join(asio::io_context& context, std::size_t count) : done(context), left(count) {}
  Event done;
  std::size_t left;
};

struct CountDown {
  std::shared_ptr<Join> join;
  void operator()(const std::exception_ptr& failure) const {
    if (--join->left == 0) join->done.set();
    if (failure) std::rethrow_exception(failure);
  }
};

struct LogFailure {
  const char* name;
  void operator()(const std::exception_ptr& failure) const {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& problem) {
      log::error("{} ended: {}", name, problem.what());
    }
  }
};

}  // namespace

Async<bool> Event::wait(std::chrono::milliseconds bound) {
  if (!set_) {
    boost::system::error_code cancelled;
    timer_.expires_after(bound);
    co_await timer_.async_wait(asio::redirect_error(kAwait, cancelled));
  }
  co_return std::exchange(set_, false);
}

void spawn(asio::io_context& context, Async<void> task, const char* name) {
  asio::co_spawn(context.get_executor(), std::move(task), LogFailure{name});
}

Async<void> when_all(asio::io_context& context, std::vector<Async<void>> tasks) {
  if (tasks.empty()) co_return;
  const auto join = std::make_shared<Join>(context, tasks.size());
  for (auto& task : tasks) asio::co_spawn(context.get_executor(), std::move(task), CountDown{join});
  while (join->left != 0) (void)co_await join->done.wait(std::chrono::hours(1));
}

}  // namespace pgweir::control
