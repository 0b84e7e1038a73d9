// Messages beyond listen.max_statement_size: refused in their place among the replies, and nothing else suffers.
#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class OversizedTest : public ProxyTest {
 protected:
  void SetUp() override {
    start(ProxyOptions{
        .listen_extra = "max_statement_size = \"1MiB\"", .auth = "method = \"trust\"", .pool = "size = 1"});
  }
  RawClient raw() {
    RawClient client(port());
    client.log_in();
    return client;
  }
  static std::vector<RawMessage> answers(RawClient& client, int groups) {
    std::vector<RawMessage> all;
    for (int i = 0; i < groups; ++i)
      for (auto& message : client.receive_until('Z')) all.push_back(std::move(message));
    return all;
  }
  static std::string count(const std::string& name) { return server().exec("SELECT count(*) FROM " + name).value(); }

  const std::string large = "SELECT 1 /*" + std::string(2u << 20, 'x') + "*/";
};

TEST_F(OversizedTest, AQueryIsRefusedBehindTheAnswersBeforeIt) {
  NEEDS_PROXY();
  auto client = raw();
  client.send(raw_query("SELECT pg_sleep(0.2), 42") + raw_query(large) + raw_query("SELECT 7"));
  const auto all = answers(client, 3);
  EXPECT_EQ(raw_types(all), "TDCZEZTDCZ");
  EXPECT_EQ(raw_field(raw_find(all, 'E').body, 'C'), "54000");
}

TEST_F(OversizedTest, AParseLeavesTheWorkBeforeItAlone) {
  NEEDS_PROXY();
  table("before", "id int");
  auto client = raw();
  client.send(raw_query("INSERT INTO before SELECT 1 FROM pg_sleep(0.2)") + raw_parse("", large) + raw_bind("", "") +
              raw_execute("") + raw_sync() + raw_query("SELECT 7"));
  const auto all = answers(client, 3);
  EXPECT_EQ(raw_types(all), "CZEZTDCZ");
  EXPECT_EQ(raw_field(raw_find(all, 'E').body, 'C'), "54000");
  EXPECT_EQ(count("before"), "1");
}

TEST_F(OversizedTest, BehindABatchThatRunsTheNextBatchFailsAlone) {
  NEEDS_PROXY();
  table("batches", "id int");
  auto client = raw();
  client.send(raw_parse("", "INSERT INTO batches SELECT 1 FROM pg_sleep(0.2)") + raw_bind("", "") + raw_execute("") +
              raw_sync() + raw_parse("", large) + raw_bind("", "") + raw_sync() + raw_parse("", "SELECT 7") +
              raw_bind("", "") + raw_execute("") + raw_sync());
  EXPECT_EQ(raw_types(answers(client, 3)), "12CZEZ12DCZ");
  EXPECT_EQ(count("batches"), "1");
}

TEST_F(OversizedTest, InABatchUndoesTheBatch) {
  NEEDS_PROXY();
  table("batch", "id int");
  auto client = raw();
  client.send(raw_parse("", "INSERT INTO batch SELECT 1 FROM pg_sleep(0.2)") + raw_bind("", "") + raw_execute("") +
              raw_parse("", large) + raw_bind("", "") + raw_execute("") + raw_sync() + raw_query("SELECT 7"));
  const auto all = answers(client, 2);
  EXPECT_EQ(raw_types(all), "12CEZTDCZ");
  EXPECT_EQ(raw_field(raw_find(all, 'E').body, 'C'), "54000");
  EXPECT_EQ(count("batch"), "0");
}

// A Query ends the batch before it, and its failure undoes both.
TEST_F(OversizedTest, AQueryInABatchUndoesTheBatchAndEndsIt) {
  NEEDS_PROXY();
  table("mixed", "id int");
  auto client = raw();
  client.send(raw_parse("", "INSERT INTO mixed VALUES (1)") + raw_bind("", "") + raw_execute("") + raw_query(large) +
              raw_query("SELECT 7"));
  const auto all = answers(client, 2);
  EXPECT_EQ(raw_types(all), "12CEZTDCZ");
  EXPECT_EQ(raw_field(raw_find(all, 'E').body, 'C'), "54000");
  EXPECT_EQ(count("mixed"), "0");
}

TEST_F(OversizedTest, InABlockFailsTheBlock) {
  NEEDS_PROXY();
  table("block", "id int");
  for (const bool by_query : {true, false}) {
    auto client = raw();
    client.query("BEGIN");
    client.send(raw_query("INSERT INTO block SELECT 1 FROM pg_sleep(0.2)"));
    client.send(by_query ? raw_query(large) : raw_parse("", large) + raw_sync());
    const auto all = answers(client, 2);
    EXPECT_EQ(raw_types(all), "CZEZ");
    EXPECT_EQ(all.back().body, "E");
    EXPECT_EQ(raw_field(raw_find(client.query("SELECT 1"), 'E').body, 'C'), "25P02");
    EXPECT_EQ(raw_find(client.query("COMMIT"), 'C').body, raw_text("ROLLBACK"));
    EXPECT_EQ(count("block"), "0");
    EXPECT_EQ(raw_types(client.query("SELECT 7")), "TDCZ");
  }
}

// As PostgreSQL, which loses the protocol's thread there.
TEST_F(OversizedTest, InTheMiddleOfACopyEndsTheSession) {
  NEEDS_PROXY();
  table("copied", "id int");
  auto client = raw();
  client.send(raw_query("COPY copied FROM STDIN"));
  client.receive_until('G');
  client.send(raw_message('d', "1\n") + raw_query(large));
  const auto all = client.receive_until('Z');
  EXPECT_EQ(raw_field(raw_find(all, 'E').body, 'C'), "08P01");
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(no_transaction_is_open());
  EXPECT_EQ(count("copied"), "0");
}

}  // namespace
}  // namespace pgweir::support
