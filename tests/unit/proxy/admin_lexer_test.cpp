#include "proxy/admin/lexer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgweir::admin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> texts(std::string_view statement) {
  std::vector<std::string> out;
  for (const Token& token : tokenize(statement)) {
    EXPECT_EQ(statement.substr(token.begin, token.end() - token.begin), token.text);
    out.emplace_back(token.text);
  }
  return out;
}

TEST(AdminLexer, SplitsAtSemicolonsOutsideOfQuotesAndComments) {
  EXPECT_THAT(split_statements("SHOW POOLS; SHOW STATS"), ElementsAre("SHOW POOLS", "SHOW STATS"));
  EXPECT_THAT(split_statements("a ';' b;c"), ElementsAre("a ';' b", "c"));
  EXPECT_THAT(split_statements("a 'it''s;' b;c"), ElementsAre("a 'it''s;' b", "c"));
  EXPECT_THAT(split_statements(R"(a E'\';' b;c)"), ElementsAre(R"(a E'\';' b)", "c"));
  EXPECT_THAT(split_statements(R"(a '\';b)"), ElementsAre(R"(a '\')", "b"));
  EXPECT_THAT(split_statements(R"(a "x;""y;" b;c)"), ElementsAre(R"(a "x;""y;" b)", "c"));
  EXPECT_THAT(split_statements("a $$;$$ b;c"), ElementsAre("a $$;$$ b", "c"));
  EXPECT_THAT(split_statements("a $t$;$$;$t$ b;c"), ElementsAre("a $t$;$$;$t$ b", "c"));
  EXPECT_THAT(split_statements("a = $1; b = $2"), ElementsAre("a = $1", "b = $2"));
  EXPECT_THAT(split_statements("a -- x;\n b;c"), ElementsAre("a -- x;\n b", "c"));
  EXPECT_THAT(split_statements("a /* ; /* ; */ ; */ b;c"), ElementsAre("a /* ; /* ; */ ; */ b", "c"));
}

TEST(AdminLexer, LeavesOutWhatHoldsNoStatement) {
  EXPECT_THAT(split_statements(""), IsEmpty());
  EXPECT_THAT(split_statements(" ;; \n;\t"), IsEmpty());
  EXPECT_THAT(split_statements("-- nothing\n; /* nothing */"), IsEmpty());
  EXPECT_THAT(split_statements(";a;;b;"), ElementsAre("a", "b"));
}

TEST(AdminLexer, WhatDoesNotEndReachesToTheEnd) {
  for (const char* text : {"a 'b;c", "a \"b;c", "a $$b;c", "a $x$b;c$$", "a E'b\\", "a /* b;c */ /* ;", "a --;"}) {
    EXPECT_THAT(split_statements(text), ElementsAre(text)) << text;
  }
}

TEST(AdminLexer, GivesTokensWithTheirPlaces) {
  EXPECT_THAT(texts("  route  fediflow: SELECT 1"), ElementsAre("route", "fediflow", ":", "SELECT", "1"));
  EXPECT_THAT(texts("route \"My Db\":select"), ElementsAre("route", "\"My Db\"", ":", "select"));
  EXPECT_THAT(texts("show/**/pools--x"), ElementsAre("show", "pools"));
  EXPECT_THAT(texts("a::int"), ElementsAre("a", ":", ":", "int"));
  EXPECT_THAT(texts("x$y $1 $"), ElementsAre("x$y", "$", "1", "$"));
  EXPECT_EQ(tokenize("a b c d", 2).size(), 2u);
  EXPECT_THAT(tokenize(""), IsEmpty());
}

TEST(AdminLexer, NamesAreFoldedUnlessQuoted) {
  EXPECT_EQ(name_of(tokenize("FediFlow").front()), "fediflow");
  EXPECT_EQ(name_of(tokenize("\"FediFlow\"").front()), "FediFlow");
  EXPECT_EQ(name_of(tokenize("\"a\"\"b\"").front()), "a\"b");
  EXPECT_EQ(name_of(tokenize("\"open").front()), "open");
  EXPECT_TRUE(same_word("Show", "SHOW"));
  EXPECT_FALSE(same_word("Show", "SHO"));
}

}  // namespace
}  // namespace pgweir::admin
