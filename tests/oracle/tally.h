// Counts what became of the written statements, and knows which refusals are allowed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/oracle/runner.h"

namespace pgweir::oracle {

inline constexpr std::size_t kMostRefusals = 20;
inline constexpr const char* kRefusableFile = "beyond";  // only cases of beyond.cases may be refused

// "case reason" lines of refusals.txt.
std::map<std::string, std::string> allowed_refusals();

// The count over all cases that ran. A statement is equal when it was in every mode, refused when it was refused in
// any, and differs when it differed in any.
class Tally {
 public:
  // Returns what is wrong: differences, and refusals that are not allowed. Empty: nothing.
  std::vector<std::string> add(const Case& test_case, const std::vector<Verdict>& verdicts);
  // "N statements in C cases: E equal, R refused, D differ", then a line for each refusal.
  std::string summary() const;
  int statements() const { return statements_; }
  int refused() const { return refused_; }

 private:
  std::vector<std::string> add_refusal(const Case& test_case, const Verdict& verdict);

  const std::map<std::string, std::string> allowed_ = allowed_refusals();
  int cases_ = 0, statements_ = 0, executions_ = 0, equal_ = 0, refused_ = 0, differ_ = 0;
  std::vector<std::string> refusals_;
};

}  // namespace pgweir::oracle
