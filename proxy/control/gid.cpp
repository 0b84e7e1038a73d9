#include "proxy/control/gid.h"

#include <algorithm>
#include <cctype>

namespace pgweir::control {
namespace {

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  }
  return true;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

std::string gid_prefix(std::string_view cluster) { return "pgweir:" + std::string(cluster) + ":"; }

std::optional<Gid> parse_gid(std::string_view gid, std::string_view cluster) {
  const std::string prefix = gid_prefix(cluster);
  if (!gid.starts_with(prefix)) return std::nullopt;
  const std::size_t number = gid.rfind(':');
  if (number < prefix.size() || !is_number(gid.substr(number + 1))) return std::nullopt;
  const std::string_view key = gid.substr(0, number);
  const std::size_t uuid = key.rfind(':');
  if (uuid <= prefix.size() || uuid == std::string_view::npos || !is_uuid(key.substr(uuid + 1))) return std::nullopt;
  return Gid{std::string(key.substr(prefix.size(), uuid - prefix.size())), std::string(key)};
}

}  // namespace pgweir::control
