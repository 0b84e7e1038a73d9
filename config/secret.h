// Passwords of the configuration: plain text, an md5 or SCRAM-SHA-256 verifier, "env:NAME" or "file:PATH".
// Messages never hold a secret or a part of one.
#pragma once

#include <filesystem>
#include <string>

#include "config/findings.h"

namespace pgweir::config {

// Resolves `text` against the environment and files (relative to `folder`) and classifies it. What is wrong goes to
// `findings` at `place`; the result is then empty (Kind::None).
Secret read_secret(const std::string& text, const std::filesystem::path& folder, Place place, Findings& findings);

// "md5" and 32 hex digits, as in pg_authid.
bool is_md5_verifier(std::string_view text);
// "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>", keys of 32 bytes in base64, as in pg_authid.
bool is_scram_verifier(std::string_view text);

// A longer password is refused: nobody types it, and a wrong path after "file:" is the likelier cause.
inline constexpr std::size_t kMaxPassword = 4096;

}  // namespace pgweir::config
