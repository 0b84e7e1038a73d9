// base64, md5, secrets, channel binding data: the small parts under the login state machines.
#include <gtest/gtest.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <memory>
#include <string>

#include "protocol/auth/base64.h"
#include "protocol/auth/channel_binding.h"
#include "protocol/auth/digest.h"
#include "protocol/auth/md5.h"
#include "protocol/auth/secret.h"
#include "protocol/auth/secret_random.h"

namespace pgweir::protocol {
namespace {

TEST(Base64, VectorsOfRfc4648) {
  const std::array<std::pair<std::string, std::string>, 7> cases = {{{"", ""},
                                                                     {"f", "Zg=="},
                                                                     {"fo", "Zm8="},
                                                                     {"foo", "Zm9v"},
                                                                     {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="},
                                                                     {"foobar", "Zm9vYmFy"}}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
}

TEST(Base64, EveryByteValueRoundTrips) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
}

TEST(Base64, RefusesWhatIsNotBase64) {
  for (const char* text :
       {"A", "AA", "AAA", "A===", "====", "==", "A=AA", "AA=A", "Zm9v Zg==", "Zm9v\n", "Zm-_", "AAAA="}) {
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
  }
}

TEST(Md5, SecretIsWhatPostgresStores) {
  // From pg_authid after: create role u_md5 password 'geheim' under password_encryption = md5.
  EXPECT_EQ(md5_secret("geheim", "u_md5"), "md560364f5053eed89c369c99e1b8f8e89a");
}

TEST(Md5, TellsItsSecretsByShape) {
  EXPECT_TRUE(is_md5_secret("md560364f5053eed89c369c99e1b8f8e89a"));
  EXPECT_FALSE(is_md5_secret("md560364F5053EED89C369C99E1B8F8E89A"));
  EXPECT_FALSE(is_md5_secret("md560364f5053eed89c369c99e1b8f8e89"));
  EXPECT_FALSE(is_md5_secret("MD560364f5053eed89c369c99e1b8f8e89a"));
  EXPECT_FALSE(is_md5_secret(""));
}

TEST(Md5, ResponseIsTheHashOfHashAndSalt) {
  const std::string secret = *md5_secret("geheim", "u_md5");
  const Md5Salt salt{0, 0xFF, 3, 4};
  const std::string expected = "md5" + *md5_hex(secret.substr(3) + std::string("\x00\xFF\x03\x04", 4));
  EXPECT_EQ(md5_response(secret, salt), expected);
  EXPECT_TRUE(verify_md5_response(secret, salt, expected));
  EXPECT_FALSE(verify_md5_response(secret, {1, 2, 3, 4}, expected));
  EXPECT_FALSE(verify_md5_response(secret, salt, secret));
  EXPECT_FALSE(verify_md5_response(secret, salt, ""));
  EXPECT_FALSE(verify_md5_response("geheim", salt, expected));
  EXPECT_EQ(md5_response("geheim", salt), std::nullopt);
}

TEST(Md5, StoredHashIsNotThePassword) {
  const std::string secret = *md5_secret("geheim", "u_md5");
  EXPECT_TRUE(verify_password_md5(secret, "u_md5", "geheim"));
  EXPECT_FALSE(verify_password_md5(secret, "u_md5", secret));
  EXPECT_FALSE(verify_password_md5(secret, "other", "geheim"));
  EXPECT_FALSE(verify_password_md5("geheim", "u_md5", "geheim"));
}

TEST(Secret, KindFollowsShape) {
  EXPECT_EQ(classify_secret("").kind, SecretKind::None);
  EXPECT_EQ(classify_secret("geheim").kind, SecretKind::Plain);
  EXPECT_EQ(classify_secret("md560364f5053eed89c369c99e1b8f8e89a").kind, SecretKind::Md5);
  EXPECT_EQ(classify_secret("md5x").kind, SecretKind::Plain);
  EXPECT_EQ(classify_secret("SCRAM-SHA-256$4096:rLrNOasntZY27C0t1zE2dg==$Gjw6qsNKfV+Q9xtREXIsZ+SgZznaqr/8CDC2ovxiESM=:"
                            "/gp83yiBwNxQuywy+yRYeJshHJlP0eVOAC8pjW1GICA=")
                .kind,
            SecretKind::Scram);
  // A broken verifier must not turn into a password.
  EXPECT_EQ(classify_secret("SCRAM-SHA-256$4096:xx").kind, SecretKind::None);
}

TEST(Digest, ConstantTimeEqualComparesContentAndLength) {
  EXPECT_TRUE(constant_time_equal("", {}));
  EXPECT_TRUE(constant_time_equal("abc", "abc"));
  EXPECT_FALSE(constant_time_equal("abc", "abd"));
  EXPECT_FALSE(constant_time_equal("abc", "abcd"));
}

TEST(Digest, CleanseLeavesNothing) {
  std::string secret = "a password that is longer than the small buffer";
  const char* data = secret.data();
  const std::size_t size = secret.size();
  cleanse(secret);
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(std::string(data, size), std::string(size, '\0'));
}

TEST(SecretRandom, FillsAndVaries) {
  std::array<std::uint8_t, 32> a{};
  std::array<std::uint8_t, 32> b{};
  ASSERT_TRUE(secret_random(a));
  ASSERT_TRUE(secret_random(b));
  EXPECT_NE(a, b);
}

std::string self_signed(EVP_PKEY* key, const EVP_MD* digest) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_pubkey(certificate.get(), key);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  EXPECT_GT(X509_sign(certificate.get(), key, digest), 0);
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

std::string digest_of(const EVP_MD* algorithm, std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned int size = 0;
  EVP_Digest(data.data(), data.size(), out.data(), &size, algorithm, nullptr);
  return {reinterpret_cast<char*>(out.data()), size};
}

TEST(ChannelBinding, HashFollowsTheCertificatesSignature) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  ASSERT_NE(key, nullptr);
  const std::string sha256_signed = self_signed(key.get(), EVP_sha256());
  const std::string sha384_signed = self_signed(key.get(), EVP_sha384());
  const std::string sha1_signed = self_signed(key.get(), EVP_sha1());
  EXPECT_EQ(tls_server_end_point(sha256_signed), digest_of(EVP_sha256(), sha256_signed));
  EXPECT_EQ(tls_server_end_point(sha384_signed), digest_of(EVP_sha384(), sha384_signed));
  EXPECT_EQ(tls_server_end_point(sha1_signed), digest_of(EVP_sha256(), sha1_signed));
}

TEST(ChannelBinding, NoneForEd25519AndGarbage) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"),
                                                                &EVP_PKEY_free);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(tls_server_end_point(self_signed(key.get(), nullptr)), std::nullopt);
  EXPECT_EQ(tls_server_end_point(""), std::nullopt);
  EXPECT_EQ(tls_server_end_point("not a certificate"), std::nullopt);
}

}  // namespace
}  // namespace pgweir::protocol
