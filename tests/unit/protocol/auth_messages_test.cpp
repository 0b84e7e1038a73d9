#include "protocol/auth/authentication_messages.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace pgweir::protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

std::string_view body_of(std::string_view frame) { return frame.substr(5); }

TEST(AuthenticationMessages, FramesAreWhatTheDocumentationSays) {
  EXPECT_EQ(encode_authentication_ok(), "R\0\0\0\x08\0\0\0\0"s);
  EXPECT_EQ(encode_authentication_cleartext_password(), "R\0\0\0\x08\0\0\0\x03"s);
  EXPECT_EQ(encode_authentication_md5_password({1, 2, 3, 255}), "R\0\0\0\x0C\0\0\0\x05\x01\x02\x03\xFF"s);
  const std::array<std::string_view, 2> mechanisms = {"A", "BC"};
  EXPECT_EQ(encode_authentication_sasl(mechanisms), "R\0\0\0\x0E\0\0\0\x0A" "A\0BC\0\0"s);
  EXPECT_EQ(encode_authentication_sasl_continue("xy"), "R\0\0\0\x0A\0\0\0\x0Bxy"s);
  EXPECT_EQ(encode_authentication_sasl_final("z"), "R\0\0\0\x09\0\0\0\x0Cz"s);
  EXPECT_EQ(encode_password_message("pw"), "p\0\0\0\x07pw\0"s);
  EXPECT_EQ(encode_sasl_initial_response("M", "abc"), "p\0\0\0\x0DM\0\0\0\0\x03" "abc"s);
  EXPECT_EQ(encode_sasl_response("abc"), "p\0\0\0\x07" "abc"s);
}

TEST(AuthenticationMessages, RequestsRoundTrip) {
  EXPECT_EQ(decode_authentication_request(body_of(encode_authentication_ok()))->type, AuthenticationType::Ok);
  const auto md5 = decode_authentication_request(body_of(encode_authentication_md5_password({9, 8, 7, 6})));
  ASSERT_TRUE(md5);
  EXPECT_EQ(md5->salt, (Md5Salt{9, 8, 7, 6}));
  const std::array<std::string_view, 3> mechanisms = {"X", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"};
  const std::string frame = encode_authentication_sasl(mechanisms);
  const auto sasl = decode_authentication_request(body_of(frame));
  ASSERT_TRUE(sasl);
  EXPECT_EQ(sasl->mechanisms, std::vector<std::string_view>(mechanisms.begin(), mechanisms.end()));
}

TEST(AuthenticationMessages, UnknownTypeIsDecodedByNumber) {
  const auto request = decode_authentication_request("\0\0\0\x63 anything"s);
  ASSERT_TRUE(request);
  EXPECT_EQ(static_cast<std::uint32_t>(request->type), 99u);
}

TEST(AuthenticationMessages, RefusesMalformedRequests) {
  const std::string bad[] = {""s,
                             "\0\0\0"s,
                             "\0\0\0\0x"s,
                             "\0\0\0\x03x"s,
                             "\0\0\0\x05" "abc"s,
                             "\0\0\0\x05" "abcde"s,
                             "\0\0\0\x0A"s,
                             "\0\0\0\x0A\0"s,
                             "\0\0\0\x0A" "A"s,
                             "\0\0\0\x0A" "A\0"s,
                             "\0\0\0\x0A" "A\0\0x"s,
                             "\0\0\0\x0B"s + std::string(kMaxAuthenticationBody, 'x')};
  for (const auto& body : bad) {
    const auto result = decode_authentication_request(body);
    ASSERT_FALSE(result.ok()) << body.substr(0, 20);
    EXPECT_EQ(result.error().sqlstate, "08P01");
  }
}

TEST(AuthenticationMessages, PasswordHasOneNulAtItsEnd) {
  EXPECT_EQ(*decode_password_message("pw\0"sv), "pw");
  EXPECT_EQ(*decode_password_message("\0"sv), "");
  EXPECT_FALSE(decode_password_message("").ok());
  EXPECT_FALSE(decode_password_message("pw").ok());
  EXPECT_FALSE(decode_password_message("p\0w\0"s).ok());
  EXPECT_FALSE(decode_password_message("pw\0x"s).ok());
  EXPECT_FALSE(decode_password_message(std::string(kMaxAuthenticationBody, 'x') + '\0').ok());
}

TEST(AuthenticationMessages, SaslInitialResponse) {
  const auto with = decode_sasl_initial_response("M\0\0\0\0\x02xy"sv);
  ASSERT_TRUE(with);
  EXPECT_EQ(with->mechanism, "M");
  EXPECT_EQ(with->response, "xy");
  const auto empty = decode_sasl_initial_response("M\0\0\0\0\0"sv);
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->response, "");
  const auto without = decode_sasl_initial_response("M\0\xFF\xFF\xFF\xFF"sv);
  ASSERT_TRUE(without);
  EXPECT_EQ(without->response, std::nullopt);
  for (const auto& bad : {""s, "M"s, "M\0"s, "M\0\0\0\0"s, "M\0\0\0\0\x03xy"s, "M\0\0\0\0\x01xy"s,
                          "M\0\xFF\xFF\xFF\xFFx"s, "M\0\x7F\xFF\xFF\xFFx"s, "M\0\xFF\xFF\xFF\xFEx"s}) {
    EXPECT_FALSE(decode_sasl_initial_response(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace pgweir::protocol
