// The frame reader over any bytes: what it gives does not depend on how they were cut, and every length is in bounds.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/frame_reader.h"

namespace {

using namespace pgweir::protocol;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  std::vector<std::string> messages;
  std::string unfinished;  // of a message that streams
  FrameReader::Fault fault = FrameReader::Fault::None;
  bool operator==(const Outcome&) const = default;
};

// piece: bytes given at once.
Outcome read(const FrameLimits& limits, std::string_view stream, std::size_t piece) {
  FrameReader reader(limits);
  Outcome outcome;
  std::string buffer;
  bool allowed = false;
  while (!stream.empty()) {
    buffer.append(stream.substr(0, piece));
    stream.remove_prefix(std::min(piece, stream.size()));
    std::string_view input = buffer;
    while (true) {
      const Frame frame = reader.next(input);
      if (frame.kind == Frame::Kind::NeedMore) {
        require(frame.needed > input.size() && frame.needed <= limits.max_whole);
        break;
      }
      if (frame.kind == Frame::Kind::Error) {
        if (!allowed && reader.allow_large()) {
          allowed = true;
          continue;
        }
        outcome.fault = reader.fault();
        require(!reader.error().sqlstate.empty());
        return outcome;
      }
      require(frame.first == outcome.unfinished.empty());
      require(!frame.bytes.empty() && frame.size >= kHeaderSize);
      outcome.unfinished.append(frame.bytes);
      require(outcome.unfinished.size() <= frame.size);
      require(frame.last == (outcome.unfinished.size() == frame.size));
      if (!frame.last) continue;
      outcome.messages.push_back(outcome.unfinished);
      outcome.unfinished.clear();
      allowed = false;
    }
    buffer.erase(0, buffer.size() - input.size());
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const FrameLimits limits = data[0] % 2 == 0 ? frontend_limits(64) : backend_limits(64);
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = read(limits, stream, size);
  require(read(limits, stream, 1) == whole);
  require(read(limits, stream, std::size_t{data[1]} + 1) == whole);
  return 0;
}
