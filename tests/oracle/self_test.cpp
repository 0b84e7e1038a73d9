// Tests of the oracle itself: that it sees what differs, and that its cases give definite answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/oracle/sql_text.h"
#include "tests/oracle/tally.h"
#include "tests/oracle/world.h"

namespace pgweir::oracle {
namespace {

using support::Connection;
using support::QueryResult;
using support::Row;
using testing::HasSubstr;

QueryResult answer(std::vector<Row> rows, std::vector<Oid> types = {23, 25}) {
  QueryResult result;
  result.status = PGRES_TUPLES_OK;
  result.columns = {"id", "name"};
  result.types = std::move(types);
  result.modifiers = {-1, -1};
  result.tag = "SELECT " + std::to_string(rows.size());
  result.rows = std::move(rows);
  return result;
}

QueryResult failure(const std::string& sqlstate) {
  QueryResult result;
  result.error = support::Report{.severity = "ERROR", .sqlstate = sqlstate, .message = "no"};
  return result;
}

const std::vector<Row> kRows{{"1", "a"}, {"1", "b"}, {"2", std::nullopt}};

bool same(const QueryResult& expected, const QueryResult& got, const Comparison& how = {}) {
  return !difference(expected, got, how).has_value();
}

TEST(CompareTest, RowsAsMultisetWithoutOrder) {
  EXPECT_TRUE(same(answer(kRows), answer({{"2", std::nullopt}, {"1", "b"}, {"1", "a"}})));
  EXPECT_FALSE(same(answer(kRows), answer({{"1", "a"}, {"1", "b"}})));
  EXPECT_FALSE(same(answer(kRows), answer({{"1", "a"}, {"1", "a"}, {"2", std::nullopt}})));
  EXPECT_FALSE(same(answer(kRows), answer({{"1", "a"}, {"1", "b"}, {"2", ""}}))) << "NULL is not an empty string";
}

TEST(CompareTest, RowsInTotalOrder) {
  const Comparison total{.order = {.total = true, .tie_columns = {}}};
  EXPECT_TRUE(same(answer(kRows), answer(kRows), total));
  EXPECT_FALSE(same(answer(kRows), answer({{"1", "b"}, {"1", "a"}, {"2", std::nullopt}}), total));
}

TEST(CompareTest, TiesInAnyOrder) {
  const Comparison ties{.order = {.total = false, .tie_columns = {0}}};
  EXPECT_TRUE(same(answer(kRows), answer({{"1", "b"}, {"1", "a"}, {"2", std::nullopt}}), ties));
  EXPECT_FALSE(same(answer(kRows), answer({{"2", std::nullopt}, {"1", "b"}, {"1", "a"}}), ties));
  EXPECT_FALSE(same(answer(kRows), answer({{"1", "b"}, {"1", "c"}, {"2", std::nullopt}}), ties));
}

TEST(CompareTest, LimitWithoutOrderGivesSomeOfTheRows) {
  const QueryResult all = answer(kRows);
  const Comparison some{.unlimited = &all};
  const QueryResult expected = answer({{"1", "a"}});
  EXPECT_TRUE(same(expected, answer({{"2", std::nullopt}}), some));
  EXPECT_FALSE(same(expected, answer({{"3", "a"}}), some));
  EXPECT_FALSE(same(expected, answer({{"1", "a"}, {"1", "b"}}), some));
  const QueryResult two = answer({{"1", "a"}, {"1", "b"}});
  EXPECT_FALSE(same(two, answer({{"1", "a"}, {"1", "a"}}), some)) << "a row no more often than it is there";
}

TEST(CompareTest, NamesTypesModifiersAndTags) {
  QueryResult other = answer(kRows);
  other.columns[1] = "Name";
  EXPECT_FALSE(same(answer(kRows), other));
  EXPECT_FALSE(same(answer(kRows), answer(kRows, {20, 25})));
  other = answer(kRows);
  other.modifiers[0] = 6;
  EXPECT_FALSE(same(answer(kRows), other));
  other = answer(kRows);
  other.tag = "SELECT 4";
  EXPECT_FALSE(same(answer(kRows), other));
}

TEST(CompareTest, TypesOfAnInstallationByName) {
  Comparison named;
  named.expected_type = [](Oid oid) { return oid == 20001 ? "mood" : "other"; };
  named.got_type = [](Oid oid) { return oid == 20002 ? "mood" : "other"; };
  EXPECT_TRUE(same(answer(kRows, {23, 20001}), answer(kRows, {23, 20002}), named));
  EXPECT_FALSE(same(answer(kRows, {23, 20001}), answer(kRows, {23, 20003}), named));
}

TEST(CompareTest, Errors) {
  EXPECT_TRUE(same(failure("23505"), failure("23505")));
  EXPECT_FALSE(same(failure("23505"), failure("23503")));
  EXPECT_FALSE(same(failure("23505"), answer(kRows)));
  EXPECT_FALSE(same(answer(kRows), failure("23505")));
}

TEST(CompareTest, FloatsWithinTheToleranceOnlyWhereAsked) {
  const Comparison approximate{.approximate = true};
  const QueryResult expected = answer({{"0.30000000000000004", "x"}}, {701, 25});
  const QueryResult close = answer({{"0.3", "x"}}, {701, 25});
  EXPECT_TRUE(same(expected, close, approximate));
  EXPECT_FALSE(same(expected, close));
  EXPECT_FALSE(same(expected, answer({{"0.31", "x"}}, {701, 25}), approximate));
  const QueryResult exact = answer({{"0.30000000000000004", "x"}}, {1700, 25});
  EXPECT_FALSE(same(exact, answer({{"0.3", "x"}}, {1700, 25}), approximate)) << "numeric is exact";
}

TEST(SqlTextTest, FindsTopLevelClausesOnly) {
  EXPECT_TRUE(shape_of("select a from t order by a").ordered);
  EXPECT_FALSE(shape_of("SELECT ' order by x', (SELECT a FROM t ORDER BY a LIMIT 1) /* order by */").ordered);
  EXPECT_FALSE(shape_of("SELECT (SELECT a FROM t LIMIT 1)").limited);
  EXPECT_EQ(shape_of("SELECT a FROM t OFFSET 3").without_limit, "SELECT a FROM t ");
}

TEST(SqlTextTest, PutsLiteralsForParameters) {
  Statement statement{.sql = "SELECT '$1', $2, $1", .types = {"text", "int4"}};
  EXPECT_EQ(with_literals(statement, {"it's", std::nullopt}), "SELECT '$1', NULL::int4, 'it''s'::text");
}

TEST(CaseFileTest, ReadsBlocksTagsAndValues) {
  const auto cases = parse_cases("f",
                                 "-- c\n@one ties=1\nSELECT '{who}'\n  AS b WHERE x = $1;\n$: int4, text\n$ 1 | \\N\n\n"
                                 "@two simple\nCOPY t FROM STDIN;\n> a\n> b\n",
                                 {{"who", "me"}});
  ASSERT_EQ(cases.size(), 2U);
  EXPECT_EQ(cases[0].statements[0].sql, "SELECT 'me'\n  AS b WHERE x = $1");
  EXPECT_EQ(cases[0].statements[0].parameters[0], (Row{"1", std::nullopt}));
  EXPECT_EQ(cases[0].tags.at("ties"), "1");
  EXPECT_EQ(cases[1].statements[0].copy_data, "a\nb\n");
  EXPECT_THROW(parse_cases("f", "@x\nSELECT 1\n", {}), std::runtime_error);
  EXPECT_THROW(parse_cases("f", "@x tie=1\nSELECT 1;\n", {}), std::runtime_error);
  EXPECT_THROW(parse_cases("f", "SELECT 1;\n", {}), std::runtime_error);
}

// Two plain servers with the same rows, loaded in opposite directions: stands where the proxy stands.
class PlainPairTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    first_ = std::make_unique<PlainWorld>();
    second_ = std::make_unique<PlainWorld>(true);
  }
  static void TearDownTestSuite() {
    first_.reset();
    second_.reset();
  }
  // All tables are "local": on the one shard there is.
  static StateCheck state() {
    std::map<std::string, TableHome> tables;
    for (const auto& [name, home] : table_homes()) tables[name] = {TableHome::Kind::Local, {0}};
    std::vector<Connection> shards;
    shards.push_back(second_->server().admin());
    return StateCheck(first_->server().admin(), std::move(shards), std::move(tables));
  }
  static Sides sides(StateCheck* state) {
    return {.open_expected = [] { return first_->server().connect(); },
            .open_got = [] { return second_->server().connect(); },
            .expected_type = type_names_of(first_->server()),
            .got_type = type_names_of(second_->server()),
            .state = state};
  }
  static inline std::unique_ptr<PlainWorld> first_, second_;
};

TEST_F(PlainPairTest, EveryCaseHasADefiniteAnswer) {
  StateCheck state = this->state();
  Runner runner(sides(&state));
  int failures = 0;
  for (const Case& test_case : all_cases()) {
    for (const Verdict& verdict : runner.run(test_case)) {
      for (const auto& [mode, text] : verdict.differences) {
        ADD_FAILURE_AT((test_case.file + ".cases").c_str(), verdict.statement->line)
            << verdict.statement->sql << "\n  " << mode << ": " << text;
        ++failures;
      }
      EXPECT_TRUE(verdict.refusals.empty());
    }
  }
  EXPECT_EQ(failures, 0);
}

// Whether a case expects an error says its name: a typing mistake in a statement must not pass as an equal error.
TEST_F(PlainPairTest, OnlyCasesOfErrorsFail) {
  for (const Case& test_case : all_cases()) {
    Connection connection = first_->server().connect();
    bool failed = false;
    std::string error;
    const auto run = [&](const Statement& statement, const std::string& sql) {
      QueryResult result = statement.copy_data ? connection.copy_in(sql, *statement.copy_data) : connection.exec(sql);
      if (result.status == PGRES_COPY_OUT) result = connection.copy_rest().first;
      if (result.ok()) return;
      failed = true;
      error = result.error->message;
    };
    std::string together;
    for (const Statement& statement : test_case.statements) {
      together += statement.sql + ";";
      if (test_case.has("together")) continue;
      if (statement.parameters.empty()) run(statement, statement.sql);
      for (const Row& values : statement.parameters) run(statement, with_literals(statement, values));
    }
    if (test_case.has("together")) run(test_case.statements.back(), together);
    EXPECT_EQ(failed, test_case.name.starts_with("error_"))
        << test_case.file << ".cases @" << test_case.name << ": " << error;
  }
}

TEST_F(PlainPairTest, SeededDifferencesAreFound) {
  StateCheck state = this->state();
  ASSERT_EQ(state.difference(), std::nullopt);
  const auto differs = [&](const std::string& seed, const std::string& undo, const std::string& table) {
    second_->server().exec(seed);
    const auto found = state.difference();
    second_->server().exec(undo);
    EXPECT_THAT(found.value_or("nothing"), HasSubstr(table)) << seed;
    EXPECT_EQ(state.difference(), std::nullopt) << undo;
  };
  differs("UPDATE jobs SET name = name || '!' WHERE id = 7", "UPDATE jobs SET name = rtrim(name, '!') WHERE id = 7",
          "jobs");
  differs("DELETE FROM by_bool WHERE k AND id = 2", "INSERT INTO by_bool VALUES (true, 2, 'c')", "by_bool");
  differs("CREATE INDEX seeded ON users (email)", "DROP INDEX seeded", "users");
  differs("ALTER TABLE content ADD seeded int", "ALTER TABLE content DROP seeded", "content");
  differs("ALTER TABLE jobs ALTER name DROP NOT NULL", "ALTER TABLE jobs ALTER name SET NOT NULL", "jobs");
  differs("CREATE TABLE labels (x int)", "DROP TABLE labels", "labels");
  differs("CREATE TABLE stray (x int)", "DROP TABLE stray", "stray");
}

TEST_F(PlainPairTest, SeededRowChangesAStatementsAnswer) {
  Runner runner(sides(nullptr));
  const auto cases = parse_cases(
      "f", "@c\nSELECT count(*), sum(id), min(name) FROM jobs;\nSELECT * FROM jobs WHERE id = $1;\n$ 7\n", {});
  second_->server().exec("UPDATE jobs SET name = '' WHERE id = 7");
  auto verdicts = runner.run(cases[0]);
  second_->server().exec("UPDATE jobs SET name = (SELECT name FROM jobs WHERE id = 6) WHERE id = 7");
  EXPECT_EQ(verdicts[0].differences.size(), 4U) << "each mode sees it";
  EXPECT_EQ(verdicts[1].differences.size(), 5U) << "prepared runs twice";
  const std::string name = first_->server().exec("SELECT name FROM jobs WHERE id = 7").value();
  second_->server().exec("UPDATE jobs SET name = '" + name + "' WHERE id = 7");
  verdicts = runner.run(cases[0]);
  EXPECT_TRUE(verdicts[0].differences.empty());
}

TEST(TallyTest, RefusalsOutsideTheListAreWrong) {
  const auto cases = parse_cases("reads", "@c\nSELECT 1;\n", {});
  Tally tally;
  Verdict verdict{.statement = &cases[0].statements[0]};
  verdict.refusals = {{"some_reason", "a hint"}};
  EXPECT_EQ(tally.add(cases[0], {verdict}).size(), 1U);
  verdict.refusals.clear();
  verdict.equal = 1;
  EXPECT_TRUE(tally.add(cases[0], {verdict}).empty());
  verdict.differences = {{"simple", "x"}};
  EXPECT_EQ(tally.add(cases[0], {verdict}).size(), 1U);
  EXPECT_THAT(tally.summary(), HasSubstr("3 statements in 3 cases"));
  EXPECT_THAT(tally.summary(), HasSubstr("1 equal, 1 refused, 1 differ"));
}

}  // namespace
}  // namespace pgweir::oracle
