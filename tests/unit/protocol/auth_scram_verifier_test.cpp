#include "protocol/auth/scram_verifier.h"

#include <gtest/gtest.h>

#include <string>

#include "protocol/auth/base64.h"

namespace pgweir::protocol {
namespace {

// From pg_authid of PostgreSQL 15 after: create role u_scram password 'pencil'.
constexpr std::string_view kFromPostgres =
    "SCRAM-SHA-256$4096:rLrNOasntZY27C0t1zE2dg==$Gjw6qsNKfV+Q9xtREXIsZ+SgZznaqr/8CDC2ovxiESM=:"
    "/gp83yiBwNxQuywy+yRYeJshHJlP0eVOAC8pjW1GICA=";
// The same for password 'pässwörd' (UTF-8).
constexpr std::string_view kFromPostgresUtf8 =
    "SCRAM-SHA-256$4096:8NVhQw0BsjQ1G6Kd9R1K6A==$EY029tzWvJnGYd+4st3BuH+CYj2LYQ3CrrdR9FNLI38=:"
    "vXumdjJEJZGaJsYvQB68tXD3xJw61FN/nB0rPUPY1XE=";

TEST(ScramVerifier, ReadsAndWritesWhatPostgresStores) {
  const auto verifier = parse_scram_verifier(kFromPostgres);
  ASSERT_TRUE(verifier);
  EXPECT_EQ(verifier->iterations, 4096u);
  EXPECT_EQ(verifier->salt.size(), 16u);
  EXPECT_EQ(format_scram_verifier(*verifier), kFromPostgres);
}

TEST(ScramVerifier, DerivesWhatPostgresDerived) {
  for (const auto& [stored, password] :
       {std::pair(kFromPostgres, "pencil"), {kFromPostgresUtf8, "p\xC3\xA4ssw\xC3\xB6rd"}}) {
    const auto verifier = parse_scram_verifier(stored);
    ASSERT_TRUE(verifier);
    const DeriveKeysRequest request(password, verifier->salt, verifier->iterations);
    EXPECT_EQ(derive_verifier(request), verifier);
    const auto keys = derive_keys(request);
    ASSERT_TRUE(keys);
    EXPECT_TRUE(keys_match(*verifier, *keys));
  }
}

TEST(ScramVerifier, WrongPasswordDoesNotMatch) {
  const auto verifier = parse_scram_verifier(kFromPostgres);
  ASSERT_TRUE(verifier);
  for (const std::string_view password : {std::string_view("Pencil"), std::string_view(""), kFromPostgres}) {
    const auto keys = derive_keys({password, verifier->salt, verifier->iterations});
    ASSERT_TRUE(keys);
    EXPECT_FALSE(keys_match(*verifier, *keys)) << password;
  }
}

// The example exchange of RFC 7677, section 3, recomputed from its parts.
TEST(ScramVerifier, ExampleOfRfc7677) {
  const auto salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
  ASSERT_TRUE(salt);
  const DeriveKeysRequest request("pencil", *salt, 4096);
  const auto keys = derive_keys(request);
  const auto verifier = derive_verifier(request);
  ASSERT_TRUE(keys && verifier);
  const std::string auth_message =
      "n=user,r=rOprNGfwEbeRWgbNEkqO,"
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  auto proof = *hmac_sha256(as_view(verifier->stored_key), auth_message);
  for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<std::uint8_t>(proof[i] ^ keys->client_key[i]);
  EXPECT_EQ(base64_encode(as_view(proof)), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_EQ(base64_encode(as_view(*hmac_sha256(as_view(verifier->server_key), auth_message))),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(ScramVerifier, AnySaltLengthAndCountInBounds) {
  for (const std::size_t size : {1u, 2u, 15u, 17u, 64u, 1024u}) {
    const auto verifier = derive_verifier({"x", std::string(size, 's'), 3});
    ASSERT_TRUE(verifier) << size;
    EXPECT_EQ(parse_scram_verifier(format_scram_verifier(*verifier)), verifier);
  }
  EXPECT_FALSE(derive_verifier({"x", "", 3}));
  EXPECT_FALSE(derive_verifier({"x", std::string(1025, 's'), 3}));
  EXPECT_FALSE(derive_keys({"x", "salt", 0}));
  EXPECT_FALSE(derive_keys({"x", "salt", kScramMaxIterations + 1}));
  EXPECT_FALSE(make_verifier({}, "salt", 0));
}

TEST(ScramVerifier, RefusesMalformedText) {
  const std::string good(kFromPostgres);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_scram_verifier(std::string_view(good).substr(0, size))) << size;
  }
  EXPECT_FALSE(parse_scram_verifier(good + "="));
  EXPECT_FALSE(parse_scram_verifier(good + "$"));
  EXPECT_FALSE(parse_scram_verifier(" " + good));
  const auto with_iterations = [&](std::string_view iterations) {
    std::string text = good;
    text.replace(text.find("4096"), 4, iterations);
    return parse_scram_verifier(text);
  };
  EXPECT_TRUE(with_iterations("1"));
  EXPECT_TRUE(with_iterations("10000000"));
  for (const char* bad :
       {"", "0", "-1", "+1", " 1", "1 ", "10000001", "2147483648", "4294967297", "99999999999999999999", "0x10"}) {
    EXPECT_FALSE(with_iterations(bad)) << bad;
  }
  std::string long_salt = good;
  long_salt.replace(long_salt.find("rLrN"), 24, base64_encode(std::string(1025, 's')));
  EXPECT_FALSE(parse_scram_verifier(long_salt));
  std::string no_salt = good;
  no_salt.replace(no_salt.find("rLrN"), 24, "");
  EXPECT_FALSE(parse_scram_verifier(no_salt));
}

}  // namespace
}  // namespace pgweir::protocol
