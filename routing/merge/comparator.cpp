#include "routing/merge/comparator.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "routing/merge/type_oids.h"
#include "routing/merge/wire.h"

namespace pgweir::routing {
namespace {

using wire::append;
using wire::load;

// Escaped so that no encoding is a prefix of another and a shorter value sorts first: 00 becomes 00 FF, the end is 00
// 01.
void encode_text(std::string_view value, std::string& out) {
  while (const void* zero = value.empty() ? nullptr : std::memchr(value.data(), 0, value.size())) {
    auto length = static_cast<std::size_t>(static_cast<const char*>(zero) - value.data());
    out.append(value.substr(0, length));
    out.append("\0\xFF", 2);
    value.remove_prefix(length + 1);
  }
  out.append(value);
  out.append("\0\1", 2);
}

// All NaNs are equal and larger than everything else; -0 equals 0.
template <class Bits, class Float>
void encode_float(std::string_view value, std::string& out) {
  constexpr Bits kSign = Bits{1} << (sizeof(Bits) * 8 - 1);
  auto bits = load<Bits>(value.data());
  auto number = std::bit_cast<Float>(bits);
  if (number != number) bits = static_cast<Bits>(~kSign);
  if (number == 0) bits = 0;
  append<Bits>(out, bits & kSign ? static_cast<Bits>(~bits) : static_cast<Bits>(bits | kSign));
}

// Class byte (-Infinity 0, negative 1, zero 2, positive 3, Infinity 4, NaN 5), then weight and digits + 1 without
// leading and trailing zero digits, then 0; the bytes after the class are inverted for negative numbers.
bool encode_numeric(std::string_view value, std::string& out) {
  if (value.size() < 8) return false;
  auto count = load<std::uint16_t>(value.data());
  auto weight = static_cast<std::int16_t>(load<std::uint16_t>(value.data() + 2));
  auto sign = load<std::uint16_t>(value.data() + 4);
  if (value.size() != 8 + std::size_t{count} * 2) return false;
  switch (sign) {
    case 0x0000:
    case 0x4000:
      break;
    case 0xC000:
      out.push_back(5);
      return true;
    case 0xD000:
      out.push_back(4);
      return true;
    case 0xF000:
      out.push_back(0);
      return true;
    default:
      return false;
  }
  auto digit = [&](std::size_t i) { return load<std::uint16_t>(value.data() + 8 + 2 * i); };
  std::size_t first = 0, last = count;
  while (first < last && digit(first) == 0) ++first;
  while (first < last && digit(last - 1) == 0) --last;
  if (first == last) {
    out.push_back(2);
    return true;
  }
  for (std::size_t i = first; i < last; ++i)
    if (digit(i) > 9999) return false;
  const std::uint16_t invert = sign == 0x4000 ? 0xFFFF : 0;
  out.push_back(sign == 0x4000 ? 1 : 3);
  auto biased = static_cast<std::uint32_t>(weight - static_cast<std::int32_t>(first) + 0x40000000);
  append<std::uint32_t>(out, invert ? ~biased : biased);
  for (std::size_t i = first; i < last; ++i)
    append<std::uint16_t>(out, static_cast<std::uint16_t>((digit(i) + 1) ^ invert));
  append<std::uint16_t>(out, invert);
  return true;
}

// Intervals compare as a number of microseconds, with 30 days a month and 24 hours a day.
void encode_interval(std::string_view value, std::string& out) {
  auto time = static_cast<std::int64_t>(load<std::uint64_t>(value.data()));
  auto days = static_cast<std::int32_t>(load<std::uint32_t>(value.data() + 8));
  auto months = static_cast<std::int32_t>(load<std::uint32_t>(value.data() + 12));
  __extension__ using Wide = __int128;
  Wide span = Wide{std::int64_t{months} * 30 + days} * 86'400'000'000 + time;
  append<std::uint64_t>(out, static_cast<std::uint64_t>(span >> 64) ^ (std::uint64_t{1} << 63));
  append<std::uint64_t>(out, static_cast<std::uint64_t>(span));
}

// Times with zone compare by their instant, then by the zone (seconds west of Greenwich).
void encode_timetz(std::string_view value, std::string& out) {
  auto time = static_cast<std::int64_t>(load<std::uint64_t>(value.data()));
  auto zone = load<std::uint32_t>(value.data() + 8);
  auto instant = static_cast<std::uint64_t>(time) +
                 static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(zone)} * 1'000'000);
  append<std::uint64_t>(out, instant ^ (std::uint64_t{1} << 63));
  append<std::uint32_t>(out, zone ^ (std::uint32_t{1} << 31));
}

// Family, then the bits of the network part (a network before those inside it), then the whole address.
bool encode_network(std::string_view value, std::string& out) {
  if (value.size() < 4) return false;
  auto bits = static_cast<unsigned char>(value[1]);
  auto length = static_cast<unsigned char>(value[3]);
  if ((length != 4 && length != 16) || value.size() != 4u + length || bits > length * 8) return false;
  auto address = value.substr(4);
  out.push_back(value[0]);
  for (unsigned i = 0; i < bits; ++i) out.push_back(address[i / 8] & (0x80 >> (i % 8)) ? 2 : 1);
  out.push_back(0);
  out.append(address);
  return true;
}

}  // namespace

struct KeyType::BuiltIn {
  Oid type;
  Format format;
  std::uint8_t size;
};

const KeyType::BuiltIn* KeyType::built_in(Oid type) {
  using namespace type_oid;
  static constexpr BuiltIn kTypes[] = {
      {kInt2, Format::Signed, 2},        {kInt4, Format::Signed, 4},        {kDate, Format::Signed, 4},
      {kInt8, Format::Signed, 8},        {kTime, Format::Signed, 8},        {kTimestamp, Format::Signed, 8},
      {kTimestamptz, Format::Signed, 8}, {kMoney, Format::Signed, 8},       {kBool, Format::Bytes, 1},
      {kChar, Format::Bytes, 1},         {kOid, Format::Bytes, 4},          {kMacaddr, Format::Bytes, 6},
      {kMacaddr8, Format::Bytes, 8},     {kPgLsn, Format::Bytes, 8},        {kXid8, Format::Bytes, 8},
      {kUuid, Format::Bytes, 16},        {kFloat4, Format::Float4, 4},      {kFloat8, Format::Float8, 8},
      {kTimetz, Format::TimeTz, 12},     {kInterval, Format::Interval, 16}, {kNumeric, Format::Numeric, 0},
      {kInet, Format::Network, 0},       {kCidr, Format::Network, 0},       {kBytea, Format::Text, 0},
      {kText, Format::Text, 0},          {kVarchar, Format::Text, 0},       {kName, Format::Text, 0},
      {kBpchar, Format::Blanks, 0}};
  auto found =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& known) { return known.type == type; });
  return found == std::end(kTypes) ? nullptr : found;
}

bool is_collatable(Oid type) {
  return type == type_oid::kText || type == type_oid::kVarchar || type == type_oid::kBpchar || type == type_oid::kName;
}

Result<KeyType> KeyType::create(Oid type, bool bytewise, const MergeTypes& types) {
  KeyType key;
  if (is_collatable(type) && !bytewise)
    return refuse("merge_collation", "cannot merge rows of several shards by a text value under this collation",
                  "Add COLLATE \"C\" to the expression, or narrow the statement to one shard.");
  if (const auto* known = built_in(type)) {
    key.format_ = known->format;
    key.size_ = known->size;
    return key;
  }
  const auto* labels = types.enum_labels(type);
  if (labels == nullptr)
    return refuse("merge_type", "cannot merge rows of several shards by a value of type " + std::to_string(type),
                  "Leave the expression out of ORDER BY, GROUP BY, DISTINCT and aggregates, cast it to a type with "
                  "an exact merge, or narrow the statement to one shard.");
  auto order = std::make_shared<LabelOrder>();
  for (const auto& label : *labels) order->emplace(label.second, static_cast<std::uint32_t>(order->size()));
  key.labels_ = std::move(order);
  key.format_ = Format::Enum;
  return key;
}

bool KeyType::encode(std::string_view binary, std::string& out) const {
  if (size_ != 0 && binary.size() != size_) return false;
  switch (format_) {
    case Format::Signed:
      out.push_back(static_cast<char>(binary[0] ^ 0x80));
      out.append(binary.substr(1));
      return true;
    case Format::Bytes:
      out.append(binary);
      return true;
    case Format::Float4:
      encode_float<std::uint32_t, float>(binary, out);
      return true;
    case Format::Float8:
      encode_float<std::uint64_t, double>(binary, out);
      return true;
    case Format::TimeTz:
      encode_timetz(binary, out);
      return true;
    case Format::Interval:
      encode_interval(binary, out);
      return true;
    case Format::Numeric:
      return encode_numeric(binary, out);
    case Format::Network:
      return encode_network(binary, out);
    case Format::Blanks:
      while (!binary.empty() && binary.back() == ' ') binary.remove_suffix(1);
      [[fallthrough]];
    case Format::Text:
      encode_text(binary, out);
      return true;
    case Format::Enum: {
      auto label = labels_->find(binary);
      if (label == labels_->end()) return false;
      append<std::uint32_t>(out, label->second);
      return true;
    }
  }
  return false;
}

namespace {

constexpr char kNullFirst = 0, kValue = 1, kNullLast = 2;

void invert(std::string& out, std::size_t from) {
  for (auto i = from; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
}

}  // namespace

void append_component(KeyOrder order, std::string_view encoded, bool null, std::string& out) {
  out.push_back(!null ? kValue : order.nulls_first ? kNullFirst : kNullLast);
  if (null) return;
  auto from = out.size();
  out.append(encoded);
  if (order.descending) invert(out, from);
}

bool append_component(const KeyType& type, KeyOrder order, std::string_view binary, bool null, std::string& out) {
  out.push_back(!null ? kValue : order.nulls_first ? kNullFirst : kNullLast);
  if (null) return true;
  auto from = out.size();
  if (!type.encode(binary, out)) return false;
  if (order.descending) invert(out, from);
  return true;
}

int compare_values(const KeyType& type, KeyOrder order, const std::string* left, const std::string* right) {
  std::string keys[2];
  const std::string* values[2] = {left, right};
  for (int i = 0; i < 2; ++i) {
    bool null = values[i] == nullptr;
    if (!append_component(type, order, null ? std::string_view{} : std::string_view(*values[i]), null, keys[i]))
      return 0;
  }
  return keys[0].compare(keys[1]);
}

}  // namespace pgweir::routing
