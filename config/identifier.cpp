#include "config/identifier.h"

namespace pgweir::config {
namespace {

bool plain_start(unsigned char c) { return (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80; }
bool plain_rest(unsigned char c) { return plain_start(c) || (c >= '0' && c <= '9') || c == '$'; }

// Takes one part off the front of `text`.
std::string take_part(std::string_view& text, std::string& part) {
  part.clear();
  if (!text.starts_with('"')) {
    const std::size_t dot = text.find('.');
    part = std::string(text.substr(0, dot));
    text.remove_prefix(part.size());
    for (std::size_t i = 0; i < part.size(); ++i) {
      const auto c = static_cast<unsigned char>(part[i]);
      if (c >= 'A' && c <= 'Z') return "upper case in \"" + part + "\" is ambiguous: quote the name or use lower case";
      if (i == 0 ? !plain_start(c) : !plain_rest(c)) return "\"" + part + "\" must be quoted as in SQL";
    }
    return {};
  }
  text.remove_prefix(1);
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '"') {
      part += c;
    } else if (text.starts_with('"')) {
      part += '"';
      text.remove_prefix(1);
    } else {
      return {};
    }
  }
  return "a closing quote is missing";
}

}  // namespace

std::string parse_identifier(std::string_view text, std::size_t max_parts, std::vector<std::string>& parts) {
  parts.clear();
  while (true) {
    std::string part;
    if (std::string problem = take_part(text, part); !problem.empty()) return problem;
    if (part.empty()) return "a part of the name is empty";
    if (part.size() > kMaxIdentifier) return "the name is longer than PostgreSQL's 63 bytes";
    parts.push_back(std::move(part));
    if (text.empty()) break;
    if (text.front() != '.') return "unexpected text after the quoted name";
    text.remove_prefix(1);
  }
  if (parts.size() > max_parts) return max_parts == 1 ? "one name without dots is expected" : "too many parts";
  return {};
}

std::string format_identifier(const std::string& part) {
  bool plain = !part.empty() && plain_start(static_cast<unsigned char>(part[0]));
  for (const char c : part) plain = plain && plain_rest(static_cast<unsigned char>(c));
  if (plain) return part;
  std::string quoted = "\"";
  for (const char c : part) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string format_identifier(const std::string& schema, const std::string& name) {
  return format_identifier(schema) + "." + format_identifier(name);
}

}  // namespace pgweir::config
