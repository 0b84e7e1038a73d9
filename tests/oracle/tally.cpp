#include "tests/oracle/tally.h"

#include <algorithm>
#include <sstream>

#include "tests/support/temp_dir.h"

namespace pgweir::oracle {

std::map<std::string, std::string> allowed_refusals() {
  return parse_names(support::read_file(oracle_directory() / "refusals.txt"));
}

std::vector<std::string> Tally::add(const Case& test_case, const std::vector<Verdict>& verdicts) {
  std::vector<std::string> wrong;
  ++cases_;
  const bool refused =
      std::any_of(verdicts.begin(), verdicts.end(), [](const Verdict& verdict) { return !verdict.refusals.empty(); });
  if (!refused && allowed_.contains(test_case.name))
    wrong.push_back(test_case.name + " is answered now: take it off refusals.txt");
  for (const Verdict& verdict : verdicts) {
    ++statements_;
    executions_ += verdict.equal + static_cast<int>(verdict.refusals.size() + verdict.differences.size());
    const std::string place =
        test_case.file + ".cases:" + std::to_string(verdict.statement->line) + ": " + verdict.statement->sql + "\n  ";
    std::map<std::string, std::string> modes;  // by what differs: most differences are the same in every mode
    for (const auto& [mode, text] : verdict.differences) {
      std::string& list = modes[text];
      if (list.find(mode) == std::string::npos) list += (list.empty() ? "" : "; ") + mode;
    }
    for (const auto& [text, list] : modes) wrong.push_back(place + list + ": " + text);
    if (!verdict.differences.empty())
      ++differ_;
    else if (verdict.refusals.empty())
      ++equal_;
    if (verdict.refusals.empty()) continue;
    for (const std::string& text : add_refusal(test_case, verdict)) wrong.push_back(place + text);
    if (verdict.differences.empty()) ++refused_;
  }
  return wrong;
}

std::vector<std::string> Tally::add_refusal(const Case& test_case, const Verdict& verdict) {
  std::vector<std::string> wrong;
  const Refusal& first = verdict.refusals.front();
  refusals_.push_back(test_case.name + ": " + first.reason + " (hint: " + first.hint + ")");
  const auto allowed = allowed_.find(test_case.name);
  if (allowed == allowed_.end() || test_case.file != kRefusableFile)
    wrong.push_back("refused: " + first.reason + ": " + first.message + " (" + first.where + ")");
  for (const Refusal& refusal : verdict.refusals) {
    if (allowed != allowed_.end() && refusal.reason != allowed->second)
      wrong.push_back("refused for reason " + refusal.reason + ", allowed is " + allowed->second);
    if (refusal.hint.empty()) wrong.push_back("refused without a hint");
  }
  if (verdict.equal > 0) {
    std::string list = "refused " + std::to_string(verdict.refusals.size()) + " times, equal " +
                       std::to_string(verdict.equal) + " times";
    for (const Refusal& refusal : verdict.refusals) list += "\n   refused " + refusal.where;
    wrong.push_back(list);
  }
  return wrong;
}

std::string Tally::summary() const {
  std::ostringstream out;
  out << statements_ << " statements in " << cases_ << " cases (" << executions_ << " executions): " << equal_
      << " equal, " << refused_ << " refused, " << differ_ << " differ\n";
  for (const std::string& refusal : refusals_) out << "  refused " << refusal << "\n";
  return out.str();
}

}  // namespace pgweir::oracle
