// Fifo: a queue for the few things that are usually in flight. Unlike std::deque it owns no memory while it has never been
// used, and gives large memory back when it runs empty. T is movable and default constructible; a popped element is
// destroyed at once. Not thread-safe; references are invalidated by every change.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace pgweir::protocol {

template <class T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  std::size_t size() const { return items_.size() - head_; }
  T& front() { return items_[head_]; }              // precondition: !empty()
  const T& front() const { return items_[head_]; }
  T& operator[](std::size_t i) { return items_[head_ + i]; }
  const T& operator[](std::size_t i) const { return items_[head_ + i]; }
  auto begin() { return items_.begin() + static_cast<std::ptrdiff_t>(head_); }
  auto begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(head_); }
  auto end() { return items_.end(); }
  auto end() const { return items_.end(); }

  void push_back(T item) { items_.push_back(std::move(item)); }
  template <class... Arguments>
  T& emplace_back(Arguments&&... arguments) {
    return items_.emplace_back(std::forward<Arguments>(arguments)...);
  }

  void pop_front() {  // precondition: !empty()
    items_[head_++] = T();
    if (head_ == items_.size()) return clear();
    // Moving the rest down costs less than what has been popped since the last time.
    if (head_ >= kCompactAt && head_ * 2 >= items_.size()) compact();
  }

  void erase_at(std::size_t i) { items_.erase(begin() + static_cast<std::ptrdiff_t>(i)); }
  template <class Predicate>
  void erase_if(Predicate predicate) {
    items_.erase(std::remove_if(begin(), end(), predicate), items_.end());
  }

  void clear() {
    head_ = 0;
    items_.clear();
    if (items_.capacity() > kKeptCapacity) std::vector<T>().swap(items_);
  }

 private:
  static constexpr std::size_t kCompactAt = 32;
  static constexpr std::size_t kKeptCapacity = 64;

  void compact() {
    items_.erase(items_.begin(), begin());
    head_ = 0;
  }

  std::vector<T> items_;
  std::size_t head_ = 0;
};

}  // namespace pgweir::protocol
