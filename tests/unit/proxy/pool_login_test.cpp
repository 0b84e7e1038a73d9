// Servers whose login is none: what they say is an error with a reason, and nothing of it is left for the first request.
#include "tests/unit/proxy/pool_support.h"

namespace pgweir::pool {
namespace {

using namespace std::string_literals;

std::string number(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

std::string message(char type, const std::string& body) { return type + number(static_cast<std::uint32_t>(body.size() + 4)) + body; }

const std::string kOk = message('R', number(0)), kReady = message('Z', "I"), kKey = message('K', number(1) + number(2));
const std::string kParameter = message('S', "server_version\0"s + "15.0\0"s);
const std::string kSasl = message('R', number(10) + "SCRAM-SHA-256\0\0"s);

class PoolLoginTest : public PoolTest {
 protected:
  // What comes of a login that the server answers by these bytes.
  std::optional<protocol::SqlError> log_in(FakeServer& server, const std::string& answer) {
    server.answer_logins_by(answer);
    PoolKey key{.cluster = "login" + std::to_string(++made_), .endpoint = {}, .user = "app"};
    Pool& pool = manager_->get(key, [&] {
      auto target = std::make_shared<ServerTarget>(*make_target(server, config::TlsMode::Disable));
      target->password = {config::Secret::Kind::Plain, "app-secret"};
      return std::pair(std::shared_ptr<const ServerTarget>(target), PoolLimits{.size = 1});
    });
    auto& one = taker(0);
    net::on(worker(0), [&] { one.ask({&pool}, 30s); });
    EXPECT_TRUE(net::eventually(worker(0), [&] { return one.failure || !one.leases.empty(); })) << "nothing comes of it";
    const auto failure = net::on(worker(0), [&] { return one.failure; });
    EXPECT_EQ(pool.stats().total, failure ? 0u : 1u);
    return failure;
  }
  unsigned made_ = 0;
};

TEST_F(PoolLoginTest, WithoutAuthenticationThereIsNoSession) {
  start_workers(1);
  FakeServer server;
  for (const auto& answer : {kReady, kKey + kReady, kParameter + kReady, kSasl + kReady, kSasl + kParameter + kKey + kReady}) {
    const auto failure = log_in(server, answer);
    ASSERT_TRUE(failure) << "the proxy took it for a login";
    EXPECT_EQ(failure->sqlstate, "08P01");
    EXPECT_NE(failure->message.find("before the authentication was complete"), std::string::npos) << failure->message;
  }
  const auto early = log_in(server, kSasl + kOk + kReady);
  ASSERT_TRUE(early);
  EXPECT_EQ(early->sqlstate, "28000") << early->message;
  EXPECT_FALSE(log_in(server, kOk + kParameter + kKey + kReady));
}

TEST_F(PoolLoginTest, NonsenseIsAnErrorWithAReason) {
  start_workers(1);
  FakeServer server;
  const std::vector<std::string> all = {
      "HTTP/1.1 400 Bad Request\r\n", message('~', ""), "R" + number(3), "R" + number(0x7fffffff), message('R', ""), message('R', number(77)),
      message('R', number(10)), kSasl + message('R', number(11) + "x"), message('D', "alien"), kOk + message('D', "alien"), kOk + kOk,
      kOk + message('C', "SELECT 1\0"s) + kReady, kOk + message('Z', ""), kOk + message('Z', "X"), kOk + message('Z', "T"), message('E', ""),
      message('E', "SFATAL"), message('E', "SFATAL\0\0"s), message('v', ""), message('v', number(4u << 16) + number(0)),
  };
  for (const auto& answer : all) {
    const auto failure = log_in(server, answer);
    ASSERT_TRUE(failure) << answer;
    EXPECT_EQ(failure->sqlstate.size(), 5u) << answer;
    EXPECT_FALSE(failure->message.empty()) << answer;
  }
}

// Else it would be taken for the answer to the first request.
TEST_F(PoolLoginTest, WhatStandsBehindTheLoginIsNobodys) {
  start_workers(1);
  FakeServer server;
  const std::string login = kOk + kParameter + kKey + kReady;
  const std::string alien = message('C', "SELECT 1\0"s) + kReady;
  for (const auto& behind : {alien, "N" + number(100) + "half", alien.substr(0, 3), message('E', "SFATAL\0C57P01\0Mgone\0\0"s)}) {
    const auto failure = log_in(server, login + behind);
    ASSERT_TRUE(failure) << behind;
    EXPECT_FALSE(failure->message.empty()) << behind;
  }
  EXPECT_FALSE(log_in(server, login + message('N', "SNOTICE\0C00000\0Mwelcome\0\0"s) + kParameter));
}

}  // namespace
}  // namespace pgweir::pool
