// Base64 (RFC 4648, standard alphabet, padded) as SCRAM messages and verifiers use it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgweir::protocol {

std::string base64_encode(std::string_view bytes);
// Strict about alphabet, length and padding (no white space). Unused low bits of the last digit are ignored, as
// PostgreSQL does.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace pgweir::protocol
