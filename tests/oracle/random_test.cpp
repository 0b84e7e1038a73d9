// Random statements (random_sql.h) against both sides: what the proxy answers must be what the one PostgreSQL answers;
// refusals are counted. The seed is printed; PGWEIR_ORACLE_SEED sets it, PGWEIR_ORACLE_STATEMENTS how many there are.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>

#include "tests/oracle/bench.h"
#include "tests/oracle/random_sql.h"

namespace pgweir::oracle {
namespace {

constexpr std::uint64_t kSeed = 20250101;
constexpr int kStatements = 300;
constexpr int kMostDifferences = 20;  // more are not looked at

std::uint64_t number(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Rows of one INSERT that are wrong on different shards: which of them is told first is not promised.
bool another_of_several_errors(const Case& made, const Verdict& verdict) {
  return made.has("several") && std::all_of(verdict.differences.begin(), verdict.differences.end(), [](const auto& d) {
           return d.text.find("expected ERROR") != std::string::npos && d.text.find("got ERROR") != std::string::npos;
         });
}

TEST(OracleRandom, AnswersAsOnePostgresqlWould) {
  const std::uint64_t seed = number("PGWEIR_ORACLE_SEED", kSeed);
  const auto statements = static_cast<int>(number("PGWEIR_ORACLE_STATEMENTS", kStatements));
  std::cout << "PGWEIR_ORACLE_SEED=" << seed << " PGWEIR_ORACLE_STATEMENTS=" << statements << std::endl;
  RandomSql source(seed);
  auto bench = std::make_unique<Bench>();
  std::map<std::string, int> refusals;
  int answered = 0, differences = 0;
  for (int i = 0; i < statements && differences < kMostDifferences; ++i) {
    const Case made = source.next();
    bool differed = false;
    for (const Verdict& verdict : bench->runner.run(made)) {
      answered += verdict.equal > 0 ? 1 : 0;
      if (!verdict.refusals.empty()) ++refusals[verdict.refusals.front().reason];
      if (verdict.differences.empty() || another_of_several_errors(made, verdict)) continue;
      ++differences;
      differed = true;
      ADD_FAILURE() << verdict.statement->sql << "\n   (" << verdict.differences.front().mode << ") "
                    << verdict.differences.front().text;
    }
    if (!bench->sharded.proxy().running()) {
      ADD_FAILURE() << "the proxy ended: " << bench->sharded.proxy().log();
      return;
    }
    // What one statement broke is not held against the next ones.
    if (differed && bench->state.difference()) {
      bench.reset();
      bench = std::make_unique<Bench>();
    }
  }
  EXPECT_GE(answered, statements / 3) << "too few statements are answered to say anything";
  std::cout << "random: " << answered << " answered, " << differences << " differ; refused:";
  for (const auto& [reason, count] : refusals) std::cout << " " << reason << " " << count;
  std::cout << std::endl;
}

}  // namespace
}  // namespace pgweir::oracle
