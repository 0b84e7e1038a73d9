// The console's small lexer: splits a text into statements and a statement into tokens. It knows what PostgreSQL's
// lexer treats as one piece ('...', E'...', "...", $tag$...$tag$, -- and nested /* */ comments), so that the SQL behind
// ROUTE is cut where PostgreSQL would cut it. Pure functions; views point into the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgweir::admin {

struct Token {
  enum class Kind { Word, QuotedName, String, Symbol } kind = Kind::Symbol;
  std::string_view text;  // as written, with its quotes
  std::size_t begin = 0;  // byte offset in the statement
  std::size_t end() const { return begin + text.size(); }
};

// The statements between top-level semicolons, without surrounding white space; empty ones are left out. A quote or
// comment that does not end reaches to the end of the text.
std::vector<std::string_view> split_statements(std::string_view text);

// The first `limit` tokens of a statement; comments and white space are skipped.
std::vector<Token> tokenize(std::string_view statement, std::size_t limit = static_cast<std::size_t>(-1));

// ASCII case folded.
std::string lower(std::string_view text);
bool same_word(std::string_view left, std::string_view right);
// What a Word or QuotedName names: folded, or unquoted with "" as one quote.
std::string name_of(const Token& token);

}  // namespace pgweir::admin
