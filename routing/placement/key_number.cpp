// Integers, bool and numeric as PostgreSQL 15 reads them.
#include <algorithm>
#include <climits>
#include <cstdlib>

#include "routing/placement/key_readers.h"

namespace pgweir::routing {
namespace {

// Longest canonical numeric text. PostgreSQL allows 131072 digits before the point; no key is that long, and
// "1e131071" must not make us write them.
constexpr std::int64_t kMaxNumericDigits = 1000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Spellings that PostgreSQL 16 reads and 15 does not: 0x1F, 0o17, 0b11, 1_000.
bool newer_spelling(std::string_view digits) {
  if (digits.size() > 2 && digits[0] == '0') {
    const char base = static_cast<char>(digits[1] | 0x20);
    if (base == 'x' || base == 'o' || base == 'b') return true;
  }
  return digits.find('_') != std::string_view::npos;
}

// A decimal number taken apart: digits without the point, and how many of them stand before it.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t point = 0;
};

ReadResult read_exponent(std::string_view text, std::int64_t& exponent) {
  bool negative = false;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty()) return KeyError::Invalid;
  exponent = 0;
  for (const char c : text) {
    if (!is_digit(c)) return KeyError::Invalid;
    if (exponent < 1'000'000) exponent = exponent * 10 + (c - '0');
  }
  if (negative) exponent = -exponent;
  return std::nullopt;
}

ReadResult read_decimal(std::string_view text, Decimal& out) {
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    out.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (newer_spelling(text)) return KeyError::Undecidable;
  bool point = false, any = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    if (text[i] == '.' && !point) {
      point = true;
      continue;
    }
    if (!is_digit(text[i])) break;
    any = true;
    if (!out.digits.empty() || text[i] != '0') out.digits.push_back(text[i]);
    else if (point) --out.point;  // a zero between the point and the first digit
    if (!point && !out.digits.empty()) ++out.point;
    if (out.digits.size() > 4 * kMaxNumericDigits) return KeyError::Undecidable;
  }
  if (!any) return KeyError::Invalid;
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') return KeyError::Invalid;
    std::int64_t exponent = 0;
    if (const auto error = read_exponent(text.substr(i + 1), exponent)) return error;
    out.point += exponent;
  }
  return std::nullopt;
}

ReadResult write_canonical(Decimal& n, std::string& out) {
  while (!n.digits.empty() && n.digits.back() == '0') n.digits.pop_back();
  out.clear();
  if (n.digits.empty()) {
    out = "0";
    return std::nullopt;
  }
  const auto size = static_cast<std::int64_t>(n.digits.size());
  if (n.point > kMaxNumericDigits || size - n.point > kMaxNumericDigits) return KeyError::Undecidable;
  if (n.negative) out.push_back('-');
  if (n.point <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-n.point), '0').append(n.digits);
    return std::nullopt;
  }
  const auto whole = static_cast<std::size_t>(std::min(n.point, size));
  out.append(n.digits, 0, whole).append(static_cast<std::size_t>(n.point) - whole, '0');
  if (size > n.point) out.append(".").append(n.digits, whole);
  return std::nullopt;
}

int special_rank(std::string_view text) {
  if (text == "-Infinity") return -1;
  if (text == "Infinity") return 1;
  return text == "NaN" ? 2 : 0;
}

std::strong_ordering compare_magnitude(std::string_view left, std::string_view right) {
  const auto whole = [](std::string_view t) { return std::min(t.find('.'), t.size()); };
  if (const auto order = whole(left) <=> whole(right); order != 0) return order;
  return left.compare(right) <=> 0;  // same length before the point; '.' stands at the same place or one has ended
}

}  // namespace

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

ReadResult read_int64(std::string_view text, std::int64_t& out) {
  const std::string_view number = trim_spaces(text);
  std::string_view digits = number;
  const bool negative = !digits.empty() && digits.front() == '-';
  if (!digits.empty() && (digits.front() == '+' || digits.front() == '-')) digits.remove_prefix(1);
  if (digits.empty()) return KeyError::Invalid;
  std::uint64_t value = 0;
  bool overflow = false;
  for (const char c : digits) {
    if (!is_digit(c)) {
      // Not an integer; but a number written as a bare literal (1.5, 1e3) is compared as numeric and equals or does
      // not.
      std::string canonical;
      if (const auto error = read_numeric(number, canonical)) return error;
      if (special_rank(canonical) != 0) return KeyError::Invalid;
      return KeyError::OutOfRange;
    }
    overflow = overflow || value > (UINT64_MAX - 9) / 10;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  const std::uint64_t limit = static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0);
  if (overflow || value > limit) return KeyError::OutOfRange;
  out = static_cast<std::int64_t>(negative ? 0 - value : value);
  return std::nullopt;
}

ReadResult read_bool(std::string_view text, std::int64_t& out) {
  const std::string_view word = trim_spaces(text);
  if (word.empty()) return KeyError::Invalid;
  const auto prefix_of = [&](std::string_view full, std::size_t at_least) {
    return word.size() >= at_least && word.size() <= full.size() &&
           equals_ignoring_case(word, full.substr(0, word.size()));
  };
  if (prefix_of("true", 1) || prefix_of("yes", 1) || prefix_of("on", 2) || word == "1") {
    out = 1;
  } else if (prefix_of("false", 1) || prefix_of("no", 1) || prefix_of("off", 2) || word == "0") {
    out = 0;
  } else {
    return KeyError::Invalid;
  }
  return std::nullopt;
}

ReadResult read_numeric(std::string_view text, std::string& out) {
  const std::string_view number = trim_spaces(text);
  if (equals_ignoring_case(number, "nan")) return out = "NaN", std::nullopt;
  std::string_view word = number;
  const bool negative = !word.empty() && word.front() == '-';
  if (!word.empty() && (word.front() == '+' || word.front() == '-')) word.remove_prefix(1);
  if (equals_ignoring_case(word, "infinity") || equals_ignoring_case(word, "inf")) {
    return out = negative ? "-Infinity" : "Infinity", std::nullopt;
  }
  Decimal n;
  if (const auto error = read_decimal(number, n)) return error;
  return write_canonical(n, out);
}

ReadResult read_numeric_binary(std::string_view bytes, std::string& out) {
  const auto word = [&](std::size_t i) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[2 * i]) << 8 |
                                      static_cast<unsigned char>(bytes[2 * i + 1]));
  };
  if (bytes.size() < 8) return KeyError::Invalid;
  const std::size_t count = word(0);
  if (bytes.size() != 8 + 2 * count) return KeyError::Invalid;
  const auto weight = static_cast<std::int16_t>(word(1));
  const std::uint16_t sign = word(2), scale = word(3);
  if (sign == 0xC000) return out = "NaN", std::nullopt;
  if (sign == 0xD000) return out = "Infinity", std::nullopt;
  if (sign == 0xF000) return out = "-Infinity", std::nullopt;
  if ((sign != 0 && sign != 0x4000) || scale > 0x3FFF) return KeyError::Invalid;
  if (count > static_cast<std::size_t>(kMaxNumericDigits) / 4) return KeyError::Undecidable;
  Decimal n;
  n.negative = sign == 0x4000;
  n.point = (static_cast<std::int64_t>(weight) + 1) * 4;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t digit = word(4 + i);
    if (digit > 9999) return KeyError::Invalid;
    for (const int unit : {1000, 100, 10, 1}) n.digits.push_back(static_cast<char>('0' + digit / unit % 10));
  }
  // The receive function cuts off what stands behind the declared scale.
  const std::int64_t keep = n.point + scale;
  if (keep < static_cast<std::int64_t>(n.digits.size())) {
    n.digits.resize(static_cast<std::size_t>(std::max<std::int64_t>(keep, 0)));
  }
  const std::size_t zeros = std::min(n.digits.find_first_not_of('0'), n.digits.size());
  n.digits.erase(0, zeros);
  n.point -= static_cast<std::int64_t>(zeros);
  return write_canonical(n, out);
}

ReadResult numeric_to_int64(std::string_view canonical, std::int64_t& out) {
  if (special_rank(canonical) != 0 || canonical.find('.') != std::string_view::npos) return KeyError::OutOfRange;
  return read_int64(canonical, out);
}

void round_numeric(std::string& canonical, int scale) {
  if (special_rank(canonical) != 0) return;
  Decimal n;
  if (read_decimal(canonical, n)) return;
  const std::int64_t keep = n.point + scale;
  if (keep >= static_cast<std::int64_t>(n.digits.size())) return;
  if (keep < 0) {
    canonical = "0";
    return;
  }
  const auto at = static_cast<std::size_t>(keep);
  const bool up = n.digits[at] >= '5';
  n.digits.resize(at);
  if (up) {
    std::size_t i = at;
    while (i > 0 && n.digits[i - 1] == '9') n.digits[--i] = '0';
    if (i > 0) {
      ++n.digits[i - 1];
    } else {
      n.digits.insert(n.digits.begin(), '1');
      ++n.point;
    }
  }
  write_canonical(n, canonical);  // no longer than before: cannot fail
}

std::strong_ordering compare_numeric(std::string_view left, std::string_view right) {
  const int left_rank = special_rank(left), right_rank = special_rank(right);
  if (left_rank != 0 || right_rank != 0) return left_rank <=> right_rank;
  const bool left_negative = left.starts_with('-'), right_negative = right.starts_with('-');
  if (left_negative != right_negative) {
    return left_negative ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  if (left_negative) return compare_magnitude(right.substr(1), left.substr(1));
  return compare_magnitude(left, right);
}

}  // namespace pgweir::routing
