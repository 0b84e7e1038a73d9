#include "protocol/auth/md5.h"

#include <algorithm>

#include "protocol/auth/digest.h"

namespace pgweir::protocol {
namespace {

constexpr std::string_view kPrefix = "md5";
constexpr std::size_t kDigits = 32;

std::optional<std::string> prefixed(std::string input) {
  auto hex = md5_hex(input);
  cleanse(input);
  if (!hex) return std::nullopt;
  return std::string(kPrefix) + *hex;
}

std::string concat(std::string_view a, std::string_view b) {
  std::string out;
  out.reserve(a.size() + b.size());  // exactly once: no copy of the password is left in a freed block
  out.append(a).append(b);
  return out;
}

}  // namespace

std::optional<std::string> md5_secret(std::string_view password, std::string_view user) {
  return prefixed(concat(password, user));
}

bool is_md5_secret(std::string_view stored) {
  return stored.size() == kPrefix.size() + kDigits && stored.starts_with(kPrefix) &&
         std::all_of(stored.begin() + kPrefix.size(), stored.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::optional<std::string> md5_response(std::string_view secret, const Md5Salt& salt) {
  if (!is_md5_secret(secret)) return std::nullopt;
  return prefixed(concat(secret.substr(kPrefix.size()), {reinterpret_cast<const char*>(salt.data()), salt.size()}));
}

bool verify_md5_response(std::string_view secret, const Md5Salt& salt, std::string_view response) {
  const auto expected = md5_response(secret, salt);
  return expected && constant_time_equal(*expected, response);
}

bool verify_password_md5(std::string_view secret, std::string_view user, std::string_view password) {
  if (!is_md5_secret(secret)) return false;
  const auto computed = md5_secret(password, user);
  return computed && constant_time_equal(*computed, secret);
}

}  // namespace pgweir::protocol
