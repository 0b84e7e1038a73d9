#include "protocol/frontend_codec.h"

#include <gtest/gtest.h>

#include <vector>

namespace pgweir::protocol {
namespace {

using namespace std::literals;
using Value = std::optional<std::string_view>;

std::string_view body_of(const std::string& message) { return std::string_view(message).substr(kHeaderSize); }

// Every proper prefix of a body must be refused with 08P01, and so must a body with a byte too many.
template <class Decode>
void refuses_every_truncation(const std::string& message, Decode decode) {
  const std::string_view body = body_of(message);
  ASSERT_TRUE(decode(body).ok());
  for (std::size_t size = 0; size < body.size(); ++size) {
    const std::string copy(body.substr(0, size));  // of its own, so that ASan sees a read beyond it
    const auto result = decode(copy);
    ASSERT_FALSE(result.ok()) << size;
    EXPECT_EQ(result.error().sqlstate, "08P01");
  }
  const std::string longer = std::string(body) + '\0';
  EXPECT_FALSE(decode(longer).ok());
}

std::string sample_bind() {
  std::string out;
  const std::vector<Value> values{"42", std::nullopt, "", "\x00\x01"sv};
  encode_bind("portal", "statement", std::vector<std::int16_t>{0, 0, 0, 1}, values, std::vector<std::int16_t>{1}, out);
  return out;
}

TEST(FrontendCodec, QueryRoundTrip) {
  std::string out;
  encode_query("select 1", out);
  EXPECT_EQ(out[0], 'Q');
  EXPECT_EQ(decode_query(body_of(out))->text, "select 1");
  refuses_every_truncation(out, decode_query);
}

TEST(FrontendCodec, ParseRoundTrip) {
  std::string out;
  encode_parse("s1", "select $1", std::vector<Oid>{23, 0, 4'000'000'000u}, out);
  const auto parse = decode_parse(body_of(out));
  ASSERT_TRUE(parse.ok());
  EXPECT_EQ(parse->name, "s1");
  EXPECT_EQ(parse->query, "select $1");
  ASSERT_EQ(parse->parameter_types.size(), 3u);
  EXPECT_EQ(parse->parameter_types[0], 23u);
  EXPECT_EQ(parse->parameter_types[2], 4'000'000'000u);
  refuses_every_truncation(out, decode_parse);
}

TEST(FrontendCodec, BindRoundTrip) {
  const std::string out = sample_bind();
  const auto bind = decode_bind(body_of(out));
  ASSERT_TRUE(bind.ok());
  EXPECT_EQ(bind->portal, "portal");
  EXPECT_EQ(bind->statement, "statement");
  EXPECT_EQ(std::vector<Value>(bind->parameters.begin(), bind->parameters.end()),
            (std::vector<Value>{"42", std::nullopt, "", "\x00\x01"sv}));
  EXPECT_EQ(bind->parameters.at(3), "\x00\x01"sv);
  EXPECT_EQ(bind->parameter_formats.of(2), 0);
  EXPECT_EQ(bind->parameter_formats.of(3), 1);
  EXPECT_EQ(bind->result_formats.of(17), 1) << "one code is for all columns";
  std::string again;
  encode_bind_raw(bind->portal, bind->statement, bind->tail, again);
  EXPECT_EQ(again, out);
  refuses_every_truncation(out, decode_bind);
}

TEST(FrontendCodec, BindWithHostileLengths) {
  const std::string out = sample_bind();
  const std::size_t first_length = out.find("\0\0\0\x02"
                                            "42"sv);
  ASSERT_NE(first_length, std::string::npos);
  for (const std::uint32_t length : {3u, 0x7fffffffu, 0x80000000u, 0xfffffffeu}) {
    std::string bad = out;
    std::string raw;
    ByteWriter(raw).u32(length);
    bad.replace(first_length, 4, raw);
    EXPECT_FALSE(decode_bind(body_of(bad)).ok()) << length;
  }
}

TEST(FrontendCodec, BindFormatCountMustFit) {
  std::string out;
  encode_bind("", "", std::vector<std::int16_t>{0, 1}, std::vector<Value>{"1", "2", "3"}, {}, out);
  const auto bind = decode_bind(body_of(out));
  ASSERT_FALSE(bind.ok());
  EXPECT_EQ(bind.error().message, "bind message has 2 parameter formats but 3 parameters");
}

TEST(FrontendCodec, BindTakesAsManyParametersAsPostgres) {
  std::string out;
  encode_bind("", "", {}, std::vector<Value>(65'535, Value("7")), {}, out);
  const auto bind = decode_bind(body_of(out));
  ASSERT_TRUE(bind.ok());
  EXPECT_EQ(bind->parameters.size(), 65'535u);
  EXPECT_EQ(bind->parameters.at(65'534), "7");
}

TEST(FrontendCodec, DescribeCloseExecute) {
  std::string describe, close, execute;
  encode_describe('P', "p", describe);
  encode_close('S', "s", close);
  encode_execute("p", 50, execute);
  EXPECT_EQ(decode_describe(body_of(describe))->kind, 'P');
  EXPECT_EQ(decode_close(body_of(close))->name, "s");
  EXPECT_EQ(decode_execute(body_of(execute))->max_rows, 50);
  refuses_every_truncation(describe, decode_describe);
  refuses_every_truncation(close, decode_close);
  refuses_every_truncation(execute, decode_execute);
  describe[kHeaderSize] = 'x';
  EXPECT_EQ(decode_describe(body_of(describe)).error().message, "invalid DESCRIBE message subtype 120");
}

TEST(FrontendCodec, FunctionCallAndCopyFail) {
  std::string out;
  ByteWriter writer(out);
  writer.begin_message('F');
  writer.u32(1598);
  writer.i16(1);
  writer.i16(1);
  writer.i16(2);
  writer.i32(2);
  writer.bytes("ab");
  writer.i32(-1);
  writer.i16(1);
  writer.end_message();
  const auto call = decode_function_call(body_of(out));
  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call->function, 1598u);
  EXPECT_EQ(call->arguments.at(0), "ab");
  EXPECT_EQ(call->arguments.at(1), std::nullopt);
  refuses_every_truncation(out, decode_function_call);
  std::string fail;
  encode_copy_fail("no more", fail);
  EXPECT_EQ(decode_copy_fail(body_of(fail))->message, "no more");
  refuses_every_truncation(fail, decode_copy_fail);
}

TEST(FrontendCodec, RenamingChangesTheNameOnly) {
  std::string parse, bind, describe, close, out, expected;
  encode_parse("a", "select 1", std::vector<Oid>{23}, parse);
  encode_parse("pgweir_x", "select 1", std::vector<Oid>{23}, expected);
  ASSERT_TRUE(rename_parse(body_of(parse), "pgweir_x", out));
  EXPECT_EQ(out, expected);

  out.clear();
  ASSERT_TRUE(rename_bind(body_of(sample_bind()), "n", out));
  const auto renamed = decode_bind(body_of(out));
  ASSERT_TRUE(renamed.ok());
  EXPECT_EQ(renamed->portal, "portal");
  EXPECT_EQ(renamed->statement, "n");
  EXPECT_EQ(renamed->tail, decode_bind(body_of(sample_bind()))->tail);
  EXPECT_EQ(load_u32(out, 1), out.size() - 1);

  encode_describe('S', "a", describe);
  out.clear();
  ASSERT_TRUE(rename_describe(body_of(describe), "longer", out));
  EXPECT_EQ(decode_describe(body_of(out))->name, "longer");
  encode_close('S', "abc", close);
  out.clear();
  ASSERT_TRUE(rename_close(body_of(close), "", out));
  EXPECT_EQ(decode_close(body_of(out))->name, "");
}

TEST(FrontendCodec, RenamingWithoutNamesAppendsNothing) {
  std::string out;
  EXPECT_FALSE(rename_bind("portal\0statement"sv, "n", out));
  EXPECT_FALSE(rename_bind("", "n", out));
  EXPECT_FALSE(rename_parse("x", "n", out));
  EXPECT_FALSE(rename_describe("", "n", out));
  EXPECT_TRUE(out.empty());
}

TEST(FrontendCodec, RenamingAStreamedBindAtAnyCut) {
  const std::string whole = sample_bind();
  std::string expected;
  ASSERT_TRUE(rename_bind(body_of(whole), "pgweir_1", expected));
  std::size_t renamed = 0;
  for (std::size_t cut = kHeaderSize; cut <= whole.size(); ++cut) {
    const std::string_view there = std::string_view(whole).substr(kHeaderSize, cut - kHeaderSize);
    std::string out;
    const auto taken = rename_head('B', static_cast<std::uint32_t>(whole.size()), there, "pgweir_1", out);
    if (!taken) {
      EXPECT_TRUE(out.empty());
      continue;
    }
    ++renamed;
    EXPECT_EQ(out + whole.substr(kHeaderSize + *taken), expected);
  }
  EXPECT_GT(renamed, 10u);
}

TEST(FrontendCodec, StartupFamily) {
  std::string ssl, cancel, startup;
  encode_ssl_request(ssl);
  EXPECT_EQ(ssl, "\0\0\0\x08\x04\xd2\x16\x2f"s);
  encode_cancel_request(7, "12345678", cancel);
  EXPECT_EQ(cancel, "\0\0\0\x14\x04\xd2\x16\x2e\0\0\0\x07"s + "12345678");
  encode_startup(kProtocol30, std::vector<std::pair<std::string_view, std::string_view>>{{"user", "u"}}, startup);
  EXPECT_EQ(startup, "\0\0\0\x10\0\x03\0\0user\0u\0\0"s);
}

}  // namespace
}  // namespace pgweir::protocol
