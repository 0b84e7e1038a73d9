#include "protocol/auth/secret.h"

#include "protocol/auth/md5.h"
#include "protocol/auth/scram_verifier.h"

namespace pgweir::protocol {

Secret classify_secret(std::string_view stored) {
  if (stored.empty()) return {};
  if (is_md5_secret(stored)) return {SecretKind::Md5, std::string(stored)};
  if (parse_scram_verifier(stored)) return {SecretKind::Scram, std::string(stored)};
  if (stored.starts_with("SCRAM-SHA-256$")) return {};
  return {SecretKind::Plain, std::string(stored)};
}

}  // namespace pgweir::protocol
