#include "tests/oracle/case_file.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <stdexcept>

#include "tests/support/temp_dir.h"

namespace pgweir::oracle {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> kTags{"ordered", "ties", "approx", "simple", "together", "fresh"};

std::string trimmed(const std::string& text) {
  const std::size_t from = text.find_first_not_of(" \t");
  if (from == std::string::npos) return "";
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(trimmed(part));
  return parts;
}

class Parser {
 public:
  Parser(std::string file, const std::map<std::string, std::string>& names) : file_(std::move(file)), names_(names) {}

  std::vector<Case> parse(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      ++line_;
      take(line);
    }
    end_case();
    return std::move(cases_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(file_ + ":" + std::to_string(line_) + ": " + what);
  }

  void take(const std::string& line) {
    if (trimmed(line).empty()) return end_case();
    if (line.starts_with("--")) return;
    if (line.starts_with("@")) return begin_case(line.substr(1));
    if (!open_) fail("a statement outside a case: blank lines end a case, @name begins one");
    if (line.starts_with("$: ")) {
      last().types = split(line.substr(3), ',');
    } else if (line.starts_with("$ ") || line == "$") {
      take_values(line.substr(1));
    } else if (line.starts_with(">")) {
      std::string& data = last().copy_data.emplace(last().copy_data.value_or(""));
      data += named(line.substr(std::min<std::size_t>(2, line.size()))) + "\n";
    } else {
      take_sql(line);
    }
  }

  void begin_case(const std::string& header) {
    end_case();
    std::istringstream words(header);
    Case test_case;
    test_case.file = file_;
    test_case.line = line_;
    words >> test_case.name;
    for (std::string word; words >> word;) {
      const std::size_t equals = word.find('=');
      const std::string tag = word.substr(0, equals);
      if (!kTags.contains(tag)) fail("no such tag: " + tag);
      test_case.tags[tag] = equals == std::string::npos ? "" : word.substr(equals + 1);
    }
    if (test_case.name.empty()) fail("a case needs a name");
    cases_.push_back(std::move(test_case));
    open_ = true;
  }

  void end_case() {
    if (!open_) return;
    if (!sql_.empty()) fail("a statement without its semicolon");
    if (cases_.back().statements.empty()) fail("a case without statements");
    open_ = false;
  }

  void take_sql(const std::string& line) {
    if (sql_.empty()) sql_line_ = line_;
    sql_ += (sql_.empty() ? "" : "\n") + named(line);
    if (!sql_.ends_with(';')) return;
    sql_.pop_back();
    cases_.back().statements.push_back(Statement{.sql = std::move(sql_), .line = sql_line_});
    sql_.clear();
  }

  void take_values(const std::string& text) {
    support::Row row;
    for (const std::string& part : split(text, '|')) {
      if (part == "\\N")
        row.emplace_back();
      else
        row.emplace_back(named(part));
    }
    last().parameters.push_back(std::move(row));
  }

  Statement& last() {
    if (!sql_.empty() || cases_.back().statements.empty()) fail("this line belongs after a statement");
    return cases_.back().statements.back();
  }

  std::string named(std::string text) const {
    for (std::size_t at = 0; (at = text.find('{', at)) != std::string::npos; ++at) {
      const std::size_t end = text.find('}', at);
      if (end == std::string::npos) break;
      const auto name = names_.find(text.substr(at + 1, end - at - 1));
      if (name != names_.end()) text.replace(at, end - at + 1, name->second);
    }
    return text;
  }

  std::string file_;
  const std::map<std::string, std::string>& names_;
  std::vector<Case> cases_;
  std::string sql_;
  int line_ = 0, sql_line_ = 0;
  bool open_ = false;
};

}  // namespace

bool Case::has_parameters() const {
  return std::any_of(statements.begin(), statements.end(), [](const Statement& s) { return !s.parameters.empty(); });
}

void PrintTo(const Case& test_case, std::ostream* out) {
  *out << test_case.file << ".cases:" << test_case.line << " @" << test_case.name;
}

std::vector<Case> parse_cases(const std::string& file, const std::string& text,
                              const std::map<std::string, std::string>& names) {
  return Parser(file, names).parse(text);
}

std::map<std::string, std::string> parse_names(const std::string& text) {
  std::map<std::string, std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with("--")) continue;
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) throw std::runtime_error("names: no value for " + line);
    names[line.substr(0, space)] = trimmed(line.substr(space));
  }
  return names;
}

fs::path oracle_directory() { return fs::path(PGWEIR_SOURCE_DIR) / "tests/oracle"; }

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    const auto names = parse_names(support::read_file(oracle_directory() / "cases/names.txt"));
    std::set<fs::path> files;
    for (const auto& entry : fs::directory_iterator(oracle_directory() / "cases")) {
      if (entry.path().extension() == ".cases") files.insert(entry.path());
    }
    std::vector<Case> all;
    std::set<std::string> seen;
    for (const fs::path& file : files) {
      for (Case& test_case : parse_cases(file.stem(), support::read_file(file), names)) {
        if (!seen.insert(test_case.name).second)
          throw std::runtime_error(file.string() + ": a second case named " + test_case.name);
        all.push_back(std::move(test_case));
      }
    }
    return all;
  }();
  return cases;
}

}  // namespace pgweir::oracle
