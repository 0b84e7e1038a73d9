// date, timestamp and timestamptz: the forms that drivers and people write most. Everything else is left to the server.
#include <array>
#include <cmath>
#include <cstdlib>

#include "routing/placement/key_readers.h"

namespace pgweir::routing {
namespace {

using config::KeyType;

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kUnixEpochDays = -10'957;          // 1970-01-01 in days since 2000-01-01
constexpr std::int64_t kMaxTimestampYear = 294'276;       // PostgreSQL's documented limits
constexpr int kMaxOffsetHours = 15;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Days since 2000-01-01 in the proleptic Gregorian calendar. Precondition: month 1-12, year >= 1.
std::int64_t days_from_date(std::int64_t year, int month, int day) {
  const std::int64_t y = month <= 2 ? year - 1 : year;  // years begin in March: leap days come last
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 730'425;
}

int days_in_month(std::int64_t year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  bool done() const { return text_.empty(); }
  char peek() const { return text_.empty() ? '\0' : text_.front(); }
  bool take(char c) {
    if (peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool spaces() {
    const std::size_t before = text_.size();
    while (!text_.empty() && is_pg_space(text_.front())) text_.remove_prefix(1);
    return text_.size() != before;
  }
  // The run of digits that starts here, at most `most` of them; its length, 0 if none or too many.
  std::size_t digits(std::size_t most, std::int64_t& value) {
    std::size_t n = 0;
    while (n < text_.size() && is_digit(text_[n])) ++n;
    if (n == 0 || n > most) return 0;
    value = 0;
    for (std::size_t i = 0; i < n; ++i) value = value * 10 + (text_[i] - '0');
    text_.remove_prefix(n);
    return n;
  }
  std::string_view digit_run() {
    std::size_t n = 0;
    while (n < text_.size() && is_digit(text_[n])) ++n;
    const std::string_view run = text_.substr(0, n);
    text_.remove_prefix(n);
    return run;
  }
  std::string_view rest() const { return text_; }

 private:
  std::string_view text_;
};

struct Moment {
  std::int64_t days = 0;
  std::int64_t time = 0;      // microseconds of the day
  bool has_offset = false;
  std::int64_t offset = 0;    // microseconds east of UTC
  bool month_or_day = false;  // the error is a month beyond 12 or a day beyond 31
};

enum class DateOrder { Mdy, Dmy, Ymd };

DateOrder date_order(std::string_view datestyle) {
  std::string lower(datestyle);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  if (lower.find("dmy") != std::string::npos || lower.find("euro") != std::string::npos) return DateOrder::Dmy;
  if (lower.find("ymd") != std::string::npos) return DateOrder::Ymd;
  if (lower.find("mdy") != std::string::npos || lower.find("us") != std::string::npos) return DateOrder::Mdy;
  return lower.find("german") != std::string::npos ? DateOrder::Dmy : DateOrder::Mdy;
}

ReadResult make_days(std::int64_t year, std::int64_t month, std::int64_t day, Moment& out) {
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, static_cast<int>(month))) {
    out.month_or_day = year >= 1 && (month < 1 || month > 12 || day < 1 || day > 31);
    return KeyError::Invalid;
  }
  out.days = days_from_date(year, static_cast<int>(month), static_cast<int>(day));
  return std::nullopt;
}

// YYYY-MM-DD, YYYY/MM/DD, YYYYMMDD, and by DateStyle MM/DD/YYYY or DD/MM/YYYY (also with '-' and '.').
ReadResult read_date_part(Scanner& in, std::string_view datestyle, Moment& out) {
  std::int64_t first = 0, second = 0, third = 0;
  const std::size_t length = in.digits(8, first);
  if (length == 8) return make_days(first / 10'000, first / 100 % 100, first % 100, out);
  const char separator = in.peek();
  if (length == 0 || length > 6 || (separator != '-' && separator != '/' && separator != '.')) {
    return KeyError::Undecidable;
  }
  in.take(separator);
  if (in.digits(2, second) == 0 || !in.take(separator)) return KeyError::Undecidable;
  const std::size_t last = in.digits(4, third);
  if (length >= 4) {
    if (separator == '.' || last == 0 || last > 2) return KeyError::Undecidable;
    return make_days(first, second, third, out);
  }
  if (length > 2 || last != 4) return KeyError::Undecidable;
  switch (date_order(datestyle)) {
    case DateOrder::Mdy: return make_days(third, first, second, out);
    case DateOrder::Dmy: return make_days(third, second, first, out);
    case DateOrder::Ymd: break;
  }
  return KeyError::Undecidable;
}

// HH:MM[:SS[.fraction]], up to 24:00:00.
ReadResult read_time_part(Scanner& in, std::int64_t& out) {
  std::int64_t hour = 0, minute = 0, second = 0, fraction = 0;
  if (in.digits(2, hour) == 0 || !in.take(':') || in.digits(2, minute) == 0) return KeyError::Undecidable;
  if (in.take(':')) {
    if (in.digits(2, second) == 0) return KeyError::Undecidable;
    if (in.take('.')) {
      const std::string_view run = in.digit_run();
      if (run.empty() || run.size() > 30) return KeyError::Undecidable;
      // PostgreSQL rounds a double, half to even: so do we.
      const std::string text = "0." + std::string(run);
      fraction = static_cast<std::int64_t>(std::rint(std::strtod(text.c_str(), nullptr) * 1e6));
    }
  }
  out = ((hour * 60 + minute) * 60 + second) * kSecond + fraction;
  if (hour > 24 || minute > 59 || second > 60 || out > kMicrosecondsPerDay) return KeyError::Invalid;
  return std::nullopt;
}

// Z, UTC, GMT, or +HH, +HHMM, +HH:MM, +HH:MM:SS (either sign).
ReadResult read_offset(Scanner& in, Moment& moment) {
  moment.has_offset = true;
  const char sign = in.peek();
  if (sign != '+' && sign != '-') {
    const std::string_view name = in.rest();
    if (!equals_ignoring_case(name, "z") && !equals_ignoring_case(name, "utc") && !equals_ignoring_case(name, "gmt")) {
      return KeyError::Undecidable;
    }
    in = Scanner({});
    return std::nullopt;
  }
  in.take(sign);
  std::int64_t hour = 0, minute = 0, second = 0;
  const std::size_t length = in.digits(4, hour);
  if (length == 0) return KeyError::Undecidable;
  if (length > 2) {
    minute = hour % 100;
    hour /= 100;
  } else if (in.take(':')) {
    if (in.digits(2, minute) == 0) return KeyError::Undecidable;
    if (in.take(':') && in.digits(2, second) == 0) return KeyError::Undecidable;
  }
  if (!in.done()) return KeyError::Undecidable;
  if (hour > kMaxOffsetHours || minute > 59 || second > 59) return KeyError::Invalid;
  moment.offset = ((hour * 60 + minute) * 60 + second) * kSecond;
  if (sign == '-') moment.offset = -moment.offset;
  return std::nullopt;
}

ReadResult read_moment(std::string_view text, std::string_view datestyle, Moment& moment) {
  Scanner in(text);
  if (const auto error = read_date_part(in, datestyle, moment)) return error;
  if (in.done()) return std::nullopt;
  if (!in.spaces() && !in.take('T') && !in.take('t')) return KeyError::Undecidable;
  if (const auto error = read_time_part(in, moment.time)) return error;
  in.spaces();
  if (in.done()) return std::nullopt;
  return read_offset(in, moment);
}

// What PostgreSQL's timestamp type can hold.
bool in_timestamp_range(std::int64_t days) {
  static const std::int64_t kEnd = days_from_date(kMaxTimestampYear + 1, 1, 1);
  return days < kEnd - 1;  // a day of grace at the end, so that no offset leads beyond
}

ReadResult special_value(KeyType type, std::string_view text, std::int64_t& out) {
  if (equals_ignoring_case(text, "infinity")) {
    out = INT64_MAX;
  } else if (equals_ignoring_case(text, "-infinity")) {
    out = INT64_MIN;
  } else if (equals_ignoring_case(text, "epoch")) {
    out = type == KeyType::Date ? kUnixEpochDays : kUnixEpochDays * kMicrosecondsPerDay;
  } else {
    return KeyError::Undecidable;
  }
  return std::nullopt;
}

}  // namespace

bool utc_like(std::string_view timezone) {
  if (timezone.size() > 4 && equals_ignoring_case(timezone.substr(0, 4), "etc/")) timezone.remove_prefix(4);
  for (const std::string_view name : {"utc", "gmt", "uct", "zulu", "universal", "greenwich", "gmt0", "gmt+0",
                                      "gmt-0"}) {
    if (equals_ignoring_case(timezone, name)) return true;
  }
  return false;
}

ReadResult read_datetime(KeyType type, std::string_view text, const LiteralContext& context, std::int64_t& out) {
  text = trim_spaces(text);
  if (text.empty()) return KeyError::Invalid;
  if (!is_digit(text.front())) return special_value(type, text, out);
  Moment moment;
  if (const auto error = read_moment(text, context.datestyle, moment)) return error;
  if (type == KeyType::Date) {  // a time of day and an offset are read and ignored
    out = moment.days;
    return std::nullopt;
  }
  if (!in_timestamp_range(moment.days)) return KeyError::Undecidable;
  out = moment.days * kMicrosecondsPerDay + moment.time;
  if (type == KeyType::Timestamp) return std::nullopt;  // an offset is ignored
  if (!moment.has_offset && !utc_like(context.timezone)) return KeyError::Undecidable;
  out -= moment.offset;
  return std::nullopt;
}

std::optional<SqlError> datetime_field_error(std::string_view text, const LiteralContext& context) {
  const std::string_view value = trim_spaces(text);
  // PostgreSQL looks at the syntax of the whole before the range of any field.
  if (value.empty() || value.find_first_not_of("0123456789-/.:+ TtZz") != std::string_view::npos) return std::nullopt;
  Moment moment;
  if (read_moment(value, context.datestyle, moment) != KeyError::Invalid) return std::nullopt;
  const std::string quoted = ": \"" + std::string(text) + "\"";
  if (moment.has_offset) return SqlError{"22009", "time zone displacement out of range" + quoted, {}, {}, {}, {}};
  const char* hint = moment.month_or_day ? "Perhaps you need a different \"datestyle\" setting." : "";
  return SqlError{"22008", "date/time field value out of range" + quoted, {}, hint, {}, {}};
}

ReadResult convert_datetime(KeyType from, KeyType to, const LiteralContext& context, std::int64_t& value) {
  if (from == to || value == INT64_MAX || value == INT64_MIN) return std::nullopt;
  // Between a type with and one without time zone PostgreSQL goes through the session's zone.
  if ((from == KeyType::TimestampTz) != (to == KeyType::TimestampTz) && !utc_like(context.timezone)) {
    return KeyError::Undecidable;
  }
  if (from == KeyType::Date) {
    if (!in_timestamp_range(value) || value < -2'451'545) return KeyError::Undecidable;  // before 4713 BC
    value *= kMicrosecondsPerDay;
  } else if (to == KeyType::Date) {
    if (value % kMicrosecondsPerDay != 0) return KeyError::OutOfRange;  // equals no date
    value /= kMicrosecondsPerDay;
  }
  return std::nullopt;
}

}  // namespace pgweir::routing
