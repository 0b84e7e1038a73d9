// PostgreSQL's numeric, as far as merging aggregates needs it: sums and averages with PostgreSQL's own result scales.
// Value types, not thread-safe. Wire format: numeric_send; scale of a quotient: select_div_scale of numeric.c (at least
// 16 significant digits, at least the scale of either operand, at most 1000), rounded half away from zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgweir::routing {

__extension__ using Int128 = __int128;

// A finite or special decimal number: digits in base 10000, the first one standing for 10000^weight, without zero
// digits at either end; `scale` decimal digits are shown.
class Numeric {
 public:
  enum class Kind : std::uint8_t { Finite, NaN, Infinity, NegativeInfinity };

  static Numeric from_integer(Int128 value);
  // False if the bytes are no binary numeric.
  [[nodiscard]] static bool decode(std::string_view binary, Numeric& value);

  void append_binary(std::string& out) const;
  // As numeric_out writes it.
  void append_text(std::string& out) const;
  // avg: this / count. Precondition: count > 0.
  Numeric divided_by(std::uint64_t count) const;
  // False if the number is too large for PostgreSQL's format (22003 "value overflows numeric format").
  bool fits() const { return kind_ != Kind::Finite || digits_.empty() || weight_ <= 0x7FFF; }

 private:
  friend class NumericSum;
  void strip();
  std::uint32_t quotient_scale(std::uint64_t count) const;
  void round_to_scale();

  Kind kind_ = Kind::Finite;
  bool negative_ = false;
  std::int32_t weight_ = 0;
  std::uint32_t scale_ = 0;
  std::vector<std::uint16_t> digits_;
};

// Adds binary numerics up. Each digit position has a 64-bit cell and carries are left to the end, so an addition is a
// loop without branches (a cell holds 9e14 additions).
class NumericSum {
 public:
  // False if the bytes are no binary numeric (nothing is added).
  [[nodiscard]] bool add(std::string_view binary);
  Numeric total() const;
  // Cheap and conservative: false if total().fits() is certain.
  bool may_overflow() const { return bottom_ + static_cast<std::int64_t>(cells_.size()) > 0x7F00; }
  std::size_t heap_bytes() const { return cells_.capacity() * sizeof(std::int64_t); }

 private:
  void cover(std::int32_t top, std::int32_t bottom);

  std::vector<std::int64_t> cells_;  // cells_[i] stands for 10000^(bottom_ + i)
  std::int32_t bottom_ = 0;
  std::uint32_t scale_ = 0;
  bool nan_ = false, infinity_ = false, negative_infinity_ = false;
};

}  // namespace pgweir::routing
