// The few primitives that authentication needs, over libcrypto. Pure functions, thread-safe. A false or empty result
// means that libcrypto refused (no such algorithm in this build, out of memory); callers fail the login, they never go
// on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgweir::protocol {

inline constexpr std::size_t kSha256Bytes = 32;
using Sha256Digest = std::array<std::uint8_t, kSha256Bytes>;

std::string_view as_view(const Sha256Digest& digest);

[[nodiscard]] std::optional<Sha256Digest> sha256(std::string_view data);
[[nodiscard]] std::optional<Sha256Digest> hmac_sha256(std::string_view key, std::string_view data);
// PBKDF2-HMAC-SHA-256 (RFC 8018), 32 bytes out. Costs about half a microsecond per iteration: not for an I/O thread.
[[nodiscard]] std::optional<Sha256Digest> pbkdf2_sha256(std::string_view password, std::string_view salt,
                                                        std::uint32_t iterations);
// 32 lower-case hexadecimal digits. Empty where MD5 is switched off (FIPS).
[[nodiscard]] std::optional<std::string> md5_hex(std::string_view data);

// Takes the same time for every content of the same lengths; the lengths themselves are not secret.
[[nodiscard]] bool constant_time_equal(std::string_view a, std::string_view b);

// Overwrites memory in a way that the compiler does not drop, then empties the string.
void cleanse(std::string& secret);
void cleanse(Sha256Digest& secret);

}  // namespace pgweir::protocol
