// COPY in text and csv format: a table of inputs, each cut at every byte.
#include <gtest/gtest.h>

#include "tests/unit/routing/copy_fixture.h"

namespace pgweir::routing::testing {
namespace {

struct Case {
  const char* name;
  std::string input;
  std::string zero, one;  // what the shards get
  std::string error;
};

void check(const CopyOptions& options, const std::vector<Case>& cases) {
  const auto p = plan(options);
  for (const auto& c : cases) {
    const Outcome expected{{c.zero, c.one}, c.error};
    int cut = -1;
    for (const auto& outcome : route_cut_everywhere(p, c.input)) {
      EXPECT_EQ(outcome.shards, expected.shards) << c.name << ", cut " << cut;
      EXPECT_EQ(outcome.error, expected.error) << c.name << ", cut " << cut;
      ++cut;
    }
  }
}

TEST(CopyText, RowsGoToTheirShards) {
  check(CopyOptions::text(), {
    {"nothing", "", "", "", ""},
    {"two", "x\t1\ty\nx\t100\ty\n", "x\t1\ty\n", "x\t100\ty\n", ""},
    {"no newline at the end", "x\t1\ty\nx\t2\ty", "x\t1\ty\nx\t2\ty", "", ""},
    {"crlf", "x\t1\ty\r\nx\t100\ty\r\n", "x\t1\ty\r\n", "x\t100\ty\r\n", ""},
    {"cr", "x\t1\ty\rx\t100\ty\r", "x\t1\ty\r", "x\t100\ty\r", ""},
    {"escaped newline and delimiter", "a\\\nb\\\tc\t100\ty\nx\t1\t\\\\\n", "x\t1\t\\\\\n", "a\\\nb\\\tc\t100\ty\n", ""},
    {"escaped key", "x\t\\x31\\060\\60\ty\n", "", "x\t\\x31\\060\\60\ty\n", ""},
    {"blanks around a number", "x\t 7 \ty\n", "x\t 7 \ty\n", "", ""},
    {"end marker", "x\t1\ty\n\\.\nx\t2\ty\n", "x\t1\ty\n", "", ""},
    {"end marker behind data", "x\t1\ty\\.\n", "x\t1\ty", "", ""},
    {"end marker, crlf", "x\t1\ty\r\n\\.\r\nrest", "x\t1\ty\r\n", "", ""},
    {"too many columns are the shard's to refuse", "x\t1\ty\tz\n", "x\t1\ty\tz\n", "", ""},
    {"too few behind the key too", "x\t1\n", "x\t1\n", "", ""},
  });
}

TEST(CopyText, ErrorsNameTheLine) {
  check(CopyOptions::text(), {
    {"missing key", "x\t1\ty\nx\n", "x\t1\ty\n", "", "22P04 missing data for column \"k\" (COPY t, line 2)"},
    {"empty line", "\n", "", "", "22P04 missing data for column \"k\" (COPY t, line 1)"},
    {"no number", "x\tseven\ty\n", "", "", "22P02 invalid input syntax for type integer: \"seven\" (COPY t, line 1)"},
    {"fraction", "x\t1.5\ty\n", "", "", "22P02 invalid input syntax for type integer: \"1.5\" (COPY t, line 1)"},
    {"too large", "x\t3000000000\ty\n", "", "",
     "22003 value \"3000000000\" is out of range for type integer (COPY t, line 1)"},
    {"null", "x\t\\N\ty\n", "", "",
     "23502 null value in column \"k\" of relation \"t\" violates not-null constraint (COPY t, line 1)"},
    {"unmapped", "x\t5000\ty\n", "", "", "0A000 placement \"by_k\" maps this key value to no shard (COPY t, line 1)"},
    {"cr in lf", "x\t1\ty\nx\t1\r\ty\n", "x\t1\ty\n", "",
     "22P04 literal carriage return found in data (COPY t, line 2)"},
    {"lf in cr", "x\t1\ty\rx\t1\n\ty\r", "x\t1\ty\r", "", "22P04 literal newline found in data (COPY t, line 2)"},
    {"lf in crlf", "x\t1\ty\r\nx\t1\ty\n", "x\t1\ty\r\n", "", "22P04 literal newline found in data (COPY t, line 2)"},
    {"bad marker", "x\t1\ty\n\\.x\n", "x\t1\ty\n", "", "22P04 end-of-copy marker corrupt (COPY t, line 2)"},
    {"marker's newline", "x\t1\ty\n\\.\r", "x\t1\ty\n", "",
     "22P04 end-of-copy marker does not match previous newline style (COPY t, line 2)"},
  });
}

TEST(CopyText, HeaderIsTakenAwayOnce) {
  CopyOptions options = CopyOptions::text();
  options.header = CopyHeader::Skip;
  check(options, {{"skip", "what\never\nx\t1\ty\n", "", "", "22P04 missing data for column \"k\" (COPY t, line 2)"},
                  {"skip ok", "anything\nx\t1\ty\nx\t100\ty\n", "x\t1\ty\n", "x\t100\ty\n", ""},
                  {"nothing", "", "", "", ""}});
  options.header = CopyHeader::Match;
  check(options, {{"match", "a\tk\tc\nx\t1\ty\n", "x\t1\ty\n", "", ""},
                  {"number", "a\tk\n", "", "",
                   "22P04 wrong number of fields in header line: got 2, expected 3 (COPY t, line 1)"},
                  {"name", "a\tb\tc\n", "", "",
                   "22P04 column name mismatch in header line field 2: got \"b\", expected \"k\" (COPY t, line 1)"},
                  {"none", "", "", "",
                   "22P04 wrong number of fields in header line: got 1, expected 3 (COPY t, line 1)"}});
}

TEST(CopyCsv, QuotesSpanLines) {
  check(CopyOptions::csv(), {
    {"two", "x,1,y\nx,100,y\n", "x,1,y\n", "x,100,y\n", ""},
    {"newline in quotes", "\"a\nb\",100,y\nx,1,y\n", "x,1,y\n", "\"a\nb\",100,y\n", ""},
    {"quoted key", "x,\"1\"\"\",y\n", "", "", "22P02 invalid input syntax for type integer: \"1\"\" (COPY t, line 1)"},
    {"half quoted key", "x,1\"0\"0,y\n", "", "x,1\"0\"0,y\n", ""},
    {"delimiter in quotes", "\"a,b\",1,y\n", "\"a,b\",1,y\n", "", ""},
    {"crlf, and lf inside", "\"a\nb\",1,y\r\nx,100,y\r\n", "\"a\nb\",1,y\r\n", "x,100,y\r\n", ""},
    {"marker", "x,1,y\n\\.\nz", "x,1,y\n", "", ""},
    {"marker as data", "\\.x,1,y\n\\.,100,y\n", "\\.x,1,y\n", "\\.,100,y\n", ""},
    {"null", "x,,y\n", "", "",
     "23502 null value in column \"k\" of relation \"t\" violates not-null constraint (COPY t, line 1)"},
    {"open quote", "x,1,\"y\n", "x,1,\"y\n", "", ""},
    {"open quote in the key", "x,\"1\n", "", "", "22P04 unterminated CSV quoted field (COPY t, line 1)"},
    {"line numbers count inside", "x,1,y\n\"\n\n\",1,y\nx,z,y\n", "x,1,y\n\"\n\n\",1,y\n", "",
     "22P02 invalid input syntax for type integer: \"z\" (COPY t, line 5)"},
    {"cr in lf", "x,1,y\nx,1\r,y\n", "x,1,y\n", "", "22P04 unquoted carriage return found in data (COPY t, line 2)"},
  });
}

TEST(CopyCsv, OtherCharacters) {
  CopyOptions options = CopyOptions::csv();
  options.delimiter = ';';
  options.quote = '\'';
  options.escape = '\\';
  options.null_string = "none";
  check(options, {{"escape", "'it\\'s;\n';'1\\\\';y\n", "", "",
                   "22P02 invalid input syntax for type integer: \"1\\\" (COPY t, line 1)"},
                  {"escaped quote does not end", "'\\';1;';100;y\n", "", "'\\';1;';100;y\n", ""},
                  {"null", "x;none;y\n", "", "",
                   "23502 null value in column \"k\" of relation \"t\" violates not-null constraint (COPY t, line 1)"},
                  {"quoted null string", "x;'none';y\n", "", "",
                   "22P02 invalid input syntax for type integer: \"none\" (COPY t, line 1)"}});
  options.force_null = {false, true, false};
  check(options, {{"forced", "x;'none';y\n", "", "",
                   "23502 null value in column \"k\" of relation \"t\" violates not-null constraint (COPY t, "
                   "line 1)"}});
  options.force_null = {};
  options.force_not_null = {false, true, false};
  check(options, {{"forced not", "x;none;y\n", "", "",
                   "22P02 invalid input syntax for type integer: \"none\" (COPY t, line 1)"}});
}

TEST(CopyRouter, AdjacentRowsOfOneShardAreOneBurst) {
  CopyRouter router(plan(CopyOptions::text()), LiteralContext{});
  Collected sink;
  EXPECT_FALSE(router.feed("a\t1\tx\nb\t2\tx\nc\t100\tx\nd\t3\tx\ne\t4", sink));
  EXPECT_EQ(sink.bursts, (std::vector<std::string>{"0:a\t1\tx\nb\t2\tx\n", "1:c\t100\tx\n", "0:d\t3\tx\n"}));
  EXPECT_EQ(router.held_bytes(), 3u);
  EXPECT_FALSE(router.feed("\tx\n", sink));
  EXPECT_EQ(sink.bursts.back(), "0:e\t4\tx\n");
  EXPECT_EQ(router.held_bytes(), 0u);
  EXPECT_EQ(router.rows(), 5u);
}

TEST(CopyRouter, RowsLongerThanTheLimitAreRefused) {
  CopyLimits limits;
  limits.row_bytes = 20;
  const std::string too_long(21, 'x');
  for (const std::string& piece : {"x\t1\ty\n" + too_long, "x\t1\ty\n" + too_long + "\n"}) {
    CopyRouter router(plan(CopyOptions::text()), LiteralContext{}, limits);
    Collected sink;
    const auto error = router.feed(piece, sink);
    ASSERT_TRUE(error);
    EXPECT_EQ(show(*error), "54000 a row of COPY is longer than 20 bytes (COPY t, line 2)");
    EXPECT_EQ(sink.shards[0], "x\t1\ty\n");
    EXPECT_EQ(router.held_bytes(), 0u);
    EXPECT_EQ(router.feed("x\t1\ty\n", sink), error);  // it stays failed
    EXPECT_EQ(router.finish(sink), error);
    EXPECT_EQ(sink.shards[0], "x\t1\ty\n");
  }
}

TEST(CopyRouter, LinesOfAShardAreLinesOfTheInput) {
  CopyRouter router(plan(CopyOptions::csv()), LiteralContext{});
  Collected sink;
  EXPECT_FALSE(router.feed("x,1,y\nx,100,y\n\"a\nb\",2,y\nx,101,y\nx,3,y\n", sink));
  EXPECT_EQ(router.input_line(ShardId{0}, 1), 1u);
  EXPECT_EQ(router.input_line(ShardId{0}, 3), 4u);  // the row that ends there
  EXPECT_EQ(router.input_line(ShardId{0}, 4), 6u);
  EXPECT_EQ(router.input_line(ShardId{1}, 1), 2u);
  EXPECT_EQ(router.input_line(ShardId{1}, 2), 5u);
  EXPECT_EQ(router.input_line(ShardId{0}, 5), std::nullopt);
}

TEST(CopyRouter, LineMapIsBounded) {
  CopyLimits limits;
  limits.line_map_runs = 2;
  CopyRouter router(plan(CopyOptions::csv()), LiteralContext{}, limits);
  Collected sink;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(router.feed("x,1,y\nx,100,y\n", sink));
  EXPECT_EQ(router.input_line(ShardId{0}, 10), 19u);
  EXPECT_EQ(router.input_line(ShardId{0}, 9), 17u);
  EXPECT_EQ(router.input_line(ShardId{0}, 8), std::nullopt);
}

TEST(CopyRouter, KeysAreReadAsTheColumnStoresThem) {
  auto p = plan(CopyOptions::text());
  config::Cluster cluster;
  cluster.shards.resize(2);
  cluster.shards[0].name = "zero";
  cluster.shards[1].name = "one";
  config::Placement list;
  list.name = "by_k";
  list.type = config::PlacementType::List;
  list.key_type = config::KeyType::Text;
  list.entries = {{"eu", {"zero", ""}}};
  list.default_branch = config::Branch{"one", ""};
  cluster.placements = {list};
  p->placement = *Placement::compile(cluster, "by_k");
  p->key[0].type = 25;
  EXPECT_EQ(route(p, {"x\teu  \ty\n"}).shards[1], "x\teu  \ty\n");  // text keeps blanks
  p->key[0].type = 1042;
  EXPECT_EQ(route(p, {"x\teu  \ty\n"}).shards[0], "x\teu  \ty\n");  // char(n) does not
  p->key[0].type = 1043;
  p->key[0].typmod = 2 + 4;
  EXPECT_EQ(route(p, {"x\teu  \ty\n"}).shards[0], "x\teu  \ty\n");  // varchar(2) cuts them off
}

}  // namespace
}  // namespace pgweir::routing::testing
