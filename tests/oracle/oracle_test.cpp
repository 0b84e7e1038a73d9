// The oracle: every case of cases/*.cases goes to one plain PostgreSQL and, through the proxy, to the shards that hold
// the same rows. What the proxy answers must be what the one PostgreSQL answers, or a refusal that refusals.txt lists.
// One case alone: --gtest_filter='*/OracleTest.*/NAME'.
#include <gtest/gtest.h>

#include <iostream>
#include <memory>
#include <set>

#include "tests/oracle/bench.h"
#include "tests/oracle/sql_text.h"
#include "tests/oracle/tally.h"
#include "tests/oracle/world.h"

namespace pgweir::oracle {
namespace {

class OracleTest : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    bench_ = std::make_unique<Bench>();
    tally_ = std::make_unique<Tally>();
  }
  static void TearDownTestSuite() {
    std::cout << "oracle: " << tally_->summary() << std::flush;
    EXPECT_LE(tally_->refused(), static_cast<int>(kMostRefusals));
    bench_.reset();
    tally_.reset();
  }
  static inline std::unique_ptr<Bench> bench_;
  static inline std::unique_ptr<Tally> tally_;
};

TEST_P(OracleTest, AnswersAsOnePostgresqlWould) {
  const auto verdicts = bench_->runner.run(GetParam());
  for (const std::string& wrong : tally_->add(GetParam(), verdicts)) ADD_FAILURE() << wrong;
  EXPECT_TRUE(bench_->sharded.proxy().running()) << bench_->sharded.proxy().log();
  // What this case broke is not held against the next ones.
  if (HasFailure() && (!bench_->sharded.proxy().running() || bench_->state.difference())) {
    bench_.reset();
    bench_ = std::make_unique<Bench>();
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, OracleTest, testing::ValuesIn(all_cases()),
                         [](const testing::TestParamInfo<Case>& tested) { return tested.param.name; });

TEST(OracleList, HasEnoughStatementsAndFewRefusals) {
  std::size_t statements = 0;
  for (const Case& test_case : all_cases()) statements += test_case.statements.size();
  EXPECT_GE(statements, 150U);
  const auto refusals = allowed_refusals();
  std::size_t refusable = 0;
  for (const auto& [name, reason] : refusals) {
    std::size_t found = 0;
    for (const Case& test_case : all_cases()) {
      if (test_case.name != name) continue;
      EXPECT_EQ(test_case.file, kRefusableFile) << name << " must not be refused";
      found = test_case.statements.size();
    }
    EXPECT_GT(found, 0U) << "refusals.txt names no case: " << name;
    refusable += found > 0 ? 1 : 0;
  }
  EXPECT_LE(refusable, kMostRefusals);
}

// What names.txt says of tenants (eu_*: on shard eu1, us_*: on us1) is so, with a hash computed by PostgreSQL itself:
// otherwise cases about one shard or two would test something else than they say.
TEST(OracleList, NamesTenantsByTheirShard) {
  support::PgCluster server;
  server.exec("CREATE TABLE p (k uuid) PARTITION BY HASH (k)");
  const auto names = parse_names(support::read_file(oracle_directory() / "cases/names.txt"));
  int checked = 0;
  for (const auto& [name, value] : names) {
    const bool eu = name.starts_with("eu_"), us = name.starts_with("us_");
    if (!eu && !us) continue;
    const std::string on_eu1 =
        server.exec("SELECT count(*) FROM generate_series(0, 511) bucket WHERE satisfies_hash_partition('p'::regclass, "
                    "1024, bucket, '" + value + "'::uuid)").value();
    EXPECT_EQ(on_eu1, eu ? "1" : "0") << name;
    ++checked;
  }
  EXPECT_GE(checked, 4);
}

}  // namespace
}  // namespace pgweir::oracle
