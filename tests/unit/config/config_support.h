// Helpers of the configuration tests: a folder of their own, minimal texts, findings as comparable lines.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/loader.h"

namespace pgweir::config {

inline void PrintTo(const Diagnostic& diagnostic, std::ostream* out) { *out << diagnostic.to_string(); }

// Valid and without warnings: what a test needs to add one mistake to.
inline constexpr const char* kUser = "[[user]]\nname = \"app\"\npassword = \"secret\"\n";
inline constexpr const char* kShard = "[[cluster.c.shard]]\nname = \"a\"\nprimary = \"10.0.0.1:5432\"\n";
// Eleven lines: a user, the shards "a" and "b", and the head of the cluster, to which a test may add keys.
inline const std::string kBase = std::string(kUser) + kShard +
                                 "[[cluster.c.shard]]\nname = \"b\"\nprimary = \"10.0.0.2:5432\"\n"
                                 "[cluster.c]\nunlisted = \"a\"\n";

// "12:3 error: message", as the tables of tests write it.
inline std::string brief(const Diagnostic& diagnostic) {
  return std::to_string(diagnostic.line) + ":" + std::to_string(diagnostic.column) +
         (diagnostic.severity == Severity::Error ? " error: " : " warning: ") + diagnostic.message;
}

inline std::vector<std::string> findings_of(const std::string& text, const std::string& path = "test.toml") {
  std::vector<std::string> lines;
  for (const Diagnostic& diagnostic : load_text(text, path).diagnostics) lines.push_back(brief(diagnostic));
  return lines;
}

inline std::string all_of(const LoadResult& result) {
  std::string text;
  for (const Diagnostic& diagnostic : result.diagnostics) text += diagnostic.to_string() + "\n";
  return text;
}

// A temporary folder, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "pgweir-config-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& text, bool world_readable = false) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream(file) << text;
    using std::filesystem::perms;
    std::filesystem::permissions(file, perms::owner_read | perms::owner_write |
                                           (world_readable ? perms::others_read : perms::none));
    return file.string();
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace pgweir::config
