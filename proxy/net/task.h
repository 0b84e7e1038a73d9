// Task: a move-only callable of no arguments. Captures of up to 48 bytes are stored in place, larger ones on the heap.
// Not thread-safe; may be moved to another thread with the usual synchronisation. A task that is destroyed without
// having run destroys its captures, which is how a dropped message gives back what it carries.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace pgweir::net {

class Task {
 public:
  Task() = default;
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Task> && std::is_invocable_v<std::remove_cvref_t<F>&>)
  Task(F&& function) {  // NOLINT(google-explicit-constructor)
    using Function = std::remove_cvref_t<F>;
    if constexpr (sizeof(Function) <= kInline && alignof(Function) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<Function>) {
      new (storage_) Function(std::forward<F>(function));
      table_ = &kInPlace<Function>;
    } else {
      *reinterpret_cast<void**>(storage_) = new Function(std::forward<F>(function));
      table_ = &kOnHeap<Function>;
    }
  }
  Task(Task&& other) noexcept { take(other); }
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~Task() { reset(); }

  explicit operator bool() const { return table_ != nullptr; }
  // Precondition: not empty. May be called more than once if the callable allows it.
  void operator()() { table_->call(storage_); }
  void reset() {
    if (table_ != nullptr) std::exchange(table_, nullptr)->destroy(storage_);
  }

 private:
  static constexpr std::size_t kInline = 48;
  struct Table {
    void (*call)(void*);
    void (*destroy)(void*);
    void (*move)(void* from, void* to);  // leaves nothing to destroy at `from`
  };
  template <class F>
  static constexpr Table kInPlace{
      [](void* at) { (*static_cast<F*>(at))(); },
      [](void* at) { static_cast<F*>(at)->~F(); },
      [](void* from, void* to) {
        new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      }};
  template <class F>
  static constexpr Table kOnHeap{
      [](void* at) { (**static_cast<F**>(at))(); },
      [](void* at) { delete *static_cast<F**>(at); },
      [](void* from, void* to) { *static_cast<void**>(to) = *static_cast<void**>(from); }};

  void take(Task& other) {
    if (other.table_ == nullptr) return;
    other.table_->move(other.storage_, storage_);
    table_ = std::exchange(other.table_, nullptr);
  }

  alignas(std::max_align_t) unsigned char storage_[kInline];
  const Table* table_ = nullptr;
};

}  // namespace pgweir::net
