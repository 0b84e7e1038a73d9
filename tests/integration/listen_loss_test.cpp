// LISTEN when something goes wrong: the listening connection is lost or silent, marks are forged, encodings change.
#include <csignal>

#include "tests/integration/listen_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(ListenTest, ALostListeningConnectionEndsItsClients) {
  NEEDS_PROXY();
  auto client = connect(), other = connect();
  client.must("LISTEN lost");
  other.must("SELECT 1");
  ASSERT_EQ(server().exec("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pgweir listen'").value(), "1");
  const auto last = last_words(client);  // libpq gives what comes between requests as a notice
  EXPECT_EQ(last.sqlstate, "57P01");
  EXPECT_THAT(last.message, HasSubstr("listens for its notifications was lost"));
  EXPECT_FALSE(client.exec("SELECT 1").ok());
  EXPECT_EQ(other.must("SELECT 1").value(), "1");
  auto again = connect();
  again.must("LISTEN lost");
  other.must("NOTIFY lost, 'again'");
  EXPECT_THAT(texts(hear(again, 1)), ElementsAre("lost again"));
}

TEST_F(ListenTest, ASilentListeningConnectionCountsAsLost) {
  NEEDS_PROXY();
  start(4, "server_connect_timeout = \"1s\"");
  auto client = connect(), late = connect();
  client.must("LISTEN silent");
  const int listener = std::stoi(server().exec("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgweir listen'").value());
  ASSERT_EQ(kill(listener, SIGSTOP), 0);
  EXPECT_TRUE(late.exec("LISTEN late").ok());  // waits, then keeps the server that listens
  EXPECT_EQ(last_words(client).sqlstate, "57P01");
  ASSERT_EQ(kill(listener, SIGCONT), 0);
  late.must("NOTIFY late, 'x'");
  EXPECT_THAT(texts(hear(late, 1)), ElementsAre("late x"));
}

TEST_F(ListenTest, ASilentListeningConnectionHoldsNoTransaction) {
  NEEDS_PROXY();
  start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 4\nserver_connect_timeout = \"1s\""});
  RawClient client(proxy().port());
  client.log_in();
  client.query("LISTEN silent");
  const int listener = std::stoi(server().exec("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgweir listen'").value());
  ASSERT_EQ(kill(listener, SIGSTOP), 0);
  const auto answer = client.query("NOTIFY silent, 'own'");  // waits for its mark
  ASSERT_EQ(kill(listener, SIGCONT), 0);
  ASSERT_FALSE(answer.empty());
  EXPECT_EQ(answer.back().type, 'E');
  EXPECT_THAT(answer.back().body, HasSubstr("57P01"));
}

TEST_F(ListenTest, AMarkOfAnotherBackendIsNobodys) {
  NEEDS_PROXY();
  auto client = connect(), forger = connect();
  client.must("LISTEN mark");
  client.must("NOTIFY mark, 'one'");
  const auto said = server().exec("SELECT substring(query FROM 'NOTIFY (pgweir_\\w+)') FROM pg_stat_activity WHERE query LIKE '%NOTIFY pgweir\\_%' LIMIT 1").value();
  ASSERT_THAT(said, HasSubstr("pgweir_"));
  for (int session = 0; session < 50; ++session)
    for (const char* rest : {" e1", " e2", " e3", " k2", " e"}) forger.must("NOTIFY " + said + ", '" + std::to_string(session) + rest + "'");
  EXPECT_EQ(texts(take(client)), std::vector<std::string>{"mark one"});
  client.must("NOTIFY mark, 'two'");
  const auto heard = take(client);
  ASSERT_THAT(texts(heard), ElementsAre("mark two"));
  EXPECT_EQ(heard.front().pid, client.backend_pid());
}

TEST_F(ListenTest, WhatCannotBeToldInAChangedEncodingIsNotTold) {
  NEEDS_PROXY();
  auto client = connect(), speaker = connect();
  client.must("LISTEN letters");
  client.must("SET client_encoding TO latin1");
  speaker.must("NOTIFY letters, 'plain'");
  EXPECT_THAT(texts(hear(client, 1)), ElementsAre("letters plain"));
  speaker.must("NOTIFY letters, U&'\\00e9'");
  EXPECT_EQ(last_words(client).sqlstate, "22P05");
}

}  // namespace
}  // namespace pgweir::support
