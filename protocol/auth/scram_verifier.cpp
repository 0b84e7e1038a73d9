#include "protocol/auth/scram_verifier.h"

#include <algorithm>
#include <charconv>

#include "protocol/auth/base64.h"

namespace pgweir::protocol {
namespace {

constexpr std::string_view kPrefix = "SCRAM-SHA-256$";

bool in_bounds(std::string_view salt, std::uint32_t iterations) {
  return !salt.empty() && salt.size() <= kScramMaxSaltBytes && iterations >= 1 && iterations <= kScramMaxIterations;
}

// Takes everything up to the separator, and the separator.
std::optional<std::string_view> take_until(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const auto taken = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return taken;
}

std::optional<Sha256Digest> decode_key(std::string_view text) {
  const auto bytes = base64_decode(text);
  Sha256Digest key{};
  if (!bytes || bytes->size() != key.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return key;
}

}  // namespace

ScramKeys::~ScramKeys() {
  cleanse(client_key);
  cleanse(server_key);
}

DeriveKeysRequest::DeriveKeysRequest(std::string_view password_, std::string_view salt_, std::uint32_t iterations_)
    : password(password_), salt(salt_), iterations(iterations_) {}

DeriveKeysRequest::~DeriveKeysRequest() { cleanse(password); }

std::optional<ScramKeys> derive_keys(const DeriveKeysRequest& request) {
  if (!in_bounds(request.salt, request.iterations)) return std::nullopt;
  auto salted_password = pbkdf2_sha256(saslprep(request.password), request.salt, request.iterations);
  if (!salted_password) return std::nullopt;
  const auto client_key = hmac_sha256(as_view(*salted_password), "Client Key");
  const auto server_key = hmac_sha256(as_view(*salted_password), "Server Key");
  cleanse(*salted_password);
  if (!client_key || !server_key) return std::nullopt;
  return ScramKeys{*client_key, *server_key};
}

std::optional<ScramVerifier> make_verifier(const ScramKeys& keys, std::string_view salt, std::uint32_t iterations) {
  if (!in_bounds(salt, iterations)) return std::nullopt;
  const auto stored_key = sha256(as_view(keys.client_key));
  if (!stored_key) return std::nullopt;
  return ScramVerifier{iterations, std::string(salt), *stored_key, keys.server_key};
}

std::optional<ScramVerifier> derive_verifier(const DeriveKeysRequest& request) {
  const auto keys = derive_keys(request);
  if (!keys) return std::nullopt;
  return make_verifier(*keys, request.salt, request.iterations);
}

bool keys_match(const ScramVerifier& verifier, const ScramKeys& keys) {
  const auto stored_key = sha256(as_view(keys.client_key));
  if (!stored_key) return false;
  const bool client = constant_time_equal(as_view(*stored_key), as_view(verifier.stored_key));
  const bool server = constant_time_equal(as_view(keys.server_key), as_view(verifier.server_key));
  return client && server;
}

std::optional<ScramVerifier> parse_scram_verifier(std::string_view stored) {
  if (!stored.starts_with(kPrefix)) return std::nullopt;
  stored.remove_prefix(kPrefix.size());
  const auto iterations = take_until(stored, ':');
  const auto salt = take_until(stored, '$');
  const auto stored_key = take_until(stored, ':');
  if (!iterations || !salt || !stored_key) return std::nullopt;

  ScramVerifier verifier;
  const auto* end = iterations->data() + iterations->size();
  const auto number = std::from_chars(iterations->data(), end, verifier.iterations);
  if (number.ec != std::errc() || number.ptr != end) return std::nullopt;

  // Checked before it is decoded: the text may come from anywhere.
  if (salt->size() > (kScramMaxSaltBytes + 2) / 3 * 4) return std::nullopt;
  auto salt_bytes = base64_decode(*salt);
  if (!salt_bytes || !in_bounds(*salt_bytes, verifier.iterations)) return std::nullopt;
  verifier.salt = std::move(*salt_bytes);

  const auto stored_key_bytes = decode_key(*stored_key);
  const auto server_key_bytes = decode_key(stored);
  if (!stored_key_bytes || !server_key_bytes) return std::nullopt;
  verifier.stored_key = *stored_key_bytes;
  verifier.server_key = *server_key_bytes;
  return verifier;
}

std::string format_scram_verifier(const ScramVerifier& verifier) {
  std::string out(kPrefix);
  out.append(std::to_string(verifier.iterations)).append(":").append(base64_encode(verifier.salt));
  out.append("$").append(base64_encode(as_view(verifier.stored_key)));
  out.append(":").append(base64_encode(as_view(verifier.server_key)));
  return out;
}

std::string_view saslprep(std::string_view password) { return password; }

}  // namespace pgweir::protocol
