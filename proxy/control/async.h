// Coroutines of the control thread: the task type, waits and joins. Private to control/. Everything here belongs to the
// one thread that runs the io_context. (g++ 12: never write a capturing lambda inside a co_await expression.)
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace pgweir::control {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
template <class T>
using Async = asio::awaitable<T, Executor>;
inline constexpr asio::use_awaitable_t<Executor> kAwait{};
using ControlTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using Clock = std::chrono::steady_clock;

// A flag that a coroutine waits for with a bound; set() wakes it, also when nobody waits yet.
class Event {
 public:
  explicit Event(asio::io_context& context) : timer_(context.get_executor()) {}
  void set() {
    set_ = true;
    timer_.cancel();
  }
  // Returns when set or after `bound`; clears the flag and returns whether it was set.
  Async<bool> wait(std::chrono::milliseconds bound);

 private:
  ControlTimer timer_;
  bool set_ = false;
};

// Starts a coroutine of its own. An exception (out of memory, ...) ends it and is logged with `name`.
void spawn(asio::io_context& context, Async<void> task, const char* name);

// Runs all at once and returns when the last has ended.
Async<void> when_all(asio::io_context& context, std::vector<Async<void>> tasks);

}  // namespace pgweir::control
