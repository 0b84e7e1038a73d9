// Result<T, E>: a value or an error, for the data plane, where errors are values. Not thread-safe; moves as its members do.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace pgweir::protocol {

// What a client is told: the fields of an ErrorResponse (severity is chosen by the sender of the message).
struct SqlError {
  std::string sqlstate;  // five characters
  std::string message;
  std::string detail;    // may be empty
  std::string hint;      // may be empty
  std::string routine;   // may be empty; "pgweir_refuse" for refusals
  std::string reason;    // may be empty; machine-readable reason code of a refusal, sent in the constraint-free field 'd'
  std::string fields;    // of a server's error: position, context, schema, table, constraint, ... as the message has them
                         // (code, value, NUL; in its order); read and changed by protocol/backend_codec.h
  bool operator==(const SqlError&) const = default;
};

template <class T, class E = SqlError>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  T& value() { assert(ok()); return *std::get_if<0>(&state_); }
  const T& value() const { assert(ok()); return *std::get_if<0>(&state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Precondition: !ok().
  E& error() { assert(!ok()); return *std::get_if<1>(&state_); }
  const E& error() const { assert(!ok()); return *std::get_if<1>(&state_); }

 private:
  std::variant<T, E> state_;
};

}  // namespace pgweir::protocol
