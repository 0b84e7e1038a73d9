// ThinVector: a vector that is one pointer wide and null while it holds nothing, for the members of objects of which there
// are many and most are at rest. The elements and their count lie in one block of memory behind the pointer. T is movable;
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
  ThinVector(ThinVector&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  ThinVector& operator=(ThinVector other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~ThinVector() { release(); }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return data_ == nullptr ? 0 : head().size; }
  std::size_t capacity() const { return data_ == nullptr ? 0 : head().capacity; }
  T* begin() { return data_; }
  const T* begin() const { return data_; }
  T* end() { return data_ + size(); }
  const T* end() const { return data_ + size(); }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  auto rbegin() { return std::make_reverse_iterator(end()); }
  auto rend() { return std::make_reverse_iterator(begin()); }
  T& front() { return data_[0]; }  // front and back: precondition !empty()
  const T& front() const { return data_[0]; }
  T& back() { return data_[size() - 1]; }
  const T& back() const { return data_[size() - 1]; }

  void reserve(std::size_t capacity_wanted) {
    if (capacity_wanted > capacity()) move_to(capacity_wanted);
  }
  template <class... Arguments>
  T& emplace_back(Arguments&&... arguments) {
    if (size() == capacity()) {
      T item(std::forward<Arguments>(arguments)...);  // it may refer to an element
      move_to(std::max<std::size_t>(kFirst, capacity() * 2));
      return *new (data_ + head().size++) T(std::move(item));
    }
    return *new (data_ + head().size++) T(std::forward<Arguments>(arguments)...);
  }
  void push_back(T item) { emplace_back(std::move(item)); }
  template <class Iterator>
  void append(Iterator first, Iterator last) {
    for (; first != last; ++first) emplace_back(*first);
  }
  T* insert(const T* before, T item) {
    const std::size_t at = static_cast<std::size_t>(before - data_);
    emplace_back(std::move(item));
    std::rotate(data_ + at, end() - 1, end());
    return data_ + at;
  }
  T* erase(const T* first, const T* last) {
    T* to = data_ + (first - data_);
    shorten(static_cast<std::size_t>(std::move(const_cast<T*>(last), end(), to) - data_));
    return to;
  }
  T* erase(const T* at) { return erase(at, at + 1); }
  void pop_back() { shorten(size() - 1); }  // precondition: !empty()
  template <class Predicate>
  void erase_if(Predicate predicate) {
    if (data_ != nullptr) shorten(static_cast<std::size_t>(std::remove_if(begin(), end(), predicate) - data_));
  }
  void clear() {
    if (data_ != nullptr) shorten(0);  // the memory is kept
  }
  // Gives back the memory that no element needs.
  void trim() {
    if (empty())
      release();
    else if (size() < capacity())
      move_to(size());
  }

  // A number of the owner's that lies with the elements: 0 at first, lost when the memory is given back.
  std::uint32_t mark() const { return data_ == nullptr ? 0 : head().mark; }
  void set_mark(std::uint32_t mark) { head().mark = mark; }  // precondition: there is or was an element since the last trim()

 private:
  struct alignas(16) Head {
    std::uint32_t size, capacity, mark;
  };
  static_assert(alignof(T) <= alignof(Head));
  static constexpr std::size_t kFirst = 2;  // the capacity at first

  Head& head() const { return reinterpret_cast<Head*>(data_)[-1]; }
  static T* allocate(const Head& head) {
    auto* memory = static_cast<Head*>(::operator new(sizeof(Head) + head.capacity * sizeof(T), std::align_val_t{alignof(Head)}));
    new (memory) Head(head);
    return reinterpret_cast<T*>(memory + 1);
  }
  void move_to(std::size_t capacity_wanted) {
    const std::size_t count = size();
    T* grown = allocate({static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(capacity_wanted), mark()});
    std::uninitialized_move_n(data_, count, grown);
    release();
    data_ = grown;
  }
  void shorten(std::size_t count) {
    std::destroy(data_ + count, end());
    head().size = static_cast<std::uint32_t>(count);
  }
  void release() {
    if (data_ == nullptr) return;
    std::destroy(begin(), end());
    ::operator delete(&head(), std::align_val_t{alignof(Head)});
    data_ = nullptr;
  }

  T* data_ = nullptr;
};

}  // namespace pgweir::protocol
