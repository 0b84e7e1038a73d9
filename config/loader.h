// Reads, validates and types a configuration file. All findings are collected: one run tells everything that is wrong.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace pgweir::config {

enum class Severity { Warning, Error };

struct Diagnostic {
  Severity severity = Severity::Error;
  std::string file;               // the configuration, or a file that it names (hba_file)
  unsigned line = 0, column = 0;  // 1-based; 0 when the finding has no place in the file
  std::string message;
  std::string hint;               // may be empty
  std::string to_string() const;  // "file:line:col: error: message\n  hint: ..."
};

struct LoadResult {
  std::shared_ptr<const Config> config;  // null when there is at least one error
  std::vector<Diagnostic> diagnostics;   // in order of file (this one first), line and column
};

// Never throws. Relative paths in the file are relative to the file's folder.
LoadResult load_file(const std::string& path);
// The same over text already read; `path` is used in diagnostics and to resolve relative paths.
LoadResult load_text(std::string_view text, const std::string& path);

}  // namespace pgweir::config
