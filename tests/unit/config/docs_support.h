// Reads docs/configuration.md for the tests that hold it to the code.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace pgweir::config {

inline std::string documentation() {
  std::ifstream in(std::string(PGWEIR_SOURCE_DIR) + "/docs/configuration.md");
  if (!in) throw std::runtime_error("docs/configuration.md is missing");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Every ```toml block, in order.
inline std::vector<std::string> documented_examples() {
  constexpr std::string_view kOpen = "```toml\n";
  const std::string text = documentation();
  std::vector<std::string> blocks;
  for (std::size_t at = text.find(kOpen); at != std::string::npos; at = text.find(kOpen, at)) {
    const std::size_t start = at + kOpen.size();
    const std::size_t end = text.find("```\n", start);
    if (end == std::string::npos) break;
    blocks.push_back(text.substr(start, end - start));
    at = end;
  }
  return blocks;
}

}  // namespace pgweir::config
