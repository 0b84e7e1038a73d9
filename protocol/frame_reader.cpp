#include "protocol/frame_reader.h"

#include <algorithm>

namespace pgweir::protocol {

TypeSet make_type_set(std::string_view letters) {
  TypeSet set;
  for (const char letter : letters) set.set(static_cast<unsigned char>(letter));
  return set;
}

FrameLimits frontend_limits(std::uint32_t max_whole) {
  static const FrameTypes types{make_type_set("BCdcfDEHFPpQSX"), make_type_set("d"), make_type_set("CcDEHSX")};
  return {&types, max_whole};
}

FrameLimits backend_limits(std::uint32_t max_whole) {
  static const FrameTypes types{make_type_set("RK23CWdcGHDIEVvnNAtS1sZT"), make_type_set("dDV"), make_type_set("K23cInsZ1")};
  return {&types, max_whole};
}

Frame FrameReader::next_chunk(std::string_view& input) {
  if (input.empty()) return Frame{Frame::Kind::NeedMore, streaming_type_, false, false, streaming_size_, 1, {}};
  const std::size_t size = std::min<std::size_t>(input.size(), streaming_left_);
  streaming_left_ -= static_cast<std::uint32_t>(size);
  const bool last = streaming_left_ == 0;
  Frame frame{Frame::Kind::Chunk, streaming_type_, false, last, streaming_size_, 0, input.substr(0, size)};
  input.remove_prefix(size);
  return frame;
}

// Types and lengths that the common path does not let through: small messages, large ones, faults.
Frame FrameReader::next_special(std::string_view& input) {
  const char type = input[0];
  const std::uint32_t length = load_u32(input, 1);
  if (fault_ != Fault::None) return fail(fault_, fault_type_, fault_length_);
  const auto index = static_cast<unsigned char>(type);
  if (!types_->known[index]) return fail(Fault::UnknownType, type, length);
  if (length < 4) return fail(Fault::InvalidLength, type, length);
  if (types_->small[index] && length - 4 > kSmallMessageLimit) return fail(Fault::InvalidLength, type, length);
  if (length > kLargeMessageLimit) return fail(Fault::InvalidLength, type, length);
  if (length <= max_whole_length_) {
    const std::size_t size = std::size_t{length} + 1;
    if (size > input.size()) return incomplete(input, type, size);
    Frame frame{Frame::Kind::Message, type, true, true, length + 1, 0, input.substr(0, size)};
    input.remove_prefix(size);
    return frame;
  }
  const bool streams = large_allowed_ || (types_->streamable[index] && length < max_streamed_);
  if (!streams) return fail(Fault::TooLarge, type, length);
  large_allowed_ = false;
  streaming_type_ = type;
  streaming_left_ = streaming_size_ = length + 1;
  Frame frame = next_chunk(input);
  frame.first = true;
  return frame;
}

Frame FrameReader::incomplete(std::string_view& input, char type, std::size_t size) {
  const auto whole = static_cast<std::uint32_t>(size);
  if (!types_->streamable[static_cast<unsigned char>(type)] && !stream_incomplete_)
    return Frame{Frame::Kind::NeedMore, type, false, false, whole, size, {}};
  stream_incomplete_ = false;
  streaming_type_ = type;
  streaming_left_ = streaming_size_ = whole;
  Frame frame = next_chunk(input);
  frame.first = true;
  return frame;
}

Frame FrameReader::fail(Fault fault, char type, std::uint32_t length) {
  fault_ = fault;
  fault_type_ = type;
  fault_length_ = length;
  return Frame{Frame::Kind::Error, type, false, false, 0, 0, {}};
}

bool FrameReader::allow_large() {
  if (fault_ != Fault::TooLarge) return false;
  fault_ = Fault::None;
  large_allowed_ = true;
  return true;
}

SqlError FrameReader::error() const {
  SqlError error;
  error.sqlstate = "08P01";
  switch (fault_) {
    case Fault::None:
      break;
    case Fault::UnknownType:
      error.message = "invalid message type " + std::to_string(static_cast<unsigned char>(fault_type_));
      break;
    case Fault::InvalidLength:
      error.message = "invalid message length";
      error.detail = "The length field of message type \"" + std::string(1, fault_type_) + "\" is " +
                     std::to_string(fault_length_) + ".";
      break;
    case Fault::TooLarge:
      error.sqlstate = "54000";
      error.message = "message of type \"" + std::string(1, fault_type_) + "\" is too large";
      error.detail = "It has " + std::to_string(std::uint64_t{fault_length_} + 1) + " bytes, the limit is " +
                     std::to_string(std::uint64_t{max_whole_length_} + 1) + ".";
      break;
  }
  return error;
}

}  // namespace pgweir::protocol
