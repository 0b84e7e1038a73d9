// Both login state machines against a hostile peer. Input: a byte that selects the set-up, then messages, each preceded
// by two bytes of length (big-endian). A message that begins with '$' is a template: "$NONCE" in it becomes the nonce
// that the machine under test used, so that the fuzzer gets beyond the nonce check. Properties: no crash, no unbounded
// work, and no login without the password.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/auth/authentication_messages.h"
#include "protocol/auth/base64.h"
#include "protocol/auth/client_authenticator.h"
#include "protocol/auth/server_authenticator.h"

namespace {

using namespace pgweir::protocol;

constexpr std::string_view kPassword = "not in any corpus";

bool fixed_random(std::span<std::uint8_t> out) {
  std::fill(out.begin(), out.end(), std::uint8_t{7});
  return true;
}

const std::string& nonce() {
  static const std::string value = base64_encode(std::string(18, '\x07'));
  return value;
}

std::vector<std::string> split(std::string_view input) {
  std::vector<std::string> out;
  while (input.size() >= 2 && out.size() < 8) {
    const std::size_t length = static_cast<unsigned char>(input[0]) * 256u + static_cast<unsigned char>(input[1]);
    input.remove_prefix(2);
    std::string message(input.substr(0, length));
    input.remove_prefix(std::min(length, input.size()));
    if (message.starts_with('$')) {
      message.erase(0, 1);
      const auto at = message.find("$NONCE");
      if (at != std::string::npos) message.replace(at, 6, nonce());
    }
    // The fuzzer does find the password: it watches the comparisons.
    if (message.find(kPassword) == std::string::npos) out.push_back(std::move(message));
  }
  return out;
}

void check(bool condition) {
  if (!condition) std::abort();
}

// Derives for a few iterations only: the count is the peer's, and its bound is what is checked.
std::optional<ScramKeys> cheap_keys(DeriveKeysRequest request) {
  check(request.iterations >= 1 && request.iterations <= kScramMaxIterations);
  check(!request.salt.empty() && request.salt.size() <= kScramMaxSaltBytes);
  request.iterations = 1;
  return derive_keys(request);
}

void fuzz_client_authenticator(unsigned setup, const std::vector<std::string>& messages) {
  static const std::string kVerifier = format_scram_verifier(*derive_verifier({kPassword, "salt", 1}));
  static const std::string kMd5 = *md5_secret(kPassword, "ann");
  ClientAuthenticatorOptions options;
  options.user = "ann";
  constexpr AuthMethod kMethods[] = {AuthMethod::Plain, AuthMethod::Md5, AuthMethod::ScramSha256, AuthMethod::Cert};
  options.method = kMethods[setup & 3];
  const Secret kSecrets[] = {{},
                             {SecretKind::Plain, std::string(kPassword)},
                             {SecretKind::Md5, kMd5},
                             {SecretKind::Scram, kVerifier}};
  options.secret = kSecrets[(setup >> 2) & 3];
  if ((setup & 16) != 0) options.channel_binding_data = "certificate hash";
  options.iterations = 1;
  options.random = fixed_random;
  ClientAuthenticator authenticator(options);
  AuthStep step = authenticator.start();
  for (const auto& message : messages) {
    step = authenticator.on_message(message);
    if (auto* needs = std::get_if<AuthNeedsKeys>(&step)) step = authenticator.resume(cheap_keys(needs->request));
    check(!std::holds_alternative<AuthDone>(step));
    if (auto* send = std::get_if<AuthSend>(&step)) check(send->bytes.size() < 8192);
  }
}

void fuzz_server_authenticator(unsigned setup, const std::vector<std::string>& messages) {
  ServerAuthenticatorOptions options;
  options.user = "ann";
  options.secret = {(setup & 1) != 0 ? SecretKind::Plain : SecretKind::None, std::string(kPassword)};
  if ((setup & 2) != 0) options.keys = derive_keys({kPassword, "salt", 1});
  if ((setup & 4) != 0) options.channel_binding_data = "certificate hash";
  options.require_channel_binding = (setup & 8) != 0;
  options.allow_trust = options.allow_md5 = false;  // so that only a proof ends in a login
  options.random = fixed_random;
  ServerAuthenticator authenticator(options);
  for (const auto& message : messages) {
    AuthStep step = authenticator.on_message(message);
    if (auto* needs = std::get_if<AuthNeedsKeys>(&step)) step = authenticator.resume(cheap_keys(needs->request));
    check(!std::holds_alternative<AuthDone>(step));
    if (auto* send = std::get_if<AuthSend>(&step)) {
      check(send->bytes.size() < 8192 && send->bytes.find(kPassword) == std::string::npos);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto messages = split({reinterpret_cast<const char*>(data) + 1, size - 1});
  if ((data[0] & 128) != 0) {
    fuzz_server_authenticator(data[0], messages);
  } else {
    fuzz_client_authenticator(data[0], messages);
  }
  return 0;
}
