// Clients that send nothing: client_idle_timeout and idle_in_transaction_timeout, also where no server is attached.
#include "tests/integration/proxy_fixture.h"
#include "tests/integration/raw_client.h"

namespace pgweir::support {
namespace {

class IdleTest : public ProxyTest {
 protected:
  void start_trusting(const std::string& pool) {
    start(ProxyOptions{.auth = "method = \"trust\"", .pool = "size = 2\n" + pool, .metrics = false});
  }
  // The error that ended the connection, within its deadline.
  static std::string ending(RawClient& client) { return raw_field(raw_find(client.receive_until('\0'), 'E').body, 'C'); }
};

TEST_F(IdleTest, AClientThatSendsNothingIsDisconnected) {
  NEEDS_PROXY();
  start_trusting("client_idle_timeout = \"300ms\"");
  RawClient fresh(port(), 5), used(port(), 5);
  fresh.log_in();
  used.log_in();
  used.query("SELECT 1");
  EXPECT_EQ(ending(fresh), "57P05");
  EXPECT_EQ(ending(used), "57P05");
}

TEST_F(IdleTest, AClientThatWaitsForAnAnswerIsNotIdle) {
  NEEDS_PROXY();
  start_trusting("client_idle_timeout = \"300ms\"");
  RawClient client(port(), 5);
  client.log_in();
  EXPECT_EQ(raw_types(client.query("SELECT pg_sleep(1)")), "TDCZ");
  // Nor is one inside a transaction, nor one that goes on sending.
  EXPECT_EQ(raw_types(client.query("BEGIN; SELECT 1; SELECT pg_sleep(0.5)")), "CTDCTDCZ");
  EXPECT_EQ(raw_types(client.query("SELECT pg_sleep(0.5)")), "TDCZ");
  EXPECT_EQ(raw_types(client.query("COMMIT")), "CZ");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(raw_types(client.query("SELECT pg_sleep(0.1)")), "TDCZ");
  EXPECT_EQ(ending(client), "57P05");
}

TEST_F(IdleTest, ATransactionThatNoServerHasSeenIsEndedToo) {
  NEEDS_PROXY();
  start_trusting("idle_in_transaction_timeout = \"300ms\"");
  RawClient waiting(port(), 5), outside(port(), 5);
  outside.log_in();
  waiting.log_in();
  waiting.query("BEGIN");
  EXPECT_EQ(ending(waiting), "25P03");
  EXPECT_EQ(raw_types(outside.query("SELECT 1")), "TDCZ");
}

TEST_F(IdleTest, WithoutABoundNobodyIsDisconnected) {
  NEEDS_PROXY();
  start_trusting("");
  RawClient client(port(), 5);
  client.log_in();
  client.query("BEGIN");
  RawClient other(port(), 5);
  other.log_in();
  EXPECT_EQ(raw_types(other.query("SELECT pg_sleep(1)")), "TDCZ");
  EXPECT_EQ(raw_types(client.query("SELECT 1")), "TDCZ");
}

}  // namespace
}  // namespace pgweir::support
