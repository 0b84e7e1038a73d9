// COPY in binary format into the router, and the joining of COPY TO's data; all cut at every byte.
#include <gtest/gtest.h>

#include "routing/copy/copy_out.h"
#include "tests/unit/routing/copy_fixture.h"

namespace pgweir::routing::testing {
namespace {

std::string word(std::int64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}
std::string field(const std::string& bytes) { return word(static_cast<std::int64_t>(bytes.size()), 4) + bytes; }
std::string row(int key, const std::string& text = "x") {
  return word(3, 2) + field("a") + field(word(key, 4)) + field(text);
}
std::string header(std::uint32_t flags = 0, const std::string& extension = "") {
  return std::string("PGCOPY\n\377\r\n\0", 11) + word(flags, 4) + field(extension);
}
const std::string kTrailer = "\377\377";

struct Case {
  const char* name;
  std::string input, zero, one, error;
};

TEST(CopyBinary, TuplesGoToTheirShards) {
  const std::string null_row = word(3, 2) + word(-1, 4) + field(word(1, 4)) + word(-1, 4);
  const std::vector<Case> cases = {
    {"two", header() + row(1) + row(100) + kTrailer, row(1), row(100), ""},
    {"empty", header() + kTrailer, "", "", ""},
    {"extension", header(0, "extra") + row(1) + kTrailer, row(1), "", ""},
    {"no trailer", header() + row(1), row(1), "", ""},
    {"nulls beside the key", header() + null_row + kTrailer, null_row, "", ""},
    {"newlines mean nothing", header() + row(100, "\n\\.\n") + kTrailer, "", row(100, "\n\\.\n"), ""},
    {"signature", "PGCOPY\n?\r\n" + std::string(20, '\0'), "", "",
     "22P04 COPY file signature not recognized (COPY t, line 1)"},
    {"nothing", "", "", "", "22P04 COPY file signature not recognized (COPY t, line 1)"},
    {"oids", header(1u << 16), "", "", "22P04 invalid COPY file header (WITH OIDS) (COPY t, line 1)"},
    {"flags", header(1u << 20), "", "", "22P04 unrecognized critical flags in COPY file header (COPY t, line 1)"},
    {"no flags", header().substr(0, 13), "", "", "22P04 invalid COPY file header (missing flags) (COPY t, line 1)"},
    {"no length", header().substr(0, 17), "", "", "22P04 invalid COPY file header (missing length) (COPY t, line 1)"},
    {"short extension", header(0, "ext").substr(0, 20), "", "",
     "22P04 invalid COPY file header (wrong length) (COPY t, line 1)"},
    {"harmless flags", header(5) + row(1) + kTrailer, row(1), "", ""},
    {"columns", header() + row(1) + word(2, 2), row(1), "", "22P04 row field count is 2, expected 3 (COPY t, line 2)"},
    {"size", header() + word(3, 2) + word(-2, 4), "", "", "22P04 invalid field size (COPY t, line 1)"},
    {"cut off", header() + row(1).substr(0, 9), "", "", "22P04 unexpected EOF in COPY data (COPY t, line 1)"},
    {"behind the trailer", header() + row(1) + kTrailer + "x", row(1), "",
     "22P04 received copy data after EOF marker (COPY t, line 2)"},
    {"null key", header() + word(3, 2) + field("a") + word(-1, 4) + field("x"), "", "",
     "23502 null value in column \"k\" of relation \"t\" violates not-null constraint (COPY t, line 1)"},
    {"key of another width", header() + word(3, 2) + field("a") + field(word(1, 8)) + field("x"), "", "",
     "22P03 incorrect binary data format in column \"k\" (COPY t, line 1)"},
  };
  const auto p = plan(CopyOptions::binary());
  for (const auto& c : cases) {
    for (const auto& outcome : route_cut_everywhere(p, c.input)) {
      EXPECT_EQ(outcome.shards, (std::vector<std::string>{c.zero, c.one})) << c.name;
      EXPECT_EQ(outcome.error, c.error) << c.name;
    }
  }
}

TEST(CopyBinary, HugeLengthsAreNotBelieved) {
  CopyLimits limits;
  limits.row_bytes = 100;
  CopyRouter router(plan(CopyOptions::binary()), LiteralContext{}, limits);
  Collected sink;
  EXPECT_FALSE(router.feed(header() + word(3, 2) + word(INT32_MAX, 4), sink));
  std::optional<SqlError> error;
  for (int i = 0; i < 12 && !error; ++i) error = router.feed(std::string(10, 'x'), sink);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->sqlstate, "54000");
}

TEST(CopyBinary, ShardsGetHeaderAndTrailer) {
  EXPECT_EQ(copy_prologue(CopyFormat::Binary), header());
  EXPECT_EQ(copy_epilogue(CopyFormat::Binary), kTrailer);
  EXPECT_EQ(copy_prologue(CopyFormat::Csv), "");
  EXPECT_EQ(copy_epilogue(CopyFormat::Text), "");
}

struct Joined : CopyOutSink {
  std::string text;
  void bytes(std::string_view bytes) override { text.append(bytes); }
};

// The shards' data one after the other, every one cut in two at `cut`, or byte by byte.
std::string join(const CopyOptions& options, const std::vector<std::string>& shards, std::size_t cut,
                 bool single_bytes) {
  Joined sink;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    CopyOutFilter filter(options, i == 0, i + 1 == shards.size());
    std::optional<SqlError> error;
    const auto feed = [&](const std::string& piece) {
      const std::vector<char> memory(piece.begin(), piece.end());
      if (!error) error = filter.feed({memory.data(), memory.size()}, sink);
    };
    if (single_bytes) {
      for (const char c : shards[i]) feed(std::string(1, c));
    } else {
      const std::size_t at = std::min(cut, shards[i].size());
      feed(shards[i].substr(0, at));
      feed(shards[i].substr(at));
    }
    if (error) return error->sqlstate;
  }
  return sink.text;
}

void check_join(const CopyOptions& options, const std::vector<std::string>& shards, const std::string& expected) {
  for (std::size_t cut = 0; cut <= 80; ++cut) EXPECT_EQ(join(options, shards, cut, false), expected) << "cut " << cut;
  EXPECT_EQ(join(options, shards, 0, true), expected);
}

TEST(CopyOut, BinaryHasOneHeaderAndOneTrailer) {
  const std::string empty_field = word(1, 2) + field("");
  check_join(CopyOptions::binary(),
             {header() + row(1) + kTrailer, header() + kTrailer, header(0, "ext") + empty_field + row(2, "\377\377") +
              kTrailer},
             header() + row(1) + empty_field + row(2, "\377\377") + kTrailer);
  const std::string no_columns = word(0, 2) + word(0, 2);
  check_join(CopyOptions::binary(), {header() + no_columns + kTrailer, header() + no_columns + kTrailer},
             header() + no_columns + no_columns + kTrailer);
  check_join(CopyOptions::binary(), {header() + row(1) + kTrailer}, header() + row(1) + kTrailer);
}

TEST(CopyOut, BinaryThatIsNoneIsRefused) {
  check_join(CopyOptions::binary(), {"PGCOPX\n\377\r\n" + std::string(30, '\0')}, "XX000");
  check_join(CopyOptions::binary(), {header() + kTrailer + "x"}, "XX000");
  check_join(CopyOptions::binary(), {header() + word(1, 2) + word(-2, 4)}, "XX000");
}

TEST(CopyOut, CsvHeaderComesOnce) {
  CopyOptions options = CopyOptions::csv();
  options.header = CopyHeader::Skip;
  const std::string head = "a,\"odd\n\"\"name\",c\n";
  check_join(options, {head + "1,2,3\n", head, head + "4,5,6\n"}, head + "1,2,3\n4,5,6\n");
  options.escape = '\\';
  check_join(options, {"a,\"\\\"\n\"\n1,2\n", "a,\"\\\"\n\"\n3,4\n"}, "a,\"\\\"\n\"\n1,2\n3,4\n");
  options.header = CopyHeader::None;
  check_join(options, {"1,2\n", "3,4\n"}, "1,2\n3,4\n");
}

TEST(CopyOut, TextHeaderComesOnce) {
  CopyOptions options = CopyOptions::text();
  options.header = CopyHeader::Skip;
  check_join(options, {"a\t\"b\n1\t2\n", "a\t\"b\n3\t4\n"}, "a\t\"b\n1\t2\n3\t4\n");
}

}  // namespace
}  // namespace pgweir::routing::testing
