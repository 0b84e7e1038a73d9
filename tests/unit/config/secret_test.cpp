#include "config/secret.h"

#include "config_support.h"

namespace pgweir::config {
namespace {

const std::string kKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string kScram = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$" + kKey + ":" + kKey;
const std::string kMd5 = "md50123456789abcdef0123456789abcdef";

// The secret, and the messages that reading it gave.
std::pair<Secret, std::vector<std::string>> read(const std::string& text, const std::string& folder = "/") {
  Findings findings("test.toml");
  const Secret secret = read_secret(text, folder, {3, 7}, findings);
  std::vector<std::string> messages;
  for (const Diagnostic& diagnostic : findings.take()) messages.push_back(brief(diagnostic));
  return {secret, messages};
}

TEST(SecretText, ClassifiesPlainAndVerifiers) {
  EXPECT_EQ(read("hello").first, (Secret{Secret::Kind::Plain, "hello"}));
  EXPECT_EQ(read("md5 is weak").first.kind, Secret::Kind::Plain);
  EXPECT_EQ(read(kMd5).first, (Secret{Secret::Kind::Md5, kMd5}));
  EXPECT_EQ(read(kScram).first, (Secret{Secret::Kind::Scram, kScram}));
}

TEST(SecretText, RefusesDamagedVerifiersWithoutShowingThem) {
  const std::vector<std::string> damaged = {
      "SCRAM-SHA-256$", "SCRAM-SHA-256$0:c2FsdA==$" + kKey + ":" + kKey,
      "SCRAM-SHA-256$4096:c2FsdA=$" + kKey + ":" + kKey, "SCRAM-SHA-256$4096:c2FsdA==$" + kKey,
      "SCRAM-SHA-256$4096:c2FsdA==$" + kKey + ":AAEC", "SCRAM-SHA-256$4096$" + kKey + ":" + kKey};
  for (const std::string& text : damaged) {
    const auto [secret, messages] = read(text);
    EXPECT_EQ(secret.kind, Secret::Kind::None) << text;
    EXPECT_EQ(messages, std::vector<std::string>{"3:7 error: this SCRAM-SHA-256 verifier is damaged"}) << text;
  }
}

TEST(SecretText, ReadsTheEnvironment) {
  setenv("PGWEIR_TEST_SECRET", kScram.c_str(), 1);
  EXPECT_EQ(read("env:PGWEIR_TEST_SECRET").first, (Secret{Secret::Kind::Scram, kScram}));
  setenv("PGWEIR_TEST_SECRET", "", 1);
  EXPECT_THAT(read("env:PGWEIR_TEST_SECRET").second, testing::ElementsAre(testing::StartsWith("3:7 warning: the env")));
  unsetenv("PGWEIR_TEST_SECRET");
  EXPECT_EQ(read("env:PGWEIR_TEST_SECRET").second,
            std::vector<std::string>{"3:7 error: the environment variable \"PGWEIR_TEST_SECRET\" is not set"});
  EXPECT_EQ(read("env:").second.size(), 1u);
}

TEST(SecretText, ReadsFiles) {
  const Folder folder;
  folder.write("line", "hello\n");
  folder.write("dos", "hello\r\n");
  folder.write("empty", "\n");
  folder.write("long", std::string(kMaxPassword + 1, 'x'));
  folder.write("lines", "one\ntwo\n");
  folder.write("open", "hello", true);
  const std::string path = folder / "";
  EXPECT_EQ(read("file:line", path).first.value, "hello");
  EXPECT_EQ(read("file:dos", path).first.value, "hello");
  EXPECT_EQ(read("file:" + (folder / "line"), "/").first.value, "hello");
  EXPECT_TRUE(read("file:line", path).second.empty());
  EXPECT_THAT(read("file:empty", path).second, testing::ElementsAre(testing::HasSubstr("is empty")));
  EXPECT_THAT(read("file:long", path).second, testing::ElementsAre(testing::HasSubstr("the password is longer")));
  EXPECT_THAT(read("file:lines", path).second, testing::ElementsAre(testing::HasSubstr("the password has a line")));
  EXPECT_THAT(read("file:open", path).second, testing::ElementsAre(testing::HasSubstr("warning: everybody can read")));
  EXPECT_THAT(read("file:none", path).second, testing::ElementsAre(testing::HasSubstr("does not exist")));
  EXPECT_THAT(read("file:", path).second, testing::ElementsAre(testing::HasSubstr("does not exist")));
}

TEST(SecretText, WarnsAboutAnEmptyPassword) {
  const auto [secret, messages] = read("");
  EXPECT_EQ(secret.kind, Secret::Kind::None);
  EXPECT_EQ(messages, std::vector<std::string>{"3:7 warning: the password is empty: no password"});
}

}  // namespace
}  // namespace pgweir::config
