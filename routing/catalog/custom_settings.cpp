#include "routing/catalog/custom_settings.h"

#include <algorithm>

namespace pgweir::routing {
namespace {

constexpr std::size_t kMaxName = 256;  // more than PostgreSQL's identifiers take; the rest is no name

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool word_char(char c) { return letter(c) || digit(c) || c == '$'; }
bool space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == y; });
}

// Comments become blanks. Inside '...' and "..." nothing is a comment; dollar quotes hold code, so they are looked into.
std::string without_comments(std::string_view code) {
  std::string out(code);
  char quote = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (quote != 0) {
      if (out[i] == quote) quote = 0;
    } else if (out[i] == '\'' || out[i] == '"') {
      quote = out[i];
    } else if (code.substr(i, 2) == "--" || code.substr(i, 2) == "/*") {
      const bool line = code[i] == '-';
      const auto found = code.find(line ? "\n" : "*/", i + 2);
      const auto end = found == std::string_view::npos ? out.size() : found + (line ? 0 : 2);
      std::fill(out.begin() + static_cast<std::ptrdiff_t>(i), out.begin() + static_cast<std::ptrdiff_t>(end), ' ');
      i = end - 1;
    }
  }
  return out;
}

class Scanner {
 public:
  Scanner(std::string_view code, CustomSettings& found) : code_(code), found_(found) {}

  void run() {
    while (at_ < code_.size()) {
      if (!letter(code_[at_])) {
        // 1e5 and $1 are no words.
        at_ = word_char(code_[at_]) ? word_end(at_) : at_ + 1;
        continue;
      }
      const std::size_t begin = at_;
      at_ = word_end(at_);
      const auto word = code_.substr(begin, at_ - begin);
      if (same_word(word, "set_config")) {
        call();
      } else if (same_word(word, "set")) {
        command(begin);
      } else if (same_word(word, "load")) {
        library(begin);
      }
    }
  }

 private:
  char peek() const { return at_ < code_.size() ? code_[at_] : '\0'; }
  bool take(std::string_view token) {
    if (code_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void skip_space() {
    while (at_ < code_.size() && space(code_[at_])) ++at_;
  }
  std::size_t word_end(std::size_t from) const {
    while (from < code_.size() && word_char(code_[from])) ++from;
    return from;
  }
  std::size_t skip_quotes() {
    const std::size_t begin = at_;
    while (peek() == '\'') ++at_;
    return at_ - begin;
  }
  bool unknown() {
    found_.unknown = true;
    return false;
  }

  // Behind the name of set_config.
  void call() {
    if (peek() == '"') ++at_;
    skip_space();
    if (!take("(")) return;  // mentioned only
    skip_space();
    const std::size_t begin = at_;
    const std::size_t end = word_end(at_);
    if (same_word(code_.substr(begin, end - begin), "setting_name")) {
      at_ = end;
      skip_space();
      if (take("=>") || take(":=")) skip_space();
      else at_ = begin;
    }
    std::string_view name;
    unsigned parameter = 0;
    if (peek() == '$' && at_ + 1 < code_.size() && digit(code_[at_ + 1])) {
      for (++at_; digit(peek()) && parameter < 100'000; ++at_) parameter = parameter * 10 + static_cast<unsigned>(peek() - '0');
    } else if (!literal(name)) {
      return;
    }
    skip_space();
    if (take("::")) {
      skip_space();
      at_ = word_end(at_);
      skip_space();
    }
    if (peek() != ',') return void(unknown());
    if (parameter == 0) return found_.add(name);
    auto& all = found_.parameters;
    if (std::find(all.begin(), all.end(), parameter) == all.end()) all.push_back(parameter);
  }

  // Behind the word LOAD: nobody can say what a library defines or sets.
  void library(std::size_t begin) {
    const std::size_t behind = at_;
    if (peek() == '\'' && begin > 0 && code_[begin - 1] == '\'') return;  // a literal that is the word
    skip_space();
    if ((skip_quotes() != 0 || peek() == '$' || peek() == '%') &&
        (starts_statement(begin) || follows_keyword(begin)))
      unknown();
    at_ = behind;
  }

  // Of PL/pgSQL: a statement begins behind it.
  bool follows_keyword(std::size_t begin) const {
    while (begin > 0 && space(code_[begin - 1])) --begin;
    std::size_t start = begin;
    while (start > 0 && word_char(code_[start - 1])) --start;
    const auto word = code_.substr(start, begin - start);
    return same_word(word, "begin") || same_word(word, "then") || same_word(word, "else") || same_word(word, "loop");
  }

  // A string constant, perhaps with its quotes doubled because it stands in another one; or dollar-quoted.
  bool literal(std::string_view& name) {
    if (peek() == '$') {
      const auto tag_end = code_.find('$', at_ + 1);
      if (tag_end == std::string_view::npos) return unknown();
      const auto tag = code_.substr(at_, tag_end + 1 - at_);
      const auto end = code_.find(tag, tag_end + 1);
      if (end == std::string_view::npos) return unknown();
      name = code_.substr(tag_end + 1, end - tag_end - 1);
      at_ = end + tag.size();
    } else {
      if (lower(peek()) == 'e') ++at_;
      const std::size_t quotes = skip_quotes();
      if (quotes == 0) return unknown();
      skip_space();
      if (quotes % 2 == 0 && peek() == ',') return true;  // ''
      const std::size_t begin = at_;
      at_ = std::min(code_.find('\'', at_), code_.size());
      name = code_.substr(begin, at_ - begin);
      if (skip_quotes() != quotes) return unknown();
    }
    return name.find_first_of("\\%$|") == std::string_view::npos || unknown();
  }

  // Behind the word SET.
  void command(std::size_t begin) {
    const std::size_t behind = at_;
    skip_space();
    if (at_ != behind) {
      const std::size_t end = word_end(at_);
      const auto scope = code_.substr(at_, end - at_);
      if ((same_word(scope, "session") || same_word(scope, "local")) && end < code_.size() && space(code_[end])) {
        at_ = end;
        skip_space();
      }
    }
    std::string name;
    do {
      skip_space();
      if (!part(name)) {
        if (made_up(behind) && starts_statement(begin)) unknown();
        at_ = behind;
        return;
      }
      skip_space();
    } while (peek() == '.' && name.size() < kMaxName && (name += code_[at_++], true));
    if (!made_up(behind)) found_.add(name);
    else if (starts_statement(begin)) unknown();
    at_ = behind;
  }

  bool part(std::string& name) {
    if (peek() == '"') {
      const auto end = code_.find('"', at_ + 1);
      if (end == std::string_view::npos) return false;
      name += code_.substr(at_ + 1, end - at_ - 1);
      const auto format = code_.find('%', at_);
      at_ = std::min(format, end + 1);
      return format > end;
    }
    if (!letter(peek())) return false;
    const std::size_t end = word_end(at_);
    name += code_.substr(at_, end - at_);
    at_ = end;
    return true;
  }

  // format('SET app.%I ...'), 'SET app.' || x or concat('SET ', x). `set_end`: behind the word SET.
  bool made_up(std::size_t set_end) {
    if (peek() == '%') return true;
    const bool apart = at_ != set_end;
    if (skip_quotes() == 0) return false;
    skip_space();
    return peek() == '|' || (peek() == ',' && apart);
  }

  // UPDATE ... SET is no SET: what stands before it goes on.
  bool starts_statement(std::size_t begin) const {
    while (begin > 0 && space(code_[begin - 1])) --begin;
    if (begin == 0) return true;
    const char before = code_[begin - 1];
    if (before == ';' || before == '(' || before == '$' || before == '"') return true;
    if (before != '\'') return false;
    while (begin > 0 && (code_[begin - 1] == '\'' || space(code_[begin - 1]))) --begin;
    return begin == 0 || code_[begin - 1] != '|';
  }

  std::string_view code_;
  CustomSettings& found_;
  std::size_t at_ = 0;
};

}  // namespace

void CustomSettings::add(std::string_view name) {
  if (name.find('.') == std::string_view::npos) return;
  if (name.size() > kMaxName) {
    unknown = true;
    return;
  }
  std::string folded(name);
  std::transform(folded.begin(), folded.end(), folded.begin(), lower);
  if (std::find(names.begin(), names.end(), folded) != names.end()) return;
  if (names.size() >= kMaxNames) {
    unknown = true;
    return;
  }
  names.push_back(std::move(folded));
}

void find_custom_settings(std::string_view code, CustomSettings& found) {
  const std::string bare = without_comments(code);
  Scanner(bare, found).run();
}

}  // namespace pgweir::routing
