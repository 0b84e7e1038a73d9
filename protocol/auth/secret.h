// What is stored about a user's password, as a configuration file, a user list or pg_authid gives it.
#pragma once

#include <string>
#include <string_view>

namespace pgweir::protocol {

enum class SecretKind {
  None,   // no password, or no such user: no password logs in
  Plain,  // the password itself
  Md5,    // "md5" + 32 hexadecimal digits
  Scram,  // "SCRAM-SHA-256$..."
};

struct Secret {
  SecretKind kind = SecretKind::None;
  std::string value;
  bool operator==(const Secret&) const = default;
};

// Tells the kind by the shape, as PostgreSQL does: an empty value is None, a well-formed verifier Scram, md5 and 32
// digits Md5, everything else Plain. A value that begins like a verifier but is none ("SCRAM-SHA-256$" and rubbish, or
// beyond our bounds) is None: it must never become a password.
Secret classify_secret(std::string_view stored);

}  // namespace pgweir::protocol
