// Reading and writing the bytes of DataRow messages and of PostgreSQL's binary values. Internal to routing/merge.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace pgweir::routing::wire {

template <std::unsigned_integral T>
constexpr T swap_bytes(T value) {
  if constexpr (sizeof(T) == 1)
    return value;
  else if constexpr (sizeof(T) == 2)
    return __builtin_bswap16(value);
  else if constexpr (sizeof(T) == 4)
    return __builtin_bswap32(value);
  else
    return __builtin_bswap64(value);
}

template <std::unsigned_integral T>
constexpr T big_endian(T value) {
  return std::endian::native == std::endian::big ? value : swap_bytes(value);
}

// Precondition: sizeof(T) bytes are readable at `at`.
template <std::unsigned_integral T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return big_endian(value);
}

template <std::unsigned_integral T>
void store(char* at, T value) {
  value = big_endian(value);
  std::memcpy(at, &value, sizeof(T));
}

template <std::unsigned_integral T>
void append(std::string& out, T value) {
  char bytes[sizeof(T)];
  store(bytes, value);
  out.append(bytes, sizeof(T));
}

// A nullable value inside a row. Views live as long as the row's bytes.
struct Field {
  std::string_view bytes;
  bool null = true;
};

// Walks the columns of a DataRow body, never past its end.
class RowCursor {
 public:
  explicit RowCursor(std::string_view body) : at_(body.data()), end_(body.data() + body.size()) {}

  // Reads the column count; -1 if the body is too short.
  int count() {
    if (end_ - at_ < 2) return -1;
    int columns = static_cast<std::int16_t>(load<std::uint16_t>(at_));
    at_ += 2;
    return columns < 0 ? -1 : columns;
  }
  // Reads the next column; false if the body ends before it does or its length is not valid.
  bool next(Field& field) {
    if (end_ - at_ < 4) return false;
    auto length = static_cast<std::int32_t>(load<std::uint32_t>(at_));
    at_ += 4;
    if (length == -1) {
      field = Field{};
      return true;
    }
    if (length < 0 || length > end_ - at_) return false;
    field = Field{std::string_view(at_, static_cast<std::size_t>(length)), false};
    at_ += length;
    return true;
  }
  const char* position() const { return at_; }
  bool at_end() const { return at_ == end_; }

 private:
  const char* at_;
  const char* end_;
};

inline void append_field(std::string& out, const Field& field) {
  append(out, field.null ? 0xFFFFFFFFu : static_cast<std::uint32_t>(field.bytes.size()));
  out.append(field.bytes);
}

}  // namespace pgweir::routing::wire
