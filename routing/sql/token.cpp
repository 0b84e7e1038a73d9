#include "routing/sql/token.h"

#include <cctype>

namespace pgweir::routing::sql {
namespace {

bool word_start(unsigned char c) { return std::isalpha(c) || c == '_' || c >= 0x80; }
bool word_part(unsigned char c) { return word_start(c) || std::isdigit(c) || c == '$'; }
bool operator_char(char c) { return std::string_view("+-*/<>=~!@#%^&|`?").find(c) != std::string_view::npos; }
bool space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

constexpr std::size_t kUnterminated = std::string_view::npos;

// `at` is behind the opening quote; returns the position behind the closing one.
std::size_t skip_quoted(std::string_view text, std::size_t at, std::size_t end, char quote, bool escapes) {
  while (at < end) {
    if (escapes && text[at] == '\\') {
      at += 2;
    } else if (text[at] == quote) {
      if (at + 1 < end && text[at + 1] == quote) {
        at += 2;
      } else {
        return at + 1;
      }
    } else {
      ++at;
    }
  }
  return kUnterminated;
}

std::size_t skip_block_comment(std::string_view text, std::size_t at, std::size_t end) {
  int depth = 0;
  while (at + 1 < end) {
    if (text[at] == '/' && text[at + 1] == '*') {
      ++depth;
      at += 2;
    } else if (text[at] == '*' && text[at + 1] == '/') {
      at += 2;
      if (--depth == 0) return at;
    } else {
      ++at;
    }
  }
  return kUnterminated;
}

// `at` is at a '$' that does not start a parameter. Returns the end of the dollar-quoted string, or `at` if it is none.
std::size_t skip_dollar_quoted(std::string_view text, std::size_t at, std::size_t end) {
  std::size_t tag_end = at + 1;
  if (tag_end < end && word_start(static_cast<unsigned char>(text[tag_end]))) {
    while (tag_end < end && text[tag_end] != '$' && word_part(static_cast<unsigned char>(text[tag_end]))) ++tag_end;
  }
  if (tag_end >= end || text[tag_end] != '$') return at;
  const std::string_view tag = text.substr(at, tag_end + 1 - at);
  const std::size_t close = text.substr(0, end).find(tag, tag_end + 1);
  return close == std::string_view::npos ? kUnterminated : close + tag.size();
}

std::size_t skip_number(std::string_view text, std::size_t at, std::size_t end) {
  while (at < end) {
    const char c = text[at];
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
      const bool exponent = c == 'e' || c == 'E';
      ++at;
      if (exponent && at < end && (text[at] == '+' || text[at] == '-')) ++at;
    } else if (c == '.' && !(at + 1 < end && text[at + 1] == '.')) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

// An operator ends before a comment that starts inside of it.
std::size_t skip_operator(std::string_view text, std::size_t at, std::size_t end) {
  const std::size_t begin = at;
  while (at < end && operator_char(text[at])) {
    const char next = at + 1 < end ? text[at + 1] : '\0';
    if (at > begin && ((text[at] == '-' && next == '-') || (text[at] == '/' && next == '*'))) break;
    ++at;
  }
  return at;
}

class Lexer {
 public:
  Lexer(std::string_view text, std::size_t begin, std::size_t end, bool comments)
      : text_(text), at_(begin), end_(end), comments_(comments) {}

  std::optional<std::vector<Token>> run() {
    while (at_ < end_) {
      if (space(text_[at_])) {
        ++at_;
      } else if (!next()) {
        return std::nullopt;
      }
    }
    if (depth_ != 0) return std::nullopt;
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t offset) const { return at_ + offset < end_ ? text_[at_ + offset] : '\0'; }

  bool add(TokenKind kind, std::size_t end) {
    if (end == kUnterminated || end > end_) return false;
    tokens_.push_back({kind, static_cast<std::uint32_t>(at_), static_cast<std::uint32_t>(end), depth_});
    at_ = end;
    return true;
  }

  bool comment(std::size_t end) {
    if (end == kUnterminated) return false;
    if (comments_) return add(TokenKind::Comment, end);
    at_ = end;
    return true;
  }

  bool punctuation(char c) {
    if (c == '(' || c == '[') {
      const bool added = add(TokenKind::Punctuation, at_ + 1);
      ++depth_;
      return added;
    }
    if (c == ')' || c == ']') {
      if (depth_ == 0) return false;
      --depth_;
    }
    return add(TokenKind::Punctuation, at_ + 1);
  }

  bool word() {
    const char c = text_[at_];
    if (peek(1) == '\'' && std::string_view("eEbBxXnN").find(c) != std::string_view::npos) {
      return add(TokenKind::String, skip_quoted(text_, at_ + 2, end_, '\'', c == 'e' || c == 'E'));
    }
    if ((c == 'u' || c == 'U') && peek(1) == '&' && (peek(2) == '\'' || peek(2) == '"')) {
      const char quote = peek(2);
      return add(quote == '"' ? TokenKind::QuotedWord : TokenKind::String,
                 skip_quoted(text_, at_ + 3, end_, quote, false));
    }
    std::size_t end = at_;
    while (end < end_ && word_part(static_cast<unsigned char>(text_[end]))) ++end;
    return add(TokenKind::Word, end);
  }

  bool next() {
    const char c = text_[at_];
    if (c == '-' && peek(1) == '-') {
      const std::size_t line = text_.substr(0, end_).find_first_of("\r\n", at_);
      return comment(line == std::string_view::npos ? end_ : line);
    }
    if (c == '/' && peek(1) == '*') return comment(skip_block_comment(text_, at_, end_));
    if (c == '\'') return add(TokenKind::String, skip_quoted(text_, at_ + 1, end_, '\'', false));
    if (c == '"') return add(TokenKind::QuotedWord, skip_quoted(text_, at_ + 1, end_, '"', false));
    if (c == '$') return dollar();
    if (word_start(static_cast<unsigned char>(c))) return word();
    if (std::isdigit(static_cast<unsigned char>(c)) ||
        (c == '.' && std::isdigit(static_cast<unsigned char>(peek(1))))) {
      return add(TokenKind::Number, skip_number(text_, at_, end_));
    }
    if (operator_char(c)) return add(TokenKind::Operator, skip_operator(text_, at_, end_));
    return punctuation(c);
  }

  bool dollar() {
    if (std::isdigit(static_cast<unsigned char>(peek(1)))) {
      std::size_t end = at_ + 1;
      while (end < end_ && std::isdigit(static_cast<unsigned char>(text_[end]))) ++end;
      return add(TokenKind::Parameter, end);
    }
    const std::size_t end = skip_dollar_quoted(text_, at_, end_);
    return end != at_ && add(TokenKind::String, end);
  }

  std::string_view text_;
  std::size_t at_, end_;
  bool comments_;
  std::uint32_t depth_ = 0;
  std::vector<Token> tokens_;
};

std::string_view trim(std::string_view s) {
  while (!s.empty() && space(s.front())) s.remove_prefix(1);
  while (!s.empty() && space(s.back())) s.remove_suffix(1);
  return s;
}

void read_hint(std::string_view body, CommentHints& hints) {
  while (!body.empty()) {
    const std::size_t comma = body.find(',');
    const std::string_view item = trim(body.substr(0, comma));
    body = comma == std::string_view::npos ? std::string_view{} : body.substr(comma + 1);
    if (item.empty()) continue;
    const std::size_t equals = item.find('=');
    const std::string_view name = trim(item.substr(0, equals));
    std::string_view value = equals == std::string_view::npos ? std::string_view{} : trim(item.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '\'' && value.back() == '\'') value = value.substr(1, value.size() - 2);
    if (name == "shard") {
      hints.shard = value;
    } else if (name == "sharding_key") {
      hints.sharding_key = value;
    } else if (name == "role") {
      hints.role = value;
    } else {
      hints.unknown = name;
    }
  }
}

}  // namespace

std::optional<std::vector<Token>> tokenize(std::string_view text, std::size_t begin, std::size_t end, bool comments) {
  return Lexer(text, begin, end, comments).run();
}

bool is_word(std::string_view text, const Token& token, std::string_view keyword) {
  if (token.kind != TokenKind::Word || token.end - token.begin != keyword.size()) return false;
  for (std::size_t i = 0; i < keyword.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(text[token.begin + i])) != keyword[i]) return false;
  }
  return true;
}

std::string quote_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string quote_literal(std::string_view text) {
  std::string quoted = text.find('\\') == std::string_view::npos ? "'" : "E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return quoted + '\'';
}

CommentHints comment_hints(std::string_view text) {
  CommentHints hints;
  if (text.find("pgweir:") == std::string_view::npos) return hints;
  const auto tokens = tokenize(text, 0, text.size(), true);
  if (!tokens) return hints;
  for (const Token& token : *tokens) {
    if (token.kind != TokenKind::Comment || text[token.begin] != '/') continue;
    const std::string_view body = trim(text.substr(token.begin + 2, token.end - token.begin - 4));
    if (body.substr(0, 7) == "pgweir:") read_hint(body.substr(7), hints);
  }
  return hints;
}

}  // namespace pgweir::routing::sql
