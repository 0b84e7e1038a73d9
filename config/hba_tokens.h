// pg_hba.conf as words: lines of fields, each a list of tokens. The grammar is PostgreSQL's: white space between fields,
// commas within one, # to the end of the line, double quotes (doubled inside), a backslash at the end of a line joins
// the next one, @file stands for the names in that file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/findings.h"

namespace pgweir::config {

struct HbaToken {
  std::string text;
  bool quoted = false;  // began with a quote: no keyword, no @file
  std::string file;
  Place place;
};
using HbaField = std::vector<HbaToken>;

struct HbaRow {
  std::string file;
  Place place;
  std::vector<HbaField> fields;  // no field is empty
  bool sound = true;             // false: it has findings and may lack fields
};

// What is wrong goes to `findings` at its place.
std::vector<HbaRow> tokenize_hba(std::string_view text, const std::string& path, Findings& findings);

// Reads a regular file of at most kMaxHbaFile bytes. An empty string, or what is wrong.
[[nodiscard]] std::string read_hba_text(const std::string& path, std::string& text);

inline constexpr std::size_t kMaxHbaFile = 4u << 20;
inline constexpr std::size_t kMaxHbaTokens = 1u << 20;  // over all files
inline constexpr std::size_t kMaxHbaFiles = 1000;       // read for @file, repeated ones counted
inline constexpr unsigned kMaxHbaDepth = 10;            // of @file in @file; PostgreSQL's bound

}  // namespace pgweir::config
