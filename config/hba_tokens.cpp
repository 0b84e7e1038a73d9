#include "config/hba_tokens.h"

#include <filesystem>
#include <fstream>

namespace pgweir::config {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Characters of logical lines, each with its place. A line break is where a logical line ends.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) { join(); }
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\n' : text_[at_]; }
  Place place() const { return {line_, column_}; }
  void advance() {
    step();
    join();
  }

 private:
  void step() {
    if (at_end()) return;
    const char c = text_[at_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
      ++column_;
    }
  }
  void join() {
    while (true) {
      const std::string_view rest = text_.substr(at_);
      const unsigned length = rest.starts_with("\\\n") ? 2 : rest.starts_with("\\\r\n") ? 3 : 0;
      if (length == 0) return;
      for (unsigned i = 0; i < length; ++i) step();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  unsigned line_ = 1, column_ = 1;
};

class Tokenizer {
 public:
  explicit Tokenizer(Findings& findings) : findings_(findings) {}

  std::vector<HbaRow> rows(std::string_view text, const std::string& path, unsigned depth) {
    std::vector<HbaRow> rows;
    Scanner in(text);
    while (!in.at_end()) {
      HbaRow row{path, in.place(), {}};
      const std::size_t before = findings_.errors();
      while (in.peek() != '\n') {
        HbaField field = next_field(in, path, depth);
        if (row.fields.empty() && !field.empty()) row.place = field.front().place;
        if (!field.empty()) row.fields.push_back(std::move(field));
        while (is_blank(in.peek())) in.advance();
      }
      in.advance();
      row.sound = findings_.errors() == before;
      if (!row.fields.empty() || !row.sound) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  HbaField next_field(Scanner& in, const std::string& path, unsigned depth) {
    HbaField field;
    bool comma = true;
    while (comma) {
      HbaToken token{{}, false, path, {}};
      comma = false;
      if (!next_token(in, token, comma)) {
        if (comma) findings_.error_in(path, token.place, "there is nothing before this comma");
        break;
      }
      if (++count_ > kMaxHbaTokens) {
        if (count_ == kMaxHbaTokens + 1) findings_.error_in(path, token.place, "there are too many words");
        break;
      }
      if (!token.quoted && token.text.size() > 1 && token.text.front() == '@')
        expand(token, depth, field);
      else
        field.push_back(std::move(token));
    }
    return field;
  }

  // False: the line has no more. `comma`: the list goes on.
  bool next_token(Scanner& in, HbaToken& token, bool& comma) {
    bool in_quote = false, was_quote = false, saw_quote = false;
    while (is_blank(in.peek())) in.advance();
    token.place = in.place();
    while (in.peek() != '\n' && (in_quote || !is_blank(in.peek()))) {
      const char c = in.peek();
      if (c == '#' && !in_quote) {
        while (in.peek() != '\n') in.advance();
        break;
      }
      in.advance();
      if (c == ',' && !in_quote) {
        comma = true;
        break;
      }
      if (c != '"' || was_quote) token.text += c;
      was_quote = in_quote && c == '"' && !was_quote;
      if (c == '"') {
        in_quote = !in_quote;
        token.quoted = token.quoted || (token.text.empty() && !saw_quote);
        saw_quote = true;
      }
    }
    if (in_quote) findings_.error_in(token.file, token.place, "the closing quote is missing");
    return saw_quote || !token.text.empty();
  }

  void expand(const HbaToken& token, unsigned depth, HbaField& field) {
    const std::filesystem::path name = std::filesystem::path(token.file).parent_path() / token.text.substr(1);
    const std::string path = name.lexically_normal().string();
    std::string text;
    const std::string problem = depth >= kMaxHbaDepth      ? "files are nested too deeply"
                                : ++files_ > kMaxHbaFiles ? "there are too many files"
                                                          : read_hba_text(path, text);
    if (!problem.empty()) {
      findings_.error_in(token.file, token.place, "the file \"" + path + "\": " + problem);
      return;
    }
    const std::size_t before = findings_.errors();
    for (HbaRow& row : rows(text, path, depth + 1)) {
      for (HbaField& inner : row.fields) {
        for (HbaToken& one : inner) field.push_back(std::move(one));
      }
    }
    // No name at all would make the line match nobody, or leave the next field in this one's place.
    if (field.empty() && findings_.errors() == before)
      findings_.error_in(token.file, token.place, "the file \"" + path + "\" has no names");
  }

  Findings& findings_;
  std::size_t count_ = 0, files_ = 0;
};

}  // namespace

std::string read_hba_text(const std::string& path, std::string& text) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return "it does not exist";
  if (!std::filesystem::is_regular_file(path, failed)) return "it is no regular file";
  std::ifstream in(path, std::ios::binary);
  text.assign(kMaxHbaFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in && !in.eof()) return "it cannot be read";
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxHbaFile) return "it is too large";
  if (text.find('\0') != std::string::npos) return "it has a zero byte inside";
  return {};
}

std::vector<HbaRow> tokenize_hba(std::string_view text, const std::string& path, Findings& findings) {
  return Tokenizer(findings).rows(text, path, 0);
}

}  // namespace pgweir::config
