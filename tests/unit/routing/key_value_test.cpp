// Reading key values: text against PostgreSQL's results, parameters in both formats, stored values.
#include <gtest/gtest.h>

#include "routing/placement/key_value.h"
#include "tests/unit/routing/key_vectors.h"

namespace pgweir::routing {
namespace {

using config::KeyType;

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    for (const int shift : {4, 0}) out.push_back("0123456789abcdef"[static_cast<unsigned char>(c) >> shift & 15]);
  }
  return out;
}

std::string show(const Result<KeyValue, KeyError>& key) {
  if (!key.ok()) {
    return key.error() == KeyError::Undecidable ? "UNDEC" : key.error() == KeyError::Invalid ? "INVALID" : "RANGE";
  }
  if (key->null) return "NULL";
  if (const auto* number = std::get_if<std::int64_t>(&key->value)) return "OK " + std::to_string(*number);
  const auto& text = std::get<std::string>(key->value);
  return "OK " + (key->type == KeyType::Numeric || key->type == KeyType::Text ? text : hex(text));
}

std::string read(KeyType type, std::string_view text, std::string_view timezone = "UTC") {
  return show(key_from_text(type, text, LiteralContext{timezone, "ISO, MDY"}));
}

std::string parameter(KeyType type, Oid oid, bool binary, std::string_view value, std::string_view timezone = "UTC") {
  return show(key_from_parameter(type, Parameter{oid, binary, false, value}, LiteralContext{timezone, "ISO, MDY"}));
}

std::string big_endian(std::int64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

constexpr Oid kBool = 16, kBytea = 17, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kFloat8 = 701,
              kBpchar = 1042, kVarchar = 1043, kDate = 1082, kTimestamp = 1114, kTimestampTz = 1184, kNumeric = 1700,
              kUuid = 2950;
constexpr std::int64_t kDay = 86'400'000'000;

TEST(KeyText, EqualsPostgres) {
  for (const auto& v : vectors::kKeys) {
    EXPECT_EQ(show(key_from_text(v.type, v.text, LiteralContext{v.timezone, v.datestyle})), v.result)
        << v.text << " under " << v.timezone << " and " << v.datestyle;
  }
}

TEST(KeyText, TimeZoneMattersOnlyWithoutOffset) {
  EXPECT_EQ(read(KeyType::TimestampTz, "2000-01-01 00:00:00", "Europe/Berlin"), "UNDEC");
  EXPECT_EQ(read(KeyType::TimestampTz, "2000-01-01 02:00:00+02", "Europe/Berlin"), "OK 0");
  EXPECT_EQ(read(KeyType::TimestampTz, "2000-01-01 00:00:00", "Etc/UTC"), "OK 0");
  EXPECT_EQ(read(KeyType::TimestampTz, "infinity", "Europe/Berlin"), "OK 9223372036854775807");
  EXPECT_EQ(read(KeyType::Timestamp, "2000-01-01 00:00:00", "Europe/Berlin"), "OK 0");
  EXPECT_EQ(read(KeyType::Date, "2000-01-02", "Europe/Berlin"), "OK 1");
}

TEST(KeyText, ServersDecideWhatOnlyTheyKnow) {
  for (const char* text : {"yesterday", "now", "2000-01-01 10:00 PST", "J2451187", "Jan 8 1999", "2000-01-01 BC"}) {
    EXPECT_EQ(read(KeyType::TimestampTz, text), "UNDEC") << text;
  }
  EXPECT_EQ(read(KeyType::Int, "0x10"), "UNDEC");  // valid from PostgreSQL 16 on
  EXPECT_EQ(read(KeyType::Int, "1_000"), "UNDEC");
}

TEST(KeyText, NumbersOfNoKeyAreOutOfRange) {
  EXPECT_EQ(read(KeyType::SmallInt, "32768"), "RANGE");
  EXPECT_EQ(read(KeyType::Int, "3000000000"), "RANGE");
  EXPECT_EQ(read(KeyType::BigInt, "1.5"), "RANGE");
  EXPECT_EQ(read(KeyType::BigInt, "9223372036854775808"), "RANGE");
  EXPECT_EQ(read(KeyType::BigInt, std::string(5000, '9')), "RANGE");
}

TEST(KeyText, HugeNumericsAreNotWrittenOut) {
  EXPECT_EQ(read(KeyType::Numeric, "1e131071"), "UNDEC");
  EXPECT_EQ(read(KeyType::Numeric, "1e-16000"), "UNDEC");
  EXPECT_EQ(read(KeyType::Numeric, "1e99999999999999999999"), "UNDEC");
}

TEST(KeyParameter, IntegersOfEveryWidthAndFormat) {
  for (const KeyType type : {KeyType::SmallInt, KeyType::Int, KeyType::BigInt, KeyType::Numeric}) {
    EXPECT_EQ(parameter(type, kInt2, true, big_endian(-7, 2)), "OK -7");
    EXPECT_EQ(parameter(type, kInt4, true, big_endian(-7, 4)), "OK -7");
    EXPECT_EQ(parameter(type, kInt8, true, big_endian(-7, 8)), "OK -7");
    EXPECT_EQ(parameter(type, kInt8, false, " -07 "), "OK -7");
    EXPECT_EQ(parameter(type, 0, false, "-7"), "OK -7");
  }
  EXPECT_EQ(parameter(KeyType::Int, 0, true, big_endian(7, 4)), "OK 7");
  EXPECT_EQ(parameter(KeyType::Int, 0, true, big_endian(7, 8)), "INVALID");
  EXPECT_EQ(parameter(KeyType::Int, kInt8, true, big_endian(3'000'000'000, 8)), "RANGE");
  EXPECT_EQ(parameter(KeyType::SmallInt, kInt4, true, big_endian(-32769, 4)), "RANGE");
  EXPECT_EQ(parameter(KeyType::BigInt, kNumeric, false, "7.00"), "OK 7");
  EXPECT_EQ(parameter(KeyType::BigInt, kNumeric, false, "7.5"), "RANGE");
  EXPECT_EQ(parameter(KeyType::BigInt, kFloat8, false, "7"), "UNDEC");
  EXPECT_EQ(parameter(KeyType::BigInt, kText, false, "7"), "UNDEC");
}

TEST(KeyParameter, BinaryNumeric) {
  const auto numeric = [](std::initializer_list<int> words) {
    std::string out;
    for (const int word : words) out += big_endian(word, 2);
    return out;
  };
  EXPECT_EQ(parameter(KeyType::Numeric, kNumeric, true, numeric({2, 0, 0, 1, 1, 5000})), "OK 1.5");
  EXPECT_EQ(parameter(KeyType::Numeric, kNumeric, true, numeric({1, 1, 0x4000, 0, 12})), "OK -120000");
  EXPECT_EQ(parameter(KeyType::Numeric, kNumeric, true, numeric({1, -2, 0, 8, 12})), "OK 0.00000012");
  EXPECT_EQ(parameter(KeyType::Numeric, kNumeric, true, numeric({0, 0, 0, 0})), "OK 0");
  EXPECT_EQ(parameter(KeyType::Numeric, kNumeric, true, numeric({2, 0, 0, 0, 7, 9999})), "OK 7");  // cut at the scale
  EXPECT_EQ(parameter(KeyType::Numeric, kNumeric, true, numeric({0, 0, 0xC000, 0})), "OK NaN");
  EXPECT_EQ(parameter(KeyType::Numeric, kNumeric, true, numeric({1, 0, 0, 0, 10000})), "INVALID");
  EXPECT_EQ(parameter(KeyType::Numeric, kNumeric, true, numeric({3, 0, 0, 0, 1})), "INVALID");
  EXPECT_EQ(parameter(KeyType::Numeric, kNumeric, true, "\0\0"), "INVALID");
}

TEST(KeyParameter, DatesAndTimesConvertAsTheyCompare) {
  const std::string noon = big_endian(kDay / 2, 8), day_2 = big_endian(2 * kDay, 8);
  EXPECT_EQ(parameter(KeyType::Timestamp, kDate, true, big_endian(2, 4)), "OK " + std::to_string(2 * kDay));
  EXPECT_EQ(parameter(KeyType::Date, kTimestamp, true, day_2), "OK 2");
  EXPECT_EQ(parameter(KeyType::Date, kTimestamp, true, noon), "RANGE");
  EXPECT_EQ(parameter(KeyType::Date, kTimestamp, true, day_2, "Europe/Berlin"), "OK 2");
  EXPECT_EQ(parameter(KeyType::Date, kTimestampTz, true, day_2), "OK 2");
  EXPECT_EQ(parameter(KeyType::Date, kTimestampTz, true, day_2, "Europe/Berlin"), "UNDEC");
  EXPECT_EQ(parameter(KeyType::TimestampTz, kDate, false, "2000-01-03", "Europe/Berlin"), "UNDEC");
  EXPECT_EQ(parameter(KeyType::TimestampTz, kDate, false, "2000-01-03"), "OK " + std::to_string(2 * kDay));
  EXPECT_EQ(parameter(KeyType::TimestampTz, kTimestampTz, true, noon, "Europe/Berlin"),
            "OK " + std::to_string(kDay / 2));
  EXPECT_EQ(parameter(KeyType::Date, kDate, true, big_endian(INT32_MAX, 4)), "OK 9223372036854775807");
  EXPECT_EQ(parameter(KeyType::Timestamp, kDate, true, big_endian(INT32_MIN, 4)), "OK -9223372036854775808");
  EXPECT_EQ(parameter(KeyType::Date, kInt4, true, big_endian(2, 4)), "UNDEC");
}

TEST(KeyParameter, TextKeepsBlanksButOfChar) {
  EXPECT_EQ(parameter(KeyType::Text, kText, true, "ab  "), "OK ab  ");
  EXPECT_EQ(parameter(KeyType::Text, kVarchar, false, "ab  "), "OK ab  ");
  EXPECT_EQ(parameter(KeyType::Text, kBpchar, false, "ab  "), "OK ab");
  EXPECT_EQ(parameter(KeyType::Text, kName, false, "ab"), "OK ab");
  EXPECT_EQ(parameter(KeyType::Text, kName, false, std::string(64, 'a')), "UNDEC");
  EXPECT_EQ(parameter(KeyType::Text, kBytea, false, "ab"), "UNDEC");
  EXPECT_EQ(parameter(KeyType::Text, kText, false, std::string_view("a\0b", 3)), "INVALID");
}

TEST(KeyParameter, FixedWidthsAndNull) {
  EXPECT_EQ(parameter(KeyType::Uuid, kUuid, true, std::string(16, '\x11')), "OK " + std::string(32, '1'));
  EXPECT_EQ(parameter(KeyType::Uuid, kUuid, true, std::string(15, '\x11')), "INVALID");
  EXPECT_EQ(parameter(KeyType::Bool, kBool, true, "\x01"), "OK 1");
  EXPECT_EQ(parameter(KeyType::Bytea, kBytea, true, std::string_view("\0\xff", 2)), "OK 00ff");
  EXPECT_EQ(show(key_from_parameter(KeyType::Int, Parameter{kInt4, true, true, {}}, LiteralContext{})), "NULL");
}

std::string stored(KeyType type, std::string_view text, Oid column, std::int32_t typmod, bool utf8 = true) {
  auto key = key_from_text(type, text, LiteralContext{});
  if (auto error = store_in_column(*key, column, typmod, utf8)) return show(*error);
  return show(key);
}

TEST(StoredKey, IsWhatTheColumnHolds) {
  EXPECT_EQ(stored(KeyType::Text, "abc   ", kVarchar, 4 + 4), "OK abc ");
  EXPECT_EQ(stored(KeyType::Text, "abc   ", kVarchar, -1), "OK abc   ");
  EXPECT_EQ(stored(KeyType::Text, "abcd", kVarchar, 3 + 4), "INVALID");
  EXPECT_EQ(stored(KeyType::Text, "gr\xc3\xb6", kVarchar, 3 + 4), "OK gr\xc3\xb6");
  EXPECT_EQ(stored(KeyType::Text, "gr\xc3\xb6", kVarchar, 3 + 4, false), "UNDEC");
  EXPECT_EQ(stored(KeyType::Text, "abc   ", kBpchar, 10 + 4), "OK abc");
  EXPECT_EQ(stored(KeyType::Numeric, "1.25", kNumeric, ((5 << 16) | 1) + 4), "OK 1.3");
  EXPECT_EQ(stored(KeyType::Numeric, "-9.95", kNumeric, ((5 << 16) | 1) + 4), "OK -10");
  EXPECT_EQ(stored(KeyType::Numeric, "99999.5", kNumeric, (5 << 16) + 4), "INVALID");
  EXPECT_EQ(stored(KeyType::Numeric, "1250", kNumeric, ((5 << 16) | (-2 & 0x7ff)) + 4), "OK 1300");
  EXPECT_EQ(stored(KeyType::Timestamp, "2000-01-01 00:00:00.5", kTimestamp, 0), "OK 1000000");
  EXPECT_EQ(stored(KeyType::Timestamp, "1999-12-31 23:59:59.4", kTimestamp, 0), "OK -1000000");
  EXPECT_EQ(stored(KeyType::TimestampTz, "2000-01-01 00:00:00.123456Z", kTimestampTz, 3), "OK 123000");
}

TEST(KeyOrder, IsTheTypes) {
  const auto key = [](KeyType type, std::string_view text) { return *key_from_text(type, text, LiteralContext{}); };
  EXPECT_LT(key(KeyType::Int, "-1"), key(KeyType::BigInt, "2"));
  const char* numerics[] = {"-Infinity", "-100", "-99.5", "-0.5", "0", "0.05", "0.5", "9", "10", "10.1", "Infinity",
                            "NaN"};
  for (std::size_t i = 0; i + 1 < std::size(numerics); ++i) {
    EXPECT_LT(key(KeyType::Numeric, numerics[i]), key(KeyType::Numeric, numerics[i + 1])) << numerics[i];
  }
  EXPECT_EQ(key(KeyType::Numeric, "1.0"), key(KeyType::Numeric, "01.00"));
  EXPECT_LT(key(KeyType::Date, "2000-01-01"), key(KeyType::Date, "infinity"));
  EXPECT_LT(key(KeyType::Bytea, "\\x7f"), key(KeyType::Bytea, "\\x80"));
}

}  // namespace
}  // namespace pgweir::routing
