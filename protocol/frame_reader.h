// FrameReader walks the messages of a burst without copying and without owning a byte.
//
//   burst:   | whole | whole | first part of a large DataRow .....|      next burst: |..... its rest | whole | hea|
//   frames:   Message Message Chunk{first}                                            Chunk{last}     Message  NeedMore
//
// The caller keeps what next() did not take from `input` and gives it again with more bytes behind it. Splitting the
// input anywhere gives the same messages: a Message is the whole message in one view, or Chunks whose concatenation is.
// Not thread-safe; no allocation except in error().
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/byte_io.h"
#include "protocol/message_type.h"
#include "protocol/result.h"

namespace pgweir::protocol {

// One bit per type byte.
using TypeSet = std::bitset<256>;
TypeSet make_type_set(std::string_view letters);

// What the protocol says of each type.
struct FrameTypes {
  TypeSet known;       // any other type byte is an error at once: its length means nothing
  TypeSet streamable;  // may be given in Chunks; of the known
  TypeSet small;       // bounded by kSmallMessageLimit, as PostgreSQL does; of the known
  TypeSet plain = known & ~small;  // needs no check but the common length bound
};

struct FrameLimits {
  const FrameTypes* types;  // outlives every reader
  std::uint32_t max_whole = 16u << 20;               // bytes of a whole message (header included) that does not stream
  std::uint32_t max_streamed = kLargeMessageLimit;  // bytes of a streamed message
};

// Messages from a client after its startup packet (Password included). CopyData streams.
FrameLimits frontend_limits(std::uint32_t max_whole);
// Messages from a server, authentication included. DataRow, CopyData and FunctionCallResponse stream.
FrameLimits backend_limits(std::uint32_t max_whole);

struct Frame {
  enum class Kind : std::uint8_t { Message, Chunk, NeedMore, Error };
  Kind kind = Kind::NeedMore;
  char type = 0;           // Message and Chunk; NeedMore and Error when the header was there, else 0
  bool first = false;      // a Message, or the Chunk that starts with the header
  bool last = false;       // a Message, or the Chunk that ends the message
  std::uint32_t size = 0;  // of the whole message in bytes, header included; 0 when unknown
  std::size_t needed = 0;  // NeedMore: how many bytes `input` must hold before it is worth calling again
  std::string_view bytes;  // Message: header and body; Chunk: what there is of it. Points into `input`.

  // Precondition: a Message or a first Chunk (then the part of the body that is there).
  std::string_view body() const { return bytes.substr(kHeaderSize); }
};

class FrameReader {
 public:
  enum class Fault : std::uint8_t { None, UnknownType, InvalidLength, TooLarge };

  explicit FrameReader(const FrameLimits& limits)
      : types_(limits.types), max_whole_length_(limits.max_whole - 1), max_streamed_(limits.max_streamed) {}

  // The next frame; what it covers is removed from the front of `input`. NeedMore and Error take nothing; an Error
  // stays (the connection cannot be resynchronised) unless allow_large() is called.
  Frame next(std::string_view& input) {
    if (streaming_left_ != 0) return next_chunk(input);
    if (input.size() < kHeaderSize) return need_header();
    const char type = input[0];
    const std::uint32_t length = load_u32(input, 1);
    const auto index = static_cast<unsigned char>(type);
    if (fault_ != Fault::None || length < 4 || length > max_whole_length_ || !types_->plain[index]) return next_special(input);
    const std::size_t size = std::size_t{length} + 1;
    if (size > input.size()) return incomplete(input, type, size);
    Frame frame{Frame::Kind::Message, type, true, true, length + 1, 0, input.substr(0, size)};
    input.remove_prefix(size);
    return frame;
  }

  // After an Error with Fault::TooLarge on a message that PostgreSQL itself would take: clears the error and streams
  // that one message in Chunks, so that the caller may forward or discard it. False when that was not the case.
  bool allow_large();

  // After NeedMore for a message whose header was there: gives that one message in Chunks, so that the caller may forward
  // or discard it as it comes.
  void stream_incomplete() { stream_incomplete_ = true; }

  bool streaming() const { return streaming_left_ != 0; }               // inside a message given in Chunks
  std::uint32_t streaming_left() const { return streaming_left_; }      // its bytes to come
  Fault fault() const { return fault_; }
  // As PostgreSQL would say it: 08P01 for UnknownType and InvalidLength, 54000 for TooLarge. Precondition: fault() !=
  // None.
  SqlError error() const;

 private:
  Frame need_header() const { return Frame{Frame::Kind::NeedMore, 0, false, false, 0, kHeaderSize, {}}; }
  Frame next_chunk(std::string_view& input);
  Frame next_special(std::string_view& input);
  Frame incomplete(std::string_view& input, char type, std::size_t size);
  Frame fail(Fault fault, char type, std::uint32_t length);

  const FrameTypes* types_;
  std::uint32_t max_whole_length_;  // of the length field
  std::uint32_t max_streamed_;
  std::uint32_t streaming_left_ = 0;
  std::uint32_t streaming_size_ = 0;
  std::uint32_t fault_length_ = 0;
  char streaming_type_ = 0;
  char fault_type_ = 0;
  Fault fault_ = Fault::None;
  bool large_allowed_ = false;
  bool stream_incomplete_ = false;
};

}  // namespace pgweir::protocol
