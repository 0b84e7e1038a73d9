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
    error_in(file_, place, std::move(message), std::move(hint));
  }
  void warning(Place place, std::string message, std::string hint = {}) {
    warning_in(file_, place, std::move(message), std::move(hint));
  }
  // The same in another file that the configuration names.
  void error_in(const std::string& file, Place place, std::string message, std::string hint = {}) {
    add(Severity::Error, file, place, std::move(message), std::move(hint));
    ++errors_;
  }
  void warning_in(const std::string& file, Place place, std::string message, std::string hint = {}) {
    add(Severity::Warning, file, place, std::move(message), std::move(hint));
  }
  std::size_t errors() const { return errors_; }
  const std::string& file() const { return file_; }

  // The file's own first, then those of other files by name; each in order of line and column, findings of one place in
  // the order they were made. Leaves the collector empty.
  std::vector<Diagnostic> take();

 private:
  void add(Severity severity, const std::string& file, Place place, std::string message, std::string hint) {
    found_.push_back({severity, file, place.line, place.column, std::move(message), std::move(hint)});
  }

  std::string file_;
  std::vector<Diagnostic> found_;
  std::size_t errors_ = 0;
};

}  // namespace pgweir::config
