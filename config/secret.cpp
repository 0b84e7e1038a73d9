#include "config/secret.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace pgweir::config {
namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return false;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  text.remove_suffix(padding);
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
  });
}

// 32 bytes are 43 characters and one '='.
bool is_key(std::string_view text) { return text.size() == 44 && text.ends_with("=") && is_base64(text); }

Secret classify(std::string text, Place place, Findings& findings) {
  if (text.empty()) return {};
  if (text.size() > kMaxPassword) {
    findings.error(place, "the password is longer than " + std::to_string(kMaxPassword) + " bytes");
    return {};
  }
  if (text.find('\0') != std::string::npos || text.find('\n') != std::string::npos) {
    findings.error(place, "the password has a line break or a zero byte inside");
    return {};
  }
  if (is_md5_verifier(text)) return {Secret::Kind::Md5, std::move(text)};
  if (is_scram_verifier(text)) return {Secret::Kind::Scram, std::move(text)};
  if (text.starts_with("SCRAM-SHA-256$")) {
    findings.error(place, "this SCRAM-SHA-256 verifier is damaged",
                   "copy rolpassword from pg_authid: SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>");
    return {};
  }
  return {Secret::Kind::Plain, std::move(text)};
}

Secret from_environment(const std::string& name, Place place, Findings& findings) {
  const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
  if (!value) {
    findings.error(place, "the environment variable \"" + name + "\" is not set");
    return {};
  }
  if (*value == '\0') findings.warning(place, "the environment variable \"" + name + "\" is empty: no password");
  return classify(value, place, findings);
}

Secret from_file(const std::string& name, const std::filesystem::path& folder, Place place, Findings& findings) {
  const std::filesystem::path path = folder / name;
  std::error_code failed;
  if (name.empty() || !std::filesystem::is_regular_file(path, failed)) {
    findings.error(place, "the password file \"" + path.string() + "\" does not exist");
    return {};
  }
  std::ifstream in(path, std::ios::binary);
  // One line more than the limit is enough to see that it is too long.
  std::string text(kMaxPassword + 3, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in && !in.eof()) {
    findings.error(place, "the password file \"" + path.string() + "\" cannot be read");
    return {};
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  const auto permissions = std::filesystem::status(path, failed).permissions();
  if (!failed && (permissions & std::filesystem::perms::others_read) != std::filesystem::perms::none) {
    findings.warning(place, "everybody can read the password file \"" + path.string() + "\"", "chmod 600 it");
  }
  if (text.empty()) findings.warning(place, "the password file \"" + path.string() + "\" is empty: no password");
  return classify(std::move(text), place, findings);
}

}  // namespace

bool is_md5_verifier(std::string_view text) {
  return text.size() == 35 && text.starts_with("md5") && std::all_of(text.begin() + 3, text.end(), is_hex);
}

bool is_scram_verifier(std::string_view text) {
  constexpr std::string_view kPrefix = "SCRAM-SHA-256$";
  if (!text.starts_with(kPrefix)) return false;
  text.remove_prefix(kPrefix.size());
  unsigned iterations = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), iterations);
  if (failed != std::errc{} || iterations == 0) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  const std::size_t dollar = text.find('$');
  if (!text.starts_with(':') || dollar == std::string_view::npos) return false;
  if (!is_base64(text.substr(1, dollar - 1))) return false;
  const std::string_view keys = text.substr(dollar + 1);
  const std::size_t colon = keys.find(':');
  return colon != std::string_view::npos && is_key(keys.substr(0, colon)) && is_key(keys.substr(colon + 1));
}

Secret read_secret(const std::string& text, const std::filesystem::path& folder, Place place, Findings& findings) {
  if (text.starts_with("env:")) return from_environment(text.substr(4), place, findings);
  if (text.starts_with("file:")) return from_file(text.substr(5), folder, place, findings);
  if (text.empty()) findings.warning(place, "the password is empty: no password");
  return classify(text, place, findings);
}

}  // namespace pgweir::config
