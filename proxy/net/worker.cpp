#include "proxy/net/worker.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <climits>
#include <ctime>
#include <system_error>

namespace pgweir::net {
namespace {

thread_local Worker* current_worker = nullptr;

class TaskMessage final : public PostedTask {
 public:
  explicit TaskMessage(Task task) : task_(std::move(task)) {}
  void run() override { task_(); }

 private:
  Task task_;
};

class ClosedMark final : public PostedTask {
  void run() override {}
};
ClosedMark closed;

constexpr std::uint32_t kAlways = EPOLLIN | EPOLLRDHUP | EPOLLET;

}  // namespace

struct Worker::Events {
  std::array<epoll_event, kMaxEvents> list;
  int next = 0, count = 0;  // [next, count) are not delivered yet
};

PostedTask* Worker::closed_mark() { return &closed; }
Worker* Worker::current() { return current_worker; }

Worker::Worker(unsigned index)
    : index_(index),
      epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)),
      event_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_(Clock::now()),
      timers_(now_),
      scratch_(std::make_unique_for_overwrite<char[]>(kScratchSize)),
      cipher_scratch_(std::make_unique_for_overwrite<char[]>(kCipherScratchSize)),
      events_(std::make_unique<Events>()) {}

Worker::~Worker() {
  stop();
  while (IoWatch* watch = attached_.pop_front()) watch->on_orphaned();
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
  if (event_fd_ >= 0) ::close(event_fd_);
}

Result<std::monostate> Worker::set_up() {
  // Edge-triggered: every write to the eventfd is an edge, so it is never read.
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = this}};
  if (epoll_fd_ < 0 || event_fd_ < 0 || ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd_, &event) != 0) {
    return system_error(errno, "cannot set up the event loop of a worker");
  }
  return std::monostate{};
}

Result<std::monostate> Worker::start() {
  if (auto ready = set_up(); !ready.ok()) return ready;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "cannot start a worker thread");
  }
  return std::monostate{};
}

void Worker::stop() {
  assert(!on_own_thread());
  stopping_.store(true, std::memory_order_release);
  if (thread_.joinable()) {
    wake();
    thread_.join();
  } else {
    drop_posts(posted_.exchange(closed_mark(), std::memory_order_acq_rel));
  }
}

bool Worker::post(Task task) { return post(std::make_unique<TaskMessage>(std::move(task))); }

bool Worker::post(std::unique_ptr<PostedTask> task) {
  PostedTask* head = posted_.load(std::memory_order_relaxed);
  do {
    if (head == closed_mark()) return false;
    task->next_ = head;
  } while (!posted_.compare_exchange_weak(head, task.get(), std::memory_order_release, std::memory_order_relaxed));
  task.release();
  if (head == nullptr && !on_own_thread()) wake();
  return true;
}

void Worker::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_fd_, &one, sizeof one);
}

void Worker::run() {
  current_worker = this;
  const std::string name = "pgweir-w" + std::to_string(index_);
  ::pthread_setname_np(::pthread_self(), name.c_str());
  clockid_t clock{};
  if (::pthread_getcpuclockid(::pthread_self(), &clock) == 0) cpu_clock_.store(clock, std::memory_order_relaxed);
  now_ = Clock::now();
  while (!stopping_.load(std::memory_order_acquire)) turn(wait_milliseconds());
  leave();
}

Result<std::monostate> Worker::enter() {
  if (auto ready = set_up(); !ready.ok()) return ready;
  current_worker = this;
  now_ = Clock::now();
  return std::monostate{};
}

void Worker::turn(int wait) {
  const int count = ::epoll_wait(epoll_fd_, events_->list.data(), kMaxEvents, wait);
  now_ = Clock::now();
  bump(wakeups_);
  // lets the wheel jump over the idle time before something is armed
  if (timers_.armed() == 0) timers_.advance(now_);
  dispatch_events(count);
  run_posts();
  run_ready();
  timers_.advance(now_);
  finish_wakeup();
}

void Worker::leave() {
  shut_down();
  cpu_clock_.store(kNoClock, std::memory_order_relaxed);
  current_worker = nullptr;
}

int Worker::wait_milliseconds() const {
  if (!ready_.empty() || posted_.load(std::memory_order_relaxed) != nullptr) return 0;
  const auto deadline = timers_.next_deadline();
  if (!deadline) return -1;
  // The time since this wake-up began is part of the wait: a stale now_ would make every deadline late by it.
  const auto left = std::chrono::ceil<Duration>(*deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<Duration::rep>(left, 0, INT_MAX));
}

void Worker::dispatch_events(int count) {
  Events& events = *events_;
  events.count = std::max(count, 0);
  for (events.next = 0; events.next < events.count;) {
    const epoll_event& event = events.list[static_cast<std::size_t>(events.next++)];
    if (event.data.ptr == nullptr || event.data.ptr == this) continue;  // forgotten, or only the wake-up call
    static_cast<IoWatch*>(event.data.ptr)->on_io(event.events);
  }
  events.next = events.count = 0;
}

void Worker::run_posts() {
  if (posted_.load(std::memory_order_relaxed) == nullptr) return;
  PostedTask* newest = posted_.exchange(nullptr, std::memory_order_acquire);
  PostedTask* oldest = nullptr;
  while (newest != nullptr) {
    PostedTask* next = newest->next_;
    newest->next_ = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    const std::unique_ptr<PostedTask> task(oldest);
    oldest = task->next_;
    bump(posts_run_);
    task->run();
  }
}

// One pass: what is scheduled during it waits for the next wake-up, so that sockets are not starved.
void Worker::run_ready() {
  List<IoWatch, ReadyTag> batch;
  batch.take(ready_);
  while (IoWatch* watch = batch.pop_front()) watch->on_ready();
}

void Worker::finish_wakeup() {
  while (true) {
    while (!deferred_.empty()) {
      running_.swap(deferred_);
      for (Task& task : running_) task();
      running_.clear();
    }
    while (IoWatch* watch = dirty_.pop_front()) watch->on_flush();
    if (!deferred_.empty()) continue;
    if (disposed_.empty()) return;
    std::vector<std::unique_ptr<Disposable>> batch;
    batch.swap(disposed_);
    batch.clear();
    if (disposed_.empty()) disposed_.swap(batch);  // keeps the capacity
    if (disposed_.empty() && deferred_.empty() && dirty_.empty()) return;
  }
}

void Worker::shut_down() {
  for (std::size_t i = 0; i < at_stop_.size(); ++i) at_stop_[i]();  // one may add another
  at_stop_.clear();
  finish_wakeup();
  drop_posts(posted_.exchange(closed_mark(), std::memory_order_acq_rel));
  finish_wakeup();
}

void Worker::drop_posts(PostedTask* chain) {
  while (chain != nullptr && chain != closed_mark()) {
    const std::unique_ptr<PostedTask> dropped(chain);
    chain = dropped->next_;
  }
}

Worker::Counters Worker::counters() const {
  Counters result;
  result.wakeups = wakeups_.load(std::memory_order_relaxed);
  result.posts = posts_run_.load(std::memory_order_relaxed);
  result.streams = streams_.load(std::memory_order_relaxed);
  result.migrations = migrations_.load(std::memory_order_relaxed);
  const clockid_t clock = cpu_clock_.load(std::memory_order_relaxed);
  timespec time{};
  if (clock != kNoClock && ::clock_gettime(clock, &time) == 0) {
    result.cpu = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  return result;
}

Result<std::monostate> Worker::attach(IoWatch& watch, int fd, std::uint32_t extra) {
  epoll_event event{.events = kAlways | extra, .data = {.ptr = &watch}};
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return system_error(errno, "cannot watch a socket");
  attached_.push_back(watch);
  watch.registered_ = true;
  bump(streams_);
  return std::monostate{};
}

void Worker::rearm(IoWatch& watch, int fd, std::uint32_t extra) {
  epoll_event event{.events = kAlways | extra, .data = {.ptr = &watch}};
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
}

void Worker::detach(IoWatch& watch, int fd) {
  static_cast<ListNode<AttachedTag>&>(watch).unlink();
  static_cast<ListNode<ReadyTag>&>(watch).unlink();
  static_cast<ListNode<FlushTag>&>(watch).unlink();
  if (!std::exchange(watch.registered_, false)) return;
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  bump(streams_, static_cast<std::uint64_t>(-1));
  Events& events = *events_;
  for (int i = events.next; i < events.count; ++i) {
    epoll_event& event = events.list[static_cast<std::size_t>(i)];
    if (event.data.ptr == &watch) event.data.ptr = nullptr;
  }
}

Worker& least_loaded(std::span<const std::unique_ptr<Worker>> workers) {
  const auto by_load = [](const auto& a, const auto& b) { return a->load() < b->load(); };
  return **std::min_element(workers.begin(), workers.end(), by_load);
}

}  // namespace pgweir::net
