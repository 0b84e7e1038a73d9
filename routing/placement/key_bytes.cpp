// uuid and bytea as PostgreSQL reads them.
#include "routing/placement/key_readers.h"

namespace pgweir::routing {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

ReadResult read_bytea_hex(std::string_view digits, std::string& out) {
  for (std::size_t i = 0; i < digits.size();) {
    const char c = digits[i];
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {  // between pairs only
      ++i;
      continue;
    }
    if (i + 1 >= digits.size()) return KeyError::Invalid;
    const int high = hex_value(c), low = hex_value(digits[i + 1]);
    if (high < 0 || low < 0) return KeyError::Invalid;
    out.push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  return std::nullopt;
}

ReadResult read_bytea_escape(std::string_view text, std::string& out) {
  const auto octal = [&](std::size_t i, char last) { return i < text.size() && text[i] >= '0' && text[i] <= last; };
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      out.push_back(text[i++]);
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      out.push_back('\\');
      i += 2;
    } else if (octal(i + 1, '3') && octal(i + 2, '7') && octal(i + 3, '7')) {
      out.push_back(static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0')));
      i += 4;
    } else {
      return KeyError::Invalid;
    }
  }
  return std::nullopt;
}

}  // namespace

ReadResult read_uuid(std::string_view text, std::string& out) {
  const bool braces = text.starts_with('{');
  if (braces) text.remove_prefix(1);
  out.clear();
  for (int i = 0; i < 16; ++i) {
    if (text.size() < 2) return KeyError::Invalid;
    const int high = hex_value(text[0]), low = hex_value(text[1]);
    if (high < 0 || low < 0) return KeyError::Invalid;
    out.push_back(static_cast<char>(high << 4 | low));
    text.remove_prefix(2);
    // A hyphen may stand after every group of four digits.
    if (i % 2 == 1 && i < 15 && text.starts_with('-')) text.remove_prefix(1);
  }
  if (braces) {
    if (!text.starts_with('}')) return KeyError::Invalid;
    text.remove_prefix(1);
  }
  if (!text.empty()) return KeyError::Invalid;
  return std::nullopt;
}

ReadResult read_bytea(std::string_view text, std::string& out) {
  out.clear();
  if (text.starts_with("\\x")) return read_bytea_hex(text.substr(2), out);
  return read_bytea_escape(text, out);
}

SqlError bytea_error(std::string_view text) {
  if (!text.starts_with("\\x")) return {"22P02", "invalid input syntax for type bytea", {}, {}, {}, {}};
  text.remove_prefix(2);
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space && hex_value(c) < 0)
      return {"22023", "invalid hexadecimal digit: \"" + std::string(1, c) + "\"", {}, {}, {}, {}};
  }
  return {"22023", "invalid hexadecimal data: odd number of digits", {}, {}, {}, {}};
}

}  // namespace pgweir::routing
