#include "proxy/net/worker.h"

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "tests/unit/proxy/net_support.h"

namespace pgweir::net {
namespace {

TEST(Worker, PostsFromManyThreadsAllRunInOrderPerThread) {
  Worker worker(0);
  ASSERT_TRUE(worker.start().ok());
  constexpr int kThreads = 8, kPosts = 20'000;
  std::vector<int> last(kThreads, -1);
  std::vector<std::thread> threads;
  std::atomic<int> disorder{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        worker.post(Task([&, t, i] {
          if (last[static_cast<std::size_t>(t)] != i - 1) ++disorder;
          last[static_cast<std::size_t>(t)] = i;
        }));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  on(worker, [&] { EXPECT_EQ(last, std::vector<int>(kThreads, kPosts - 1)); });
  EXPECT_EQ(disorder.load(), 0);
  EXPECT_EQ(worker.counters().posts, std::uint64_t{kThreads} * kPosts + 1);
  EXPECT_LT(worker.counters().wakeups, worker.counters().posts);
}

TEST(Worker, PostsBeforeStartRunAfterIt) {
  Worker worker(0);
  std::promise<bool> ran;
  EXPECT_TRUE(worker.post(Task([&] { ran.set_value(worker.on_own_thread()); })));
  ASSERT_TRUE(worker.start().ok());
  auto future = ran.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(future.get());
  EXPECT_EQ(Worker::current(), nullptr);
}

TEST(Worker, DroppedPostsGiveBackWhatTheyCarry) {
  auto carried = std::make_shared<int>(1);
  {
    Worker worker(0);
    ASSERT_TRUE(worker.start().ok());
    std::promise<void> blocked;
    std::latch go(1);
    worker.post(Task([&] { blocked.set_value(); go.wait(); }));
    blocked.get_future().wait();
    std::thread stopper([&] { worker.stop(); });
    for (int i = 0; i < 100; ++i) worker.post(Task([carried] {}));
    go.count_down();
    stopper.join();
    EXPECT_EQ(carried.use_count(), 1);
    EXPECT_FALSE(worker.post(Task([carried] { ADD_FAILURE() << "ran after the end"; })));
    EXPECT_EQ(carried.use_count(), 1);
  }
  Worker never_started(1);
  EXPECT_TRUE(never_started.post(Task([carried] { ADD_FAILURE(); })));
  never_started.stop();
  EXPECT_EQ(carried.use_count(), 1);
}

TEST(Worker, AtStopRunsOnTheWorkerBeforeTheEnd) {
  Worker worker(0);
  bool ran = false;
  worker.at_stop([&] { ran = worker.on_own_thread(); });
  ASSERT_TRUE(worker.start().ok());
  worker.stop();
  EXPECT_TRUE(ran);
}

TEST(Worker, DeferredRunAfterTheCallbacksAndDisposedGoLast) {
  struct Noted : Disposable {
    std::vector<int>& order;
    explicit Noted(std::vector<int>& o) : order(o) {}
    ~Noted() override { order.push_back(3); }
  };
  Worker worker(0);
  ASSERT_TRUE(worker.start().ok());
  std::vector<int> order;
  on(worker, [&] {
    worker.dispose(std::make_unique<Noted>(order));
    worker.defer([&] {
      order.push_back(1);
      worker.defer([&] { order.push_back(2); });
    });
    order.push_back(0);
  });
  on(worker, [&] { EXPECT_EQ(order, (std::vector{0, 1, 2, 3})); });
}

TEST(Worker, TimersFireOnTheWorkerAndAnIdleWorkerDoesNotTick) {
  Worker worker(0);
  ASSERT_TRUE(worker.start().ok());
  struct Context {
    std::promise<Clock::time_point> fired;
    Timer timer;
    void fire() { fired.set_value(Clock::now()); }
  } context;
  context.timer.set<&Context::fire>(&context);
  const auto armed_at = Clock::now();
  const auto before = worker.counters().wakeups;
  on(worker, [&] { context.timer.arm(worker, Duration{50}); });
  auto future = context.fired.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  EXPECT_GE(future.get() - armed_at, Duration{49});
  EXPECT_LE(worker.counters().wakeups - before, 8u) << "50 ms must not cost a wake-up per millisecond";
}

TEST(Worker, TimerArmedAfterALongIdleTimeIsNotEarly) {
  Worker worker(0);
  ASSERT_TRUE(worker.start().ok());
  on(worker, [&] { EXPECT_LE(Clock::now() - worker.now(), std::chrono::seconds(30)); });
  EXPECT_GT(worker.counters().cpu.count(), 0);
}

TEST(Worker, StopsWithStreamsAndTimersStillThere) {
  auto worker = std::make_unique<Worker>(0);
  ASSERT_TRUE(worker->start().ok());
  Recorder recorder;
  Timer timer([](void*) { ADD_FAILURE() << "fired after the end"; }, nullptr);
  const auto [ours, theirs] = tcp_pair();
  Peer peer(theirs);
  on(*worker, [&, fd = ours] {
    recorder.stream = std::move(Stream::adopt_fd(*worker, fd, &recorder).value());
    recorder.stream->send(std::string(1000, 'x'));
    timer.arm(*worker, std::chrono::hours(1));
  });
  on(*worker, [&] { recorder.stream->send("last words"); });
  worker->stop();
  worker.reset();
  EXPECT_FALSE(timer.armed());
  EXPECT_FALSE(recorder.stream->is_open());
  EXPECT_FALSE(recorder.closed);
  EXPECT_EQ(peer.receive(2000).size(), 1010u);
  recorder.stream.reset();
}

TEST(Worker, LeastLoaded) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (unsigned i = 0; i < 3; ++i) workers.push_back(std::make_unique<Worker>(i));
  EXPECT_EQ(least_loaded(workers).index(), 0u);
  workers[0]->add_load(2);
  workers[1]->add_load(1);
  EXPECT_EQ(least_loaded(workers).index(), 2u);
  workers[2]->add_load(5);
  EXPECT_EQ(least_loaded(workers).index(), 1u);
}

}  // namespace
}  // namespace pgweir::net
