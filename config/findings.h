// Collects what is wrong with a file, so that one run tells everything.
#pragma once

#include <string>
#include <vector>

#include "config/loader.h"

namespace pgweir::config {

// 1-based, columns count code points; {0, 0}: no place in the file.
struct Place {
  unsigned line = 0, column = 0;
};

class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}

  void error(Place place, std::string message, std::string hint = {}) {
    add(Severity::Error, place, std::move(message), std::move(hint));
    ++errors_;
  }
  void warning(Place place, std::string message, std::string hint = {}) {
    add(Severity::Warning, place, std::move(message), std::move(hint));
  }
  std::size_t errors() const { return errors_; }
  const std::string& file() const { return file_; }

  // In order of line and column, findings of one place in the order they were made. Leaves the collector empty.
  std::vector<Diagnostic> take();

 private:
  void add(Severity severity, Place place, std::string message, std::string hint) {
    found_.push_back({severity, file_, place.line, place.column, std::move(message), std::move(hint)});
  }

  std::string file_;
  std::vector<Diagnostic> found_;
  std::size_t errors_ = 0;
};

}  // namespace pgweir::config
