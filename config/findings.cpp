#include "config/findings.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace pgweir::config {

std::vector<Diagnostic> Findings::take() {
  std::stable_sort(found_.begin(), found_.end(), [this](const Diagnostic& a, const Diagnostic& b) {
    const bool other_a = a.file != file_, other_b = b.file != file_;
    return std::tie(other_a, a.file, a.line, a.column) < std::tie(other_b, b.file, b.line, b.column);
  });
  errors_ = 0;
  return std::exchange(found_, {});
}

std::string Diagnostic::to_string() const {
  std::string text = file;
  if (line != 0) text += ":" + std::to_string(line) + ":" + std::to_string(column);
  text += severity == Severity::Error ? ": error: " : ": warning: ";
  text += message;
  if (!hint.empty()) text += "\n  hint: " + hint;
  return text;
}

}  // namespace pgweir::config
