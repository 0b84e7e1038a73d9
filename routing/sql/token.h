// PostgreSQL's lexical rules, as far as rewriting needs them: where tokens begin and end. The parser's tree gives only
// where a node begins; ranges to cut and splice are found here. Value types; thread-safe to read.
// Rules: PostgreSQL documentation, "Lexical Structure" (comments nest; dollar quotes; E'' has backslash escapes).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgweir::routing::sql {

enum class TokenKind : std::uint8_t { Word, QuotedWord, String, Number, Parameter, Operator, Punctuation, Comment };

struct Token {
  TokenKind kind = TokenKind::Word;
  std::uint32_t begin = 0, end = 0;  // byte range in the text, end exclusive
  std::uint32_t depth = 0;           // enclosing ( and [; an opening or closing one has the depth outside of it
};

// The tokens of text[begin, end). Comments are given only if `comments`. Assumes standard_conforming_strings = on.
// nullopt: an unterminated quote or comment, or unbalanced parentheses (the parser refuses such text anyway).
std::optional<std::vector<Token>> tokenize(std::string_view text, std::size_t begin, std::size_t end,
                                           bool comments = false);

// Case-insensitive comparison of an unquoted word with a lower-case keyword.
bool is_word(std::string_view text, const Token& token, std::string_view keyword);

// An identifier as it must be written: always quoted.
std::string quote_identifier(std::string_view name);
// 'text' with quotes doubled (E'' where it holds a backslash).
std::string quote_literal(std::string_view text);

// Hints in comments of the form /* pgweir: shard=eu1, role=replica */.
struct CommentHints {
  std::string shard, sharding_key, role;
  std::string unknown;  // a name that is none of these
};
CommentHints comment_hints(std::string_view text);

}  // namespace pgweir::routing::sql
