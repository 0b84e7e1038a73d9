#include "proxy/session/renamed_error.h"

#include <gtest/gtest.h>

#include "protocol/backend_codec.h"

namespace pgweir::session {
namespace {

std::string body(const std::string& message, const std::string& position) {
  std::string fields = "SERROR";
  fields += '\0';
  fields += "C42601";
  fields += '\0';
  fields += "M" + message;
  fields += '\0';
  if (!position.empty()) fields += "P" + position + '\0';
  return fields + '\0';
}

protocol::ErrorFields told(const std::string& message, const std::string& position, std::span<const Renaming> renamings, std::string& out) {
  out.clear();
  EXPECT_TRUE(retell_error(body(message, position), renamings, out));
  return *protocol::decode_error(std::string_view(out).substr(5));
}

TEST(RenamedError, TheNameIsTheClients) {
  const Renaming renamings[] = {{"pgweir_0123", "q\"x"}};
  std::string out;
  EXPECT_EQ(told("statement \"pgweir_0123\" exists", "", renamings, out).message, "statement \"q\"x\" exists");
  EXPECT_FALSE(retell_error(body("statement \"other\" exists", "7"), renamings, out = "kept"));
  EXPECT_EQ(out, "kept");
  const Renaming any[] = {{"pgweir_", "q"}};
  EXPECT_EQ(told("\"pgweir_ab\" and more", "", any, out).message, "\"q\" and more");
  EXPECT_FALSE(retell_error(body("\"pgweir_ab", ""), any, out = ""));
}

// EXECUTE "pgweir_" + 2 characters sent for q, twice: "EXECUTE q(x); EXECUTE long_name(y)".
TEST(RenamedError, PositionsAreThoseOfTheClientsText) {
  const Renaming renamings[] = {{"", "q", 8, 1, 11}, {"", "long_name", 22, 9, 11}};
  std::string out;
  EXPECT_FALSE(retell_error(body("m", "3"), renamings, out));
  EXPECT_EQ(told("m", "15", renamings, out).position, "9");    // within the name
  EXPECT_EQ(told("m", "21", renamings, out).position, "11");   // x
  EXPECT_EQ(told("m", "34", renamings, out).position, "23");   // within the second
  EXPECT_EQ(told("m", "45", renamings, out).position, "33");   // y
  EXPECT_EQ(told("m", "4294967296", renamings, out).position, "4294967284");
  EXPECT_FALSE(retell_error(body("m", "x"), renamings, out = ""));
}

TEST(RenamedError, ABodyThatEndsTooEarlyIsNotChanged) {
  const Renaming renamings[] = {{"pgweir_", "q"}};
  std::string out;
  EXPECT_FALSE(retell_error("", renamings, out));
  EXPECT_FALSE(retell_error("M", renamings, out));
  EXPECT_FALSE(retell_error("M\"pgweir_1\"", renamings, out));
}

TEST(RenamedError, CharactersAndNames) {
  EXPECT_EQ(count_characters("a\u00e4\u20ac", true), 3u);
  EXPECT_EQ(count_characters("a\u00e4", false), 3u);
  EXPECT_EQ(with_name("EXECUTE q(1)", 8, 9, "n"), "EXECUTE \"n\"(1)");
}

}  // namespace
}  // namespace pgweir::session
