// Deterministic SCRAM peers for the tests of both state machines.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "protocol/auth/scram_client.h"
#include "protocol/auth/scram_server.h"

namespace pgweir::protocol::auth_test {

inline constexpr std::array<std::string_view, 1> kPlain = {kScramSha256};
inline constexpr std::array<std::string_view, 2> kBoth = {kScramSha256Plus, kScramSha256};
inline const std::string kSalt = "0123456789abcdef";
inline constexpr std::uint32_t kIterations = 2;  // few: the mathematics is tested elsewhere

inline RandomBytes fixed_random(std::uint8_t byte) {
  return [byte](std::span<std::uint8_t> out) {
    std::fill(out.begin(), out.end(), byte);
    return true;
  };
}

inline bool no_random(std::span<std::uint8_t>) { return false; }

inline ScramVerifier verifier_of(std::string_view password) { return *derive_verifier({password, kSalt, kIterations}); }
inline ScramKeys keys_of(std::string_view password) { return *derive_keys({password, kSalt, kIterations}); }

inline ScramServer server_for(std::string_view password, std::string binding = {}, bool mock = false) {
  return ScramServer({"ann", verifier_of(password), mock, std::move(binding), fixed_random(1)});
}

inline ScramClient client_with(std::string binding = {}, bool require = false) {
  return ScramClient({std::move(binding), require, fixed_random(2)});
}

// Messages of one exchange up to the client's final one.
struct Exchange {
  ScramClient::First first;
  std::string server_first;
  std::string client_final;
};

inline Exchange run(ScramClient& client, ScramServer& server, std::span<const std::string_view> mechanisms,
             std::string_view password) {
  Exchange out;
  out.first = *client.start(mechanisms);
  out.server_first = *server.on_client_first(out.first.mechanism, out.first.message);
  EXPECT_TRUE(client.on_server_first(out.server_first));
  out.client_final = *client.client_final(keys_of(password));
  return out;
}

template <class T>
void expect_error(const Result<T>& result, std::string_view sqlstate, std::string_view text = {}) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().sqlstate, sqlstate) << result.error().message;
  EXPECT_NE((result.error().message + "|" + result.error().detail).find(text), std::string::npos)
      << result.error().message << "|" << result.error().detail;
}

}  // namespace pgweir::protocol::auth_test
