#include "routing/merge/numeric.h"

#include <algorithm>

#include "routing/merge/wire.h"

namespace pgweir::routing {
namespace {

using wire::append;
using wire::load;

constexpr std::uint16_t kPositive = 0x0000, kNegative = 0x4000, kNaN = 0xC000, kInfinity = 0xD000,
                        kNegativeInfinity = 0xF000;
constexpr std::int64_t kBase = 10000;
constexpr std::int32_t kDigitsPerCell = 4, kSignificantDigits = 16, kMaximumScale = 1000;
constexpr std::uint16_t kScaleMask = 0x3FFF;

// The fixed part of a binary numeric, checked against its length.
struct Header {
  std::size_t count = 0;
  std::int32_t weight = 0;
  std::uint16_t sign = 0, scale = 0;
};

bool read_header(std::string_view binary, Header& header) {
  if (binary.size() < 8) return false;
  header.count = load<std::uint16_t>(binary.data());
  header.weight = static_cast<std::int16_t>(load<std::uint16_t>(binary.data() + 2));
  header.sign = load<std::uint16_t>(binary.data() + 4);
  header.scale = load<std::uint16_t>(binary.data() + 6);
  bool known = header.sign == kPositive || header.sign == kNegative || header.sign == kNaN ||
               header.sign == kInfinity || header.sign == kNegativeInfinity;
  if (!known || header.scale > kScaleMask || binary.size() != 8 + header.count * 2) return false;
  for (std::size_t i = 0; i < header.count; ++i) {
    if (load<std::uint16_t>(binary.data() + 8 + 2 * i) >= kBase) return false;
  }
  return true;
}

Numeric::Kind kind_of(std::uint16_t sign) {
  switch (sign) {
    case kNaN:
      return Numeric::Kind::NaN;
    case kInfinity:
      return Numeric::Kind::Infinity;
    case kNegativeInfinity:
      return Numeric::Kind::NegativeInfinity;
    default:
      return Numeric::Kind::Finite;
  }
}

// Weight and first digit of an integer in base 10000.
void leading_digit(std::uint64_t value, std::int32_t& weight, std::uint64_t& digit) {
  for (weight = 0; value >= static_cast<std::uint64_t>(kBase); ++weight) value /= static_cast<std::uint64_t>(kBase);
  digit = value;
}

}  // namespace

Numeric Numeric::from_integer(Int128 value) {
  Numeric result;
  result.negative_ = value < 0;
  __extension__ using Unsigned = unsigned __int128;
  auto rest = result.negative_ ? Unsigned{0} - static_cast<Unsigned>(value) : static_cast<Unsigned>(value);
  for (; rest != 0; rest /= kBase) result.digits_.push_back(static_cast<std::uint16_t>(rest % kBase));
  std::reverse(result.digits_.begin(), result.digits_.end());
  result.weight_ = static_cast<std::int32_t>(result.digits_.size()) - 1;
  result.strip();
  return result;
}

bool Numeric::decode(std::string_view binary, Numeric& value) {
  Header header;
  if (!read_header(binary, header)) return false;
  value = Numeric{};
  value.kind_ = kind_of(header.sign);
  if (value.kind_ != Kind::Finite) return true;
  value.negative_ = header.sign == kNegative;
  value.weight_ = header.weight;
  value.scale_ = header.scale;
  for (std::size_t i = 0; i < header.count; ++i)
    value.digits_.push_back(load<std::uint16_t>(binary.data() + 8 + 2 * i));
  value.strip();
  return true;
}

void Numeric::strip() {
  while (!digits_.empty() && digits_.back() == 0) digits_.pop_back();
  auto first = std::find_if(digits_.begin(), digits_.end(), [](std::uint16_t digit) { return digit != 0; });
  weight_ -= static_cast<std::int32_t>(first - digits_.begin());
  digits_.erase(digits_.begin(), first);
  if (digits_.empty()) {
    weight_ = 0;
    negative_ = false;
  }
}

void Numeric::append_binary(std::string& out) const {
  auto fixed = [&](std::size_t count, std::int32_t weight, std::uint16_t sign, std::uint32_t scale) {
    append<std::uint16_t>(out, static_cast<std::uint16_t>(count));
    append<std::uint16_t>(out, static_cast<std::uint16_t>(weight));
    append<std::uint16_t>(out, sign);
    append<std::uint16_t>(out, static_cast<std::uint16_t>(scale));
  };
  switch (kind_) {
    case Kind::NaN:
      return fixed(0, 0, kNaN, 0);
    case Kind::Infinity:
      return fixed(0, 0, kInfinity, 0x20);  // as PostgreSQL sends them
    case Kind::NegativeInfinity:
      return fixed(0, 0, kNegativeInfinity, 0x20);
    case Kind::Finite:
      break;
  }
  fixed(digits_.size(), weight_, negative_ ? kNegative : kPositive, scale_);
  for (auto digit : digits_) append<std::uint16_t>(out, digit);
}

void Numeric::append_text(std::string& out) const {
  switch (kind_) {
    case Kind::NaN:
      out += "NaN";
      return;
    case Kind::Infinity:
      out += "Infinity";
      return;
    case Kind::NegativeInfinity:
      out += "-Infinity";
      return;
    case Kind::Finite:
      break;
  }
  auto four = [&](std::int32_t weight, char (&text)[4]) {
    auto i = weight_ - weight;
    unsigned digit = i < 0 || i >= static_cast<std::int32_t>(digits_.size()) ? 0 : digits_[static_cast<std::size_t>(i)];
    for (int at = 3; at >= 0; --at, digit /= 10) text[at] = static_cast<char>('0' + digit % 10);
  };
  char text[4];
  if (negative_) out.push_back('-');
  if (weight_ < 0 || digits_.empty()) {
    out.push_back('0');
  } else {
    four(weight_, text);
    std::string_view first(text, 4);
    out.append(first.substr(std::min<std::size_t>(first.find_first_not_of('0'), 3)));
    for (auto weight = weight_ - 1; weight >= 0; --weight) {
      four(weight, text);
      out.append(text, 4);
    }
  }
  if (scale_ == 0) return;
  out.push_back('.');
  auto weight = std::int32_t{-1};
  for (auto left = scale_; left > 0; --weight) {
    four(weight, text);
    auto length = std::min<std::uint32_t>(left, 4);
    out.append(text, length);
    left -= length;
  }
}

std::uint32_t Numeric::quotient_scale(std::uint64_t count) const {
  std::int32_t count_weight = 0;
  std::uint64_t count_digit = 0;
  leading_digit(count, count_weight, count_digit);
  auto own_digit = digits_.empty() ? 0u : digits_.front();
  auto own_weight = digits_.empty() ? 0 : weight_;
  auto quotient_weight = own_weight - count_weight - (own_digit <= count_digit ? 1 : 0);
  auto scale = kSignificantDigits - quotient_weight * kDigitsPerCell;
  scale = std::max(scale, static_cast<std::int32_t>(scale_));
  return static_cast<std::uint32_t>(std::clamp(scale, 0, kMaximumScale));
}

Numeric Numeric::divided_by(std::uint64_t count) const {
  if (kind_ != Kind::Finite) return *this;
  Numeric result;
  result.scale_ = quotient_scale(count);
  result.negative_ = negative_;
  if (digits_.empty()) {
    result.negative_ = false;
    return result;
  }
  // Long division down to one base-10000 digit after those that are shown; what is left below cannot change a rounding
  // half away from zero, which looks at one decimal digit only.
  auto lowest = -static_cast<std::int32_t>((result.scale_ + kDigitsPerCell - 1) / kDigitsPerCell) - 1;
  __extension__ using Unsigned = unsigned __int128;
  Unsigned rest = 0;
  result.weight_ = weight_;
  for (auto weight = weight_; weight >= lowest; --weight) {
    auto i = static_cast<std::size_t>(weight_ - weight);
    rest = rest * kBase + (i < digits_.size() ? digits_[i] : 0u);
    result.digits_.push_back(static_cast<std::uint16_t>(rest / count));
    rest %= count;
  }
  result.round_to_scale();
  return result;
}

void Numeric::round_to_scale() {
  // Position, in decimal digits from the start of digits_, of the first digit that is not shown.
  auto keep = (weight_ + 1) * kDigitsPerCell + static_cast<std::int32_t>(scale_);
  auto total = static_cast<std::int32_t>(digits_.size()) * kDigitsPerCell;
  if (keep >= total) return strip();
  if (keep < 0) {
    digits_.clear();
    return strip();
  }
  static constexpr unsigned kPower[] = {1000, 100, 10, 1};
  auto cell = static_cast<std::size_t>(keep / kDigitsPerCell);
  auto power = kPower[keep % kDigitsPerCell];
  bool up = digits_[cell] / power % 10 >= 5;
  auto kept = digits_[cell] / (power * 10) * (power * 10);
  digits_.resize(cell + 1);
  unsigned carry = 0;
  unsigned value = kept + (up ? power * 10 : 0);
  carry = value / static_cast<unsigned>(kBase);
  digits_[cell] = static_cast<std::uint16_t>(value % static_cast<unsigned>(kBase));
  for (auto i = cell; carry != 0 && i-- > 0;) {
    value = digits_[i] + carry;
    carry = value / static_cast<unsigned>(kBase);
    digits_[i] = static_cast<std::uint16_t>(value % static_cast<unsigned>(kBase));
  }
  if (carry != 0) {
    digits_.insert(digits_.begin(), 1);
    ++weight_;
  }
  strip();
}

void NumericSum::cover(std::int32_t top, std::int32_t bottom) {
  if (cells_.empty()) bottom_ = bottom;
  if (bottom < bottom_) {
    cells_.insert(cells_.begin(), static_cast<std::size_t>(bottom_ - bottom), 0);
    bottom_ = bottom;
  }
  auto needed = static_cast<std::size_t>(top - bottom_ + 1);
  if (cells_.size() < needed) cells_.resize(needed, 0);
}

bool NumericSum::add(std::string_view binary) {
  Header header;
  if (!read_header(binary, header)) return false;
  switch (kind_of(header.sign)) {
    case Numeric::Kind::NaN:
      nan_ = true;
      return true;
    case Numeric::Kind::Infinity:
      infinity_ = true;
      return true;
    case Numeric::Kind::NegativeInfinity:
      negative_infinity_ = true;
      return true;
    case Numeric::Kind::Finite:
      break;
  }
  scale_ = std::max<std::uint32_t>(scale_, header.scale);
  if (header.count == 0) return true;
  auto count = static_cast<std::int32_t>(header.count);
  cover(header.weight, header.weight - count + 1);
  const std::int64_t sign = header.sign == kNegative ? -1 : 1;
  auto* cell = cells_.data() + (header.weight - bottom_);
  for (std::size_t i = 0; i < header.count; ++i, --cell) *cell += sign * load<std::uint16_t>(binary.data() + 8 + 2 * i);
  return true;
}

Numeric NumericSum::total() const {
  Numeric result;
  if (nan_ || infinity_ || negative_infinity_) {
    bool nan = nan_ || (infinity_ && negative_infinity_);
    result.kind_ = nan ? Numeric::Kind::NaN : infinity_ ? Numeric::Kind::Infinity : Numeric::Kind::NegativeInfinity;
    return result;
  }
  // The sign of the highest non-zero cell after one carry pass is the sign of the sum; a negative sum is negated first,
  // so that all digits come out positive.
  auto carried = [&](std::int64_t sign, std::vector<std::uint16_t>& digits) {
    std::int64_t carry = 0;
    digits.clear();
    for (std::size_t i = 0; i < cells_.size() || carry > 0; ++i) {
      carry += i < cells_.size() ? sign * cells_[i] : 0;
      auto digit = carry % kBase;
      if (digit < 0) digit += kBase;
      digits.push_back(static_cast<std::uint16_t>(digit));
      carry = (carry - digit) / kBase;
    }
    return carry == 0;  // else it is negative
  };
  if (!carried(1, result.digits_)) {
    result.negative_ = true;
    carried(-1, result.digits_);
  }
  result.scale_ = scale_;
  result.weight_ = bottom_ + static_cast<std::int32_t>(result.digits_.size()) - 1;
  std::reverse(result.digits_.begin(), result.digits_.end());
  result.strip();
  return result;
}

}  // namespace pgweir::routing
