// md5 authentication of PostgreSQL. Sources: PostgreSQL documentation, "Message Flow", AuthenticationMD5Password, and
// the format of pg_authid.rolpassword. Pure functions, thread-safe. Results are empty where libcrypto has no MD5
// (FIPS).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgweir::protocol {

using Md5Salt = std::array<std::uint8_t, 4>;

// What PostgreSQL stores: "md5" + hex(md5(password + user)); 35 characters.
[[nodiscard]] std::optional<std::string> md5_secret(std::string_view password, std::string_view user);
// True for exactly that shape ("md5" and 32 lower-case hexadecimal digits).
[[nodiscard]] bool is_md5_secret(std::string_view stored);

// What the client sends: "md5" + hex(md5(the secret's 32 digits + salt)). Precondition: is_md5_secret(secret), else
// empty.
[[nodiscard]] std::optional<std::string> md5_response(std::string_view secret, const Md5Salt& salt);

// Checks a client's response (without its final NUL) against a stored md5 secret. False for any other kind of secret.
// For a plain secret call it with md5_secret(password, user).
[[nodiscard]] bool verify_md5_response(std::string_view secret, const Md5Salt& salt, std::string_view response);

// Checks a password sent in clear against a stored md5 secret.
[[nodiscard]] bool verify_password_md5(std::string_view secret, std::string_view user, std::string_view password);

}  // namespace pgweir::protocol
