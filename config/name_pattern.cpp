#include "config/name_pattern.h"

namespace pgweir::config {
namespace {

// Escapes that PostgreSQL and ECMAScript read alike; and any punctuation, literally.
bool same_escape(char c) {
  const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return !alnum || std::string_view("dDwWsS").find(c) != std::string_view::npos;
}

// From PostgreSQL's expressions to ECMAScript's.
class Translation {
 public:
  explicit Translation(std::string_view in) : in_(in) {}

  std::string problem;
  std::string out;

  void run() {
    if (in_.starts_with("***")) problem = "a *** prefix is not supported";
    while (at_ < in_.size() && problem.empty()) step();
  }

 private:
  void step() {
    const char c = in_[at_];
    const bool before_option = in_.substr(at_).starts_with("(?");
    if (c == '\\') return escape();
    if (c == '[') return bracket();
    if (before_option && !in_.substr(at_).starts_with("(?:")) {
      problem = "options and look-around in (?...) are not supported";
      return;
    }
    // PostgreSQL's dot is every character, also a line break.
    if (c == '.')
      out += "[\\s\\S]";
    else
      out += c;
    ++at_;
  }

  void escape() {
    if (at_ + 1 >= in_.size() || !same_escape(in_[at_ + 1])) {
      problem = "the escape \"" + std::string(in_.substr(at_, 2)) + "\" is not supported";
      return;
    }
    out += in_.substr(at_, 2);
    at_ += 2;
  }

  // A list in brackets: copied, with the forms that differ refused.
  void bracket() {
    const std::size_t begin = at_++;
    if (at_ < in_.size() && in_[at_] == '^') ++at_;
    if (at_ < in_.size() && in_[at_] == ']') {
      problem = "a list in brackets cannot begin with ]";
      return;
    }
    for (; at_ < in_.size() && in_[at_] != ']'; ++at_) {
      const char c = in_[at_];
      const bool inner = c == '[' && at_ + 1 < in_.size() && std::string_view(":.=").find(in_[at_ + 1]) != std::string_view::npos;
      if (static_cast<unsigned char>(c) >= 0x80) problem = "only ASCII may stand in brackets";
      if (c == '\\') {
        if (at_ + 1 >= in_.size() || !same_escape(in_[at_ + 1])) problem = "this escape in brackets is not supported";
        ++at_;
      } else if (inner) {
        const std::size_t end = in_.find(std::string(1, in_[at_ + 1]) + "]", at_ + 2);
        if (in_[at_ + 1] != ':' || end == std::string_view::npos) {
          problem = "only [:class:] may stand in brackets";
          return;
        }
        at_ = end + 1;
      }
    }
    if (at_ >= in_.size() && problem.empty()) problem = "the ] is missing";
    if (!problem.empty()) return;
    out += in_.substr(begin, ++at_ - begin);
  }

  std::string_view in_;
  std::size_t at_ = 0;
};

}  // namespace

std::string NamePattern::compile(std::string_view expression) {
  if (expression.empty()) return "it is empty";
  if (expression.size() > kMaxPattern) return "it is longer than " + std::to_string(kMaxPattern) + " bytes";
  Translation translation(expression);
  translation.run();
  if (!translation.problem.empty()) return translation.problem;
  try {
    // Without backtracking: libstdc++'s breadth-first executor.
    expression_.assign(translation.out, std::regex::ECMAScript | std::regex_constants::__polynomial);
  } catch (const std::regex_error& error) {
    return error.what();
  }
  return {};
}

bool NamePattern::found_in(std::string_view name) const {
  return std::regex_search(name.begin(), name.end(), expression_);
}

}  // namespace pgweir::config
