#include "proxy/admin/lexer.h"

#include <algorithm>

namespace pgweir::admin {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
// Bytes beyond ASCII are letters, as in PostgreSQL.
bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_word(char c) { return is_word_start(c) || is_digit(c) || c == '$'; }
char folded(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The functions below take the offset of a piece's first byte and return the offset behind its last.

std::size_t end_of_quoted(std::string_view text, std::size_t at, bool backslashes) {
  const char quote = text[at++];
  while (at < text.size()) {
    if (backslashes && text[at] == '\\') {
      at += 2;
    } else if (text[at] != quote) {
      ++at;
    } else if (at + 1 < text.size() && text[at + 1] == quote) {
      at += 2;
    } else {
      return at + 1;
    }
  }
  return text.size();
}

std::size_t end_of_block_comment(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const std::string_view two = text.substr(at, 2);
    if (two == "/*") ++depth;
    if (two == "*/") --depth;
    at += two == "/*" || two == "*/" ? 2 : 1;
    if (depth == 0) return at;
  }
  return text.size();
}

// $tag$...$tag$; a $ that starts no such thing is one byte.
std::size_t end_of_dollar(std::string_view text, std::size_t at) {
  std::size_t tag_end = at + 1;
  if (tag_end < text.size() && is_digit(text[tag_end])) return at + 1;
  while (tag_end < text.size() && is_word(text[tag_end]) && text[tag_end] != '$') ++tag_end;
  if (tag_end >= text.size() || text[tag_end] != '$') return at + 1;
  const std::string_view tag = text.substr(at, tag_end + 1 - at);
  const std::size_t found = text.find(tag, tag_end + 1);
  return found == std::string_view::npos ? text.size() : found + tag.size();
}

std::size_t end_of_word(std::string_view text, std::size_t at) {
  while (at < text.size() && is_word(text[at])) ++at;
  return at;
}

struct Piece {
  enum class Kind { Blank, Word, QuotedName, String, Symbol, End } kind = Kind::End;
  std::size_t end = 0;
};

Piece next_piece(std::string_view text, std::size_t at) {
  using Kind = Piece::Kind;
  if (at >= text.size()) return {Kind::End, text.size()};
  const char c = text[at];
  const char after = at + 1 < text.size() ? text[at + 1] : '\0';
  if (is_space(c)) return {Kind::Blank, at + 1};
  if (c == '-' && after == '-') return {Kind::Blank, std::min(text.find('\n', at), text.size())};
  if (c == '/' && after == '*') return {Kind::Blank, end_of_block_comment(text, at)};
  if ((c == 'e' || c == 'E') && after == '\'') return {Kind::String, end_of_quoted(text, at + 1, true)};
  if (c == '\'') return {Kind::String, end_of_quoted(text, at, false)};
  if (c == '"') return {Kind::QuotedName, end_of_quoted(text, at, false)};
  if (is_word_start(c)) return {Kind::Word, end_of_word(text, at)};
  if (is_digit(c)) return {Kind::Symbol, end_of_word(text, at)};
  if (c == '$') {
    const std::size_t end = end_of_dollar(text, at);
    return {end == at + 1 ? Kind::Symbol : Kind::String, end};
  }
  return {Kind::Symbol, at + 1};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

std::vector<std::string_view> split_statements(std::string_view text) {
  std::vector<std::string_view> statements;
  std::size_t begin = 0, at = 0;
  bool blank = true;  // nothing but comments and white space since `begin`
  const auto cut = [&](std::size_t end) {
    if (!blank) statements.push_back(trimmed(text.substr(begin, end - begin)));
    blank = true;
  };
  while (at < text.size()) {
    if (text[at] == ';') {
      cut(at);
      begin = ++at;
      continue;
    }
    const Piece piece = next_piece(text, at);
    if (piece.kind != Piece::Kind::Blank) blank = false;
    at = std::min(piece.end, text.size());
  }
  cut(text.size());
  return statements;
}

std::vector<Token> tokenize(std::string_view statement, std::size_t limit) {
  std::vector<Token> tokens;
  std::size_t at = 0;
  while (at < statement.size() && tokens.size() < limit) {
    const Piece piece = next_piece(statement, at);
    const std::size_t end = std::min(piece.end, statement.size());
    const std::string_view text = statement.substr(at, end - at);
    switch (piece.kind) {
      case Piece::Kind::Word: tokens.push_back({Token::Kind::Word, text, at}); break;
      case Piece::Kind::QuotedName: tokens.push_back({Token::Kind::QuotedName, text, at}); break;
      case Piece::Kind::String: tokens.push_back({Token::Kind::String, text, at}); break;
      case Piece::Kind::Symbol: tokens.push_back({Token::Kind::Symbol, text, at}); break;
      case Piece::Kind::Blank:
      case Piece::Kind::End: break;
    }
    at = end;
  }
  return tokens;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), folded);
  return out;
}

bool same_word(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, folded, folded);
}

std::string name_of(const Token& token) {
  if (token.kind != Token::Kind::QuotedName) return lower(token.text);
  std::string_view inside = token.text.substr(1);
  if (inside.ends_with('"')) inside.remove_suffix(1);
  std::string name;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    name.push_back(inside[i]);
    if (inside[i] == '"') ++i;  // the second of a pair
  }
  return name;
}

}  // namespace pgweir::admin
