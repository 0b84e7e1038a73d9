#include "protocol/auth/scram_server.h"

#include "protocol/auth/base64.h"
#include "protocol/auth/scram_message.h"

namespace pgweir::protocol {
namespace {

SqlError violation(std::string message, std::string detail = {}) {
  return {"08P01", std::move(message), std::move(detail), "", "", ""};
}

// "n,,", "y,," or "p=<type>,,": the part of the client-first-message that the client signs as channel binding input.
// Returns its length, commas included.
Result<std::size_t> check_gs2_header(std::string_view message, bool plus, bool plus_offered) {
  const auto flag_end = message.find(',');
  if (flag_end == std::string_view::npos || flag_end == 0) return malformed_scram("Comma expected, but found none.");
  const auto flag = message.substr(0, flag_end);
  if (flag == "n" || flag == "y") {
    if (plus) {
      return malformed_scram(
          "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.");
    }
    // The client could bind and did not see our offer: somebody in the middle removed it.
    if (flag == "y" && plus_offered) {
      return SqlError{"28000", "SCRAM channel binding negotiation error",
                      "The client supports SCRAM channel binding but thinks the server does not.  "
                      "However, this server does support channel binding.", "", "", ""};
    }
  } else if (flag.starts_with("p=")) {
    if (!plus) {
      return malformed_scram(
          "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding "
          "data.");
    }
    if (flag != "p=tls-server-end-point") return violation("unsupported SCRAM channel-binding type");
  } else {
    return malformed_scram("Unexpected channel-binding flag.");
  }

  const auto identity_end = message.find(',', flag_end + 1);
  if (identity_end == std::string_view::npos) return malformed_scram("Comma expected, but found none.");
  if (identity_end != flag_end + 1) {
    return SqlError{"0A000", "client uses authorization identity, but it is not supported", "", "", "", ""};
  }
  return identity_end + 1;
}

}  // namespace

SqlError password_authentication_failed(std::string_view user) {
  return {"28P01", "password authentication failed for user \"" + std::string(user) + "\"", "", "", "", ""};
}

std::optional<std::string> process_salt(const Sha256Digest& process_secret, std::string_view user) {
  const auto digest = hmac_sha256(as_view(process_secret), user);
  if (!digest) return std::nullopt;
  return std::string(as_view(*digest).substr(0, kScramDefaultSaltBytes));
}

std::optional<ScramVerifier> mock_verifier(const Sha256Digest& process_secret, std::string_view user,
                                           std::uint32_t iterations, const RandomBytes& random) {
  ScramVerifier verifier;
  auto salt = process_salt(process_secret, user);
  if (!salt || !random || !random(verifier.stored_key) || !random(verifier.server_key)) return std::nullopt;
  verifier.salt = std::move(*salt);
  verifier.iterations = iterations;
  return verifier;
}

ScramServer::ScramServer(ScramServerOptions options) : options_(std::move(options)) {}

Result<std::string> ScramServer::on_client_first(std::string_view mechanism, std::string_view message) {
  auto result = state_ == State::AwaitFirst ? first(mechanism, message)
                                            : Result<std::string>(violation("unexpected SCRAM message"));
  state_ = result.ok() ? State::AwaitFinal : State::Failed;
  return result;
}

Result<std::string> ScramServer::on_client_final(std::string_view message) {
  auto result = state_ == State::AwaitFinal ? final(message)
                                            : Result<std::string>(violation("unexpected SCRAM message"));
  state_ = result.ok() ? State::Done : State::Failed;
  return result;
}

Result<std::string> ScramServer::first(std::string_view mechanism, std::string_view message) {
  const bool plus_offered = !options_.channel_binding_data.empty();
  const bool plus = plus_offered && mechanism == kScramSha256Plus;
  if (!plus && mechanism != kScramSha256) return violation("client selected an invalid SASL authentication mechanism");
  if (message.empty()) return malformed_scram("The message is empty.");
  if (message.size() > kMaxClientSaslMessage) return malformed_scram("The message is too long.");

  const auto header = check_gs2_header(message, plus, plus_offered);
  if (!header) return header.error();
  gs2_header_ = message.substr(0, *header);
  client_first_bare_ = message.substr(*header);

  if (client_first_bare_.starts_with("m=")) {
    return SqlError{"0A000", "client requires an unsupported SCRAM extension", "", "", "", ""};
  }
  ScramAttributes attributes(client_first_bare_);
  if (!attributes.take('n')) return malformed_scram("Attribute \"n\" expected.");
  const auto nonce = attributes.take('r');
  if (!nonce) return malformed_scram("Attribute \"r\" expected.");
  if (!is_scram_nonce(*nonce)) return violation("non-printable characters in SCRAM nonce");
  if (!attributes.skip_extensions()) return malformed_scram("Malformed attribute.");

  const auto own_nonce = make_scram_nonce(options_.random);
  if (!own_nonce) return scram_internal_error();
  nonce_.assign(*nonce).append(*own_nonce);
  server_first_.append("r=").append(nonce_);
  server_first_.append(",s=").append(base64_encode(options_.verifier.salt));
  server_first_.append(",i=").append(std::to_string(options_.verifier.iterations));
  return server_first_;
}

Result<std::string> ScramServer::final(std::string_view message) {
  if (message.empty()) return malformed_scram("The message is empty.");
  if (message.size() > kMaxClientSaslMessage) return malformed_scram("The message is too long.");

  ScramAttributes attributes(message);
  const auto binding = attributes.take('c');
  if (!binding) return malformed_scram("Attribute \"c\" expected.");
  std::string expected = gs2_header_;
  if (gs2_header_.starts_with('p')) expected.append(options_.channel_binding_data);
  if (!constant_time_equal(*binding, base64_encode(expected))) {
    return gs2_header_.starts_with('p')
               ? SqlError{"28000", "SCRAM channel binding check failed", "", "", "", ""}
               : violation("unexpected SCRAM channel-binding attribute in client-final-message");
  }

  const auto nonce = attributes.take('r');
  if (!nonce) return malformed_scram("Attribute \"r\" expected.");
  if (!constant_time_equal(*nonce, nonce_)) return violation("invalid SCRAM response", "Nonce does not match.");

  while (const auto attribute = attributes.next()) {
    if (attribute->name != 'p') continue;  // an optional extension
    if (!attributes.at_end()) return malformed_scram("Garbage found at the end of client-final-message.");
    const auto proof = base64_decode(attribute->value);
    if (!proof || proof->size() != kSha256Bytes) return malformed_scram("Malformed proof in client-final-message.");
    const std::size_t proof_size = std::string_view(",p=").size() + attribute->value.size();
    return check_proof(message.substr(0, message.size() - proof_size), *proof);
  }
  return malformed_scram("Attribute \"p\" expected.");
}

Result<std::string> ScramServer::check_proof(std::string_view without_proof, std::string_view proof) {
  std::string auth_message = client_first_bare_;
  auth_message.append(",").append(server_first_).append(",").append(without_proof);

  const auto client_signature = hmac_sha256(as_view(options_.verifier.stored_key), auth_message);
  const auto server_signature = hmac_sha256(as_view(options_.verifier.server_key), auth_message);
  if (!client_signature || !server_signature) return scram_internal_error();
  ScramKeys keys;
  for (std::size_t i = 0; i < keys.client_key.size(); ++i) {
    keys.client_key[i] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(proof[i]) ^ (*client_signature)[i]);
  }
  keys.server_key = options_.verifier.server_key;
  // A mock does the same work and then fails, whatever came.
  const bool right = keys_match(options_.verifier, keys);
  if (!right || options_.mock) return password_authentication_failed(options_.user);
  keys_ = keys;
  return "v=" + base64_encode(as_view(*server_signature));
}

}  // namespace pgweir::protocol
