#include "tests/model/statement_model.h"

#include <cctype>
#include <cstdlib>

namespace pgweir::model {
namespace {

using Kind = Statement::Kind;

struct Token {
  enum class Kind { Word, String, Symbol } kind = Kind::Symbol;
  std::string text;  // a word in lower case unless it was quoted, a literal without its quotes
  std::size_t begin = 0;
};

// A literal or a quoted name; `at` is behind its opening quote, afterwards behind the closing one.
std::string quoted(std::string_view text, std::size_t& at, char quote, bool escapes) {
  std::string out;
  for (; at < text.size(); ++at) {
    if (text[at] == quote) {
      if (at + 1 == text.size() || text[at + 1] != quote) break;
      ++at;
    } else if (escapes && text[at] == '\\' && at + 1 < text.size()) {
      ++at;
    }
    out += text[at];
  }
  if (at < text.size()) ++at;
  return out;
}

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; }

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> out;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const std::size_t begin = at;
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++at;
    } else if (c == '\'' || (c == 'E' && at + 1 < text.size() && text[at + 1] == '\'')) {
      at += c == 'E' ? 2 : 1;
      out.push_back({Token::Kind::String, quoted(text, at, '\'', c == 'E'), begin});
    } else if (c == '"') {
      out.push_back({Token::Kind::Word, quoted(text, ++at, '"', false), begin});
    } else if (is_word_char(c)) {
      while (at < text.size() && is_word_char(text[at])) ++at;
      std::string word(text.substr(begin, at - begin));
      for (char& letter : word) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
      out.push_back({Token::Kind::Word, word, begin});
    } else {
      out.push_back({Token::Kind::Symbol, std::string(1, text[at++]), begin});
    }
  }
  return out;
}

class Reader {
 public:
  Reader(std::string_view text, const std::vector<Token>& tokens) : text_(text), tokens_(tokens) {}
  bool word(std::string_view wanted) {
    const bool yes = at_ < tokens_.size() && tokens_[at_].kind == Token::Kind::Word && tokens_[at_].text == wanted;
    at_ += yes ? 1 : 0;
    return yes;
  }
  bool symbol(std::string_view wanted) {
    const bool yes = at_ < tokens_.size() && tokens_[at_].kind == Token::Kind::Symbol && tokens_[at_].text == wanted;
    at_ += yes ? 1 : 0;
    return yes;
  }
  bool take(Token::Kind kind, std::string& out) {
    if (at_ == tokens_.size() || tokens_[at_].kind != kind) return false;
    out = tokens_[at_++].text;
    return true;
  }
  bool name(std::string& out) { return take(Token::Kind::Word, out); }
  bool literal(std::string& out) { return take(Token::Kind::String, out); }
  bool number(unsigned& out) {
    std::string digits;
    if (!name(digits) || digits.find_first_not_of("0123456789") != std::string::npos) return false;
    out = static_cast<unsigned>(std::strtoul(digits.c_str(), nullptr, 10));
    return true;
  }
  bool end() const { return at_ == tokens_.size(); }
  std::string rest() {
    const std::size_t begin = end() ? text_.size() : tokens_[at_].begin;
    at_ = tokens_.size();
    return std::string(text_.substr(begin));
  }

 private:
  std::string_view text_;
  const std::vector<Token>& tokens_;
  std::size_t at_ = 0;
};

bool select(Reader& in, Statement& out, std::string_view text) {
  if (text.find("pg_catalog.pg_settings WHERE source") != std::string_view::npos) {
    out.kind = Kind::Census;
    out.value = text.find("SELECT 'P'") != std::string_view::npos ? "statements" : "";
    in.rest();
    return true;
  }
  if (in.word("pg_catalog.set_config") || in.word("set_config")) {
    out.kind = Kind::SetConfig;
    if (!in.symbol("(") || !in.literal(out.name) || !in.symbol(",") || !in.literal(out.value) || !in.symbol(","))
      return false;
    out.local = in.word("true");
    return (out.local || in.word("false")) && in.symbol(")");
  }
  if (in.word("1")) return out.kind = Kind::Divide, in.symbol("/") && in.word("0");
  if (in.symbol("$")) return out.kind = Kind::Parameter, in.word("1") && in.symbol(":") && in.symbol(":") && in.word("text");
  out.kind = Kind::Rows;
  if (!in.literal(out.value)) return false;
  if (!in.symbol("|")) return true;
  out.series = true;
  return in.symbol("|") && in.word("g") && in.word("from") && in.word("generate_series") && in.symbol("(") &&
         in.word("1") && in.symbol(",") && in.number(out.rows) && in.symbol(")") && in.word("g");
}

bool set(Reader& in, Statement& out) {
  out.kind = in.word("local") ? Kind::SetLocal : Kind::Set;
  in.word("session");
  if (!in.name(out.name)) return false;
  if (in.word("to") && in.word("default")) return out.kind = Kind::Reset, true;
  return in.symbol("=") && (in.literal(out.value) || in.name(out.value));
}

bool copy(Reader& in, Statement& out) {
  if (!in.word("log")) return false;
  if (in.word("from")) return out.kind = Kind::CopyIn, in.word("stdin");
  return out.kind = Kind::CopyOut, out.rows = 2, in.word("to") && in.word("stdout");
}

bool roll_back(Reader& in, Statement& out) {
  if (!in.word("to")) return out.kind = Kind::Rollback, true;
  in.word("savepoint");
  return out.kind = Kind::RollbackTo, in.name(out.name);
}

bool discard(Reader& in, Statement& out) {
  out.kind = in.word("all") ? Kind::DiscardAll : Kind::DiscardOther;
  return out.kind == Kind::DiscardAll || in.word("sequences") || in.word("plans") || in.word("temp");
}

bool named(Reader& in, Statement& out, Kind kind) { return out.kind = kind, in.name(out.name); }

bool understand(Reader& in, Statement& out, std::string_view text) {
  if (in.word("select")) return select(in, out, text);
  if (in.word("insert"))
    return out.kind = Kind::Insert, in.word("into") && in.word("log") && in.word("values") && in.symbol("(") &&
                                        in.literal(out.value) && in.symbol(")");
  if (in.word("copy")) return copy(in, out);
  if (in.word("show")) return named(in, out, Kind::Show);
  if (in.word("set")) return set(in, out);
  if (in.word("reset")) {
    if (in.word("all")) return out.kind = Kind::ResetAll, true;
    return named(in, out, Kind::Reset);
  }
  if (in.word("discard")) return discard(in, out);
  if (in.word("prepare")) return named(in, out, Kind::Prepare) && in.word("as") && !(out.value = in.rest()).empty();
  if (in.word("execute")) return named(in, out, Kind::Execute);
  if (in.word("deallocate")) {
    if (in.word("all")) return out.kind = Kind::DeallocateAll, true;
    return named(in, out, Kind::Deallocate);
  }
  if (in.word("begin")) return out.kind = Kind::Begin, true;
  if (in.word("commit") || in.word("end")) return out.kind = Kind::Commit, true;
  if (in.word("rollback")) return roll_back(in, out);
  if (in.word("savepoint")) return named(in, out, Kind::Savepoint);
  if (in.word("release")) return in.word("savepoint"), named(in, out, Kind::Release);
  return false;
}

}  // namespace

std::vector<Statement> parse_model_sql(std::string_view text) {
  std::vector<Statement> out;
  for (std::size_t at = 0; at <= text.size();) {
    std::size_t end = at;
    for (bool in_string = false; end < text.size() && (in_string || text[end] != ';'); ++end)
      in_string ^= text[end] == '\'';
    const std::string_view piece = text.substr(at, end - at);
    at = end + 1;
    const auto tokens = tokens_of(piece);
    if (tokens.empty()) continue;
    Reader in(piece, tokens);
    Statement statement;
    if (!understand(in, statement, piece) || !in.end()) {
      statement = {};
      statement.value = tokens.front().text;
      return {statement};
    }
    out.push_back(std::move(statement));
  }
  return out;
}

}  // namespace pgweir::model
