#include <gtest/gtest.h>

#include <map>

#include "proxy/control/login.h"
#include "proxy/log/log.h"
#include "proxy/server/reload.h"

namespace pgweir::control {
namespace {

config::Config example() {
  config::Config config;
  config::User app;
  app.name = "app";
  app.password = {config::Secret::Kind::Plain, "a"};
  config::User reader;
  reader.name = "reader";
  reader.password = {config::Secret::Kind::Scram, "SCRAM-SHA-256$..."};
  reader.server_user = "r";
  reader.server_password = {config::Secret::Kind::Plain, "b"};
  config.users = {app, reader};
  config::Cluster cluster;
  cluster.name = "c";
  cluster.database = "d";
  cluster.recovery_user = "app";
  cluster.recovery_password = app.password;
  config.clusters = {cluster};
  return config;
}

std::map<std::string, std::string> parameters(const Login& login, const std::string& address) {
  std::map<std::string, std::string> out;
  for (const auto& [keyword, value] : connection_parameters(login, address)) out[keyword] = value;
  return out;
}

TEST(ControlLoginTest, OwnersLogInThemselvesUnlessARecoveryUserIsConfigured) {
  config::Config config = example();
  config::Cluster& cluster = config.clusters[0];
  const config::Endpoint endpoint{"127.0.0.1", 5432, false};
  EXPECT_EQ(owner_login(config, cluster, endpoint, "r").user, "r");
  EXPECT_EQ(owner_login(config, cluster, endpoint, "r").password, "b");
  EXPECT_EQ(owner_login(config, cluster, endpoint, "stranger"), recovery_login(config, cluster, endpoint));
  cluster.recovery_user_configured = true;
  EXPECT_EQ(owner_login(config, cluster, endpoint, "r").user, "app");
}

TEST(ControlLoginTest, TlsModesAndAddresses) {
  Login login{{"db.example", 5433, false}, "d", "app", "", {config::TlsMode::VerifyFull, "ca.crt", "", ""}};
  auto p = parameters(login, "10.0.0.1");
  EXPECT_EQ(p["sslmode"], "verify-full");
  EXPECT_EQ(p["sslrootcert"], "ca.crt");
  EXPECT_EQ(p["host"], "db.example");
  EXPECT_EQ(p["hostaddr"], "10.0.0.1");
  EXPECT_FALSE(p.contains("password"));
  login.tls.mode = config::TlsMode::Require;  // libpq verifies when it is given a certificate authority; so do the pools
  EXPECT_EQ(parameters(login, "10.0.0.1")["sslrootcert"], "ca.crt");
  login.tls.mode = config::TlsMode::Prefer;
  EXPECT_FALSE(parameters(login, "10.0.0.1").contains("sslrootcert"));
  login.endpoint = {"/run/postgresql", 5432, true};
  p = parameters(login, "");
  EXPECT_EQ(p["sslmode"], "disable");
  EXPECT_FALSE(p.contains("hostaddr"));
}

TEST(ServerReloadTest, WhatCannotChangeKeepsItsValueAndIsNamed) {
  const config::Config running = example();
  config::Config wanted = running;
  wanted.listen.workers = 7;
  wanted.listen.max_clients = 5;
  std::vector<std::string> kept;
  const auto result = server::keep_fixed_settings(running, wanted, kept);
  EXPECT_EQ(kept, std::vector<std::string>{"listen.workers"});
  EXPECT_EQ(result->listen.workers, running.listen.workers);
  EXPECT_EQ(result->listen.max_clients, 5U);
}

TEST(ServerReloadTest, AShardKeepsItsPlace) {
  config::Config running = example();
  for (const std::string name : {"a", "b", "c"}) running.clusters.front().shards.emplace_back().name = name;
  EXPECT_EQ(server::moved_shard(running, running), "");
  config::Config wanted = running;
  auto& shards = wanted.clusters.front().shards;
  auto more = shards.back();
  more.name = "added";
  shards.push_back(more);
  EXPECT_EQ(server::moved_shard(running, wanted), "");   // behind the others
  shards.resize(shards.size() - 2);
  EXPECT_EQ(server::moved_shard(running, wanted), "");   // the last one
  wanted = running;
  std::swap(wanted.clusters.front().shards[0], wanted.clusters.front().shards[1]);
  EXPECT_NE(server::moved_shard(running, wanted), "");
  wanted = running;
  wanted.clusters.front().shards.erase(wanted.clusters.front().shards.begin());
  EXPECT_NE(server::moved_shard(running, wanted).find("stands in the place of"), std::string::npos);
  wanted.clusters.front().name = "another";
  EXPECT_EQ(server::moved_shard(running, wanted), "");   // a new cluster
}

TEST(LogTest, LinesCannotBeForged) {
  EXPECT_EQ(log::format_line(config::LogFormat::Text, log::Level::Warning, 1'000'500, "a\nb\x1b"),
            "1970-01-01T00:00:01.000Z warning a b\\u001b\n");
  EXPECT_EQ(log::format_line(config::LogFormat::Json, log::Level::Error, 0, "say \"x\"\\\n"),
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"error\",\"message\":\"say \\\"x\\\"\\\\\\n\"}\n");
}

}  // namespace
}  // namespace pgweir::control
