// ThinVector: a vector that is one pointer wide and null while it holds nothing, for the members of objects of which there
// are many and most are at rest. The elements and their count lie in one block of memory. T is movable;
// moving and destroying it does not throw. References are invalidated by every change. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <new>
#include <utility>

namespace pgweir::protocol {

template <class T>
class ThinVector {
 public:
  ThinVector() = default;
  ThinVector(std::initializer_list<T> items) { append(items.begin(), items.end()); }
  ThinVector(const ThinVector& other) { append(other.begin(), other.end()); }
  ThinVector(ThinVector&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  ThinVector& operator=(ThinVector other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~ThinVector() { release(); }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return head_ == nullptr ? 0 : head_->size; }
  std::size_t capacity() const { return head_ == nullptr ? 0 : head_->capacity; }
  T* begin() { return head_ == nullptr ? nullptr : elements(); }
  const T* begin() const { return head_ == nullptr ? nullptr : elements(); }
  T* end() { return begin() + size(); }
  const T* end() const { return begin() + size(); }
  T& operator[](std::size_t i) { return elements()[i]; }
  const T& operator[](std::size_t i) const { return elements()[i]; }
  auto rbegin() { return std::make_reverse_iterator(end()); }
  auto rend() { return std::make_reverse_iterator(begin()); }
  T& front() { return elements()[0]; }  // front and back: precondition !empty()
  const T& front() const { return elements()[0]; }
  T& back() { return elements()[size() - 1]; }
  const T& back() const { return elements()[size() - 1]; }

  void reserve(std::size_t capacity_wanted) {
    if (capacity_wanted > capacity()) move_to(capacity_wanted);
  }
  template <class... Arguments>
  T& emplace_back(Arguments&&... arguments) {
    if (size() == capacity()) {
      T item(std::forward<Arguments>(arguments)...);  // it may refer to an element
      move_to(std::max<std::size_t>(kFirst, capacity() * 2));
      return *new (elements() + head_->size++) T(std::move(item));
    }
    return *new (elements() + head_->size++) T(std::forward<Arguments>(arguments)...);
  }
  void push_back(T item) { emplace_back(std::move(item)); }
  template <class Iterator>
  void append(Iterator first, Iterator last) {
    for (; first != last; ++first) emplace_back(*first);
  }
  T* insert(const T* before, T item) {
    const std::size_t at = static_cast<std::size_t>(before - begin());
    emplace_back(std::move(item));
    std::rotate(begin() + at, end() - 1, end());
    return begin() + at;
  }
  T* erase(const T* first, const T* last) {
    T* to = begin() + (first - begin());
    if (head_ != nullptr) shorten(static_cast<std::size_t>(std::move(const_cast<T*>(last), end(), to) - begin()));
    return to;
  }
  T* erase(const T* at) { return erase(at, at + 1); }
  void pop_back() { shorten(size() - 1); }  // precondition: !empty()
  template <class Predicate>
  void erase_if(Predicate predicate) {
    if (head_ != nullptr) shorten(static_cast<std::size_t>(std::remove_if(begin(), end(), predicate) - begin()));
  }
  void clear() {
    if (head_ != nullptr) shorten(0);  // the memory is kept
  }
  // Gives back the memory that no element needs.
  void trim() {
    if (empty())
      release();
    else if (size() < capacity())
      move_to(size());
  }

  // A number of the owner's that lies with the elements: 0 at first, lost when the memory is given back.
  std::uint32_t mark() const { return head_ == nullptr ? 0 : head_->mark; }
  void set_mark(std::uint32_t mark) { head_->mark = mark; }  // precondition: there is or was an element since the last trim()

 private:
  struct alignas(16) Head {
    std::uint32_t size, capacity, mark;
  };
  static_assert(alignof(T) <= alignof(Head));
  static constexpr std::size_t kFirst = 2;  // the capacity at first

  T* elements() const { return reinterpret_cast<T*>(head_ + 1); }
  void move_to(std::size_t capacity_wanted) {
    const std::size_t count = size();
    void* memory = ::operator new(sizeof(Head) + capacity_wanted * sizeof(T), std::align_val_t{alignof(Head)});
    auto* grown = new (memory) Head{static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(capacity_wanted), mark()};
    std::uninitialized_move_n(begin(), count, reinterpret_cast<T*>(grown + 1));
    release();
    head_ = grown;
  }
  void shorten(std::size_t count) {
    std::destroy(begin() + count, end());
    head_->size = static_cast<std::uint32_t>(count);
  }
  void release() {
    if (head_ == nullptr) return;
    std::destroy(begin(), end());
    ::operator delete(static_cast<void*>(head_), std::align_val_t{alignof(Head)});
    head_ = nullptr;
  }

  Head* head_ = nullptr;  // the elements lie behind it
};

}  // namespace pgweir::protocol
