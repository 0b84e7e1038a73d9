#include "proxy/net/memory_budget.h"

#include <cassert>

namespace pgweir::net {

void MemoryBudget::set_limit(std::size_t bytes, std::size_t accounts) {
  // What accounts have taken and do not use stays below an eighth of the limit.
  const std::size_t share = bytes / (16 * std::max<std::size_t>(accounts, 1));
  unit_.store(std::clamp<std::size_t>(share, 64u << 10, 1u << 20), std::memory_order_relaxed);
  limit_.store(bytes, std::memory_order_relaxed);
}

void MemoryAccount::bind(MemoryBudget* budget) {
  if (budget_ != nullptr) budget_->charged_.fetch_sub(taken_, std::memory_order_relaxed);
  taken_ = 0;
  budget_ = budget;
  give_back_at_ = budget == nullptr ? std::numeric_limits<std::size_t>::max() : 2 * budget->unit();
  if (used_ > 0) take();
}

void MemoryAccount::take() {
  if (budget_ == nullptr) {
    taken_ = used_;
    return;
  }
  const std::size_t unit = budget_->unit(), more = (used_ - taken_ + unit - 1) / unit * unit;
  budget_->charged_.fetch_add(more, std::memory_order_relaxed);
  taken_ += more;
  give_back_at_ = 2 * unit;
}

// One unit stays, so that an account that goes up and down by little does not come here each time.
void MemoryAccount::give_back() {
  assert(budget_ != nullptr);
  const std::size_t unit = budget_->unit(), less = (taken_ - used_ - unit) / unit * unit;
  if (less == 0 || less > taken_) return;
  budget_->charged_.fetch_sub(less, std::memory_order_relaxed);
  taken_ -= less;
}

}  // namespace pgweir::net
