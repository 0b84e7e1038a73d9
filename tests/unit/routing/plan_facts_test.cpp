#include <gtest/gtest.h>

#include "plan_fixture.h"

namespace pgweir::routing {
namespace {

StatementFacts facts(const std::string& text, const char* search_path = "public") {
  static const auto cluster = plain_cluster();
  static Router router;
  RouteContext context;
  context.search_path = search_path;
  return router.analyze(*cluster, text, context)->statements.at(0);
}

TEST(Facts, CodeOfUsersIsSeen) {
  for (const char* text : {"do $$ begin end $$", "call p()", "execute prepared", "select no_such()", "selec", "select * from a_view",
                           "insert into no_such_table values (1)", "copy no_such_table from stdin", "select * from no_such_table",
                           "insert into checked values (1)", "update checked set mail = 'x'", "delete from checked",
                           "copy checked from stdin", "truncate no_such_table", "select 'x'::email", "select 'x'::email[]",
                           "select 'x'::no_such_type", "select id @@@@ 1 from orders", "select id ==== 1 from orders"}) {
    EXPECT_TRUE(facts(text).runs_code) << text;
    EXPECT_TRUE(facts(text).may_change_session) << text;
  }
  for (const char* text : {"select 1", "select set_config('a.b', 'c', false)", "set a.b = 1", "explain select no_such()", "begin",
                           "insert into jobs (state) values ('x')", "copy jobs (state) from stdin", "select * from checked",
                           "with no_such_table as (select 1) select * from no_such_table", "truncate jobs",
                           "select '1'::int, 'x'::text[], '{}'::jsonb, now()::date, cast(1 as numeric(5,2))",
                           "select id ~~~ 2, id between 1 and 2, id not in (3), id is distinct from 4 from orders",
                           "select * from orders where note like 'a%' or note !~* 'b' or id <-> 1 < 2"}) {
    EXPECT_FALSE(facts(text).runs_code) << text;
  }
  EXPECT_TRUE(facts("copy jobs (state) from stdin").uses_sequence_state);
  for (const char* text : {"reset all", "reset a", "set a to default", "set local a to default", "set session authorization default"})
    EXPECT_TRUE(facts(text).to_default) << text;
  for (const char* text : {"set a = 1", "discard all", "begin"}) EXPECT_FALSE(facts(text).to_default) << text;
  EXPECT_TRUE(facts("set datestyle to default").kind == StatementKind::Reset && facts("set local a to default").kind == StatementKind::SetLocal);
}

TEST(Facts, ReadOnlyIsProven) {
  for (const char* text :
       {"select 1", "select * from orders", "select count(*), now() from orders", "show all", "explain select 1",
        "copy orders to stdout", "with a as (select 1) select * from a", "select random()"}) {
    EXPECT_TRUE(facts(text).read_only) << text;
  }
  for (const char* text :
       {"select * from orders for update", "select nextval('s')", "select my_unknown('x')", "select no_such()",
        "insert into orders values (1)", "with a as (delete from orders returning *) select * from a",
        "select pg_advisory_lock(1)", "copy orders from stdin", "select set_config('a', 'b', false)",
        "explain analyze delete from orders", "select 1 into x", "select * from a_view", "select id ~~~ 2 from orders",
        "create table x ()", "select txid_current()"}) {
    EXPECT_FALSE(facts(text).read_only) << text;
  }
}

TEST(Facts, SessionStateIsNoticed) {
  for (const char* text :
       {"set a = 1", "reset a", "discard all", "select set_config('a', 'b', false)", "create temp table x ()",
        "select pg_advisory_lock(1)", "listen x", "prepare p as select 1", "declare c cursor with hold for select 1",
        "load 'x'", "do $$ begin end $$", "call p()", "select my_unknown('x')", "selec 1", "select 1 into temp x"}) {
    EXPECT_TRUE(facts(text).may_change_session) << text;
  }
  for (const char* text :
       {"select * from orders where lower(note) = 'x'", "insert into orders (k) values (1)",
        "select pg_advisory_xact_lock(1)", "begin", "show a", "select my_pure('x')", "declare c cursor for select 1"}) {
    EXPECT_FALSE(facts(text).may_change_session) << text;
  }
}

// The name as written, and PREPARE's statement; "" where there is no name or its place cannot be told.
std::string named(const std::string& text) {
  const auto f = facts(text).prepared;
  if (f.end == 0) return "";
  return text.substr(f.begin, f.end - f.begin) + (f.query != 0 ? "|" + text.substr(f.query) : "");
}

TEST(Facts, PreparedNamesAreFound) {
  EXPECT_EQ(named("prepare q as select 1"), "q| select 1");
  EXPECT_EQ(named("/* prepare x */ PREPARE \"As\"(int, numeric(3, 2)) AS select 1 as a"), "\"As\"| select 1 as a");
  EXPECT_EQ(named("prepare prepare as delete from orders"), "prepare| delete from orders");
  EXPECT_EQ(named("execute Execute(1)"), "Execute");
  EXPECT_EQ(named("execute \"a\"\"b\""), "\"a\"\"b\"");
  EXPECT_EQ(named("deallocate prepare"), "prepare");
  EXPECT_EQ(named("deallocate prepare x"), "x");
  EXPECT_EQ(named("explain (analyze, buffers off) execute q(1)"), "q");
  EXPECT_EQ(named("explain analyze verbose execute execute"), "execute");
  EXPECT_EQ(named("create table execute (execute) as execute q(2) with no data"), "q");
  EXPECT_EQ(named("explain create temp table t as execute q"), "q");
  for (const char* text : {"deallocate all", "deallocate prepare all", "select 1", "explain select 1", "execute U&\"q\"", "discard all",
                           "prepare transaction 'execute q'", "create table t as select 1"})
    EXPECT_EQ(named(text), "") << text;
  EXPECT_EQ(facts("explain execute \"Q\"").prepared.executes, "Q");
  EXPECT_EQ(facts("prepare q as select 1").prepared.executes, "");
  EXPECT_TRUE(facts("execute q(1, now())").prepared.quiet);
  EXPECT_FALSE(facts("execute q(set_config('a', 'b', false))").prepared.quiet);
  EXPECT_FALSE(facts("execute q(no_such())").prepared.quiet);
  EXPECT_FALSE(facts("explain analyze execute q").read_only);
}

// What is read from pg_prepared_statements: the text with [] in its place, and ! where another name follows.
std::string views(const std::string& text) {
  std::string told;
  std::size_t copied = 0;
  for (const auto& view : facts(text).prepared.views) {
    told += text.substr(copied, view.begin - copied) + (view.aliased ? "[!]" : "[]");
    copied = view.end;
  }
  return told + text.substr(copied);
}

TEST(Facts, TheViewOfPreparedStatementsIsFound) {
  EXPECT_EQ(views("select * from pg_prepared_statements"), "select * from []");
  EXPECT_EQ(views("select 1 from Pg_Catalog . PG_prepared_statements where pg_prepared_statements.name = 'a'"),
            "select 1 from [] where pg_prepared_statements.name = 'a'");
  EXPECT_EQ(views("select 1 from a join pg_prepared_statements p on true, pg_prepared_statements as q;"), "select 1 from a join [!] p on true, [!] as q;");
  EXPECT_EQ(views("select (select count(*) from pg_prepared_statements), 'from pg_prepared_statements'"),
            "select (select count(*) from []), 'from pg_prepared_statements'");
  for (const char* text : {"select 1 from mine.pg_prepared_statements", "table pg_prepared_statements", "select pg_prepared_statements.name from a",
                           "select 1 from pg_prepared_statements_of_mine"})
    EXPECT_EQ(views(text), text);
}

TEST(Facts, TransactionsAndNames) {
  const auto begin = facts("begin isolation level serializable read only");
  EXPECT_EQ(begin.kind, StatementKind::Begin);
  EXPECT_TRUE(begin.plain_begin && begin.begin_read_only && begin.begin_serializable && !begin.begin_repeatable_read);
  EXPECT_TRUE(facts("start transaction isolation level repeatable read").begin_repeatable_read);
  EXPECT_FALSE(facts("begin read write").begin_read_only);
  EXPECT_TRUE(facts("commit and chain").chain);
  EXPECT_EQ(facts("deallocate all").name, "");
  EXPECT_EQ(facts("prepare foo as select 1").name, "foo");
  EXPECT_EQ(facts("create temp table scratch (a int)").name, "scratch");
  EXPECT_TRUE(facts("create temp table scratch (a int)").creates_temp);
  for (const char* text :
       {"create table pg_temp.scratch (a int)", "create temp view scratch as select 1", "create temp sequence scratch",
        "create table pg_temp_3.scratch as select 1", "create temp table scratch as select 1",
        "select 1 as a into pg_temp.scratch", "select 1 as a into temp scratch union select 2",
        "create view pg_temp.scratch as select 1", "create sequence pg_temp.scratch",
        "alter table pg_temp.other rename to scratch"}) {
    EXPECT_TRUE(facts(text).creates_temp && facts(text).may_change_session) << text;
    EXPECT_EQ(facts(text).name, "scratch") << text;
  }
  EXPECT_TRUE(facts("create table scratch (a int)", "pg_temp, public").creates_temp);
  EXPECT_TRUE(facts("alter table other rename to scratch").may_change_session);
  for (const char* path : {"public, pg_temp", "pg_catalog, pg_temp", "public"})
    EXPECT_FALSE(facts("create table scratch (a int)", path).creates_temp) << path;
  for (const char* text : {"drop table pg_temp.scratch", "alter table pg_temp.scratch add b int", "create table x ()"})
    EXPECT_FALSE(facts(text).creates_temp) << text;
  EXPECT_EQ(facts("select $3, $1").max_parameter, 3u);
  EXPECT_TRUE(facts("vacuum").no_transaction_block &&
              facts("create index concurrently on orders (k)").no_transaction_block);
  EXPECT_FALSE(facts("analyze").no_transaction_block);
  EXPECT_TRUE(facts("select nextval('s')").uses_sequence_state &&
              facts("insert into jobs (state) values ('x')").uses_sequence_state);
  EXPECT_TRUE(facts("select current_date").has_now);
}

TEST(PlainCluster, EverythingGoesToTheOneShard) {
  const auto cluster = plain_cluster();
  Router router;
  RouteContext context;
  const auto route = [&](const std::string& text) {
    return print(*cluster, router.route(*cluster, *router.analyze(*cluster, text, context), 0, {}, context));
  };
  EXPECT_EQ(route("select * from anything"), "one only");
  EXPECT_EQ(route("selec 1"), "one only write");
  EXPECT_EQ(route("do $$ begin end $$"), "one only write");
  EXPECT_EQ(route("set pgweir.role = 'replica'"), "local set role=replica");
  EXPECT_EQ(route("explain (route) select 1"), "local explain-route");
  EXPECT_EQ(route("explain select 1"), "one only");
  context.reads = config::Reads::Replica;
  EXPECT_EQ(route("select * from orders"), "one only replica");
  EXPECT_EQ(route("select my_unknown('x')"), "one only write");
  EXPECT_EQ(route("select 1; "), "one only replica");
}

TEST(Cache, HitsOnlyTheSameTextAndSurroundings) {
  const auto cluster = fediflow();
  Router router(1 << 20);
  RouteContext context;
  const auto first = router.analyze(*cluster, "select 1", context);
  EXPECT_EQ(router.analyze(*cluster, "select 1", context), first);
  EXPECT_NE(router.analyze(*cluster, "select 2", context), first);
  context.search_path = "pg_catalog";
  EXPECT_NE(router.analyze(*cluster, "select 1", context), first);
  context = RouteContext{};
  context.standard_conforming_strings = false;
  EXPECT_NE(router.analyze(*cluster, "select 1", context), first);
  auto newer = std::make_shared<ClusterRouting>(*cluster);
  newer->version = 99;
  EXPECT_NE(router.analyze(*newer, "select 1", RouteContext{}), first);
  EXPECT_EQ(router.cache_stats().hits, 1u);
}

TEST(Cache, IsBoundedInBytes) {
  const auto cluster = plain_cluster();
  Router router(100'000);
  for (int i = 0; i < 1000; ++i) router.analyze(*cluster, "select " + std::to_string(i), RouteContext{});
  EXPECT_LE(router.cache_stats().bytes, 100'000u);
  EXPECT_GT(router.cache_stats().evictions, 900u);
}

// A prepared statement is routed against the newest cluster, whenever it was analysed.
TEST(Router, RepeatsAnOldAnalysis) {
  const auto cluster = fediflow();
  Router router;
  const auto old = router.analyze(*cluster, "select * from orders where k = 7", RouteContext{});
  auto newer = std::make_shared<ClusterRouting>(*cluster);
  newer->version = 99;
  newer->tables.erase("public.orders");
  EXPECT_EQ(print(*newer, router.route(*newer, *old, 0, {}, RouteContext{})), "error 0A000 table_unlisted");
}

TEST(Router, NestingTooDeepIsRefused) {
  const auto cluster = fediflow();
  Router router;
  std::string text = "select 1 from orders where k = 1";
  for (int i = 0; i < 5000; ++i) text += "+1";
  EXPECT_EQ(
      print(*cluster, router.route(*cluster, *router.analyze(*cluster, text, RouteContext{}), 0, {}, RouteContext{})),
      "error 54001 too_complex");
}

TEST(Router, BackslashesWithoutStandardStringsAreNotRead) {
  const auto cluster = fediflow();
  Router router;
  RouteContext context;
  context.standard_conforming_strings = false;
  const std::string text = "select * from orders where k = 7 and note = 'a\\' or k = 8 --'";
  EXPECT_EQ(print(*cluster, router.route(*cluster, *router.analyze(*cluster, text, context), 0, {}, context)),
            "error 42601 unparsable");
}

}  // namespace
}  // namespace pgweir::routing
