#include "config/key_literal.h"

#include <charconv>
#include <limits>
#include <optional>

namespace pgweir::config {
namespace {

constexpr std::string_view kDateForm = "a date is written \"2025-01-31\"";
constexpr std::string_view kTimestampForm = "a timestamp is written \"2025-01-31\" or \"2025-01-31 13:45:00\"";
constexpr std::string_view kOffsetForm = "an offset is written \"Z\" or \"+02:00\"";

bool digit(char c) { return c >= '0' && c <= '9'; }

std::string read_integer(std::string_view text, std::int64_t low, std::int64_t high, KeyLiteral& literal) {
  const std::string range = "an integer from " + std::to_string(low) + " to " + std::to_string(high) + " is expected";
  if (text.starts_with('+') && text.size() > 1 && digit(text[1])) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size() || value < low || value > high) return range;
  literal = {std::to_string(value), value};
  return {};
}

// Integral numerics of any size; a fraction of zeros is dropped.
std::string read_numeric(std::string_view text, KeyLiteral& literal) {
  constexpr std::string_view kExpected = "a whole number is expected";
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::string_view whole = text.substr(0, text.find('.'));
  const std::string_view fraction = whole.size() < text.size() ? text.substr(whole.size() + 1) : std::string_view();
  if (whole.empty() || whole.find_first_not_of("0123456789") != std::string_view::npos) return std::string(kExpected);
  if (fraction.find_first_not_of('0') != std::string_view::npos) return std::string(kExpected);
  while (whole.size() > 1 && whole.front() == '0') whole.remove_prefix(1);
  literal = {(negative && whole != "0" ? "-" : "") + std::string(whole), 0};
  return {};
}

char lower_hex(char c) {
  if (digit(c) || (c >= 'a' && c <= 'f')) return c;
  return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : '\0';
}

// PostgreSQL's input: 32 hex digits, a hyphen allowed after each group of four, braces around.
std::string read_uuid(std::string_view text, KeyLiteral& literal) {
  constexpr std::string_view kExpected = "a uuid is written \"0b9c1c1e-0000-4000-8000-000000000001\"";
  if (text.size() >= 2 && text.front() == '{' && text.back() == '}') text = text.substr(1, text.size() - 2);
  std::string digits;
  bool hyphen_allowed = false;
  for (const char c : text) {
    if (c == '-' && hyphen_allowed) {
      hyphen_allowed = false;
      continue;
    }
    const char hex = lower_hex(c);
    if (hex == '\0') return std::string(kExpected);
    digits += hex;
    hyphen_allowed = digits.size() % 4 == 0 && digits.size() < 32;
  }
  if (digits.size() != 32 || text.back() == '-') return std::string(kExpected);
  literal = {digits, 0};
  return {};
}

std::string read_bytea(std::string_view text, KeyLiteral& literal) {
  constexpr std::string_view kExpected = "a bytea is written \"\\\\x0123ab\" in hex digits, two for each byte";
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return std::string(kExpected);
  std::string digits;
  for (const char c : text.substr(2)) {
    const char hex = lower_hex(c);
    if (hex == '\0') return std::string(kExpected);
    digits += hex;
  }
  literal = {digits, 0};
  return {};
}

std::string read_bool(std::string_view text, KeyLiteral& literal) {
  for (const std::string_view word : {"true", "t", "yes", "y", "on", "1"}) {
    if (text == word) return literal = {"true", 0}, std::string();
  }
  for (const std::string_view word : {"false", "f", "no", "n", "off", "0"}) {
    if (text == word) return literal = {"false", 0}, std::string();
  }
  return "\"true\" or \"false\" is expected";
}

// Takes exactly `width` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (!digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar, which is PostgreSQL's.
std::optional<std::int64_t> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  const auto month = take(text, '-') ? take_digits(text, 2) : std::nullopt;
  const auto day = take(text, '-') ? take_digits(text, 2) : std::nullopt;
  if (!year || !month || !day || *year == 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

// Microseconds since midnight: hh:mm[:ss[.ffffff]].
std::optional<std::int64_t> take_time(std::string_view& text) {
  const auto hour = take_digits(text, 2);
  const auto minute = take(text, ':') ? take_digits(text, 2) : std::nullopt;
  if (!hour || !minute || *hour > 23 || *minute > 59) return std::nullopt;
  int second = 0;
  std::int64_t fraction = 0;
  if (take(text, ':')) {
    const auto seconds = take_digits(text, 2);
    if (!seconds || *seconds > 59) return std::nullopt;
    second = *seconds;
    if (take(text, '.')) {
      if (text.empty() || !digit(text.front())) return std::nullopt;
      std::int64_t scale = 100'000;
      // A seventh digit would be rounded by PostgreSQL: refused here as a form we do not read.
      for (; !text.empty() && digit(text.front()) && scale > 0; text.remove_prefix(1), scale /= 10) {
        fraction += (text.front() - '0') * scale;
      }
    }
  }
  return ((*hour * 60LL + *minute) * 60 + second) * 1'000'000 + fraction;
}

// Microseconds east of UTC: Z, +hh, +hhmm, +hh:mm.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return 0;
  const bool west = text.starts_with('-');
  if (!take(text, west ? '-' : '+')) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 15) return std::nullopt;
  int minutes = 0;
  if (!text.empty()) {
    take(text, ':');
    const auto given = take_digits(text, 2);
    if (!given || *given > 59) return std::nullopt;
    minutes = *given;
  }
  const std::int64_t offset = (*hours * 60LL + minutes) * 60 * 1'000'000;
  return west ? -offset : offset;
}

std::string read_timestamp(std::string_view text, bool with_zone, KeyLiteral& literal) {
  const auto days = take_date(text);
  if (!days) return std::string(kTimestampForm);
  std::int64_t moment = *days * 86'400'000'000LL;
  if (!text.empty() && (take(text, ' ') || take(text, 'T'))) {
    const auto time = take_time(text);
    if (!time) return std::string(kTimestampForm);
    moment += *time;
  }
  if (!text.empty() && !with_zone) {
    return "a timestamp has no offset (PostgreSQL would ignore it); the key type for moments is timestamptz";
  }
  take(text, ' ');
  if (!text.empty()) {
    const auto offset = take_offset(text);
    if (!offset || !text.empty()) return std::string(kOffsetForm);
    moment -= *offset;
  }
  literal = {std::to_string(moment), moment};
  return {};
}

std::string read_date(std::string_view text, KeyLiteral& literal) {
  const auto days = take_date(text);
  if (!days || !text.empty()) return std::string(kDateForm);
  literal = {std::to_string(*days), *days};
  return {};
}

}  // namespace

std::string read_key_literal(KeyType type, std::string_view text, KeyLiteral& literal) {
  literal = {};
  if (text.find('\0') != std::string_view::npos) return "no value holds a zero byte";
  switch (type) {
    case KeyType::SmallInt: return read_integer(text, INT16_MIN, INT16_MAX, literal);
    case KeyType::Int: return read_integer(text, INT32_MIN, INT32_MAX, literal);
    case KeyType::BigInt: return read_integer(text, INT64_MIN, INT64_MAX, literal);
    case KeyType::Uuid: return read_uuid(text, literal);
    case KeyType::Text: literal.canonical = std::string(text); return {};
    case KeyType::Bytea: return read_bytea(text, literal);
    case KeyType::Numeric: return read_numeric(text, literal);
    case KeyType::Date: return read_date(text, literal);
    case KeyType::Timestamp: return read_timestamp(text, false, literal);
    case KeyType::TimestampTz: return read_timestamp(text, true, literal);
    case KeyType::Bool: return read_bool(text, literal);
  }
  return "unknown key type";
}

bool is_ordered(KeyType type) {
  switch (type) {
    case KeyType::SmallInt:
    case KeyType::Int:
    case KeyType::BigInt:
    case KeyType::Date:
    case KeyType::Timestamp:
    case KeyType::TimestampTz: return true;
    default: return false;
  }
}

}  // namespace pgweir::config
