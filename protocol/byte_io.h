// Bounds-checked reading and appending of the wire's big-endian integers and strings. Views returned by a ByteReader
// point into the bytes it was given and live as long as those. Value types; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace pgweir::protocol {

// Reads from the front. A read that does not fit returns 0 or an empty view, reads nothing, and makes ok() false for
// good, so that a decoder may check once at its end (it must check before it loops on a count that it read).
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}
  explicit ByteReader(std::span<const std::byte> bytes)
      : rest_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(integer(1)); }
  char character() { return static_cast<char>(integer(1)); }
  std::int16_t i16() { return static_cast<std::int16_t>(integer(2)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(integer(2)); }
  std::int32_t i32() { return static_cast<std::int32_t>(integer(4)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }
  std::int64_t i64() { return static_cast<std::int64_t>(integer(8)); }

  // Up to the next zero byte, which is consumed and not returned. Fails when there is none.
  std::string_view cstring() {
    const std::size_t end = failed_ ? std::string_view::npos : rest_.find('\0');
    if (end == std::string_view::npos) return fail();
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }

  std::string_view bytes(std::size_t count) {
    if (failed_ || count > rest_.size()) return fail();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  // What is left; consumes nothing. Empty after a failure.
  std::string_view rest() const { return failed_ ? std::string_view{} : rest_; }
  std::size_t remaining() const { return rest().size(); }
  bool ok() const { return !failed_; }
  // All read and nothing failed: what a decoder of a whole message asks at its end.
  bool done() const { return !failed_ && rest_.empty(); }

 private:
  std::uint64_t integer(std::size_t width) {
    if (failed_ || width > rest_.size()) {
      failed_ = true;
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(width);
    return value;
  }
  std::string_view fail() {
    failed_ = true;
    return {};
  }

  std::string_view rest_;
  bool failed_ = false;
};

// Appends to a string that the caller owns and that outlives the writer.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  // A message: type byte, length (patched by end_message), body. Messages do not nest.
  void begin_message(char type) {
    out_.push_back(type);
    begin_untyped();
  }
  // As begin_message for the startup family, which has no type byte.
  void begin_untyped() {
    length_at_ = out_.size();
    out_.append(4, '\0');
  }
  // Precondition: a begin before it; the body stays under 2 GiB.
  void end_message() { patch_i32(length_at_, static_cast<std::int32_t>(out_.size() - length_at_)); }

  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void character(char value) { out_.push_back(value); }
  void i16(std::int16_t value) { integer(static_cast<std::uint16_t>(value), 2); }
  void i32(std::int32_t value) { integer(static_cast<std::uint32_t>(value), 4); }
  void u16(std::uint16_t value) { integer(value, 2); }
  void u32(std::uint32_t value) { integer(value, 4); }
  void i64(std::int64_t value) { integer(static_cast<std::uint64_t>(value), 8); }
  void bytes(std::string_view value) { out_.append(value); }
  // The text, cut before a zero byte inside it (which would end it early and shift all that follows), and a zero byte.
  void cstring(std::string_view value) {
    out_.append(value.substr(0, value.find('\0')));
    out_.push_back('\0');
  }
  void patch_i16(std::size_t at, std::int16_t value) { patch(at, static_cast<std::uint16_t>(value), 2); }
  void patch_i32(std::size_t at, std::int32_t value) { patch(at, static_cast<std::uint32_t>(value), 4); }
  std::size_t position() const { return out_.size(); }

 private:
  void integer(std::uint64_t value, std::size_t width) {
    char raw[8];
    for (std::size_t i = 0; i < width; ++i) raw[i] = static_cast<char>(value >> 8 * (width - 1 - i));
    out_.append(raw, width);
  }
  void patch(std::size_t at, std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) out_[at + i] = static_cast<char>(value >> 8 * (width - 1 - i));
  }

  std::string& out_;
  std::size_t length_at_ = 0;
};

// The big-endian integer at `at`. Precondition: at + 4 <= bytes.size().
inline std::uint32_t load_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

}  // namespace pgweir::protocol
