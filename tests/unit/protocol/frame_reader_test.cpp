#include "protocol/frame_reader.h"

#include <gtest/gtest.h>

#include <vector>

#include "protocol/backend_codec.h"

namespace pgweir::protocol {
namespace {

using namespace std::literals;
using Kind = Frame::Kind;

// The messages of `stream`, put together from Chunks, when it arrives in the pieces that `cuts` ends.
std::vector<std::string> read_in_pieces(const FrameLimits& limits, std::string_view stream,
                                        std::vector<std::size_t> cuts) {
  FrameReader reader(limits);
  cuts.push_back(stream.size());
  std::vector<std::string> messages;
  std::string streamed, buffer;
  std::size_t given = 0;
  for (const std::size_t cut : cuts) {
    buffer.append(stream.substr(given, cut - given));
    given = cut;
    std::string_view input = buffer;
    while (true) {
      const Frame frame = reader.next(input);
      if (frame.kind == Kind::NeedMore) {
        EXPECT_GT(frame.needed, input.size());
        break;
      }
      if (frame.kind == Kind::Error) {
        ADD_FAILURE() << reader.error().message;
        return messages;
      }
      EXPECT_EQ(frame.first, streamed.empty());
      streamed.append(frame.bytes);
      if (!frame.last) continue;
      EXPECT_EQ(streamed.size(), frame.size);
      EXPECT_EQ(streamed[0], frame.type);
      messages.push_back(std::move(streamed));
      streamed.clear();
    }
    buffer.erase(0, buffer.size() - input.size());
  }
  EXPECT_TRUE(buffer.empty());
  return messages;
}

std::vector<std::string> backend_messages() {
  std::vector<std::string> messages(6);
  encode_parse_complete(messages[0]);
  encode_row_description(std::vector<ColumnDescription>{{"id", 1, 1, 23, 4, -1, 0}}, messages[1]);
  DataRowWriter row(messages[2]);
  row.value(std::string(40, 'x'));
  row.null();
  row.finish();
  encode_copy_data("some data", messages[3]);
  encode_command_complete("SELECT 1", messages[4]);
  encode_ready_for_query(TransactionStatus::Idle, messages[5]);
  return messages;
}

TEST(FrameReader, AnySplitGivesTheSameMessages) {
  const auto messages = backend_messages();
  std::string stream;
  for (const auto& message : messages) stream += message;
  for (std::size_t one = 0; one <= stream.size(); ++one) {
    for (std::size_t two = one; two <= stream.size(); ++two)
      ASSERT_EQ(read_in_pieces(backend_limits(1024), stream, {one, two}), messages) << one << ' ' << two;
  }
}

TEST(FrameReader, ByteByByteGivesTheSameMessages) {
  const auto messages = backend_messages();
  std::string stream;
  for (const auto& message : messages) stream += message;
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < stream.size(); ++i) cuts.push_back(i);
  EXPECT_EQ(read_in_pieces(backend_limits(1024), stream, cuts), messages);
}

TEST(FrameReader, WholeMessageIsAViewOfTheInput) {
  std::string stream;
  encode_command_complete("SELECT 1", stream);
  std::string_view input = stream;
  FrameReader reader(backend_limits(1024));
  const Frame frame = reader.next(input);
  ASSERT_EQ(frame.kind, Kind::Message);
  EXPECT_EQ(frame.bytes.data(), stream.data());
  EXPECT_EQ(frame.body(), "SELECT 1\0"sv);
  EXPECT_TRUE(input.empty());
}

TEST(FrameReader, NeedMoreSaysTheWholeSizeOnce) {
  std::string stream;
  encode_query(std::string(100, 'q'), stream);
  FrameReader reader(frontend_limits(1024));
  std::string_view header = std::string_view(stream).substr(0, 4);
  EXPECT_EQ(reader.next(header).needed, kHeaderSize);
  std::string_view part = std::string_view(stream).substr(0, 20);
  const Frame frame = reader.next(part);
  EXPECT_EQ(frame.kind, Kind::NeedMore);
  EXPECT_EQ(frame.needed, stream.size());
  EXPECT_EQ(frame.type, 'Q');
  EXPECT_EQ(part.size(), 20u);
}

TEST(FrameReader, AnIncompleteMessageIsStreamedWhereTheCallerAsksForIt) {
  std::string stream, next;
  encode_query(std::string(100, 'q'), stream);
  const std::size_t size = stream.size();
  encode_query("next", next);
  stream += next;
  FrameReader reader(frontend_limits(1024));
  std::string_view part = std::string_view(stream).substr(0, 20);
  ASSERT_EQ(reader.next(part).kind, Kind::NeedMore);
  reader.stream_incomplete();
  Frame frame = reader.next(part);
  EXPECT_EQ(frame.kind, Kind::Chunk);
  EXPECT_TRUE(frame.first && !frame.last);
  EXPECT_EQ(frame.size, size);
  EXPECT_TRUE(part.empty());
  std::string_view rest = std::string_view(stream).substr(20);
  frame = reader.next(rest);
  EXPECT_EQ(frame.kind, Kind::Chunk);
  EXPECT_TRUE(frame.last);
  EXPECT_EQ(rest, next);
  part = rest.substr(0, 7);
  EXPECT_EQ(reader.next(part).kind, Kind::NeedMore);  // that one only
  EXPECT_EQ(reader.next(rest).kind, Kind::Message);
}

TEST(FrameReader, StreamsWhatIsLargerThanAnyBuffer) {
  std::string stream;
  encode_copy_data(std::string(5000, 'c'), stream);
  FrameReader reader(frontend_limits(64));  // above max_whole, and complete: still a Chunk
  std::string_view input = stream;
  Frame frame = reader.next(input);
  EXPECT_EQ(frame.kind, Kind::Chunk);
  EXPECT_TRUE(frame.first && frame.last);
  EXPECT_EQ(frame.size, stream.size());
}

std::string header(char type, std::uint32_t length) {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.character(type);
  writer.u32(length);
  return bytes;
}

FrameReader::Fault fault_of(const FrameLimits& limits, const std::string& bytes) {
  FrameReader reader(limits);
  std::string_view input = bytes;
  const Frame frame = reader.next(input);
  EXPECT_TRUE(frame.kind != Kind::Error || input == bytes) << "an Error takes nothing";
  EXPECT_EQ(frame.kind == Kind::Error, reader.fault() != FrameReader::Fault::None);
  return reader.fault();
}

TEST(FrameReader, HostileLengths) {
  for (const char type : "BCdcfDEHFPpQSX"sv) {
    for (const std::uint32_t length : {0u, 1u, 3u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      const auto fault = fault_of(frontend_limits(1 << 20), header(type, length));
      EXPECT_EQ(fault, FrameReader::Fault::InvalidLength) << type << length;
    }
  }
  EXPECT_EQ(fault_of(frontend_limits(1 << 20), header('S', 4)), FrameReader::Fault::None);
  EXPECT_EQ(fault_of(frontend_limits(1 << 20), header('S', 10'005)), FrameReader::Fault::InvalidLength);
  EXPECT_EQ(fault_of(frontend_limits(1 << 20), header('Q', (1 << 20) - 1)), FrameReader::Fault::None);
  EXPECT_EQ(fault_of(frontend_limits(1 << 20), header('Q', 1 << 20)), FrameReader::Fault::TooLarge);
  EXPECT_EQ(fault_of(frontend_limits(1 << 20), header('!', 4)), FrameReader::Fault::UnknownType);
  EXPECT_EQ(fault_of(backend_limits(1 << 20), header('Q', 4)), FrameReader::Fault::UnknownType);
}

TEST(FrameReader, ErrorsStayAndAreNamed) {
  FrameReader reader(frontend_limits(1024));
  const std::string bad = header('Q', 3);
  std::string_view input = bad;
  EXPECT_EQ(reader.next(input).kind, Kind::Error);
  const std::string sync = header('S', 4);
  input = sync;
  EXPECT_EQ(reader.next(input).kind, Kind::Error);
  EXPECT_EQ(reader.error().sqlstate, "08P01");
  EXPECT_EQ(reader.error().message, "invalid message length");
  EXPECT_FALSE(reader.allow_large());
}

TEST(FrameReader, TooLargeMayBeStreamedOnceOnDemand) {
  std::string stream;
  encode_query(std::string(3000, 'q'), stream);
  const std::size_t one = stream.size();
  stream += stream;
  FrameReader reader(frontend_limits(1024));
  std::string_view input = std::string_view(stream).substr(0, 2000);
  EXPECT_EQ(reader.next(input).kind, Kind::Error);
  EXPECT_EQ(reader.error().sqlstate, "54000");
  ASSERT_TRUE(reader.allow_large());
  Frame frame = reader.next(input);
  EXPECT_EQ(frame.kind, Kind::Chunk);
  EXPECT_TRUE(frame.first && !frame.last);
  EXPECT_EQ(reader.streaming_left(), one - 2000);
  input = std::string_view(stream).substr(2000);
  frame = reader.next(input);
  EXPECT_TRUE(frame.kind == Kind::Chunk && frame.last && !frame.first);
  EXPECT_EQ(input.size(), one);
  EXPECT_EQ(reader.next(input).kind, Kind::Error) << "the second one needs its own permission";
}

}  // namespace
}  // namespace pgweir::protocol
