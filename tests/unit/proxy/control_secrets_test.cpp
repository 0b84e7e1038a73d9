// What auth.query said of users: reading its rows, and remembering them.
#include <gtest/gtest.h>

#include "proxy/control/auth_query.h"
#include "proxy/control/secret_cache.h"

namespace pgweir::control {
namespace {

using config::Secret;
using namespace std::chrono_literals;

constexpr char kMd5[] = "md50123456789abcdef0123456789abcdef";

RowSet rows(std::vector<std::string> cells, std::size_t columns = 2, std::vector<bool> nulls = {}) {
  RowSet set;
  set.columns = columns;
  set.nulls = nulls.empty() ? std::vector<bool>(cells.size(), false) : nulls;
  set.cells = std::move(cells);
  return set;
}

struct Read {
  Secret secret;
  std::string wrong, doubt;
};
Read read(const RowSet& set) {
  Read out;
  auto result = read_secret_rows(set, "bob", out.doubt);
  if (auto* wrong = std::get_if<std::string>(&result))
    out.wrong = *wrong;
  else
    out.secret = std::get<Secret>(result);
  return out;
}

TEST(SecretRows, OneRowOfTheRightNameCounts) {
  EXPECT_EQ(read(rows({"bob", kMd5})).secret, (Secret{Secret::Kind::Md5, kMd5}));
  EXPECT_EQ(read(rows({"bob", "plain words"})).secret.kind, Secret::Kind::Plain);
  EXPECT_EQ(read(rows({"bob", kMd5, "more"}, 3)).secret.kind, Secret::Kind::Md5);
}

TEST(SecretRows, NobodyElseIsLetIn) {
  const RowSet cases[] = {rows({}),
                          rows({"alice", kMd5}),
                          rows({"Bob", kMd5}),
                          rows({"bob", kMd5, "bob", kMd5}),
                          rows({"alice", kMd5, "bob", kMd5}),
                          rows({"bob", ""}),
                          rows({"bob", ""}, 2, {false, true}),
                          rows({"", kMd5}, 2, {true, false}),
                          rows({"bob", "SCRAM-SHA-256$4096:broken"})};
  for (const RowSet& set : cases) {
    const Read result = read(set);
    EXPECT_EQ(result.secret.kind, Secret::Kind::None);
    EXPECT_EQ(result.wrong, "");
  }
  EXPECT_EQ(read(cases[0]).doubt, "");
  EXPECT_EQ(read(cases[1]).doubt, "it returned another name");
  EXPECT_EQ(read(cases[3]).doubt, "it returned 2 rows");
  EXPECT_EQ(read(cases[6]).doubt, "");
  EXPECT_EQ(read(cases[8]).doubt, "the verifier is damaged");
  EXPECT_NE(read(rows({"bob"}, 1)).wrong, "");
}

class SecretCacheTest : public testing::Test {
 protected:
  static Secret secret(const std::string& text) { return {Secret::Kind::Plain, text}; }
  SecretCache cache;
  const SecretCache::Time start{};
  const SecretCache::Key bob{"c", "bob"}, eve{"c", "eve"};
};

TEST_F(SecretCacheTest, AnswersExpire) {
  EXPECT_FALSE(cache.find(bob, start));
  cache.put(bob, secret("a"), start);
  cache.put(eve, {}, start);
  EXPECT_EQ(cache.find(bob, start + 29s), secret("a"));
  EXPECT_FALSE(cache.find(bob, start + 30s));
  EXPECT_EQ(cache.find(eve, start + 4s), Secret{});
  EXPECT_FALSE(cache.find(eve, start + 5s));
  EXPECT_FALSE(cache.find({"other", "bob"}, start));
}

TEST_F(SecretCacheTest, TheLatestAnswerCounts) {
  cache.put(bob, {}, start);
  cache.put(bob, secret("a"), start + 1s);
  EXPECT_EQ(cache.find(bob, start + 2s), secret("a"));
  cache.put(bob, secret("b"), start + 20s);
  EXPECT_EQ(cache.find(bob, start + 45s), secret("b"));
  cache.put(bob, {}, start + 46s);
  EXPECT_EQ(cache.find(bob, start + 47s), Secret{});
  EXPECT_EQ(cache.size(), 1u);
}

TEST_F(SecretCacheTest, AFailedLoginAsksAgainButNotAtOnce) {
  cache.put(bob, secret("a"), start);
  cache.distrust(bob, start + 999ms);
  EXPECT_TRUE(cache.find(bob, start + 999ms));
  cache.distrust(bob, start + 1s);
  EXPECT_FALSE(cache.find(bob, start + 1s));
}

TEST_F(SecretCacheTest, InventedNamesDriveOutNobody) {
  cache.put(bob, secret("a"), start);
  for (std::size_t i = 0; i < 2 * SecretCache::kMost; ++i) cache.put({"c", "x" + std::to_string(i)}, {}, start);
  EXPECT_TRUE(cache.find(bob, start));
  EXPECT_EQ(cache.size(), SecretCache::kMost + 1);
  for (std::size_t i = 0; i < 2 * SecretCache::kMost; ++i) cache.put({"c", "y" + std::to_string(i)}, secret("p"), start);
  EXPECT_EQ(cache.size(), 2 * SecretCache::kMost);
  EXPECT_FALSE(cache.find(bob, start));
}

TEST(QueryLogin, RunsAsTheQueryUserAtHome) {
  config::Config config;
  config.auth.query_user = "auth";
  config::Cluster cluster;
  cluster.database = "shop";
  cluster.home = "b";
  cluster.shards.resize(2);
  cluster.shards[0].name = "a", cluster.shards[1].name = "b";
  cluster.shards[1].primary = {"10.0.0.2", 5432, false};
  EXPECT_EQ(query_login(config, cluster), (Login{{"10.0.0.2", 5432, false}, "shop", "auth", "", {}}));
  config.auth.query_database = "postgres";
  config.users.push_back({.name = "auth", .server_user = "lookup", .server_password = {Secret::Kind::Plain, "s"}});
  EXPECT_EQ(query_login(config, cluster), (Login{{"10.0.0.2", 5432, false}, "postgres", "lookup", "s", {}}));
}

}  // namespace
}  // namespace pgweir::control
