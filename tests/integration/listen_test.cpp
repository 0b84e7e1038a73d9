// LISTEN, UNLISTEN and NOTIFY in transaction mode: what a direct connection would be told, without a server of one's own.
#include <sstream>
#include <thread>

#include "tests/integration/listen_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(ListenTest, TwentyClientsListenOnAPoolOfTwo) {
  std::vector<Connection> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(connect());
    clients.back().must("LISTEN news");
    clients.back().must("LISTEN own" + std::to_string(i));
  }
  clients[3].must("NOTIFY news, 'to all'");
  for (int i = 0; i < 20; ++i) clients[7].must("NOTIFY own" + std::to_string(i) + ", 'to one'");
  for (int i = 0; i < 20; ++i)
    EXPECT_THAT(texts(hear(clients[static_cast<std::size_t>(i)], 2)), ElementsAre("news to all", "own" + std::to_string(i) + " to one"));
  if (!direct()) {
    EXPECT_LE(pooled_backends(), 2);
    EXPECT_EQ(backends("application_name = 'pgweir listen'"), 1);
    EXPECT_THAT(proxy().console().must("SHOW CLIENTS").rows.size(), testing::Ge(20u));
  }
}

TEST_F(ListenTest, OwnNotificationsComeBeforeTheCommitsReadyForQuery) {
  NEEDS_PROXY();
  auto client = connect();
  client.must("LISTEN self");
  for (int i = 0; i < 20; ++i) {
    client.must("NOTIFY self, 'one'");
    auto heard = take(client);
    ASSERT_THAT(texts(heard), ElementsAre("self one")) << "round " << i;
    EXPECT_EQ(heard.front().pid, client.backend_pid());
    client.must("BEGIN");
    client.must("SELECT pg_notify('self', 'two')");
    client.must("NOTIFY self, 'two'");
    client.must("NOTIFY self, 'three'");
    EXPECT_THAT(texts(take(client)), IsEmpty());
    client.must("COMMIT");
    ASSERT_THAT(texts(take(client)), ElementsAre("self two", "self three")) << "round " << i;
    EXPECT_TRUE(client.params("SELECT pg_notify($1, $2)", {"self", "four"}).ok());
    heard = take(client);
    ASSERT_THAT(texts(heard), ElementsAre("self four")) << "round " << i;
    EXPECT_EQ(heard.front().pid, client.backend_pid());
  }
}

TEST_F(ListenTest, TheTransactionThatListensHearsItself) {
  auto client = connect();
  client.must("BEGIN");
  client.must("LISTEN early");
  client.must("NOTIFY early, 'mine'");
  client.must("COMMIT");
  const auto heard = take(client);
  ASSERT_THAT(texts(heard), ElementsAre("early mine"));
  EXPECT_EQ(heard.front().pid, client.backend_pid());
}

TEST_F(ListenTest, OthersAreNamedByWhatTheyKnowOfThemselves) {
  auto listener = connect(), one = connect(), two = connect();
  listener.must("LISTEN who");
  for (int i = 0; i < 5; ++i) {
    one.must("NOTIFY who, 'one'");
    auto heard = hear(listener, 1);
    ASSERT_THAT(texts(heard), ElementsAre("who one"));
    EXPECT_EQ(heard.front().pid, one.backend_pid());
    two.must("SELECT pg_notify('who', 'two')");
    heard = hear(listener, 1);
    ASSERT_THAT(texts(heard), ElementsAre("who two"));
    EXPECT_EQ(heard.front().pid, two.backend_pid());
    listener.must("NOTIFY who, 'three'");
    heard = hear(listener, 1);
    ASSERT_THAT(texts(heard), ElementsAre("who three"));
    EXPECT_EQ(heard.front().pid, listener.backend_pid());
  }
}

TEST_F(ListenTest, NothingBeforeTheAnswerAndEverythingBehindIt) {
  auto speaker = connect();
  for (int i = 0; i < 30; ++i) {
    auto listener = connect();
    speaker.must("NOTIFY edge, 'before'");
    listener.must("LISTEN edge");
    speaker.must("NOTIFY edge, 'behind'");
    ASSERT_THAT(texts(hear(listener, 1)), ElementsAre("edge behind")) << "round " << i;
  }
}

TEST_F(ListenTest, TransactionsAndSavepointsDecide) {
  auto client = connect(), speaker = connect();
  client.must("LISTEN kept");
  client.must("BEGIN");
  client.must("LISTEN gone");
  client.must("UNLISTEN kept");
  client.must("ROLLBACK");
  EXPECT_EQ(channels(client), "kept");
  client.must("BEGIN");
  client.must("LISTEN first");
  client.must("SAVEPOINT s");
  client.must("LISTEN second");
  client.must("UNLISTEN *");
  client.must("ROLLBACK TO s");
  client.must("LISTEN third");
  EXPECT_EQ(channels(client), "kept");  // as of the last commit
  client.must("COMMIT");
  EXPECT_EQ(channels(client), "first,kept,third");
  speaker.must("NOTIFY gone; NOTIFY second; NOTIFY third, 'x'");
  speaker.must("NOTIFY kept");
  EXPECT_THAT(texts(hear(client, 2)), ElementsAre("third x", "kept "));
}

TEST_F(ListenTest, NothingIsDeliveredInsideABlock) {
  auto client = connect(), speaker = connect();
  client.must("LISTEN inside");
  client.must("BEGIN");
  client.must("SELECT 1");
  speaker.must("NOTIFY inside, 'meanwhile'");
  for (int i = 0; i < 10; ++i) client.must("SELECT 1");
  EXPECT_THAT(texts(take(client)), IsEmpty());
  client.must("COMMIT");
  EXPECT_THAT(texts(hear(client, 1)), ElementsAre("inside meanwhile"));
}

TEST_F(ListenTest, UnlistenInAllItsForms) {
  auto client = connect(), speaker = connect();
  const auto speak = [&] { speaker.must("NOTIFY one; NOTIFY two; NOTIFY last, 'x'"); };
  client.must("LISTEN one; LISTEN two; LISTEN last");
  speak();
  EXPECT_THAT(texts(hear(client, 3)), ElementsAre("one ", "two ", "last x"));
  EXPECT_EQ(client.must("UNLISTEN one").tag, "UNLISTEN");
  speak();
  EXPECT_THAT(texts(hear(client, 2)), ElementsAre("two ", "last x"));
  EXPECT_EQ(client.must("UNLISTEN *").tag, "UNLISTEN");
  EXPECT_EQ(channels(client), "");
  speak();
  client.must("LISTEN last");
  speak();
  EXPECT_THAT(texts(hear(client, 1)), ElementsAre("last x"));
  client.must("DO $$ BEGIN EXECUTE 'UNLISTEN last'; EXECUTE 'LISTEN two'; END $$");
  EXPECT_EQ(channels(client), "two");
  client.must("DISCARD ALL");
  EXPECT_EQ(channels(client), "");
  speak();
  client.must("LISTEN last");
  speak();
  EXPECT_THAT(texts(hear(client, 1)), ElementsAre("last x"));
}

TEST_F(ListenTest, ChannelNamesAndPayloads) {
  auto client = connect(), speaker = connect();
  const std::string name(80, 'n'), payload(7'999, 'p');
  client.must("LISTEN FoldED; LISTEN \"As Is\"\"; drop\"; LISTEN " + name);
  speaker.must("NOTIFY folded, 'a'; NOTIFY \"FoldED\", 'b'; NOTIFY \"As Is\"\"; drop\", 'c'");
  speaker.must("NOTIFY " + name + ", '" + payload + "'");
  EXPECT_THAT(texts(hear(client, 3)), ElementsAre("folded a", "As Is\"; drop c", std::string(63, 'n') + " " + payload));
  EXPECT_SQLSTATE(speaker.exec("NOTIFY folded, '" + payload + "x'"), "22023");
}

TEST_F(ListenTest, ByTheExtendedProtocolToo) {
  auto client = connect(), speaker = connect();
  EXPECT_EQ(client.params("LISTEN extended", {}).tag, "LISTEN");
  EXPECT_EQ(client.params("LISTEN more", {}).tag, "LISTEN");
  speaker.must("NOTIFY extended; NOTIFY more");
  EXPECT_THAT(texts(hear(client, 2)), ElementsAre("extended ", "more "));
  EXPECT_EQ(client.params("UNLISTEN extended", {}).tag, "UNLISTEN");
  speaker.must("NOTIFY extended; NOTIFY more");
  EXPECT_THAT(texts(hear(client, 1)), ElementsAre("more "));
  // A pipeline: what follows is not run before the channels are heard.
  ASSERT_TRUE(client.enter_pipeline());
  ASSERT_TRUE(client.send_params("LISTEN piped", {}) && client.sync());
  ASSERT_TRUE(client.send_params("SELECT pg_notify('piped', 'own')", {}) && client.sync());
  for (int syncs = 0; syncs < 2;) {
    const auto result = client.next();
    if (!result) continue;
    EXPECT_TRUE(result->ok()) << *result;
    if (result->status == PGRES_PIPELINE_SYNC) ++syncs;
  }
  ASSERT_TRUE(client.exit_pipeline());
  EXPECT_THAT(texts(hear(client, 1)), ElementsAre("piped own"));
}

TEST_F(ListenTest, OtherWorkGoesOnBesideIt) {
  auto client = connect(), speaker = connect(), third = connect();
  client.must("LISTEN beside");
  std::vector<std::string> expected;
  for (int i = 0; i < 30; ++i) {
    speaker.must("NOTIFY beside, '" + std::to_string(i) + "'");
    expected.push_back("beside " + std::to_string(i));
    EXPECT_EQ(client.must("SELECT " + std::to_string(i)).value(), std::to_string(i));
    client.must("SET work_mem = '" + std::to_string(2001 + i) + "kB'");
    EXPECT_EQ(client.must("SHOW work_mem").value(), std::to_string(2001 + i) + "kB");
    EXPECT_EQ(third.must("SELECT count(*) FROM pg_listening_channels()").value(), "0");
    EXPECT_THAT(texts(take(third)), IsEmpty());
  }
  EXPECT_EQ(texts(hear(client, 30)), expected);
}

TEST_F(ListenTest, AThousandComeInTheDirectOrder) {
  auto reference = server().connect();
  auto client = connect();
  reference.must("LISTEN flood");
  client.must("LISTEN flood");
  std::vector<std::thread> speakers;
  for (int s = 0; s < 4; ++s)
    speakers.emplace_back([this, s] {
      auto speaker = connect();
      for (int i = 0; i < 250; ++i) speaker.must("NOTIFY flood, '" + std::to_string(s) + "/" + std::to_string(i) + "'");
    });
  std::vector<Heard> heard;
  for (auto& speaker : speakers) speaker.join();
  heard = hear(client, 1'000);
  const auto direct_order = texts(hear(reference, 1'000));
  ASSERT_EQ(direct_order.size(), 1'000u);
  EXPECT_EQ(texts(heard), direct_order);
}

TEST_F(ListenTest, AClientThatDoesNotReadIsEnded) {
  NEEDS_PROXY();
  auto deaf = connect(), attentive = connect(), speaker = connect();
  deaf.must("LISTEN torrent");
  attentive.must("LISTEN torrent");
  auto console = proxy().console();
  const auto clients = [&] { return console.must("SHOW CLIENTS").rows.size(); };
  const auto all = clients();
  std::size_t said = 0, heard = 0;
  for (; said < 20'000 && clients() == all; said += 100) {
    speaker.must("SELECT pg_notify('torrent', lpad('" + std::to_string(said) + "/' || g, 7900, '-')) FROM generate_series(1, 100) g");
    heard += hear(attentive, 100).size();
  }
  EXPECT_EQ(heard, said);
  EXPECT_EQ(last_words(deaf).sqlstate, "53200");
  EXPECT_TRUE(attentive.must("SELECT 1").ok());
}

TEST_F(ListenTest, PinnedClientsHearToo) {
  auto client = connect(), speaker = connect();
  client.must("LISTEN before");
  client.must("CREATE TEMP TABLE pin (id int)");
  client.must("LISTEN behind");
  for (int i = 0; i < 5; ++i) {
    speaker.must("NOTIFY before; NOTIFY behind");
    EXPECT_THAT(texts(hear(client, 2)), ElementsAre("before ", "behind "));
    client.must("NOTIFY before, 'own'");
    const auto heard = take(client);
    ASSERT_THAT(texts(heard), ElementsAre("before own"));
    EXPECT_EQ(heard.front().pid, client.backend_pid());
    client.must("INSERT INTO pin VALUES (1)");
  }
  EXPECT_EQ(channels(client), "before,behind");
  client.must("DROP TABLE pin");
  speaker.must("NOTIFY before; NOTIFY behind");
  EXPECT_THAT(texts(hear(client, 2)), ElementsAre("before ", "behind "));
}

TEST_F(ListenTest, WhoLeavesIsForgotten) {
  auto speaker = connect();
  for (int i = 0; i < 10; ++i) {
    auto leaver = connect();
    leaver.must("LISTEN leave");
    if (i % 2 == 0) leaver.must("BEGIN; NOTIFY leave, 'never'");
  }
  auto client = connect();
  client.must("LISTEN leave");
  speaker.must("NOTIFY leave, 'x'");
  EXPECT_THAT(texts(hear(client, 1)), ElementsAre("leave x"));
  EXPECT_EQ(channels(speaker), "");
}

TEST_F(ListenTest, WithoutAListeningConnectionTheServerIsKept) {
  NEEDS_PROXY();
  auto client = connect(), speaker = connect();
  client.must("SELECT 1");
  speaker.must("BEGIN");
  speaker.must("SELECT 1");
  client.must("BEGIN");
  client.must("SELECT 1");
  ASSERT_EQ(pooled_backends(), 2);
  const int used = backends();
  server().exec("ALTER ROLE app CONNECTION LIMIT " + std::to_string(used));
  client.must("LISTEN alone");
  client.must("COMMIT");
  speaker.must("COMMIT");
  server().exec("ALTER ROLE app CONNECTION LIMIT -1");
  std::ostringstream shown;
  shown << proxy().console().must("SHOW CLIENTS");
  EXPECT_THAT(shown.str(), HasSubstr("listen"));
  for (int i = 0; i < 3; ++i) {
    speaker.must("NOTIFY alone, 'x'");
    const auto heard = hear(client, 1);
    ASSERT_THAT(texts(heard), ElementsAre("alone x"));
    client.must("NOTIFY alone, 'own'");
    ASSERT_THAT(texts(take(client)), ElementsAre("alone own"));
  }
  EXPECT_EQ(channels(client), "alone");
}

TEST_F(ListenTest, SessionModeIsPostgresqlsOwn) {
  NEEDS_PROXY();
  start(4, "mode = \"session\"");
  auto client = connect(), speaker = connect();
  client.must("LISTEN whole");
  speaker.must("NOTIFY whole, 'x'");
  EXPECT_THAT(texts(hear(client, 1)), ElementsAre("whole x"));
  client.must("NOTIFY whole, 'own'");
  const auto heard = take(client);
  ASSERT_THAT(texts(heard), ElementsAre("whole own"));
  EXPECT_EQ(heard.front().pid, client.backend_pid());
  EXPECT_EQ(backends("application_name = 'pgweir listen'"), 0);
}

}  // namespace
}  // namespace pgweir::support
