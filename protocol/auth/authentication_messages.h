// Messages of the authentication phase: 'R' from servers, 'p' from clients. encode_* return whole frames (type, length,
// body); decode_* take a body (what follows the length) and return views into it. Errors are 08P01. Pure functions,
// thread-safe. Source: PostgreSQL documentation, "Message Formats".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/auth/md5.h"
#include "protocol/result.h"

namespace pgweir::protocol {

// Longest body taken in this phase, both directions (PostgreSQL's PG_MAX_AUTH_TOKEN_LENGTH). Frame readers use it as
// their cap.
inline constexpr std::size_t kMaxAuthenticationBody = 65535;

enum class AuthenticationType : std::uint32_t {
  Ok = 0,
  KerberosV5 = 2,
  CleartextPassword = 3,
  Md5Password = 5,
  ScmCredential = 6,
  Gss = 7,
  GssContinue = 8,
  Sspi = 9,
  Sasl = 10,
  SaslContinue = 11,
  SaslFinal = 12,
};

std::string encode_authentication_ok();
std::string encode_authentication_cleartext_password();
std::string encode_authentication_md5_password(const Md5Salt& salt);
std::string encode_authentication_sasl(std::span<const std::string_view> mechanisms);
std::string encode_authentication_sasl_continue(std::string_view data);
std::string encode_authentication_sasl_final(std::string_view data);

struct AuthenticationRequest {
  AuthenticationType type = AuthenticationType::Ok;  // may hold a number that has no name here
  Md5Salt salt{};                                    // Md5Password
  std::vector<std::string_view> mechanisms;          // Sasl; at least one, none empty
  std::string_view data;                             // SaslContinue, SaslFinal
};

// Types without a name here are decoded without their data: the caller refuses them by number.
[[nodiscard]] Result<AuthenticationRequest> decode_authentication_request(std::string_view body);

std::string encode_password_message(std::string_view password);
std::string encode_sasl_initial_response(std::string_view mechanism, std::string_view response);
std::string encode_sasl_response(std::string_view response);

struct SaslInitialResponse {
  std::string_view mechanism;
  std::optional<std::string_view> response;  // empty: the client waits for an (empty) challenge first
};

// The password without its NUL, which must be the body's last byte and its only one.
[[nodiscard]] Result<std::string_view> decode_password_message(std::string_view body);
[[nodiscard]] Result<SaslInitialResponse> decode_sasl_initial_response(std::string_view body);
// A SASLResponse is the whole body.

}  // namespace pgweir::protocol
