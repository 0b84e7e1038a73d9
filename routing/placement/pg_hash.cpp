#include "routing/placement/pg_hash.h"

#include <bit>
#include <cstddef>
#include <string>
#include <vector>

namespace pgweir::routing {
namespace {

// lookup3's three words of state.
struct State {
  std::uint32_t a, b, c;

  State(std::uint32_t length, std::uint64_t seed) {
    a = b = c = 0x9e3779b9u + length + 3923095u;
    if (seed != 0) {
      a += static_cast<std::uint32_t>(seed >> 32);
      b += static_cast<std::uint32_t>(seed);
      mix();
    }
  }

  void mix() {
    a -= c; a ^= std::rotl(c, 4); c += b;
    b -= a; b ^= std::rotl(a, 6); a += c;
    c -= b; c ^= std::rotl(b, 8); b += a;
    a -= c; a ^= std::rotl(c, 16); c += b;
    b -= a; b ^= std::rotl(a, 19); a += c;
    c -= b; c ^= std::rotl(b, 4); b += a;
  }

  std::uint64_t finish() {
    c ^= b; c -= std::rotl(b, 14);
    a ^= c; a -= std::rotl(c, 11);
    b ^= a; b -= std::rotl(a, 25);
    c ^= b; c -= std::rotl(b, 16);
    a ^= c; a -= std::rotl(c, 4);
    b ^= a; b -= std::rotl(a, 14);
    c ^= b; c -= std::rotl(b, 24);
    return (static_cast<std::uint64_t>(b) << 32) | c;
  }
};

std::uint32_t byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

std::uint32_t word_at(std::string_view bytes, std::size_t i) {
  return byte_at(bytes, i) | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2) << 16 | byte_at(bytes, i + 3) << 24;
}

// PostgreSQL's numeric digits: base 10000, aligned at the decimal point.
struct NumericDigits {
  std::vector<std::int16_t> digits;  // without leading and trailing zero digits
  int weight = 0;                    // of the first digit
};

NumericDigits base_10000(std::string_view canonical) {
  if (!canonical.empty() && canonical.front() == '-') canonical.remove_prefix(1);
  const std::size_t point = canonical.find('.');
  const std::string_view whole = canonical.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? std::string_view{} : canonical.substr(point + 1);
  NumericDigits result;
  const std::size_t whole_digits = (whole.size() + 3) / 4;
  std::size_t lead = whole_digits * 4 - whole.size();  // zeros in front of the first group
  std::int16_t digit = 0;
  std::size_t in_group = lead;
  auto push = [&](char c) {
    digit = static_cast<std::int16_t>(digit * 10 + (c - '0'));
    if (++in_group == 4) { result.digits.push_back(digit); digit = 0; in_group = 0; }
  };
  for (const char c : whole) push(c);
  for (const char c : fraction) push(c);
  while (in_group != 0) push('0');
  result.weight = static_cast<int>(whole_digits) - 1;
  std::size_t zeros = 0;
  while (zeros < result.digits.size() && result.digits[zeros] == 0) ++zeros;
  result.digits.erase(result.digits.begin(), result.digits.begin() + static_cast<std::ptrdiff_t>(zeros));
  result.weight -= static_cast<int>(zeros);
  while (!result.digits.empty() && result.digits.back() == 0) result.digits.pop_back();
  return result;
}

}  // namespace

std::uint64_t pg_hash_bytes(std::string_view bytes, std::uint64_t seed) {
  State s(static_cast<std::uint32_t>(bytes.size()), seed);
  while (bytes.size() >= 12) {
    s.a += word_at(bytes, 0);
    s.b += word_at(bytes, 4);
    s.c += word_at(bytes, 8);
    s.mix();
    bytes.remove_prefix(12);
  }
  // The lowest byte of c stands for the length: the tail's last three bytes go above it.
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto shift = static_cast<unsigned>(i % 4 * 8);
    if (i < 4) s.a += byte_at(bytes, i) << shift;
    else if (i < 8) s.b += byte_at(bytes, i) << shift;
    else s.c += byte_at(bytes, i) << (shift + 8);
  }
  return s.finish();
}

std::uint64_t pg_hash_uint32(std::uint32_t value, std::uint64_t seed) {
  State s(sizeof(value), seed);
  s.a += value;
  return s.finish();
}

std::uint64_t pg_hash_int64(std::int64_t value, std::uint64_t seed) {
  // Folded so that a value that fits in 32 bits hashes as int2 and int4 do.
  auto low = static_cast<std::uint32_t>(value);
  const auto high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) >> 32);
  low ^= value >= 0 ? high : ~high;
  return pg_hash_uint32(low, seed);
}

std::uint64_t pg_hash_numeric(std::string_view canonical, std::uint64_t seed) {
  if (canonical == "NaN" || canonical.ends_with("Infinity")) return seed;
  const NumericDigits n = base_10000(canonical);
  if (n.digits.empty()) return seed - 1;
  // The digits as PostgreSQL holds them in memory on a little-endian machine. The sign takes no part.
  std::string bytes;
  bytes.reserve(n.digits.size() * 2);
  for (const std::int16_t digit : n.digits) {
    bytes.push_back(static_cast<char>(digit & 0xff));
    bytes.push_back(static_cast<char>(digit >> 8));
  }
  return pg_hash_bytes(bytes, seed) ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(n.weight));
}

std::uint64_t pg_hash_key(const KeyValue& value, std::uint64_t seed) {
  using config::KeyType;
  if (const auto* text = std::get_if<std::string>(&value.value)) {
    return value.type == KeyType::Numeric ? pg_hash_numeric(*text, seed) : pg_hash_bytes(*text, seed);
  }
  const std::int64_t number = std::get<std::int64_t>(value.value);
  if (value.type == KeyType::Date) {
    // Dates are hashed as int4, whose extremes are the infinities.
    if (number == INT64_MAX) return pg_hash_uint32(static_cast<std::uint32_t>(INT32_MAX), seed);
    if (number == INT64_MIN) return pg_hash_uint32(static_cast<std::uint32_t>(INT32_MIN), seed);
    return pg_hash_uint32(static_cast<std::uint32_t>(number), seed);
  }
  return pg_hash_int64(number, seed);  // bool: 0 or 1, as hashcharextended
}

std::uint64_t pg_partition_hash(const KeyValue& value) {
  // hash_combine64(0, h): with one key column only the constant is left of it.
  return pg_hash_key(value, kHashPartitionSeed) + 0x49a0f4dd15e5a8e3ull;
}

}  // namespace pgweir::routing
