#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin_support.h"
#include "proxy/admin/route_table.h"

namespace pgweir::admin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using routing::MergePlan;
using routing::Route;
using routing::ShardId;
using routing::ShardSet;

using Rows = std::vector<std::pair<std::string, std::string>>;

Rows rows_of(const Table& table) {
  Rows rows;
  for (const auto& row : table.rows) rows.emplace_back(row.at(0).value(), row.at(1).value());
  return rows;
}

class RouteTableTest : public ::testing::Test {
 protected:
  std::shared_ptr<const config::Config> config = load_config(kTwoShards);
  const config::Cluster& cluster = config->clusters.front();
};

TEST_F(RouteTableTest, OneShard) {
  Route route;
  route.shards = ShardSet::single(ShardId{1});
  route.explanation = "tenant_id = 7\nbucket 3 of 1024 -> us1\n";
  EXPECT_EQ(rows_of(route_table(cluster, route)),
            (Rows{{"kind", "one_shard"}, {"cluster", "fediflow"}, {"shards", "us1"}, {"role", "primary"},
                  {"write", "no"}, {"explanation", "tenant_id = 7"}, {"explanation", "bucket 3 of 1024 -> us1"}}));
}

TEST_F(RouteTableTest, ScatterWithMerge) {
  Route route;
  route.kind = Route::Kind::Scatter;
  route.shards = ShardSet::all(2);
  route.role = routing::Role::Replica;
  route.pushed_sql = "SELECT a, count(*), a FROM t GROUP BY a";
  auto plan = std::make_shared<MergePlan>();
  plan->kind = MergePlan::Kind::Group;
  plan->hidden = 3;
  plan->group_by = {0};
  plan->aggregates = {{routing::AggregateFunction::Count, 1, 0, 1, false},
                      {routing::AggregateFunction::Avg, 1, 2, -1, false}};
  plan->order = {{routing::MergeKey::Source::Aggregate, 0, true, true, false},
                 {routing::MergeKey::Source::Hidden, 0, false, true, false},
                 {routing::MergeKey::Source::Hidden, 2, true, false, false}};
  plan->limit = 10;
  plan->offset = 5;
  route.merge = plan;
  EXPECT_EQ(rows_of(route_table(cluster, route)),
            (Rows{{"kind", "scatter"}, {"cluster", "fediflow"}, {"shards", "eu1, us1"}, {"role", "replica"},
                  {"write", "no"}, {"sql", "SELECT a, count(*), a FROM t GROUP BY a"}, {"merge", "group"},
                  {"merge group by", "hidden 0"}, {"merge aggregates", "count (column 2), avg (order only)"},
                  {"merge order by", "aggregate 0 desc, hidden 0 nulls first, hidden 2 desc nulls last"},
                  {"merge limit", "10"}, {"merge offset", "5"}, {"merge hidden columns", "3"}}));
}

TEST_F(RouteTableTest, SplitNamesEachShardsStatement) {
  Route route;
  route.kind = Route::Kind::Split;
  route.shards = ShardSet::all(2);
  route.write = true;
  route.statements = {{ShardId{0}, "INSERT INTO t VALUES (1)", {}, {0}},
                      {ShardId{1}, "INSERT INTO t VALUES (2)", {}, {1}}};
  route.reference_locks = {"public.tenants"};
  EXPECT_EQ(rows_of(route_table(cluster, route)),
            (Rows{{"kind", "split"}, {"cluster", "fediflow"}, {"shards", "eu1, us1"}, {"role", "primary"},
                  {"write", "yes"}, {"sql for eu1", "INSERT INTO t VALUES (1)"},
                  {"sql for us1", "INSERT INTO t VALUES (2)"}, {"reference locks", "public.tenants"}}));
}

TEST_F(RouteTableTest, LocalHasNoShards) {
  Route route;
  route.kind = Route::Kind::Local;
  route.local.name = "shard";
  route.local.value = "eu1";
  EXPECT_EQ(rows_of(route_table(cluster, route)),
            (Rows{{"kind", "local"}, {"cluster", "fediflow"}, {"local", "set pgweir.shard = eu1"}}));
}

TEST_F(RouteTableTest, RefusalsAreRows) {
  const auto table = refusal_table(cluster, routing::refuse("join_not_colocated", "cannot join", "Add the key."));
  EXPECT_EQ(rows_of(table), (Rows{{"kind", "refused"}, {"cluster", "fediflow"}, {"sqlstate", "0A000"},
                                  {"reason", "join_not_colocated"}, {"message", "cannot join"},
                                  {"hint", "Add the key."}}));
}

// One shard and no tables: every statement goes there, whatever it reads.
constexpr char kPlain[] = R"(
[[user]]
name = "app"
password = "x"
[cluster.Solo]
database = "db"
[[cluster.Solo.shard]]
name = "only"
primary = "127.0.0.1:54321"
)";
constexpr char kSecond[] = R"(
[cluster.duo]
database = "db"
[[cluster.duo.shard]]
name = "alone"
primary = "127.0.0.1:54322"
)";

TEST_F(ConsoleTest, RouteNamesTheShard) {
  use(kPlain);
  const Reply reply = run("ROUTE SELECT * FROM t WHERE a = ';' -- x");
  EXPECT_EQ(reply.tag, "ROUTE") << reply.message;
  EXPECT_EQ(reply.value_of("kind"), "one_shard");
  EXPECT_EQ(reply.value_of("cluster"), "Solo");
  EXPECT_EQ(reply.value_of("shards"), "only");
  EXPECT_EQ(reply.value_of("role"), "primary");
}

TEST_F(ConsoleTest, RouteChoosesTheCluster) {
  use(std::string(kPlain) + kSecond);
  EXPECT_EQ(run("ROUTE duo: SELECT 1").value_of("shards"), "alone");
  EXPECT_EQ(run("ROUTE \"Solo\":SELECT 1").value_of("shards"), "only");
  EXPECT_EQ(run("route solo : SELECT 1").value_of("shards"), "only");
  const Reply which = run("ROUTE SELECT 1");
  EXPECT_EQ(which.sqlstate, "42601");
  EXPECT_THAT(which.hint, HasSubstr("Solo"));
  EXPECT_THAT(which.hint, HasSubstr("duo"));
  const Reply unknown = run("ROUTE trio: SELECT 1");
  EXPECT_EQ(unknown.sqlstate, "3D000");
  EXPECT_THAT(unknown.hint, HasSubstr("duo"));
}

TEST_F(ConsoleTest, RouteNeedsAStatement) {
  use(kPlain);
  for (const char* text : {"ROUTE", "ROUTE solo:", "ROUTE /* nothing */"}) {
    const Reply reply = run(text);
    EXPECT_EQ(reply.sqlstate, "42601") << text;
    EXPECT_EQ(reply.message, "ROUTE needs a statement") << text;
  }
}

TEST_F(ConsoleTest, RouteShowsARefusalAsRows) {
  // Two shards whose schema is not known yet: the router refuses.
  const Reply reply = run("ROUTE SELECT * FROM t");
  EXPECT_EQ(reply.value_of("kind"), "refused");
  EXPECT_EQ(reply.value_of("sqlstate").size(), 5u);
  EXPECT_EQ(reply.tag, "ROUTE");
}

}  // namespace
}  // namespace pgweir::admin
