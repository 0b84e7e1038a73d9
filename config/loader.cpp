#include "config/loader.h"

#include <array>
#include <filesystem>
#include <fstream>

#include "config/document.h"
#include "config/read.h"
#include "config/rules.h"
#include "config/unknown_keys.h"

namespace pgweir::config {
namespace {

// A larger file is not a configuration; it also bounds what the parser allocates.
constexpr std::size_t kMaxFile = 16u << 20;

LoadResult failed(const std::string& path, std::string message) {
  return {nullptr, {Diagnostic{.file = path, .message = std::move(message)}}};
}

LoadResult load(std::string_view text, const std::string& path) {
  Findings findings(path);
  Document document;
  auto config = std::make_shared<Config>();
  config->path = path;
  if (parse_document(text, document, findings)) {
    const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
    check_keys(document, findings);
    read_config(ReadContext{document, folder, findings}, *config);
    check_rules(RuleContext{*config, document, findings});
  }
  const bool sound = findings.errors() == 0;
  return {sound ? std::move(config) : nullptr, findings.take()};
}

}  // namespace

LoadResult load_text(std::string_view text, const std::string& path) {
  try {
    return load(text, path);
  } catch (const std::exception& error) {
    return failed(path, error.what());
  }
}

LoadResult load_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return failed(path, "this is a directory");
  if (!std::filesystem::exists(path, error)) return failed(path, "the file does not exist");
  std::ifstream in(path, std::ios::binary);
  if (!in) return failed(path, "the file cannot be read");
  // In blocks, so that a pipe works and an endless device stops at the bound.
  std::string text;
  std::array<char, 16384> block;
  while (in.read(block.data(), block.size()) || in.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxFile) return failed(path, "the file is too large");
  }
  if (in.bad()) return failed(path, "the file cannot be read");
  return load_text(text, path);
}

}  // namespace pgweir::config
