// SIGKILL of the proxy at each step of a distributed commit: after its restart every shard has its part, or none has.
#include <set>

#include "tests/faults/three_shards.h"

namespace pgweir::support {
namespace {

struct Case {
  std::string statement;  // ddl, reference, insert, copy
  std::string point;      // of proxy/session/fault_point.h
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.statement << " " << one.point; }

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* statement : {"ddl", "reference", "insert", "copy", "update"})
    for (const char* point : {"2pc_before_decide", "2pc_after_decide", "2pc_after_prepare", "2pc_after_commit",
                              "2pc_after_commit_prepared"})
      all.push_back({statement, point});
  return all;
}

class ProxyCrashTest : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() { cluster_ = std::make_unique<ThreeShards>(ThreeShards::Options{}); }
  static void TearDownTestSuite() { cluster_.reset(); }

  // Its effect on a shard, as one number: 0 nothing, 1 all of the shard's part.
  static std::string effect(const std::string& statement, const std::string& mark) {
    if (statement == "ddl") return "SELECT count(*) FROM pg_class WHERE relname = 'made_" + mark + "'";
    if (statement == "reference") return "SELECT count(*) FROM rates WHERE id = " + mark;
    if (statement == "update") return "SELECT count(*) FROM ledger WHERE id = " + mark + " AND note = 'new'";
    return "SELECT count(*) FROM ledger WHERE id = " + mark;
  }
  static QueryResult run(Connection& connection, const std::string& statement, const std::string& mark) {
    if (statement == "ddl") return connection.exec("CREATE INDEX made_" + mark + " ON ledger (id)");
    if (statement == "reference") return connection.exec("INSERT INTO rates VALUES (" + mark + ", 1)");
    if (statement == "copy")
      return connection.copy_in("COPY ledger (region, id) FROM STDIN",
                                "a\t" + mark + "\nb\t" + mark + "\nc\t" + mark + "\n");
    if (statement == "update") return connection.exec("UPDATE ledger SET note = 'new' WHERE id = " + mark);
    return connection.exec("INSERT INTO ledger (region, id) VALUES ('a', " + mark + "), ('b', " + mark + "), ('c', " +
                           mark + ")");
  }
  static inline std::unique_ptr<ThreeShards> cluster_;
};

TEST_P(ProxyCrashTest, IsAtomic) {
  static int number = 1'000;
  const std::string mark = std::to_string(++number);
  const auto& [statement, point] = GetParam();
  auto& proxy = cluster_->proxy();
  if (statement == "update") {
    auto before = proxy.connect();
    ASSERT_TRUE(run(before, "insert", mark).ok());
  }
  proxy.kill9();
  proxy.set_environment("PGWEIR_FAULT", point);
  proxy.start();
  {
    auto connection = proxy.connect();
    const QueryResult result = run(connection, statement, mark);
    EXPECT_FALSE(result.ok()) << "nothing was killed: " << result;
    ASSERT_TRUE(wait_until([&] { return !proxy.running(); })) << "the proxy never came to " << point << ": " << result;
  }
  proxy.clear_environment();
  proxy.start();
  EXPECT_TRUE(wait_until([&] { return cluster_->prepared() == 0; }, Milliseconds{15'000}))
      << cluster_->prepared() << " prepared transactions are left";
  // A server that lost its client in the middle rolls back by itself, as soon as it sees it.
  EXPECT_TRUE(cluster_->no_transaction_is_open());
  const auto parts = cluster_->on_each(effect(statement, mark));
  const bool decided = point == "2pc_after_commit" || point == "2pc_after_commit_prepared";
  EXPECT_EQ(parts, std::vector<std::string>(3, decided ? "1" : "0"));
  // And the statement can be run, or is there.
  auto connection = proxy.connect();
  if (!decided) {
    const QueryResult again = run(connection, statement, mark);
    EXPECT_TRUE(again.ok()) << again;
    EXPECT_EQ(cluster_->on_each(effect(statement, mark)), std::vector<std::string>(3, "1"));
  }
}

std::string case_name(const testing::TestParamInfo<Case>& one) { return one.param.statement + "_" + one.param.point; }
INSTANTIATE_TEST_SUITE_P(EachStep, ProxyCrashTest, testing::ValuesIn(cases()), case_name);

class RecoveryTest : public testing::Test {};

TEST_F(RecoveryTest, LeavesPreparedTransactionsOfOthersAlone) {
  ThreeShards cluster({});
  auto straight = cluster.shard(1).connect();
  straight.must("BEGIN; INSERT INTO ledger VALUES ('b', 7); PREPARE TRANSACTION 'somebody:else:1'");
  straight.must("BEGIN; INSERT INTO ledger VALUES ('b', 8); PREPARE TRANSACTION 'pgweir:othercluster:a:x:1'");
  auto& proxy = cluster.proxy();
  proxy.kill9();
  proxy.set_environment("PGWEIR_FAULT", "2pc_after_prepare");
  proxy.start();
  {
    auto connection = proxy.connect();
    connection.exec("INSERT INTO ledger (region, id) VALUES ('a', 1), ('b', 1), ('c', 1)");
    ASSERT_TRUE(wait_until([&] { return !proxy.running(); }));
  }
  EXPECT_GT(cluster.prepared(), 1);
  proxy.clear_environment();
  proxy.start();
  EXPECT_TRUE(wait_until([&] { return cluster.prepared() == 1; }, Milliseconds{15'000})) << cluster.prepared();
  EXPECT_EQ(cluster.shard(1).exec("SELECT string_agg(gid, ' ' ORDER BY gid) FROM pg_prepared_xacts").value(),
            "pgweir:othercluster:a:x:1 somebody:else:1");
  straight.must("ROLLBACK PREPARED 'somebody:else:1'");
  straight.must("ROLLBACK PREPARED 'pgweir:othercluster:a:x:1'");
}

// A participant is away when the others have committed: the client is told, and the part comes when the shard is back.
TEST_F(RecoveryTest, FinishesAParticipantThatWasAway) {
  ThreeShards cluster({});
  auto& proxy = cluster.proxy();
  proxy.kill9();
  proxy.set_environment("PGWEIR_FAULT", "2pc_after_commit");
  proxy.start();
  {
    auto connection = proxy.connect();
    connection.exec("INSERT INTO ledger (region, id) VALUES ('a', 1), ('b', 1), ('c', 1)");
    ASSERT_TRUE(wait_until([&] { return !proxy.running(); }));
  }
  cluster.shard(2).kill9();
  proxy.clear_environment();
  proxy.start();
  EXPECT_TRUE(wait_until([&] { return cluster.shard(1).exec("SELECT count(*) FROM pg_prepared_xacts").value() == "0"; },
                         Milliseconds{15'000}));
  cluster.shard(2).start();
  EXPECT_TRUE(wait_until([&] { return cluster.prepared() == 0; }, Milliseconds{15'000}));
  EXPECT_EQ(cluster.on_each("SELECT count(*) FROM ledger WHERE id = 1"), std::vector<std::string>(3, "1"));
}

}  // namespace
}  // namespace pgweir::support
