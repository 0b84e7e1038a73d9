#include "routing/sql/parse.h"

#include <gtest/gtest.h>

#include "routing/sql/token.h"
#include "routing/sql/walk.h"

namespace pgweir::routing::sql {
namespace {

std::string repeat(const std::string& s, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += s;
  return out;
}

TEST(Parse, GivesStatementsWithTheirRanges) {
  const std::string text = "select 1 ;\n  delete from t; ";
  const auto parsed = parse(text);
  ASSERT_EQ(parsed.statements.size(), 2u);
  EXPECT_EQ(text.substr(parsed.statements[0]->begin, parsed.statements[0]->end - parsed.statements[0]->begin),
            "select 1 ");
  EXPECT_EQ(text.substr(parsed.statements[1]->begin, parsed.statements[1]->end - parsed.statements[1]->begin),
            "delete from t");
}

TEST(Parse, EmptyTextHasNoStatements) {
  EXPECT_TRUE(parse("").statements.empty());
  EXPECT_TRUE(parse("  -- nothing").statements.empty());
}

TEST(Parse, ErrorsAreTheParsersOwn) {
  EXPECT_EQ(parse("selec 1").error, "syntax error at or near \"selec\"");
  EXPECT_FALSE(parse(std::string("select \0 1", 10)).error.empty());
}

TEST(Parse, DeepNestingIsAnErrorOrMarked) {
  for (const std::string& text :
       {"select " + repeat("(", 100'000) + "1" + repeat(")", 100'000), "select " + repeat("not ", 100'000) + "a",
        repeat("select (", 100'000) + "1" + repeat(")", 100'000)}) {
    EXPECT_FALSE(parse(text).error.empty());
  }
  for (const std::string& text :
       {"select a" + repeat("+1", 100'000), "select 1" + repeat(" union select 1", 100'000),
        "select a" + repeat("::int", 100'000), repeat("select (", 3'000) + "1" + repeat(")", 3'000)}) {
    const auto parsed = parse(text);
    ASSERT_EQ(parsed.statements.size(), 1u) << parsed.error;
    EXPECT_TRUE(parsed.statements.front()->too_deep);
  }
}

TEST(Parse, LongFlatListsAreFine) {
  const auto ors = parse("select 1 from t where a" + repeat(" or a", 50'000));
  ASSERT_EQ(ors.statements.size(), 1u);
  EXPECT_FALSE(ors.statements.front()->too_deep);
  const auto in = parse("select 1 from t where a in (1" + repeat(",1", 600'000) + ")");
  ASSERT_EQ(in.statements.size(), 1u);
  EXPECT_TRUE(in.statements.front()->too_deep);  // beyond the node bound
}

// The library numbers LimitOption in another way than the server's header.
TEST(Parse, KnowsWithTies) {
  EXPECT_FALSE(parse("select 1 from t order by 1 limit 1").statements.front()->select->with_ties);
  EXPECT_FALSE(parse("select 1 from t order by 1 fetch first 1 rows only").statements.front()->select->with_ties);
  EXPECT_TRUE(parse("select 1 from t order by 1 fetch first 1 rows with ties").statements.front()->select->with_ties);
  EXPECT_FALSE(parse("select 1 from t").statements.front()->select->with_ties);
}

// The layouts and enums of the library and of the server's headers agree where we read them.
TEST(Parse, EnumsMeanWhatTheHeadersSay) {
  const auto where = [](const std::string& condition) {
    auto parsed = parse("select 1 from t where " + condition);
    return std::move(parsed.statements.front()->select->where);
  };
  EXPECT_EQ(where("a = 1")->op, OperatorForm::Plain);
  EXPECT_EQ(where("a = any(b)")->op, OperatorForm::Any);
  EXPECT_EQ(where("a = all(b)")->op, OperatorForm::All);
  EXPECT_EQ(where("a is distinct from b")->op, OperatorForm::Distinct);
  EXPECT_EQ(where("a is not distinct from b")->op, OperatorForm::NotDistinct);
  EXPECT_EQ(where("a in (1, 2)")->op, OperatorForm::In);
  EXPECT_EQ(where("a like b")->op, OperatorForm::Like);
  EXPECT_EQ(where("a between 1 and 2")->op, OperatorForm::Between);
  EXPECT_EQ(where("a not between 1 and 2")->op, OperatorForm::NotBetween);
  EXPECT_EQ(where("a between symmetric 1 and 2")->op, OperatorForm::BetweenSymmetric);
  EXPECT_EQ(where("a and b")->kind, ExprKind::And);
  EXPECT_EQ(where("a or b")->kind, ExprKind::Or);
  EXPECT_EQ(where("not a")->kind, ExprKind::Not);
  EXPECT_TRUE(where("a is not null")->negated);
  EXPECT_FALSE(where("a is null")->negated);
  EXPECT_EQ(where("exists (select 1)")->sublink, SubLinkForm::Exists);
  EXPECT_EQ(where("a in (select 1)")->sublink, SubLinkForm::Any);
  EXPECT_EQ(where("a > all (select 1)")->sublink, SubLinkForm::All);
  EXPECT_EQ(where("a = (select 1)")->args[1]->sublink, SubLinkForm::Scalar);
  EXPECT_EQ(where("a = array(select 1)")->args[1]->sublink, SubLinkForm::Array);
  EXPECT_EQ(where("a = current_date")->args[1]->value, SqlValueForm::Date);
  EXPECT_EQ(where("a = current_timestamp(3)")->args[1]->number, 3);
  EXPECT_EQ(where("a = localtimestamp")->args[1]->value, SqlValueForm::LocalTimestamp);
  EXPECT_EQ(where("a = current_user")->args[1]->value, SqlValueForm::User);
  const auto joins = [](const std::string& join) {
    return parse("select 1 from a " + join + " join b on true").statements.front()->select->from.front()->join;
  };
  EXPECT_EQ(joins(""), JoinForm::Inner);
  EXPECT_EQ(joins("left"), JoinForm::Left);
  EXPECT_EQ(joins("right"), JoinForm::Right);
  EXPECT_EQ(joins("full"), JoinForm::Full);
  const auto sort = [](const std::string& order) {
    return std::move(parse("select 1 from a order by x " + order).statements.front()->select->order_by.front());
  };
  EXPECT_TRUE(sort("desc").descending);
  EXPECT_TRUE(sort("desc").nulls_first);
  EXPECT_FALSE(sort("").nulls_first);
  EXPECT_TRUE(sort("nulls first").nulls_first);
  EXPECT_FALSE(sort("desc nulls last").nulls_first);
  EXPECT_TRUE(sort("using <").with_operator);
  EXPECT_EQ(parse("select 1 except select 2").statements.front()->select->operation, SetOperation::Except);
  EXPECT_EQ(parse("select 1 intersect select 2").statements.front()->select->operation, SetOperation::Intersect);
  EXPECT_TRUE(
      parse("insert into t values (1) on conflict do update set a = 1").statements.front()->modify->conflict->update ==
      true);
  EXPECT_FALSE(parse("insert into t values (1) on conflict do nothing").statements.front()->modify->conflict->update);
  EXPECT_TRUE(parse("insert into t overriding user value values (1)").statements.front()->modify->overriding);
  EXPECT_FALSE(parse("insert into t values (1)").statements.front()->modify->overriding);
}

TEST(Parse, UtilityEnumsMeanWhatTheHeadersSay) {
  const auto one = [](const std::string& text) { return std::move(parse(text).statements.front()); };
  const std::pair<const char*, TransactionVerb> verbs[] = {
      {"begin", TransactionVerb::Begin},
      {"start transaction", TransactionVerb::Begin},
      {"commit", TransactionVerb::Commit},
      {"rollback", TransactionVerb::Rollback},
      {"savepoint a", TransactionVerb::Savepoint},
      {"release a", TransactionVerb::Release},
      {"rollback to a", TransactionVerb::RollbackTo},
      {"prepare transaction 'x'", TransactionVerb::Prepare},
      {"commit prepared 'x'", TransactionVerb::CommitPrepared},
      {"rollback prepared 'x'", TransactionVerb::RollbackPrepared}};
  for (const auto& [text, verb] : verbs) EXPECT_EQ(one(text)->verb, verb) << text;
  const std::pair<const char*, SetForm> sets[] = {{"set a = 1", SetForm::Value},
                                                  {"set a to default", SetForm::Default},
                                                  {"reset a", SetForm::Reset},
                                                  {"reset all", SetForm::ResetAll},
                                                  {"set transaction read only", SetForm::Multi},
                                                  {"set a from current", SetForm::Current}};
  for (const auto& [text, form] : sets) EXPECT_EQ(one(text)->set_form, form) << text;
  EXPECT_EQ(one("discard all")->name, "all");
  EXPECT_EQ(one("discard temp")->name, "temp");
  const std::pair<const char*, DdlObject> objects[] = {{"drop table t", DdlObject::DropRelations},
                                                       {"drop index i", DdlObject::DropIndex},
                                                       {"drop sequence s", DdlObject::Sequence},
                                                       {"drop view v", DdlObject::DropRelations},
                                                       {"drop type t", DdlObject::Everywhere},
                                                       {"drop schema s", DdlObject::Everywhere},
                                                       {"drop function f", DdlObject::Everywhere},
                                                       {"drop trigger g on t", DdlObject::Relation},
                                                       {"drop policy p on t", DdlObject::Relation},
                                                       {"drop extension e", DdlObject::Everywhere},
                                                       {"drop publication p", DdlObject::Unknown},
                                                       {"alter table t add a int", DdlObject::Relation},
                                                       {"alter index i rename to j", DdlObject::DropIndex},
                                                       {"alter sequence s restart", DdlObject::Sequence},
                                                       {"alter type t add attribute a int", DdlObject::Everywhere},
                                                       {"alter view v rename to w", DdlObject::View},
                                                       {"comment on column t.a is 'x'", DdlObject::Relation},
                                                       {"comment on database d is 'x'", DdlObject::Database},
                                                       {"grant select on t to u", DdlObject::Relation},
                                                       {"grant usage on sequence s to u", DdlObject::Sequence},
                                                       {"grant usage on schema s to u", DdlObject::Everywhere},
                                                       {"alter table t owner to u", DdlObject::Relation},
                                                       {"alter system set a = 1", DdlObject::Database}};
  for (const auto& [text, object] : objects) EXPECT_EQ(one(text)->object, object) << text;
  EXPECT_TRUE(one("drop table t cascade")->cascade);
  EXPECT_FALSE(one("drop table t")->cascade);
}

TEST(Tokens, FollowPostgresLexicalRules) {
  const std::string text = "a.\"b \"\" c\" 'it''s' e'\\'' $$x'$y$$ $t$ $$ $t$ $12 /* /* */ */ 1.5e-3 <= -- end\n(x[1])";
  const auto tokens = tokenize(text, 0, text.size());
  ASSERT_TRUE(tokens);
  std::vector<std::string> got;
  for (const auto& t : *tokens) got.push_back(text.substr(t.begin, t.end - t.begin));
  EXPECT_EQ(got, (std::vector<std::string>{"a", ".", "\"b \"\" c\"", "'it''s'", "e'\\''", "$$x'$y$$", "$t$ $$ $t$",
                                           "$12", "1.5e-3", "<=", "(", "x", "[", "1", "]", ")"}));
  EXPECT_EQ((*tokens)[11].depth, 1u);
  EXPECT_EQ((*tokens)[13].depth, 2u);
  EXPECT_EQ(tokens->back().depth, 0u);
}

TEST(Tokens, RefuseWhatIsNotClosed) {
  for (const std::string text : {"'a", "\"a", "/* a", "$$ a", "(a", "a)", "e'\\"})
    EXPECT_FALSE(tokenize(text, 0, text.size())) << text;
}

TEST(Tokens, HintsComeFromCommentsOnly) {
  EXPECT_EQ(comment_hints("/* pgweir: shard=eu1, role='replica' */ select 1").role, "replica");
  EXPECT_EQ(comment_hints("select '/* pgweir: shard=eu1 */'").shard, "");
  EXPECT_EQ(comment_hints("select 1 /* pgweir: colour=red */").unknown, "colour");
}

// The grammar takes more than PostgreSQL's analysis does: what it hands us may be of another kind than the command's own.
TEST(Parse, TakesWhatOnlyTheGrammarAllows) {
  for (const std::string text :
       {"create statistics s on a, b from (select 1) x", "create statistics s on a from f(1) x",
        "create statistics s on a, b from t1 join t2 on true", "create statistics s on a from (values (1)) x, t tablesample system (1)",
        "create statistics s on (a + b), (lower(c)) from t"})
    EXPECT_EQ(parse(text).statements.size(), 1u) << text;
}

TEST(Same, ComparesShapesNotPlaces) {
  const auto parsed =
      parse("select lower(a), lower( a ), lower(b), a::numeric(3), a::numeric(3), (select 1), (select 1)");
  const auto& t = parsed.statements.front()->select->targets;
  EXPECT_TRUE(same(*t[0].expr, *t[1].expr));
  EXPECT_FALSE(same(*t[0].expr, *t[2].expr));
  EXPECT_FALSE(same(*t[3].expr, *t[4].expr));  // modifiers are not kept
  EXPECT_FALSE(same(*t[5].expr, *t[6].expr));
}

}  // namespace
}  // namespace pgweir::routing::sql
