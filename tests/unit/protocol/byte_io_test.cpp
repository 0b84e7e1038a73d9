#include "protocol/byte_io.h"

#include <gtest/gtest.h>

namespace pgweir::protocol {
namespace {

using namespace std::literals;

TEST(ByteReader, ReadsWhatAWriterWrote) {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.u8(200);
  writer.i16(-2);
  writer.i32(-70000);
  writer.u32(4'000'000'000u);
  writer.i64(-5'000'000'000);
  writer.cstring("name");
  writer.bytes("xyz");
  ByteReader reader(bytes);
  EXPECT_EQ(reader.u8(), 200);
  EXPECT_EQ(reader.i16(), -2);
  EXPECT_EQ(reader.i32(), -70000);
  EXPECT_EQ(reader.u32(), 4'000'000'000u);
  EXPECT_EQ(reader.i64(), -5'000'000'000);
  EXPECT_EQ(reader.cstring(), "name");
  EXPECT_FALSE(reader.done());
  EXPECT_EQ(reader.bytes(3), "xyz");
  EXPECT_TRUE(reader.done());
}

TEST(ByteReader, FailureIsStickyAndReadsNothingMore) {
  ByteReader reader("\x01\x02\x03\x04"sv);
  EXPECT_EQ(reader.u8(), 1);
  EXPECT_EQ(reader.i32(), 0);  // three bytes are left
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.bytes(1), "");
  EXPECT_EQ(reader.rest(), "");
  EXPECT_FALSE(reader.done());
}

TEST(ByteReader, StringWithoutEndFails) {
  ByteReader reader("abc"sv);
  EXPECT_EQ(reader.cstring(), "");
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, HugeCountDoesNotWrap) {
  ByteReader reader("abc"sv);
  EXPECT_EQ(reader.bytes(~std::size_t{0}), "");
  EXPECT_FALSE(reader.ok());
}

TEST(ByteWriter, LengthCountsItselfAndNotTheType) {
  std::string out = "before";
  ByteWriter writer(out);
  writer.begin_message('Q');
  writer.cstring("ab");
  writer.end_message();
  EXPECT_EQ(out, "beforeQ\0\0\0\x07"
                 "ab\0"s);
}

TEST(ByteWriter, TextWithAZeroByteCannotShiftTheRest) {
  std::string out;
  ByteWriter writer(out);
  writer.cstring("a\0b"sv);
  EXPECT_EQ(out, "a\0"s);
}

}  // namespace
}  // namespace pgweir::protocol
