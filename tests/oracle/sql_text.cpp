#include "tests/oracle/sql_text.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace pgweir::oracle {
namespace {

struct Word {
  std::string text;  // upper case; "$1" for a parameter
  std::size_t at;
  int depth;  // of parentheses
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string cased(std::string text, int (*change)(int)) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [change](unsigned char c) { return static_cast<char>(change(c)); });
  return text;
}

class Scanner {
 public:
  explicit Scanner(const std::string& sql) : sql_(sql) {}

  std::vector<Word> words() {
    std::vector<Word> words;
    int depth = 0;
    while (at_ < sql_.size()) {
      const char c = sql_[at_];
      if (skip_quoted() || skip_comment()) continue;
      if (c == '(') ++depth;
      if (c == ')') --depth;
      if (is_word(c) || c == '$') {
        const std::size_t from = at_++;
        while (at_ < sql_.size() && is_word(sql_[at_])) ++at_;
        words.push_back({cased(sql_.substr(from, at_ - from), std::toupper), from, depth});
      } else {
        ++at_;
      }
    }
    return words;
  }

 private:
  bool skip_quoted() {
    const char quote = sql_[at_];
    if (quote != '\'' && quote != '"') return false;
    const std::size_t end = sql_.find(quote, at_ + 1);  // a doubled quote is two literals in a row: the same to us
    at_ = end == std::string::npos ? sql_.size() : end + 1;
    return true;
  }
  bool skip_comment() {
    const std::string_view rest = std::string_view(sql_).substr(at_);
    if (!rest.starts_with("--") && !rest.starts_with("/*")) return false;
    const bool line = rest.starts_with("--");
    const std::size_t end = sql_.find(line ? "\n" : "*/", at_ + 2);
    at_ = end == std::string::npos ? sql_.size() : end + (line ? 1 : 2);
    return true;
  }

  const std::string& sql_;
  std::size_t at_ = 0;
};

std::string literal(const support::Cell& value, const std::string& type) {
  std::string text = "NULL";
  if (value) {
    text = "'";
    for (const char c : *value) text += c == '\'' ? std::string("''") : std::string(1, c);
    text += "'";
  }
  return type.empty() ? text : text + "::" + type;
}

}  // namespace

Shape shape_of(const std::string& sql) {
  Shape shape{.without_limit = sql};
  const std::vector<Word> words = Scanner(sql).words();
  for (std::size_t i = 1; i < words.size(); ++i) {  // a first word FETCH is a command
    const Word& word = words[i];
    if (word.depth != 0) continue;
    if (word.text == "ORDER" && i + 1 < words.size() && words[i + 1].text == "BY") shape.ordered = true;
    if (word.text != "LIMIT" && word.text != "OFFSET" && word.text != "FETCH") continue;
    shape.limited = true;
    shape.without_limit = sql.substr(0, word.at);
    break;
  }
  return shape;
}

bool sql_reads(const std::string& sql) {
  const std::vector<Word> words = Scanner(sql).words();
  if (words.empty()) return true;
  for (const char* first : {"SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN", "FETCH"}) {
    if (words[0].text == first) return true;
  }
  return false;
}

std::set<std::string> words_of(const std::string& sql) {
  std::set<std::string> words;
  std::string word;
  for (const char c : sql + " ") {
    if (is_word(c)) {
      word += c;
    } else if (!word.empty()) {
      words.insert(cased(word, std::tolower));
      word.clear();
    }
  }
  return words;
}

std::string with_literals(const Statement& statement, const support::Row& values) {
  std::string text;
  std::size_t from = 0;
  for (const Word& word : Scanner(statement.sql).words()) {
    if (word.text.size() < 2 || word.text[0] != '$' || std::isdigit(static_cast<unsigned char>(word.text[1])) == 0)
      continue;
    const std::size_t index = std::stoul(word.text.substr(1)) - 1;
    text += statement.sql.substr(from, word.at - from);
    text += literal(values.at(index), statement.types.empty() ? "" : statement.types.at(index));
    from = word.at + word.text.size();
  }
  return text + statement.sql.substr(from);
}

}  // namespace pgweir::oracle
