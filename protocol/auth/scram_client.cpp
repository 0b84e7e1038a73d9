#include "protocol/auth/scram_client.h"

#include <algorithm>
#include <charconv>

#include "protocol/auth/base64.h"
#include "protocol/auth/scram_message.h"

namespace pgweir::protocol {
namespace {

SqlError refused(std::string message) { return {"28000", std::move(message), "", "", "", ""}; }

bool contains(std::span<const std::string_view> list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::optional<std::uint32_t> parse_iterations(std::string_view text) {
  std::uint32_t value = 0;
  const auto* end = text.data() + text.size();
  const auto number = std::from_chars(text.data(), end, value);
  if (number.ec != std::errc() || number.ptr != end || value == 0 || value > kScramMaxIterations) return std::nullopt;
  return value;
}

}  // namespace

ScramClient::ScramClient(ScramClientOptions options) : options_(std::move(options)) {}

template <class T>
Result<T> ScramClient::failed(SqlError error) {
  state_ = State::Failed;
  return error;
}

Result<ScramClient::First> ScramClient::start(std::span<const std::string_view> mechanisms) {
  if (state_ != State::Idle) return failed<First>(malformed_scram("SASL authentication was started twice."));
  const bool can_bind = !options_.channel_binding_data.empty();
  First first;
  if (can_bind && contains(mechanisms, kScramSha256Plus)) {
    first.mechanism = kScramSha256Plus;
    gs2_header_ = "p=tls-server-end-point,,";
  } else if (options_.require_channel_binding) {
    return failed<First>(refused(can_bind ? "channel binding is required, but the server does not offer it"
                                          : "channel binding is required, but there is no TLS channel to bind to"));
  } else if (contains(mechanisms, kScramSha256)) {
    first.mechanism = kScramSha256;
    // "y" lets an honest server notice that its offer of PLUS was removed on the way.
    gs2_header_ = can_bind ? "y,," : "n,,";
  } else {
    return failed<First>(refused("the server offers none of the supported SASL mechanisms"));
  }

  auto nonce = make_scram_nonce(options_.random);
  if (!nonce) return failed<First>(scram_internal_error());
  client_nonce_ = std::move(*nonce);
  client_first_bare_ = "n=,r=" + client_nonce_;  // PostgreSQL takes the user from the startup packet
  first.message = gs2_header_ + client_first_bare_;
  state_ = State::AwaitServerFirst;
  return first;
}

Result<ScramClient::Challenge> ScramClient::on_server_first(std::string_view message) {
  const auto malformed = [this](const char* detail) { return failed<Challenge>(malformed_scram(detail)); };
  if (state_ != State::AwaitServerFirst) return malformed("server-first-message was not expected.");
  if (message.size() > kMaxServerSaslMessage) return malformed("server-first-message is too long.");

  ScramAttributes attributes(message);
  const auto nonce = attributes.take('r');
  if (!nonce) return malformed("Attribute \"r\" expected in server-first-message.");
  if (!is_scram_nonce(*nonce) || !nonce->starts_with(client_nonce_) || nonce->size() == client_nonce_.size()) {
    return malformed("The server's nonce does not extend ours.");
  }
  const auto salt = attributes.take('s');
  if (!salt) return malformed("Attribute \"s\" expected in server-first-message.");
  auto salt_bytes = base64_decode(*salt);
  if (!salt_bytes || salt_bytes->empty() || salt_bytes->size() > kScramMaxSaltBytes) return malformed("Invalid salt.");
  const auto iterations = attributes.take('i');
  if (!iterations) return malformed("Attribute \"i\" expected in server-first-message.");
  const auto count = parse_iterations(*iterations);
  if (!count) return malformed("Invalid iteration count.");
  if (!attributes.skip_extensions()) return malformed("Malformed attribute in server-first-message.");

  nonce_ = *nonce;
  server_first_ = message;
  state_ = State::AwaitKeys;
  return Challenge{std::move(*salt_bytes), *count};
}

Result<std::string> ScramClient::client_final(const ScramKeys& keys) {
  if (state_ != State::AwaitKeys) return failed<std::string>(malformed_scram("client-final-message is not due."));
  std::string binding = gs2_header_;
  if (gs2_header_.starts_with('p')) binding.append(options_.channel_binding_data);
  std::string message = "c=" + base64_encode(binding);
  message.append(",r=").append(nonce_);

  std::string auth_message = client_first_bare_;
  auth_message.append(",").append(server_first_).append(",").append(message);
  const auto stored_key = sha256(as_view(keys.client_key));
  const auto client_signature = stored_key ? hmac_sha256(as_view(*stored_key), auth_message) : std::nullopt;
  const auto server_signature = hmac_sha256(as_view(keys.server_key), auth_message);
  if (!client_signature || !server_signature) return failed<std::string>(scram_internal_error());
  Sha256Digest proof;
  for (std::size_t i = 0; i < proof.size(); ++i) {
    proof[i] = static_cast<std::uint8_t>(keys.client_key[i] ^ (*client_signature)[i]);
  }
  expected_signature_ = *server_signature;
  message.append(",p=").append(base64_encode(as_view(proof)));
  state_ = State::AwaitServerFinal;
  return message;
}

Result<ScramClient::Verified> ScramClient::on_server_final(std::string_view message) {
  if (state_ != State::AwaitServerFinal) {
    return failed<Verified>(malformed_scram("server-final-message was not expected."));
  }
  if (message.size() > kMaxServerSaslMessage) {
    return failed<Verified>(malformed_scram("server-final-message is too long."));
  }
  ScramAttributes attributes(message);
  const auto attribute = attributes.next();
  if (attribute && attribute->name == 'e') {
    // Not shown as it came: the bytes are the server's.
    return failed<Verified>(refused("the server refused SCRAM authentication"));
  }
  if (!attribute || attribute->name != 'v' || !attributes.skip_extensions()) {
    return failed<Verified>(malformed_scram("Attribute \"v\" expected in server-final-message."));
  }
  const auto signature = base64_decode(attribute->value);
  if (!signature || signature->size() != kSha256Bytes) {
    return failed<Verified>(malformed_scram("Malformed signature in server-final-message."));
  }
  if (!constant_time_equal(*signature, as_view(expected_signature_))) {
    return failed<Verified>(refused("incorrect server signature: the server does not know the password"));
  }
  state_ = State::Done;
  return Verified{};
}

}  // namespace pgweir::protocol
