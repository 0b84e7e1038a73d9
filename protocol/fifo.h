// Fifo: a queue for the few things that are usually in flight. One pointer wide; owns no memory while it has never been
// used, keeps a little between uses until trim(), and gives large memory back when it runs empty. T is movable and default
// constructible; a popped element is destroyed at once. Not thread-safe; references are invalidated by every change.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "protocol/thin_vector.h"

namespace pgweir::protocol {

template <class T>
class Fifo {
 public:
  Fifo() = default;
  Fifo(Fifo&&) noexcept = default;
  Fifo& operator=(Fifo&&) noexcept = default;

  bool empty() const { return head() == items_.size(); }
  std::size_t size() const { return items_.size() - head(); }
  T& front() { return items_[head()]; }              // precondition: !empty()
  const T& front() const { return items_[head()]; }
  T& operator[](std::size_t i) { return items_[head() + i]; }
  const T& operator[](std::size_t i) const { return items_[head() + i]; }
  T* begin() { return items_.begin() + head(); }
  const T* begin() const { return items_.begin() + head(); }
  T* end() { return items_.end(); }
  const T* end() const { return items_.end(); }

  void push_back(T item) { items_.push_back(std::move(item)); }
  template <class... Arguments>
  T& emplace_back(Arguments&&... arguments) {
    return items_.emplace_back(std::forward<Arguments>(arguments)...);
  }

  void pop_front() {  // precondition: !empty()
    items_[head()] = T();
    items_.set_mark(items_.mark() + 1);
    if (empty()) return clear();
    // Moving the rest down costs less than what has been popped since the last time.
    if (head() >= kCompactAt && head() * 2 >= items_.size()) compact();
  }

  void erase_at(std::size_t i) { items_.erase(begin() + i); }
  template <class Predicate>
  void erase_if(Predicate predicate) {
    if (!empty()) items_.erase(std::remove_if(begin(), end(), predicate), end());
  }

  void clear() {
    if (items_.capacity() == 0) return;
    items_.set_mark(0);
    items_.clear();
    if (items_.capacity() > kKeptCapacity) items_.trim();
  }
  // Gives back what an empty queue keeps.
  void trim() {
    if (empty()) items_ = {};
  }

 private:
  static constexpr std::size_t kCompactAt = 32;
  static constexpr std::size_t kKeptCapacity = 64;

  std::size_t head() const { return items_.mark(); }  // popped ones in front
  void compact() {
    items_.erase(items_.begin(), begin());
    items_.set_mark(0);
  }

  ThinVector<T> items_;
};

}  // namespace pgweir::protocol
