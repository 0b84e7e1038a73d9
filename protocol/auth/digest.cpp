#include "protocol/auth/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <limits>

namespace pgweir::protocol {
namespace {

const unsigned char* bytes_of(std::string_view text) {
  // libcrypto takes a null pointer for "no key"; an empty view may have one.
  static constexpr unsigned char kEmpty = 0;
  return text.empty() ? &kEmpty : reinterpret_cast<const unsigned char*>(text.data());
}

bool fits_int(std::string_view text) {
  return text.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
}

}  // namespace

std::string_view as_view(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::optional<Sha256Digest> sha256(std::string_view data) {
  Sha256Digest out;
  unsigned int size = 0;
  if (EVP_Digest(bytes_of(data), data.size(), out.data(), &size, EVP_sha256(), nullptr) != 1 || size != out.size()) {
    return std::nullopt;
  }
  return out;
}

std::optional<Sha256Digest> hmac_sha256(std::string_view key, std::string_view data) {
  if (!fits_int(key)) return std::nullopt;
  Sha256Digest out;
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), bytes_of(key), static_cast<int>(key.size()), bytes_of(data), data.size(), out.data(), &size) ==
          nullptr ||
      size != out.size()) {
    return std::nullopt;
  }
  return out;
}

std::optional<Sha256Digest> pbkdf2_sha256(std::string_view password, std::string_view salt, std::uint32_t iterations) {
  if (!fits_int(password) || !fits_int(salt)) return std::nullopt;
  if (iterations == 0 || iterations > static_cast<std::uint32_t>(std::numeric_limits<int>::max())) return std::nullopt;
  Sha256Digest out;
  if (PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(bytes_of(password)), static_cast<int>(password.size()),
                        bytes_of(salt), static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
                        static_cast<int>(out.size()), out.data()) != 1) {
    return std::nullopt;
  }
  return out;
}

std::optional<std::string> md5_hex(std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  if (EVP_Digest(bytes_of(data), data.size(), digest.data(), &size, EVP_md5(), nullptr) != 1 || size != 16) {
    return std::nullopt;
  }
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(32);
  for (unsigned int i = 0; i < size; ++i) {
    out.push_back(kDigits[digest[i] >> 4]);
    out.push_back(kDigits[digest[i] & 15]);
  }
  return out;
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(bytes_of(a), bytes_of(b), a.size()) == 0;
}

void cleanse(std::string& secret) {
  // The whole capacity: an earlier, longer value may have left its tail there.
  secret.resize(secret.capacity());
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

void cleanse(Sha256Digest& secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

}  // namespace pgweir::protocol
