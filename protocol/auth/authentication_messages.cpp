#include "protocol/auth/authentication_messages.h"

namespace pgweir::protocol {
namespace {

SqlError violation(std::string message) { return {"08P01", std::move(message), "", "", "", ""}; }

void append_int32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>((value >> shift) & 255));
}

// Precondition: body.size() >= 4.
std::uint32_t take_int32(std::string_view& body) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = (value << 8) | static_cast<unsigned char>(body[i]);
  body.remove_prefix(4);
  return value;
}

std::string frame(char type, std::string_view a, std::string_view b = {}) {
  std::string out;
  out.reserve(5 + a.size() + b.size());
  out.push_back(type);
  append_int32(out, static_cast<std::uint32_t>(4 + a.size() + b.size()));
  out.append(a).append(b);
  return out;
}

std::string request(AuthenticationType type, std::string_view data = {}) {
  std::string number;
  append_int32(number, static_cast<std::uint32_t>(type));
  return frame('R', number, data);
}

Result<AuthenticationRequest> decode_mechanisms(AuthenticationRequest out, std::string_view body) {
  // Names, each with its NUL, and an empty name at the end.
  while (true) {
    const auto end = body.find('\0');
    if (end == std::string_view::npos) return violation("malformed list of SASL mechanisms");
    const auto name = body.substr(0, end);
    body.remove_prefix(end + 1);
    if (name.empty()) break;
    out.mechanisms.push_back(name);
  }
  if (!body.empty() || out.mechanisms.empty()) return violation("malformed list of SASL mechanisms");
  return out;
}

}  // namespace

std::string encode_authentication_ok() { return request(AuthenticationType::Ok); }

std::string encode_authentication_cleartext_password() { return request(AuthenticationType::CleartextPassword); }

std::string encode_authentication_md5_password(const Md5Salt& salt) {
  return request(AuthenticationType::Md5Password, {reinterpret_cast<const char*>(salt.data()), salt.size()});
}

std::string encode_authentication_sasl(std::span<const std::string_view> mechanisms) {
  std::string list;
  for (const auto name : mechanisms) list.append(name).push_back('\0');
  list.push_back('\0');
  return request(AuthenticationType::Sasl, list);
}

std::string encode_authentication_sasl_continue(std::string_view data) {
  return request(AuthenticationType::SaslContinue, data);
}

std::string encode_authentication_sasl_final(std::string_view data) {
  return request(AuthenticationType::SaslFinal, data);
}

Result<AuthenticationRequest> decode_authentication_request(std::string_view body) {
  if (body.size() < 4 || body.size() > kMaxAuthenticationBody) {
    return violation("authentication request of " + std::to_string(body.size()) + " bytes");
  }
  AuthenticationRequest out;
  out.type = static_cast<AuthenticationType>(take_int32(body));
  switch (out.type) {
    case AuthenticationType::Ok:
    case AuthenticationType::CleartextPassword:
      if (!body.empty()) return violation("malformed authentication request");
      return out;
    case AuthenticationType::Md5Password:
      if (body.size() != out.salt.size()) return violation("malformed md5 authentication request");
      for (auto& byte : out.salt) {
        byte = static_cast<std::uint8_t>(body.front());
        body.remove_prefix(1);
      }
      return out;
    case AuthenticationType::Sasl: return decode_mechanisms(std::move(out), body);
    case AuthenticationType::SaslContinue:
    case AuthenticationType::SaslFinal: out.data = body; return out;
    default: return out;
  }
}

std::string encode_password_message(std::string_view password) {
  return frame('p', password, std::string_view("\0", 1));
}

std::string encode_sasl_initial_response(std::string_view mechanism, std::string_view response) {
  std::string head(mechanism);
  head.push_back('\0');
  append_int32(head, static_cast<std::uint32_t>(response.size()));
  return frame('p', head, response);
}

std::string encode_sasl_response(std::string_view response) { return frame('p', response); }

Result<std::string_view> decode_password_message(std::string_view body) {
  if (body.size() > kMaxAuthenticationBody) return violation("password message is too long");
  if (body.empty() || body.find('\0') != body.size() - 1) return violation("invalid password packet size");
  body.remove_suffix(1);
  return body;
}

Result<SaslInitialResponse> decode_sasl_initial_response(std::string_view body) {
  const auto end = body.find('\0');
  if (body.size() > kMaxAuthenticationBody || end == std::string_view::npos || body.size() - end - 1 < 4) {
    return violation("malformed SASLInitialResponse message");
  }
  SaslInitialResponse out;
  out.mechanism = body.substr(0, end);
  body.remove_prefix(end + 1);
  const std::uint32_t length = take_int32(body);
  if (length == 0xFFFFFFFF) {
    if (!body.empty()) return violation("malformed SASLInitialResponse message");
    return out;
  }
  if (length != body.size()) return violation("malformed SASLInitialResponse message");
  out.response = body;
  return out;
}

}  // namespace pgweir::protocol
