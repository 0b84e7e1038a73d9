// How the single types' input and receive functions read a key value; private to placement/. All take the text or bytes
// of one value and write the canonical form of key_value.h; nullopt means it was read. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "routing/placement/key_value.h"

namespace pgweir::routing {

using ReadResult = std::optional<KeyError>;

inline bool is_pg_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
inline std::string_view trim_spaces(std::string_view text) {
  while (!text.empty() && is_pg_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_pg_space(text.back())) text.remove_suffix(1);
  return text;
}
bool equals_ignoring_case(std::string_view text, std::string_view lower);

// PostgreSQL 15's integer syntax. A number with a fraction or beyond int64 gives OutOfRange, spellings that later
// versions accept (0x1F, 1_000) Undecidable.
ReadResult read_int64(std::string_view text, std::int64_t& out);
ReadResult read_bool(std::string_view text, std::int64_t& out);
ReadResult read_uuid(std::string_view text, std::string& out);
// PostgreSQL's error for a bytea text that read_bytea() found Invalid.
SqlError bytea_error(std::string_view text);
ReadResult read_bytea(std::string_view text, std::string& out);
ReadResult read_numeric(std::string_view text, std::string& out);
ReadResult read_numeric_binary(std::string_view bytes, std::string& out);
// An integer from canonical numeric text: OutOfRange if it has a fraction or does not fit.
ReadResult numeric_to_int64(std::string_view canonical, std::int64_t& out);
// Rounds canonical numeric text to `scale` digits after the point, half away from zero.
void round_numeric(std::string& canonical, int scale);
std::strong_ordering compare_numeric(std::string_view left, std::string_view right);

inline constexpr std::int64_t kMicrosecondsPerDay = 86'400'000'000;
bool utc_like(std::string_view timezone);
// Date: days, Timestamp and TimestampTz: microseconds, as in key_value.h. What is not one of the common forms gives
// Undecidable, never a guess.
ReadResult read_datetime(config::KeyType type, std::string_view text, const LiteralContext& context, std::int64_t& out);
// PostgreSQL's error if a field of the value (a month, an hour, an offset) is out of range; nullopt: it is not that.
std::optional<SqlError> datetime_field_error(std::string_view text, const LiteralContext& context);
// Date, Timestamp and TimestampTz to another of them, as PostgreSQL compares values of the two types.
ReadResult convert_datetime(config::KeyType from, config::KeyType to, const LiteralContext& context,
                            std::int64_t& value);

}  // namespace pgweir::routing
