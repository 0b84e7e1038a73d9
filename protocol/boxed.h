// Boxed: an optional value that lives in memory of its own, so that where it is usually absent it costs one pointer. Used
// like std::optional. Not thread-safe.
#pragma once

#include <memory>
#include <utility>

namespace pgweir::protocol {

template <class T>
class Boxed {
 public:
  Boxed() = default;
  Boxed(T value) : value_(std::make_unique<T>(std::move(value))) {}  // implicit, as of std::optional
  Boxed(const Boxed& other) : value_(other ? std::make_unique<T>(*other) : nullptr) {}
  Boxed(Boxed&&) noexcept = default;
  Boxed& operator=(Boxed other) noexcept {
    value_ = std::move(other.value_);
    return *this;
  }

  explicit operator bool() const { return value_ != nullptr; }
  bool has_value() const { return value_ != nullptr; }
  T& operator*() { return *value_; }  // these four: precondition has_value()
  const T& operator*() const { return *value_; }
  T* operator->() { return value_.get(); }
  const T* operator->() const { return value_.get(); }
  template <class... Arguments>
  T& emplace(Arguments&&... arguments) {
    value_ = std::make_unique<T>(std::forward<Arguments>(arguments)...);
    return *value_;
  }
  // The value, made now if there is none.
  T& made() { return value_ ? *value_ : emplace(); }
  // The value, or one that stands for none.
  const T& or_default() const {
    static const T none{};
    return value_ ? *value_ : none;
  }
  void reset() { value_.reset(); }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace pgweir::protocol
