#include "protocol/auth/channel_binding.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <array>
#include <limits>
#include <memory>

namespace pgweir::protocol {

std::optional<std::string> tls_server_end_point(std::string_view certificate_der) {
  if (certificate_der.empty() || certificate_der.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return std::nullopt;
  }
  const auto* der = reinterpret_cast<const unsigned char*>(certificate_der.data());
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      d2i_X509(nullptr, &der, static_cast<long>(certificate_der.size())), &X509_free);
  if (certificate == nullptr) return std::nullopt;

  // X509_get_signature_info also resolves RSA-PSS, whose hash is in the algorithm's parameters.
  int hash = NID_undef;
  if (X509_get_signature_info(certificate.get(), &hash, nullptr, nullptr, nullptr) != 1 || hash == NID_undef) {
    return std::nullopt;
  }
  const EVP_MD* digest = (hash == NID_md5 || hash == NID_sha1) ? EVP_sha256() : EVP_get_digestbynid(hash);
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned int size = 0;
  if (digest == nullptr || X509_digest(certificate.get(), digest, out.data(), &size) != 1) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(out.data()), size);
}

}  // namespace pgweir::protocol
