// A pool over workers and a fake server, and those who borrow from it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "proxy/net/worker.h"
#include "proxy/pool/checkout.h"
#include "proxy/pool/login_services.h"
#include "proxy/pool/pool_manager.h"
#include "proxy/pool/server_connection.h"
#include "tests/unit/proxy/net_support.h"
#include "tests/unit/proxy/pool_fake_server.h"

namespace pgweir::pool {

using namespace std::chrono_literals;

// Waits for what other threads make true.
template <class F>
[[nodiscard]] bool comes_true(F condition, std::chrono::milliseconds patience = net::kPatience) {
  const auto end = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// What borrowers of one test have seen, together.
struct Tally {
  std::atomic<unsigned> served{0};    // requests answered
  std::atomic<unsigned> timeouts{0};  // 53300
  std::atomic<unsigned> failures{0};  // other errors of a checkout
  std::atomic<unsigned> lost{0};      // the server closed during a request
  std::atomic<unsigned> wrong{0};     // a reply that was another's, or a lease of another worker
  std::atomic<unsigned> cancelled{0};
};

// Asks for leases, sends a query of its own on each, checks the answers, gives all back, and begins again until stop().
// Lives on its worker: make, start and destroy it there (or destroy it when the worker has stopped).
class Borrower final : public CheckoutOwner, public ServerUser {
 public:
  struct Plan {
    config::Duration timeout{0};
    unsigned cancel_every = 0;  // about every n-th wait is cancelled soon after its start; 0: none
  };
  Borrower(net::Worker& worker, std::vector<Pool*> pools, Tally& tally, Plan plan)
      : worker_(worker), pools_(std::move(pools)), tally_(tally), plan_(plan), checkout_(*this), id_(next_id()) {}

  ~Borrower() { *alive_ = false; }

  void begin() {
    if (stopped_) {
      done_ = true;
      return;
    }
    auto leases = checkout_.start(worker_, pools_, plan_.timeout);
    if (!leases.empty()) return use(std::move(leases));
    if (plan_.cancel_every != 0 && random_() % plan_.cancel_every == 0) {
      worker_.post([this, alive = alive_, round = round_] {
        if (!*alive || round != round_ || !checkout_.waiting()) return;
        checkout_.cancel();
        ++tally_.cancelled;
        again();
      });
    }
  }
  void stop() { stopped_ = true; }
  bool done() const { return done_; }

 private:
  static unsigned next_id() {
    static std::atomic<unsigned> last{0};
    return ++last;
  }
  void on_checkout(std::vector<Lease> leases) override { use(std::move(leases)); }
  void on_checkout_failed(const protocol::SqlError& error) override {
    if (error.sqlstate == "53300")
      ++tally_.timeouts;
    else
      ++tally_.failures;
    again();
  }
  void use(std::vector<Lease> leases) {
    ++round_;
    leases_ = std::move(leases);
    answered_ = 0;
    text_ = "b" + std::to_string(id_) + "r" + std::to_string(round_);
    for (auto& lease : leases_) {
      if (&lease->worker() != &worker_ || lease->user() != nullptr) ++tally_.wrong;
      lease->set_user(this);
      const auto length = static_cast<char>(text_.size() + 5);  // far below 128
      lease->send(std::string("Q\0\0\0", 4) + length + text_ + '\0');
    }
  }
  std::size_t on_server_bytes(ServerConnection&, std::string_view bytes) override {
    if (bytes[0] == 'E') return bytes.size();  // its last words; on_server_closed follows
    const std::string wanted = text_ + std::string(1, '\0');
    const std::size_t length = 5 + wanted.size() + 6;
    if (bytes.size() < length) return 0;
    const bool more = bytes.size() > length && bytes[length] != 'E';  // its last words may follow at once
    if (more || bytes.substr(5, wanted.size()) != wanted) ++tally_.wrong;
    if (++answered_ == leases_.size()) {
      ++tally_.served;
      worker_.defer([this, alive = alive_] {
        if (!*alive) return;
        for (auto& lease : leases_) lease.give_back();
        leases_.clear();
        again();
      });
    }
    return bytes.size();
  }
  void on_server_drained(ServerConnection&) override {}
  void on_server_closed(ServerConnection&, const protocol::SqlError&) override {
    if (answered_ >= leases_.size()) return;  // on its way back, or known
    answered_ = static_cast<unsigned>(leases_.size()) + 1;
    ++tally_.lost;
    worker_.defer([this, alive = alive_] {
      if (!*alive) return;
      for (auto& lease : leases_) lease.discard();
      leases_.clear();
      again();
    });
  }
  void again() {
    worker_.post([this, alive = alive_] {
      if (*alive) begin();
    });
  }

  net::Worker& worker_;
  std::vector<Pool*> pools_;
  Tally& tally_;
  const Plan plan_;
  Checkout checkout_;
  const unsigned id_;
  std::minstd_rand random_{id_};
  std::vector<Lease> leases_;
  unsigned round_ = 0, answered_ = 0;
  std::string text_;
  bool stopped_ = false, done_ = false;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// One request for leases under the test's control. Everything on its worker.
class Taker final : public CheckoutOwner {
 public:
  explicit Taker(net::Worker& worker) : worker_(worker), checkout_(*this) {}
  // on(worker): destroy the content there too, by reset().
  void ask(std::vector<Pool*> pools, config::Duration timeout = config::Duration{0}) {
    failure.reset();
    leases = checkout_.start(worker_, pools, timeout);
    if (!leases.empty()) took = next_turn();
  }
  void give_back() {
    for (auto& lease : leases) lease.give_back();
    leases.clear();
  }
  void cancel() { checkout_.cancel(); }
  bool waiting() const { return checkout_.waiting(); }

  std::vector<Lease> leases;
  std::optional<protocol::SqlError> failure;
  int took = 0;  // the turn in which it was served, from 1 on, over all takers

  static int next_turn() {
    static std::atomic<int> last{0};
    return ++last;
  }

 private:
  void on_checkout(std::vector<Lease> given) override {
    leases = std::move(given);
    took = next_turn();
  }
  void on_checkout_failed(const protocol::SqlError& error) override { failure = error; }
  net::Worker& worker_;
  Checkout checkout_;
};

class PoolTest : public ::testing::Test {
 protected:
  // Call once, first.
  void start_workers(unsigned count) {
    std::vector<net::Worker*> pointers;
    for (unsigned i = 0; i < count; ++i)
      pointers.push_back(workers_.emplace_back(std::make_unique<net::Worker>(i)).get());
    if (!services_) services_ = std::make_unique<LoginServices>();
    manager_ = std::make_unique<PoolManager>(std::move(pointers), *services_);
    for (auto& worker : workers_) {
      worker->at_stop([this, at = worker.get()] { manager_->close_idle(*at); });
      ASSERT_TRUE(worker->start().ok());
    }
  }
  Pool& make_pool(const FakeServer& server, PoolLimits limits, config::TlsMode tls = config::TlsMode::Disable) {
    PoolKey key{.cluster = "c" + std::to_string(++pools_made_), .endpoint = {}, .user = "app"};
    return manager_->get(key, [&] { return std::pair(make_target(server, tls), limits); });
  }
  static std::shared_ptr<const ServerTarget> make_target(const FakeServer& server, config::TlsMode tls) {
    auto target = std::make_shared<ServerTarget>();
    target->endpoint = server.endpoint();
    target->database = "fediflow";
    target->user = "app";
    target->tls.mode = tls;
    target->label = "fake/primary";
    return target;
  }
  void TearDown() override {
    for (auto& worker : workers_) worker->stop();
    takers_.clear();
    borrowers_.clear();
  }

  net::Worker& worker(unsigned index) { return *workers_[index]; }

  Taker& taker(unsigned index) {
    auto& made = takers_.emplace_back();
    net::on(worker(index), [&] {
      made = std::make_unique<Taker>(worker(index));
      worker(index).at_stop([one = made.get()] {
        one->cancel();
        one->leases.clear();
      });
    });
    return *made;
  }
  // Starts `count` borrowers, spread over the workers.
  void borrow(unsigned count, const std::vector<Pool*>& pools, Tally& tally, Borrower::Plan plan = {}) {
    for (unsigned i = 0; i < count; ++i) {
      net::Worker& at = worker(i % workers_.size());
      net::on(at, [&, this] {
        auto& made = borrowers_.emplace_back(at, std::make_unique<Borrower>(at, pools, tally, plan));
        made.second->begin();
      });
    }
  }
  // Lets every borrower finish what it does.
  void end_borrowing() {
    for (auto& [at, borrower] : borrowers_) net::on(at, [&b = *borrower] { b.stop(); });
    for (auto& [at, borrower] : borrowers_)
      ASSERT_TRUE(net::eventually(at, [&b = *borrower] { return b.done(); })) << "a borrower waits for ever";
  }

  std::vector<std::unique_ptr<net::Worker>> workers_;
  std::unique_ptr<LoginServices> services_;
  std::unique_ptr<PoolManager> manager_;
  std::vector<std::unique_ptr<Taker>> takers_;
  std::list<std::pair<net::Worker&, std::unique_ptr<Borrower>>> borrowers_;
  unsigned pools_made_ = 0;
};

}  // namespace pgweir::pool
