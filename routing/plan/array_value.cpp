#include "routing/plan/array_value.h"

#include <cctype>
#include <cstdint>

namespace pgweir::routing {
namespace {

std::uint32_t be32(std::string_view b, std::size_t at) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i) v = v << 8 | static_cast<unsigned char>(b[at + i]);
  return v;
}
bool space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

bool is_null_word(std::string_view s) {
  static constexpr std::string_view kNull = "null";
  if (s.size() != kNull.size()) return false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(s[i])) != kNull[i]) return false;
  }
  return true;
}

// One element at `at`, which ends before ',' or '}'. False: malformed or a nested array.
bool read_element(std::string_view text, std::size_t& at, std::optional<std::string>& out) {
  std::string value;
  bool quoted = false;
  while (at < text.size() && space(text[at])) ++at;
  if (at < text.size() && text[at] == '"') {
    quoted = true;
    for (++at; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && ++at >= text.size()) return false;
      value += text[at];
    }
    if (at++ >= text.size()) return false;
    while (at < text.size() && space(text[at])) ++at;
  } else {
    while (at < text.size() && text[at] != ',' && text[at] != '}') {
      if (text[at] == '{' || text[at] == '"' || text[at] == '\\') return false;
      value += text[at++];
    }
    while (!value.empty() && space(value.back())) value.pop_back();
    if (value.empty()) return false;
  }
  if (at >= text.size() || (text[at] != ',' && text[at] != '}')) return false;
  if (quoted || !is_null_word(value)) out = std::move(value);
  return true;
}

}  // namespace

bool read_array_text(std::string_view text, std::vector<std::optional<std::string>>& elements) {
  std::size_t at = 0;
  while (at < text.size() && space(text[at])) ++at;
  if (at >= text.size() || text[at] != '{') return false;  // also [1:2]={...}
  ++at;
  while (at < text.size() && space(text[at])) ++at;
  if (at < text.size() && text[at] == '}') {
    ++at;
  } else {
    while (true) {
      std::optional<std::string> element;
      if (elements.size() >= kMaxArrayElements || !read_element(text, at, element)) return false;
      elements.push_back(std::move(element));
      if (text[at++] == '}') break;
    }
  }
  while (at < text.size() && space(text[at])) ++at;
  return at == text.size();
}

bool read_array_binary(std::string_view b, std::vector<std::optional<std::string>>& elements, Oid& element_type) {
  if (b.size() < 12) return false;
  const std::uint32_t dimensions = be32(b, 0);
  element_type = be32(b, 8);
  if (dimensions == 0) return b.size() == 12;
  if (dimensions != 1 || b.size() < 20) return false;
  const std::uint32_t count = be32(b, 12);
  if (count > kMaxArrayElements) return false;
  std::size_t at = 20;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (b.size() - at < 4) return false;
    const std::uint32_t length = be32(b, at);
    at += 4;
    if (length == 0xFFFFFFFFu) {
      elements.emplace_back(std::nullopt);
      continue;
    }
    if (b.size() - at < length) return false;
    elements.emplace_back(std::string(b.substr(at, length)));
    at += length;
  }
  return at == b.size();
}

}  // namespace pgweir::routing
