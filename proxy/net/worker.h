// Worker: one thread with its own edge-triggered epoll reactor, a queue for posts from other threads, a timer wheel and
// the memory that all its streams share. Everything is called on the worker's own thread, except what says otherwise.
//
// One wake-up: ready sockets, posted tasks, streams scheduled again, timers; then deferred functions; then each stream
// with output is flushed once; then disposed objects are deleted; then epoll_wait until the next deadline.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "proxy/net/block_pool.h"
#include "proxy/net/error.h"
#include "proxy/net/intrusive_list.h"
#include "proxy/net/task.h"
#include "proxy/net/timer.h"

namespace pgweir::net {

// What can be deleted at the end of a wake-up.
class Disposable {
 public:
  virtual ~Disposable() = default;
};

// A message for another worker. Destroyed after it ran, or without running when the worker has stopped.
class PostedTask {
 public:
  virtual ~PostedTask() = default;
  virtual void run() = 0;

 private:
  friend class Worker;
  PostedTask* next_ = nullptr;
};

struct AttachedTag;
struct ReadyTag;
struct FlushTag;

// Something with a file descriptor on a worker's reactor (a Stream).
class IoWatch : private ListNode<AttachedTag>, private ListNode<ReadyTag>, private ListNode<FlushTag> {
 protected:
  virtual ~IoWatch() = default;

 private:
  friend class Worker;
  template <class T, class Tag>
  friend class List;
  virtual void on_io(std::uint32_t epoll_events) = 0;
  virtual void on_ready() = 0;    // after Worker::schedule_ready
  virtual void on_flush() = 0;    // after Worker::schedule_flush
  virtual void on_orphaned() = 0; // the Worker object is being destroyed; its thread has ended
  bool registered_ = false;       // with epoll
};

class Worker {
 public:
  // `index` is the worker's number, from 0; also in the thread's name.
  explicit Worker(unsigned index);
  // Stops if still running. Streams that are left are closed and detached without a callback.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Any thread, once each. start() fails when the system gives no epoll, eventfd or thread. stop() makes the loop end
  // after the present wake-up, runs the at_stop functions, drops posts that have not run, and joins; not from the
  // worker itself.
  Result<std::monostate> start();
  void stop();
  // In place of start(), for tests that decide what happens next: enter() makes the calling thread the worker's own, turn()
  // is one wake-up that waits at most `wait` milliseconds for its first event, leave() does what the thread's end does.
  Result<std::monostate> enter();
  void turn(int wait);
  void leave();

  // Any thread. Runs on the worker, in the order of posting per posting thread. Returns false, having destroyed the
  // task on the calling thread, when the worker has stopped. One wake-up serves all posts that are waiting.
  bool post(std::unique_ptr<PostedTask> task);
  bool post(Task task);
  // Runs at the end of this wake-up, before flushing. No allocation while captures are at most 48 bytes.
  void defer(Task function) { deferred_.push_back(std::move(function)); }
  // Deletes the object at the end of this wake-up, after flushing: the way for an object to end itself within a
  // callback.
  void dispose(std::unique_ptr<Disposable> object) { if (object) disposed_.push_back(std::move(object)); }
  // Runs on the worker when it stops, in the order added, before what is left is dropped (to close sessions). Before
  // start() or on the worker.
  void at_stop(Task function) { at_stop_.push_back(std::move(function)); }

  // The time at which this wake-up began. Costs nothing.
  Clock::time_point now() const { return now_; }
  unsigned index() const { return index_; }
  // The worker whose thread this is, or null. Any thread.
  static Worker* current();
  bool on_own_thread() const { return current() == this; }
  TimerWheel& timers() { return timers_; }

  // Memory shared by all streams of the worker; contents are lost when the current callback returns.
  std::span<char> scratch() { return {scratch_.get(), kScratchSize}; }
  // The same for ciphertext.
  std::span<char> cipher_scratch() { return {cipher_scratch_.get(), kCipherScratchSize}; }
  BlockPool& blocks() { return blocks_; }
  // What streams and sessions of this worker hold. Bind it before start().
  MemoryAccount& memory() { return blocks_.memory(); }

  // Sessions (or whatever the acceptor counts) on this worker; any thread, relaxed. The acceptor adds when it chooses
  // the worker, so that a burst spreads; the session's end subtracts.
  void add_load(int delta) { load_.fetch_add(delta, std::memory_order_relaxed); }
  int load() const { return load_.load(std::memory_order_relaxed); }

  // Counters since start, any thread.
  struct Counters {
    std::uint64_t wakeups = 0;          // returns from epoll_wait
    std::uint64_t posts = 0;            // posted tasks run
    std::uint64_t streams = 0;          // attached now
    std::uint64_t migrations = 0;       // streams adopted from another worker
    std::chrono::nanoseconds cpu{0};    // of the thread; 0 when not running
  };
  Counters counters() const;

  // For streams (IoWatch). enlist makes the worker tell it when it goes; attach also registers
  // EPOLLIN|EPOLLRDHUP|EPOLLET plus `extra` for the fd; detach undoes both, idempotent.
  void enlist(IoWatch& watch) { attached_.push_back(watch); }
  Result<std::monostate> attach(IoWatch& watch, int fd, std::uint32_t extra);
  void rearm(IoWatch& watch, int fd, std::uint32_t extra);
  void detach(IoWatch& watch, int fd);  // also forgets events of this wake-up that are not delivered yet
  void schedule_ready(IoWatch& watch) {
    if (!static_cast<ListNode<ReadyTag>&>(watch).linked()) ready_.push_back(watch);
  }
  void schedule_flush(IoWatch& watch) {
    if (!static_cast<ListNode<FlushTag>&>(watch).linked()) dirty_.push_back(watch);
  }
  void count_migration() { bump(migrations_); }

  static constexpr std::size_t kScratchSize = 256 * 1024;
  static constexpr std::size_t kCipherScratchSize = 128 * 1024;

 private:
  static constexpr unsigned kMaxEvents = 256;
  static void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {  // one writer: no locked instruction
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  Result<std::monostate> set_up();
  void run();
  int wait_milliseconds() const;
  void dispatch_events(int count);
  void run_ready();
  void run_posts();
  void finish_wakeup();
  void wake();
  void shut_down();
  void drop_posts(PostedTask* chain);

  const unsigned index_;
  int epoll_fd_ = -1;
  int event_fd_ = -1;
  std::thread thread_;
  Clock::time_point now_;
  TimerWheel timers_;
  BlockPool blocks_;
  std::unique_ptr<char[]> scratch_, cipher_scratch_;
  List<IoWatch, AttachedTag> attached_;
  List<IoWatch, ReadyTag> ready_;
  List<IoWatch, FlushTag> dirty_;
  std::vector<Task> deferred_, running_, at_stop_;
  std::vector<std::unique_ptr<Disposable>> disposed_;
  struct Events;
  std::unique_ptr<Events> events_;

  std::atomic<PostedTask*> posted_{nullptr};  // newest first; closed_mark() once stopped
  static PostedTask* closed_mark();
  std::atomic<bool> stopping_{false};
  static constexpr clockid_t kNoClock = -1;
  std::atomic<clockid_t> cpu_clock_{kNoClock};
  std::atomic<int> load_{0};
  std::atomic<std::uint64_t> wakeups_{0}, posts_run_{0}, streams_{0}, migrations_{0};
};

// The worker with the least load; ties go to the lowest index. Precondition: not empty. Any thread.
Worker& least_loaded(std::span<const std::unique_ptr<Worker>> workers);

}  // namespace pgweir::net
