#include "protocol/auth/scram_message.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "protocol/auth/base64.h"

namespace pgweir::protocol {

std::optional<ScramAttributes::Attribute> ScramAttributes::next() {
  if (at_end_ || rest_.size() < 2 || rest_[1] != '=') return std::nullopt;
  const char name = rest_[0];
  if (!((name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z'))) return std::nullopt;
  const auto comma = rest_.find(',');
  if (comma == std::string_view::npos) {
    at_end_ = true;
    return Attribute{name, rest_.substr(2)};
  }
  const auto value = rest_.substr(2, comma - 2);
  rest_.remove_prefix(comma + 1);
  return Attribute{name, value};
}

std::optional<std::string_view> ScramAttributes::take(char name) {
  const auto attribute = next();
  if (!attribute || attribute->name != name) return std::nullopt;
  return attribute->value;
}

bool ScramAttributes::skip_extensions() {
  while (!at_end_) {
    if (!next()) return false;
  }
  return true;
}

bool is_scram_nonce(std::string_view nonce) {
  return !nonce.empty() &&
         std::all_of(nonce.begin(), nonce.end(), [](char c) { return c > 0x20 && c < 0x7F && c != ','; });
}

std::optional<std::string> make_scram_nonce(const RandomBytes& random) {
  std::array<std::uint8_t, 18> bytes{};
  if (!random || !random(bytes)) return std::nullopt;
  return base64_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

SqlError malformed_scram(std::string detail) { return {"08P01", "malformed SCRAM message", std::move(detail)}; }

SqlError scram_internal_error() { return {"XX000", "could not run SCRAM authentication", "", "", "", ""}; }

}  // namespace pgweir::protocol
