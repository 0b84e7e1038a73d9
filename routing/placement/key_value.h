// A shard-key value in a form that does not depend on how it was written: literal text, text parameter and binary
// parameter of any accepted type give the same KeyValue. Value type; thread-safe to read.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "config/config.h"
#include "routing/types.h"

namespace pgweir::routing {

// Session settings under which PostgreSQL would read a literal.
struct LiteralContext {
  std::string_view timezone = "UTC";
  std::string_view datestyle = "ISO, MDY";
};

// Integers, dates (days since 2000-01-01) and timestamps (microseconds since 2000-01-01, UTC for timestamptz) are
// int64; bool is 0 or 1; uuid is its 16 bytes, text in the server encoding, bytea its bytes, numeric its canonical
// decimal text, all in the string. -infinity and infinity are INT64_MIN and INT64_MAX for dates and timestamps.
struct KeyValue {
  config::KeyType type = config::KeyType::BigInt;
  bool null = false;
  std::variant<std::int64_t, std::string> value;
  // Order of the type's btree operator family (bytewise for text: only equality of text is meaningful here).
  std::strong_ordering operator<=>(const KeyValue& other) const;
  bool operator==(const KeyValue& other) const { return (*this <=> other) == 0; }
};

enum class KeyError {
  Undecidable,  // may be valid, but reading it needs the server (time zone names, 'yesterday', ...)
  Invalid,      // PostgreSQL would raise an error of its own: one shard must run the statement to give it
  OutOfRange    // a valid number no key of this type can equal (e.g. 3000000000 for int, 1.5 for bigint)
};

// Reads a literal's text as `type` the way the type's input function does under `context`.
Result<KeyValue, KeyError> key_from_text(config::KeyType type, std::string_view text, const LiteralContext& context);
// Reads a value sent in text or binary format with the given PostgreSQL type OID (0 = unknown: read as `type`). A type
// of the key type's own btree operator family is accepted (int2/int4/int8; date/timestamp/timestamptz only where the
// comparison does not depend on the session's TimeZone; text/varchar/bpchar/name); others give Undecidable.
// For a numeric key integers are accepted, and numeric for integer keys (PostgreSQL compares as numeric there: exact).
Result<KeyValue, KeyError> key_from_parameter(config::KeyType type, const Parameter& parameter,
                                              const LiteralContext& context);

// The same without a new value each time: `out` keeps its string's memory. nullopt: read.
std::optional<KeyError> read_key_text(config::KeyType type, std::string_view text, const LiteralContext& context,
                                      KeyValue& out);
std::optional<KeyError> read_key_parameter(config::KeyType type, const Parameter& parameter,
                                           const LiteralContext& context, KeyValue& out);

// PostgreSQL's error for a text that is Invalid as `type`, whose name is `type_name`.
SqlError key_text_error(config::KeyType type, const std::string& type_name, std::string_view text,
                        const LiteralContext& context);

// What a column of this type and typmod stores when `value` is written to it by INSERT or COPY (not for comparisons):
// char(n) without trailing blanks, varchar(n) without blanks beyond n, numeric(p,s) and timestamp(p) rounded. Invalid
// where the value does not fit. `utf8`: whether the server encoding is UTF8 (else text beyond n bytes is
// Undecidable).
std::optional<KeyError> store_in_column(KeyValue& value, Oid column_type, std::int32_t typmod, bool utf8 = true);
// PostgreSQL's error for what store_in_column() calls Invalid.
SqlError store_error(config::KeyType type);

}  // namespace pgweir::routing
