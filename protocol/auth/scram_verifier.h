// SCRAM-SHA-256 keys and verifiers. Sources: RFC 5802, RFC 7677, and PostgreSQL's format of pg_authid.rolpassword,
// "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>" (the last three in base64). Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/auth/digest.h"

namespace pgweir::protocol {

inline constexpr std::uint32_t kScramDefaultIterations = 4096;  // PostgreSQL's default for scram_iterations
// PostgreSQL allows 2^31-1; this is what a peer may make us compute (about five seconds of one core).
inline constexpr std::uint32_t kScramMaxIterations = 10'000'000;
inline constexpr std::size_t kScramDefaultSaltBytes = 16;  // what PostgreSQL writes
inline constexpr std::size_t kScramMaxSaltBytes = 1024;    // ours; salts of 1 to this many bytes are taken
inline constexpr std::string_view kScramSha256 = "SCRAM-SHA-256";
inline constexpr std::string_view kScramSha256Plus = "SCRAM-SHA-256-PLUS";

// What proves the knowledge of a password: enough to log in to every server whose verifier has the same salt,
// iterations and password ("pass-through"). As secret as the password for that purpose; overwritten when destroyed.
struct ScramKeys {
  Sha256Digest client_key{};
  Sha256Digest server_key{};
  ~ScramKeys();
  bool operator==(const ScramKeys&) const = default;
};

struct ScramVerifier {
  std::uint32_t iterations = kScramDefaultIterations;
  std::string salt;  // raw bytes
  Sha256Digest stored_key{};
  Sha256Digest server_key{};
  bool operator==(const ScramVerifier&) const = default;
};

// The expensive step (PBKDF2), as data: it can be carried to another thread. Holds a password: overwritten when
// destroyed.
struct DeriveKeysRequest {
  std::string password;
  std::string salt;  // raw bytes
  std::uint32_t iterations = kScramDefaultIterations;

  DeriveKeysRequest() = default;
  DeriveKeysRequest(std::string_view password_, std::string_view salt_, std::uint32_t iterations_);
  DeriveKeysRequest(const DeriveKeysRequest&) = default;
  DeriveKeysRequest(DeriveKeysRequest&&) = default;
  DeriveKeysRequest& operator=(const DeriveKeysRequest&) = default;
  DeriveKeysRequest& operator=(DeriveKeysRequest&&) = default;
  ~DeriveKeysRequest();
};

// Milliseconds at 4096 iterations. Empty when salt or iterations are out of bounds, or libcrypto fails.
[[nodiscard]] std::optional<ScramKeys> derive_keys(const DeriveKeysRequest& request);

// StoredKey = SHA-256(ClientKey). Cheap.
[[nodiscard]] std::optional<ScramVerifier> make_verifier(const ScramKeys& keys, std::string_view salt,
                                                         std::uint32_t iterations);
// derive_keys and make_verifier in one: as expensive as the first.
[[nodiscard]] std::optional<ScramVerifier> derive_verifier(const DeriveKeysRequest& request);
// True when the keys are those of the password behind the verifier. Constant time.
[[nodiscard]] bool keys_match(const ScramVerifier& verifier, const ScramKeys& keys);

// Empty for anything but a well-formed verifier within the bounds above.
[[nodiscard]] std::optional<ScramVerifier> parse_scram_verifier(std::string_view stored);
std::string format_scram_verifier(const ScramVerifier& verifier);

// SASLprep (RFC 4013) as far as this floor does it: the password's bytes, unchanged. That equals PostgreSQL for ASCII,
// for bytes that are not UTF-8 and for prohibited characters (PostgreSQL uses the raw bytes there), and for text that
// NFKC leaves alone, as most keyboards produce it. A password with compatibility characters (a ligature, a full-width
// digit, U+00A0) or in decomposed form is not normalised: logging in with its plain text works only where the peer does
// not normalise either.
std::string_view saslprep(std::string_view password);

}  // namespace pgweir::protocol
