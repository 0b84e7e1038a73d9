// The bound on what the proxy holds in buffers, all workers together (listen.memory_budget). A worker charges an account
// of its own, which takes from the common budget in units of up to 1 MiB: a charge is an addition, an atomic operation
// comes once per unit. The common figure is therefore too high by less than two units per worker, never too low.
//
// A charge never fails: what is in flight must be kept. Who would begin something asks first (fits(), exhausted()), and
// from tight() on streams keep less in flight, so that what has begun goes on with little.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace pgweir::net {

// Thread-safe. Outlives the accounts that are bound to it.
class MemoryBudget {
 public:
  static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max() / 4;

  // `accounts`: how many take part. Any time; a smaller limit holds for what begins from now on.
  void set_limit(std::size_t bytes, std::size_t accounts);
  std::size_t limit() const { return limit_.load(std::memory_order_relaxed); }
  std::size_t unit() const { return unit_.load(std::memory_order_relaxed); }
  std::size_t charged() const { return charged_.load(std::memory_order_relaxed); }

 private:
  friend class MemoryAccount;
  std::atomic<std::size_t> limit_{kUnlimited}, unit_{1u << 20};
  alignas(64) std::atomic<std::size_t> charged_{0};
};

// One per worker, touched by it only. Without a budget nothing is bounded.
class MemoryAccount {
 public:
  MemoryAccount() = default;
  ~MemoryAccount() { bind(nullptr); }
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;
  // What is charged already moves along. Null: none.
  void bind(MemoryBudget* budget);

  void add(std::size_t bytes) {
    used_ += bytes;
    if (used_ > taken_) take();
  }
  void subtract(std::size_t bytes) {
    used_ -= std::min(bytes, used_);
    if (taken_ - used_ >= give_back_at_) give_back();
  }
  std::size_t used() const { return used_; }

  // `bytes` more may be held: together with all that is, no more than `eighths` of the limit.
  bool fits(std::size_t bytes, unsigned eighths = 8) const {
    if (budget_ == nullptr) return true;
    const std::size_t all = budget_->charged() - (taken_ - used_);
    return all + bytes <= budget_->limit() / 8 * eighths;
  }
  bool exhausted() const { return budget_ != nullptr && budget_->charged() > budget_->limit(); }
  // Three quarters are in use: keep less in flight.
  bool tight() const { return budget_ != nullptr && budget_->charged() > budget_->limit() / 4 * 3; }
  std::size_t limit() const { return budget_ == nullptr ? MemoryBudget::kUnlimited : budget_->limit(); }
  std::size_t charged() const { return budget_ == nullptr ? used_ : budget_->charged(); }

 private:
  void take();
  void give_back();

  MemoryBudget* budget_ = nullptr;
  std::size_t used_ = 0, taken_ = 0;  // taken_ >= used_ while there is a budget
  std::size_t give_back_at_ = std::numeric_limits<std::size_t>::max();
};

// What one owner holds, as it says itself from time to time. Gives it back when destroyed. On the account's worker.
class MemoryCharge {
 public:
  explicit MemoryCharge(MemoryAccount& account) : account_(account) {}
  ~MemoryCharge() { set(0); }
  MemoryCharge(const MemoryCharge&) = delete;
  MemoryCharge& operator=(const MemoryCharge&) = delete;

  void set(std::size_t bytes) {
    if (bytes > bytes_) account_.add(bytes - bytes_);
    if (bytes < bytes_) account_.subtract(bytes_ - bytes);
    bytes_ = bytes;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  MemoryAccount& account_;
  std::size_t bytes_ = 0;
};

}  // namespace pgweir::net
