// Servers that end behind any byte of an answer, or say what no server says: the client has the answer's beginning as it is and then
// an error, or all of it; nothing reaches another client, and the pool goes on. PGWEIR_LONG=1: each byte.
#include <cstdlib>

#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/support/relay.h"

namespace pgweir::support {
namespace {

using Messages = std::vector<RawMessage>;

std::string shown(const Messages& messages) {
  std::string out;
  for (const auto& message : messages)
    out += std::string(1, message.type) + (message.type == 'E' ? "(" + raw_field(message.body, 'C') + " " + raw_field(message.body, 'M') + ")" : "");
  return out;
}

class MisbehavingServerTest : public ProxyTest {
 protected:
  void SetUp() override {
    if (direct()) return;
    relay_.emplace(server().port());
    start(ProxyOptions{.clusters = plain_cluster("fediflow", relay_->endpoint()),
                       .tls_server = "disable",
                       .auth = "method = \"trust\"",
                       .pool = "size = 1"});
  }
  void TearDown() override {
    ProxyTest::TearDown();
    relay_.reset();
  }

  RawClient client() {
    RawClient fresh(port());
    fresh.log_in();
    return fresh;
  }
  // Somebody else gets what he asks for, and nothing more.
  void expect_served(const std::string& after) {
    auto next = client();
    const auto answer = next.query("SELECT 'mine'");
    EXPECT_EQ(raw_types(answer), "TDCZ") << after << ": " << shown(answer);
    EXPECT_EQ(raw_find(answer, 'D').body, raw_int16(1) + raw_int32(4) + "mine") << after;
  }
  // The answers to `request`, up to so many ReadyForQuery or the end.
  static Messages ask(RawClient& client, const std::string& request, int ready) {
    client.send(request);
    Messages all;
    while (ready > 0) {
      auto message = client.receive();
      if (!message) break;
      ready -= message->type == 'Z';
      all.push_back(std::move(*message));
    }
    return all;
  }
  static bool equal(const RawMessage& a, const RawMessage& b) { return a.type == b.type && a.body == b.body; }

  // `got` is the beginning of `whole`, and behind it there is the error of a lost connection, but where a part of a row was given: it
  // would be taken for the row's rest.
  static void expect_beginning(const Messages& got, const Messages& whole, const std::string& where) {
    std::size_t same = 0;
    while (same < got.size() && same < whole.size() && equal(got[same], whole[same])) ++same;
    if (same == whole.size() && got.size() == same) return;
    if (got.size() == same && (whole[same].type == 'D' || whole[same].type == 'd')) return;
    ASSERT_EQ(got.size(), same + 1) << where << ": " << shown(got);
    EXPECT_EQ(got.back().type, 'E') << where << ": " << shown(got);
    EXPECT_EQ(raw_field(got.back().body, 'S'), "FATAL") << where;
    EXPECT_EQ(raw_field(got.back().body, 'C'), "08006") << where << ": " << shown(got);
  }

  // The request's server ends behind every few bytes of its answer.
  void cut_everywhere(const std::string& request, int ready, const std::function<void(const Messages&, const std::string&)>& more = {}) {
    Messages whole;
    std::size_t size = 0;
    {
      auto first = client();
      whole = ask(first, request, ready);
      first.query("SELECT 1");
      (void)relay_->answered();
      whole = ask(first, request, ready);  // as all the following: with what is prepared already
      size = relay_->answered();
    }
    ASSERT_GT(size, 30u);
    const std::size_t step = std::getenv("PGWEIR_LONG") ? 1 : std::max<std::size_t>(1, size / 24);
    for (std::size_t after = 0; after < size; after += step) {
      for (const auto end : {Relay::End::Fin, Relay::End::Rst}) {
        const std::string where = std::to_string(after) + (end == Relay::End::Fin ? " FIN" : " RST");
        auto cut = client();
        ASSERT_EQ(raw_types(cut.query("SELECT 1")), "TDCZ") << where;  // the pool has its server
        relay_->plan({.after = after, .put_in = {}, .end = end});
        const auto got = ask(cut, request, ready);
        expect_beginning(got, whole, where);
        if (!relay_->carried_out()) {  // the measured answer had more: what the proxy asks behind the first use of a table
          EXPECT_GT(after, size / 2) << where;
          EXPECT_EQ(got.size(), whole.size()) << where;
          relay_->plan({.after = static_cast<std::size_t>(-1), .put_in = {}, .end = {}});
          if (more) more(got, where);
          continue;
        }
        if (more) more(got, where);
        expect_served(where);
        if (HasFailure()) return;
      }
    }
    EXPECT_TRUE(no_transaction_is_open());
    EXPECT_LE(pooled_backends(), 1);
  }

  std::optional<Relay> relay_;
};

TEST_F(MisbehavingServerTest, EndsAmidTheAnswerToAQuery) {
  NEEDS_PROXY();
  cut_everywhere(raw_query("DO $$ BEGIN RAISE NOTICE 'told'; END $$; SELECT repeat('r', n) FROM generate_series(20, 22) n; SELECT NULL"), 1);
}

TEST_F(MisbehavingServerTest, EndsAmidAPipeline) {
  NEEDS_PROXY();
  cut_everywhere(raw_parse("", "SELECT $1::text") + raw_describe('S', "") + raw_bind("", "", {"first"}) + raw_execute("") + raw_sync() +
                     raw_parse("", "SELECT 1 / 0") + raw_bind("", "") + raw_execute("") + raw_sync() +
                     raw_parse("", "SELECT n FROM generate_series(1, 5) n") + raw_bind("", "") + raw_describe('P', "") + raw_execute("", 2) +
                     raw_execute("") + raw_sync(),
                 3);
}

TEST_F(MisbehavingServerTest, EndsAmidCopyOut) {
  NEEDS_PROXY();
  cut_everywhere(raw_query("COPY (SELECT n, repeat('c', n) FROM generate_series(10, 16) n) TO STDOUT") + raw_query("SELECT 2"), 2);
}

// What the client was told to be committed is there.
TEST_F(MisbehavingServerTest, EndsAmidTransactions) {
  NEEDS_PROXY();
  table("told", "what text");
  std::size_t before = 0;
  const auto count = [] { return std::stoul(server().exec("SELECT count(*) FROM told").value()); };
  const auto check = [&](const Messages& got, const std::string& where) {
    // "CZ" of BEGIN, INSERT and COMMIT, then COPY's "GCZ".
    const std::string types = raw_types(got);
    const std::size_t told = (types.size() >= 5 && types.substr(0, 5) == "CZCZC") + (types.size() >= 8 && types.substr(0, 8) == "CZCZCZGC");
    EXPECT_TRUE(no_transaction_is_open()) << where;
    const std::size_t added = count() - before;
    EXPECT_GE(added, told) << where << " " << types;
    EXPECT_LE(added, 2u) << where;
    before += added;
  };
  cut_everywhere(raw_query("BEGIN") + raw_query("INSERT INTO told VALUES ('block')") + raw_query("COMMIT") + raw_query("COPY told FROM STDIN") +
                     raw_message('d', "copied\n") + raw_message('c', ""),
                 4, [&, first = true](const Messages& got, const std::string& where) mutable {
                   if (std::exchange(first, false)) before = 4;  // of the two uncut runs
                   check(got, where);
                 });
}

// Messages that no server sends there. The client that waits may be told an error; it is never given anything as another's.
struct Nonsense {
  std::string name, bytes;
};

std::vector<Nonsense> nonsense() {
  const std::string row = raw_int16(1) + raw_int32(5) + "alien";
  const std::string error = "SERROR" + std::string(1, '\0') + "Mno code" + std::string(2, '\0');
  return {
      {"an unknown type", raw_message('~', "")},
      {"a length of 3", "Z" + raw_int32(3)},
      {"a length of 2^31 - 1", "D" + raw_int32(0x7fffffff) + "alien"},
      {"a length of 2^32 - 1", "Z" + raw_int32(0xffffffff)},
      {"a second ReadyForQuery", raw_message('Z', "I")},
      {"ReadyForQuery of no state", raw_message('Z', "X")},
      {"an empty ReadyForQuery", raw_message('Z', "")},
      {"a row before its description", raw_message('D', row)},
      {"a second CommandComplete", raw_message('C', raw_text("SELECT 7"))},
      {"an error without SQLSTATE", raw_message('E', error)},
      {"an empty error", raw_message('E', "")},
      {"CopyInResponse", raw_message('G', std::string(1, '\0') + raw_int16(0))},
      {"CopyOutResponse", raw_message('H', std::string(1, '\0') + raw_int16(0))},
      {"CopyBothResponse", raw_message('W', std::string(1, '\0') + raw_int16(0))},
      {"CopyData", raw_message('d', "alien")},
      {"AuthenticationOk", raw_message('R', raw_int32(0))},
      {"a request for a password", raw_message('R', raw_int32(3))},
      {"BackendKeyData", raw_message('K', raw_int32(1) + raw_int32(2))},
      {"ParseComplete", raw_message('1', "")},
      {"a notification", raw_message('A', raw_int32(1) + raw_text("alien") + raw_text("alien"))},
      {"half a notice", raw_message('N', "SNOTICE")},
      {"ParameterStatus without an end", raw_message('S', "DateStyle")},
      {"another's whole answer", raw_message('D', row) + raw_message('C', raw_text("SELECT 1")) + raw_message('Z', "I")},
      {"FunctionCallResponse", raw_message('V', raw_int32(5) + "alien")},
  };
}

TEST_F(MisbehavingServerTest, SaysNonsenseWhileIdle) {
  NEEDS_PROXY();
  for (const auto& [name, bytes] : nonsense()) {
    expect_served("before " + name);
    relay_->put_in(bytes);
    ASSERT_TRUE(wait_until([&] { return relay_->carried_out(); })) << name;
    expect_served(name);
    expect_served("behind " + name);
    if (HasFailure()) return;
  }
}

// In front of an answer, within it, and behind its ReadyForQuery.
TEST_F(MisbehavingServerTest, SaysNonsenseAmidAnAnswer) {
  NEEDS_PROXY();
  const std::string query = raw_query("SELECT 'first'; SELECT 'second'");
  std::size_t described = 0, whole = 0;
  {
    auto first = client();
    ask(first, query, 1);
    first.query("SELECT 1");
    (void)relay_->answered();
    const auto again = ask(first, query, 1);
    whole = relay_->answered();
    described = again.front().body.size() + 5;
    ASSERT_EQ(raw_types(again), "TDCTDCZ");
  }
  for (const auto& [name, bytes] : nonsense()) {
    for (const std::size_t after : {std::size_t{0}, described, whole}) {
      const std::string where = name + " behind " + std::to_string(after);
      expect_served("before " + where);
      relay_->plan({.after = after, .put_in = bytes, .end = {}});
      auto asking = client();
      const auto got = ask(asking, query, 1);
      EXPECT_TRUE(!got.empty() && (got.back().type == 'Z' || got.back().type == 'E')) << where << ": " << shown(got);
      EXPECT_TRUE(wait_until([&] { return relay_->carried_out(); })) << where;
      expect_served(where);
      if (HasFailure()) return;
    }
  }
  EXPECT_TRUE(no_transaction_is_open());
}

// Nothing at all comes: query_timeout ends the wait, and the server.
TEST_F(MisbehavingServerTest, SaysNothing) {
  NEEDS_PROXY();
  start(ProxyOptions{.clusters = plain_cluster("fediflow", relay_->endpoint()),
                     .tls_server = "disable",
                     .auth = "method = \"trust\"",
                     .pool = "size = 1\nquery_timeout = \"300ms\""});
  expect_served("before");
  auto asking = client();
  const auto got = ask(asking, raw_query("SELECT pg_sleep(60)"), 1);
  EXPECT_EQ(shown(got), "TE(57014 canceling statement due to query timeout)Z");
  expect_served("silence");
}

}  // namespace
}  // namespace pgweir::support
