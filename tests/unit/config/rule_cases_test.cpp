// Runs the cases of tests/unit/config/cases (see its README.md).
#include <cctype>
#include <sstream>

#include "config_support.h"

namespace pgweir::config {
namespace {

struct RuleCaseText {
  std::string file, title, text;
  std::vector<std::string> expected;  // findings, each with its hint where the case gives one
};

void PrintTo(const RuleCaseText& test, std::ostream* out) { *out << test.file << ": " << test.title; }

std::vector<RuleCaseText> read_cases() {
  std::vector<RuleCaseText> cases;
  for (const char* file : {"format", "process", "users", "clusters", "placements", "tables", "warnings"}) {
    std::ifstream in(std::string(PGWEIR_SOURCE_DIR) + "/tests/unit/config/cases/" + file + ".cases");
    bool answer = false;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("=== ")) {
        cases.push_back({file, line.substr(4), "", {}});
        answer = false;
      } else if (line == "---") {
        answer = true;
      } else if (!answer) {
        cases.back().text += line == "%base" ? kBase : line + "\n";
      } else if (line.starts_with("  hint: ")) {
        cases.back().expected.back() += "\n" + line;
      } else if (!line.empty()) {
        cases.back().expected.push_back(line);
      }
    }
  }
  return cases;
}

class RuleCase : public testing::TestWithParam<RuleCaseText> {};

TEST_P(RuleCase, SaysWhatIsWrongAndWhere) {
  const LoadResult result = load_text(GetParam().text, "/nonexistent/test.toml");
  std::vector<std::string> found;
  bool errors = false;
  for (std::size_t i = 0; i < result.diagnostics.size(); ++i) {
    const Diagnostic& diagnostic = result.diagnostics[i];
    errors = errors || diagnostic.severity == Severity::Error;
    found.push_back(brief(diagnostic));
    const bool hint_expected = i < GetParam().expected.size() &&
                               GetParam().expected[i].find("\n  hint: ") != std::string::npos;
    if (hint_expected) found.back() += "\n  hint: " + diagnostic.hint;
  }
  EXPECT_EQ(found, GetParam().expected) << GetParam().text << "---\n" << all_of(result);
  EXPECT_EQ(result.config == nullptr, errors);
}

std::string test_name(const testing::TestParamInfo<RuleCaseText>& info) {
  std::string name = info.param.file + "_" + info.param.title;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Config, RuleCase, testing::ValuesIn(read_cases()), test_name);

TEST(RuleCases, AreRead) { EXPECT_GT(read_cases().size(), 100u); }

}  // namespace
}  // namespace pgweir::config
