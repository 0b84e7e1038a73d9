#include "routing/placement/key_value.h"

#include <algorithm>

#include "routing/placement/key_readers.h"

namespace pgweir::routing {
namespace {

using config::KeyType;

namespace oid {  // pg_type.dat
constexpr Oid kBool = 16, kBytea = 17, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kUnknown = 705,
              kBpchar = 1042, kVarchar = 1043, kDate = 1082, kTimestamp = 1114, kTimestampTz = 1184, kNumeric = 1700,
              kUuid = 2950;
}  // namespace oid

constexpr std::size_t kNameBytes = 63;  // NAMEDATALEN - 1

bool integer(KeyType type) { return type == KeyType::SmallInt || type == KeyType::Int || type == KeyType::BigInt; }
bool datetime(KeyType type) {
  return type == KeyType::Date || type == KeyType::Timestamp || type == KeyType::TimestampTz;
}

std::string& text_of(KeyValue& value) {
  if (auto* text = std::get_if<std::string>(&value.value)) return *text;
  return value.value.emplace<std::string>();
}

ReadResult check_width(KeyType type, std::int64_t number) {
  if (type == KeyType::SmallInt && (number < INT16_MIN || number > INT16_MAX)) return KeyError::OutOfRange;
  if (type == KeyType::Int && (number < INT32_MIN || number > INT32_MAX)) return KeyError::OutOfRange;
  return std::nullopt;
}

std::int64_t big_endian(std::string_view bytes) {
  std::uint64_t value = !bytes.empty() && static_cast<unsigned char>(bytes[0]) >= 0x80 ? ~std::uint64_t{0} : 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

std::size_t binary_width(KeyType type) {
  switch (type) {
    case KeyType::Bool: return 1;
    case KeyType::SmallInt: return 2;
    case KeyType::Int: case KeyType::Date: return 4;
    case KeyType::BigInt: case KeyType::Timestamp: case KeyType::TimestampTz: return 8;
    case KeyType::Uuid: return 16;
    case KeyType::Text: case KeyType::Bytea: case KeyType::Numeric: return 0;  // any
  }
  return 0;
}

ReadResult read_binary(KeyType type, std::string_view bytes, KeyValue& out) {
  const std::size_t width = binary_width(type);
  if (width != 0 && bytes.size() != width) return KeyError::Invalid;
  if (type == KeyType::Numeric) return read_numeric_binary(bytes, text_of(out));
  if (type == KeyType::Text && bytes.find('\0') != std::string_view::npos) return KeyError::Invalid;
  if (type == KeyType::Uuid || type == KeyType::Text || type == KeyType::Bytea) {
    text_of(out).assign(bytes);
    return std::nullopt;
  }
  std::int64_t number = big_endian(bytes);
  if (type == KeyType::Bool) number = number != 0 ? 1 : 0;
  if (type == KeyType::Date && number == INT32_MAX) number = INT64_MAX;
  if (type == KeyType::Date && number == INT32_MIN) number = INT64_MIN;
  out.value = number;
  return std::nullopt;
}

ReadResult read_text_form(KeyType type, std::string_view text, const LiteralContext& context, KeyValue& out) {
  if (text.find('\0') != std::string_view::npos) return KeyError::Invalid;
  std::int64_t number = 0;
  ReadResult error;
  switch (type) {
    case KeyType::SmallInt: case KeyType::Int: case KeyType::BigInt:
      error = read_int64(text, number);
      if (!error) error = check_width(type, number);
      break;
    case KeyType::Bool: error = read_bool(text, number); break;
    case KeyType::Date: case KeyType::Timestamp: case KeyType::TimestampTz:
      error = read_datetime(type, text, context, number);
      break;
    case KeyType::Uuid: return read_uuid(text, text_of(out));
    case KeyType::Bytea: return read_bytea(text, text_of(out));
    case KeyType::Numeric: return read_numeric(text, text_of(out));
    case KeyType::Text: text_of(out).assign(text); return std::nullopt;
  }
  if (!error) out.value = number;
  return error;
}

// The type in which a parameter of this OID is read for a key of `type`; nullopt: not of the key type's family.
std::optional<KeyType> source_type(KeyType type, Oid declared) {
  const bool number = integer(type) || type == KeyType::Numeric;
  switch (declared) {
    case 0: case oid::kUnknown: return type;
    case oid::kInt2: if (number) return KeyType::SmallInt; break;
    case oid::kInt4: if (number) return KeyType::Int; break;
    case oid::kInt8: if (number) return KeyType::BigInt; break;
    case oid::kNumeric: if (number) return KeyType::Numeric; break;
    case oid::kDate: if (datetime(type)) return KeyType::Date; break;
    case oid::kTimestamp: if (datetime(type)) return KeyType::Timestamp; break;
    case oid::kTimestampTz: if (datetime(type)) return KeyType::TimestampTz; break;
    case oid::kText: case oid::kVarchar: case oid::kBpchar: case oid::kName:
      if (type == KeyType::Text) return type;
      break;
    case oid::kBool: if (type == KeyType::Bool) return type; break;
    case oid::kBytea: if (type == KeyType::Bytea) return type; break;
    case oid::kUuid: if (type == KeyType::Uuid) return type; break;
    default: break;
  }
  return std::nullopt;
}

// A value read as `from` to the key's type.
ReadResult convert(KeyType from, KeyType type, const LiteralContext& context, KeyValue& out) {
  if (from == type) return std::nullopt;
  std::int64_t number = 0;
  if (from == KeyType::Numeric) {
    if (const auto error = numeric_to_int64(text_of(out), number)) return error;
  } else {
    number = std::get<std::int64_t>(out.value);
  }
  if (type == KeyType::Numeric) {
    out.value = std::to_string(number);
    return std::nullopt;
  }
  if (datetime(type)) {
    if (const auto error = convert_datetime(from, type, context, number)) return error;
  } else if (const auto error = check_width(type, number)) {
    return error;
  }
  out.value = number;
  return std::nullopt;
}

// Characters of UTF-8 text; of ASCII text in any encoding.
std::size_t characters(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

ReadResult store_text(std::string& text, Oid column_type, std::int32_t typmod, bool utf8) {
  if (column_type == oid::kBpchar) {
    while (!text.empty() && text.back() == ' ') text.pop_back();
  }
  if (typmod < 4 || (column_type != oid::kBpchar && column_type != oid::kVarchar)) return std::nullopt;
  const auto limit = static_cast<std::size_t>(typmod) - 4;  // the declared length, in characters
  if (text.size() <= limit) return std::nullopt;
  if (!utf8 && !ascii(text)) return KeyError::Undecidable;
  std::size_t length = characters(text);
  while (length > limit && !text.empty() && text.back() == ' ') {
    text.pop_back();
    --length;
  }
  if (length <= limit) return std::nullopt;
  return KeyError::Invalid;
}

// numeric(p, s): the typmod is ((p << 16) | (s & 0x7ff)) + 4, the scale signed in eleven bits.
ReadResult store_numeric(std::string& text, std::int32_t typmod) {
  if (typmod < 4) return std::nullopt;
  if (text == "NaN") return std::nullopt;
  if (text.ends_with("Infinity")) return KeyError::Invalid;
  const int precision = (typmod - 4) >> 16 & 0xffff;
  const int scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
  round_numeric(text, scale);
  std::string_view digits = text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  const std::size_t whole = digits == "0" || digits.starts_with("0.") ? 0 : std::min(digits.find('.'), digits.size());
  if (static_cast<int>(whole) > precision - scale) return KeyError::Invalid;
  return std::nullopt;
}

void store_timestamp(std::int64_t& time, std::int32_t typmod) {
  if (typmod < 0 || typmod >= 6 || time == INT64_MAX || time == INT64_MIN) return;
  std::int64_t unit = 1;
  for (int i = typmod; i < 6; ++i) unit *= 10;
  const std::int64_t magnitude = time >= 0 ? time : -time;
  const std::int64_t rounded = (magnitude + unit / 2) / unit * unit;  // half away from 2000-01-01
  time = time >= 0 ? rounded : -rounded;
}

}  // namespace

std::strong_ordering KeyValue::operator<=>(const KeyValue& other) const {
  if (null != other.null) return null <=> other.null;  // NULLS LAST
  if (null) return std::strong_ordering::equal;
  if (value.index() != other.value.index()) return value.index() <=> other.value.index();
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number <=> std::get<std::int64_t>(other.value);
  const auto &left = std::get<std::string>(value), &right = std::get<std::string>(other.value);
  if (type == KeyType::Numeric && other.type == KeyType::Numeric) return compare_numeric(left, right);
  return left.compare(right) <=> 0;
}

std::optional<KeyError> read_key_text(KeyType type, std::string_view text, const LiteralContext& context,
                                      KeyValue& out) {
  out.type = type;
  out.null = false;
  return read_text_form(type, text, context, out);
}

std::optional<KeyError> read_key_parameter(KeyType type, const Parameter& parameter, const LiteralContext& context,
                                           KeyValue& out) {
  const auto from = source_type(type, parameter.type);
  if (!from) return KeyError::Undecidable;
  out.type = type;
  out.null = parameter.null;
  if (parameter.null) return std::nullopt;
  const auto error = parameter.binary ? read_binary(*from, parameter.value, out)
                                      : read_text_form(*from, parameter.value, context, out);
  if (error) return error;
  if (type == KeyType::Text) {
    std::string& text = text_of(out);
    // trailing blanks do not count
    if (parameter.type == oid::kBpchar) return store_text(text, oid::kBpchar, -1, true);
    if (parameter.type == oid::kName && text.size() > kNameBytes) return KeyError::Undecidable;  // the server cuts it
  }
  return convert(*from, type, context, out);
}

Result<KeyValue, KeyError> key_from_text(KeyType type, std::string_view text, const LiteralContext& context) {
  KeyValue out;
  if (const auto error = read_key_text(type, text, context, out)) return *error;
  return out;
}

Result<KeyValue, KeyError> key_from_parameter(KeyType type, const Parameter& parameter, const LiteralContext& context) {
  KeyValue out;
  if (const auto error = read_key_parameter(type, parameter, context, out)) return *error;
  return out;
}

SqlError key_text_error(KeyType type, const std::string& type_name, std::string_view text,
                        const LiteralContext& context) {
  if (type == KeyType::Bytea) return bytea_error(text);
  if (datetime(type)) {
    if (auto error = datetime_field_error(text, context)) return *error;
  }
  return {datetime(type) ? "22007" : "22P02",
          "invalid input syntax for type " + type_name + ": \"" + std::string(text) + "\"",
          {}, {}, {}, {}};
}

std::optional<KeyError> store_in_column(KeyValue& value, Oid column_type, std::int32_t typmod, bool utf8) {
  if (value.null) return std::nullopt;
  if (auto* text = std::get_if<std::string>(&value.value)) {
    if (value.type == KeyType::Numeric) return store_numeric(*text, typmod);
    if (value.type == KeyType::Text) return store_text(*text, column_type, typmod, utf8);
    return std::nullopt;
  }
  if (value.type == KeyType::Timestamp || value.type == KeyType::TimestampTz) {
    store_timestamp(std::get<std::int64_t>(value.value), typmod);
  }
  return std::nullopt;
}

SqlError store_error(KeyType type) {
  if (type == KeyType::Numeric) return {"22003", "numeric field overflow", {}, {}, {}, {}};
  return {"22001", "value too long for the key column's type", {}, {}, {}, {}};
}

}  // namespace pgweir::routing
