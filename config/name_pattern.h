// A regular expression over user or database names, as pg_hba.conf writes them ("/^app_[0-9]+$"). Of PostgreSQL's
// advanced expressions those forms are taken that mean the same here; the others are refused, so that no line decides
// otherwise than PostgreSQL would. Matching takes time proportional to name times expression: no expression runs away.
#pragma once

#include <regex>
#include <string>
#include <string_view>

namespace pgweir::config {

class NamePattern {
 public:
  // Compiles; an empty string, or what is wrong.
  [[nodiscard]] std::string compile(std::string_view expression);
  // Anywhere in the name, unless the expression is anchored. Bytes, not characters.
  bool found_in(std::string_view name) const;

 private:
  std::regex expression_;
};

inline constexpr std::size_t kMaxPattern = 1000;

}  // namespace pgweir::config
