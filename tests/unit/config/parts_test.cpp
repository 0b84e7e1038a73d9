// The small readers: suggestions, addresses, SQL names, key literals.
#include <gtest/gtest.h>

#include "config/endpoint.h"
#include "config/identifier.h"
#include "config/key_literal.h"
#include "config/suggest.h"

namespace pgweir::config {
namespace {

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("size", "size"), 0u);
  EXPECT_EQ(edit_distance("sice", "size"), 1u);
  EXPECT_EQ(edit_distance("isze", "size"), 1u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Suggest, NamesTheNearestOrTheKnown) {
  EXPECT_EQ(suggest("adress", {"workers", "address"}), "did you mean \"address\"?");
  EXPECT_EQ(suggest("banana", {"eu1", "us1"}), "known: eu1, us1");
  EXPECT_EQ(suggest("banana", {}), "");
  EXPECT_EQ(suggest(std::string(10'000, 'x'), {"address"}), "");
}

TEST(EndpointText, ReadsEveryForm) {
  Endpoint endpoint;
  ASSERT_EQ(parse_endpoint("db.example.com:5432", {}, endpoint), "");
  EXPECT_EQ(endpoint, (Endpoint{"db.example.com", 5432, false}));
  ASSERT_EQ(parse_endpoint("[::1]:6432", {}, endpoint), "");
  EXPECT_EQ(endpoint, (Endpoint{"::1", 6432, false}));
  EXPECT_EQ(endpoint.to_string(), "[::1]:6432");
  ASSERT_EQ(parse_endpoint("unix:/run/pgweir", {}, endpoint), "");
  EXPECT_EQ(endpoint, (Endpoint{"/run/pgweir", 0, true}));
  EXPECT_EQ(endpoint.to_string(), "unix:/run/pgweir");
  ASSERT_EQ(parse_endpoint("unix:/run/pg:5433", {}, endpoint), "");
  EXPECT_EQ(endpoint, (Endpoint{"/run/pg", 5433, true}));
  ASSERT_EQ(parse_endpoint("127.0.0.1:0", {.any_port = true}, endpoint), "");
}

TEST(EndpointText, RefusesTheRest) {
  Endpoint endpoint;
  for (const char* text : {"", "localhost", "localhost:", "localhost:0", "localhost:65536", "localhost:5x", "::1:6432",
                           "[::1]", "[::1", "[::1]6432", "[]:1", "[abc]:1", "*:6432", ":6432", "a b:1", "unix:",
                           "unix::5432", "/run/pgweir", "unix:/run:70000"}) {
    EXPECT_NE(parse_endpoint(text, {}, endpoint), "") << text;
  }
  EXPECT_NE(parse_endpoint("unix:/run/pg", {.unix_port_required = true}, endpoint), "");
  EXPECT_NE(parse_endpoint("unix:/run/pg", {.unix_allowed = false}, endpoint), "");
}

TEST(Identifier, ReadsSqlNames) {
  std::vector<std::string> parts;
  ASSERT_EQ(parse_identifier("users", 2, parts), "");
  EXPECT_EQ(parts, std::vector<std::string>{"users"});
  ASSERT_EQ(parse_identifier("public.users_2$", 2, parts), "");
  EXPECT_EQ(parts, (std::vector<std::string>{"public", "users_2$"}));
  ASSERT_EQ(parse_identifier("\"My.Schema\".\"a\"\"b\"", 2, parts), "");
  EXPECT_EQ(parts, (std::vector<std::string>{"My.Schema", "a\"b"}));
  EXPECT_EQ(format_identifier("My.Schema", "a\"b"), "\"My.Schema\".\"a\"\"b\"");
  for (const char* text : {"", "Users", "a.b.c", "a..b", ".a", "a.", "\"a", "\"\"", "\"a\"b", "1a", "a-b"}) {
    EXPECT_NE(parse_identifier(text, 2, parts), "") << text;
  }
  EXPECT_NE(parse_identifier("a.b", 1, parts), "");
  EXPECT_NE(parse_identifier(std::string(64, 'a'), 1, parts), "");
}

struct LiteralCase {
  KeyType type;
  const char* good;
  const char* same;  // another spelling of the same key
  const char* bad;
};

TEST(KeyLiterals, KnowTheirType) {
  const LiteralCase cases[] = {
      {KeyType::SmallInt, "-7", "-007", "32768"},
      {KeyType::Int, "7", "+7", "2147483648"},
      {KeyType::BigInt, "9223372036854775807", "09223372036854775807", "9223372036854775808"},
      {KeyType::BigInt, "0", "-0", "1.0"},
      {KeyType::Uuid, "0b9c1c1e-0000-4000-8000-000000000001", "{0B9C1C1E000040008000000000000001}",
       "0b9c1c1e-0000-4000-8000-00000000000"},
      {KeyType::Uuid, "0b9c1c1e-0000-4000-8000-000000000001", "0b9c-1c1e-0000-4000-8000-0000-0000-0001",
       "0b9c1c1e--0000-4000-8000-000000000001"},
      {KeyType::Text, "eu", "eu", nullptr},
      {KeyType::Bytea, "\\x01ab", "\\x01AB", "\\x0"},
      {KeyType::Numeric, "123456789012345678901234567890", "0123456789012345678901234567890.00", "1.5"},
      {KeyType::Numeric, "0", "-0", "1e3"},
      {KeyType::Date, "2024-02-29", "2024-02-29", "2025-02-29"},
      {KeyType::Timestamp, "2025-01-01", "2025-01-01 00:00:00.000", "2025-01-01 00:00:00+00"},
      {KeyType::TimestampTz, "2025-01-01", "2025-01-01T02:00:00+02:00", "2025-01-01 24:00"},
      {KeyType::TimestampTz, "2025-01-01 00:00:00Z", "2024-12-31 22:30 -0130", "2025-01-01 00:00:00 Europe/Berlin"},
      {KeyType::Bool, "true", "on", "maybe"},
  };
  for (const LiteralCase& test : cases) {
    KeyLiteral good, same, bad;
    EXPECT_EQ(read_key_literal(test.type, test.good, good), "") << test.good;
    EXPECT_EQ(read_key_literal(test.type, test.same, same), "") << test.same;
    EXPECT_EQ(good.canonical, same.canonical) << test.good << " / " << test.same;
    if (test.bad) {
      EXPECT_NE(read_key_literal(test.type, test.bad, bad), "") << test.bad;
    }
  }
}

TEST(KeyLiterals, AreOrdered) {
  KeyLiteral a, b;
  ASSERT_EQ(read_key_literal(KeyType::Date, "1969-12-31", a), "");
  ASSERT_EQ(read_key_literal(KeyType::Date, "1970-01-01", b), "");
  EXPECT_EQ(a.order + 1, b.order);
  ASSERT_EQ(read_key_literal(KeyType::TimestampTz, "2025-01-01 00:00:00.000001", a), "");
  ASSERT_EQ(read_key_literal(KeyType::TimestampTz, "2025-01-01", b), "");
  EXPECT_EQ(a.order, b.order + 1);
  EXPECT_EQ(b.order, 1'735'689'600'000'000);
}

TEST(KeyLiterals, HoldNoZeroByte) {
  KeyLiteral literal;
  EXPECT_NE(read_key_literal(KeyType::Text, std::string_view("a\0b", 3), literal), "");
}

}  // namespace
}  // namespace pgweir::config
