#include <gtest/gtest.h>

#include "proxy/control/catalog_build.h"
#include "proxy/control/session_code.h"

namespace pgweir::control {
namespace {

using routing::Oid;
using routing::ShardId;

// "~" stands for NULL.
RowSet rows(std::size_t columns, std::vector<std::string> cells) {
  RowSet set;
  set.columns = columns;
  for (auto& cell : cells) {
    set.nulls.push_back(cell == "~");
    set.cells.push_back(cell == "~" ? "" : std::move(cell));
  }
  return set;
}

CatalogRows example() {
  CatalogRows r;
  r.server = rows(5, {"15.18", "150018", "UTF8", "t", "10"});
  r.schemas = rows(1, {"pg_catalog", "public"});
  r.relations = rows(8, {"16400", "public", "users", "r", "t", "f", "f", "f", "1259", "pg_catalog", "pg_class", "r",
                         "f", "f", "f", "f"});
  r.columns = rows(11, {"16400", "id",   "20", "-1", "0",   "t", "f", "f", "nextval('public.s'::regclass)",
                        "t",     "t",  //
                        "16400", "name", "25", "-1", "100", "f", "f", "f", "~",
                        "f",     "f",  //
                        "16400", "sum",  "23", "-1", "0",   "f", "t", "f", "~",
                        "f",     "f",  //
                        "99999", "gone", "23", "-1", "0",   "f", "t", "f", "~",
                        "f",     "f"});
  r.unique_indexes = rows(5, {"16400", "users_pkey", "{id,\"\",\"a\\\"b\"}", "t", "f"});
  r.foreign_keys = rows(6, {"16400", "fk", "{name}", "public", "names", "{n}"});
  r.functions = rows(11, {"16500", "public", "f", "23", "23 25", "1", "f", "t", "f", "s", "sql"});
  r.operators = rows(2, {"public", "==="});
  r.types = rows(9, {"16600", "public", "mood", "0", "16601", "0", "0", "e", "4", "16601", "public", "_mood", "16600",
                     "0", "0", "0", "b", "-1"});
  r.enum_labels = rows(3, {"16600", "16602", "sad", "16600", "16604", "ok"});
  r.collations = rows(4, {"950", "C", "t", "t", "12345", "public.de", "f", "f"});
  return r;
}

ShardFacts facts(std::vector<std::string> fingerprints, std::vector<std::string> oids = {}) {
  return read_shard_facts(rows(5, {"15.18", "150018", "UTF8", "t", "10"}), rows(3, std::move(fingerprints)),
                          rows(4, std::move(oids)));
}

// What any shard runs unseen counts for all.
TEST(ControlCatalogTest, SessionCodeOfEveryShardCounts) {
  auto first = facts({}), second = facts({});
  read_session_code(rows(3, {"w", "public", "users", "r", "public", "v", "o", "public", "==="}), first.session_code);
  read_session_code(rows(3, {"t", "public", "email", "f", "public", "sums", "a", "", ""}), second.session_code);
  auto catalog = build_catalog(example(), {});
  compare_shards(catalog, {first, second}, 0);
  EXPECT_TRUE(catalog.session_code.written.contains("public.users") && catalog.session_code.read.contains("public.v"));
  EXPECT_TRUE(catalog.session_code.operators.contains("===") && catalog.session_code.types.contains("email"));
  EXPECT_TRUE(catalog.session_code.functions.contains("public.sums") && catalog.session_code.anywhere);
}

TEST(ControlCatalogTest, RowsBecomeACatalog) {
  const auto catalog = build_catalog(example(), {routing::CatalogFunction{.schema = "pg_catalog", .name = "now"}});
  EXPECT_TRUE(catalog.loaded);
  EXPECT_EQ(catalog.server_version_num, 150018);
  EXPECT_TRUE(catalog.database_collation_c);
  const auto* users = catalog.find_table("public", "users");
  ASSERT_NE(users, nullptr);
  EXPECT_TRUE(users->has_user_triggers);
  EXPECT_FALSE(users->has_rules);
  ASSERT_EQ(users->columns.size(), 3U);
  EXPECT_TRUE(users->columns[0].default_nextval && users->columns[0].default_volatile && users->columns[0].not_null);
  EXPECT_FALSE(users->columns[1].has_default);
  EXPECT_EQ(users->columns[1].collation, 100U);
  EXPECT_TRUE(users->columns[2].generated);
  ASSERT_EQ(users->unique_indexes.size(), 1U);
  EXPECT_EQ(users->unique_indexes[0].columns, (std::vector<std::string>{"id", "", "a\"b"}));
  EXPECT_TRUE(users->unique_indexes[0].partial);
  EXPECT_EQ(users->foreign_keys.at(0).target_columns, std::vector<std::string>{"n"});
  EXPECT_EQ(catalog.function_index.count("now"), 1U);
  const auto& f = catalog.functions[catalog.function_index.find("f")->second];
  EXPECT_EQ(f.argument_types, (std::vector<Oid>{23, 25}));
  EXPECT_TRUE(f.returns_set && !f.built_in && f.volatility == 's' && f.defaults == 1);
  EXPECT_EQ(catalog.types.at(16600).enum_labels,
            (std::vector<std::pair<Oid, std::string>>{{16602, "sad"}, {16604, "ok"}}));
  EXPECT_EQ(catalog.types.at(16601).element, 16600U);
  EXPECT_TRUE(catalog.collation_is_c.at(950));
  EXPECT_FALSE(catalog.collation_deterministic.at(12345));
}

TEST(ControlCatalogTest, ShardsThatDisagreeMakeATableDrifted) {
  auto catalog = build_catalog(example(), {});
  compare_shards(catalog, {facts({"public", "users", "1"}), facts({"public", "users", "2"}), facts({})}, 0);
  const auto* users = catalog.find_table("public", "users");
  EXPECT_TRUE(users->drifted);
  EXPECT_EQ(users->present_on, (std::vector<ShardId>{{0}, {1}}));
  EXPECT_EQ(catalog.find_table("pg_catalog", "pg_class")->present_on.size(), 3U);
  EXPECT_EQ(catalog.two_phase, (std::vector<bool>{true, true, true}));
}

TEST(ControlCatalogTest, AShardThatNeverAnsweredCountsAsEqual) {
  auto catalog = build_catalog(example(), {});
  compare_shards(catalog, {facts({"public", "users", "1"}), ShardFacts{}}, 0);
  EXPECT_FALSE(catalog.find_table("public", "users")->drifted);
  EXPECT_EQ(catalog.find_table("public", "users")->present_on.size(), 2U);
  EXPECT_TRUE(catalog.database_collation_c);
  EXPECT_FALSE(catalog.two_phase[1]);
}

TEST(ControlCatalogTest, OidsAreMappedByKindSchemaAndName) {
  const ShardFacts canonical =
      facts({}, {"t", "16600", "public", "mood", "r", "16400", "public", "users", "t", "16601", "public", "_mood"});
  const ShardFacts same = canonical;
  EXPECT_TRUE(map_oids(canonical, same).identity);
  const ShardFacts other =
      facts({}, {"t", "17000", "public", "mood", "r", "16400", "public", "users", "t", "16600", "public", "_mood"});
  const auto map = map_oids(canonical, other);
  EXPECT_FALSE(map.identity);
  EXPECT_EQ(map.canonical(17000), 16600U);
  EXPECT_EQ(map.canonical(16600), 16601U);
  EXPECT_EQ(map.local(16600), 17000U);
  EXPECT_EQ(map.canonical(25), 25U);
}

TEST(ControlCatalogTest, TablesOfAnotherShardAreKnownWithMappedTypes) {
  auto catalog = build_catalog(example(), {});
  CatalogRows other;
  other.relations =
      rows(8, {"18000", "app", "jobs", "r", "f", "f", "f", "f", "18001", "public", "users", "r", "f", "f", "f", "f"});
  other.columns = rows(11, {"18000", "mood", "17000", "-1", "0", "t", "f", "f", "~", "f", "f"});
  const auto map = map_oids(facts({}, {"t", "16600", "public", "mood"}), facts({}, {"t", "17000", "public", "mood"}));
  add_foreign_tables(catalog, other, map);
  compare_shards(catalog, {facts({"public", "users", "1"}), facts({"public", "users", "1", "app", "jobs", "9"})}, 0);
  const auto* jobs = catalog.find_table("app", "jobs");
  ASSERT_NE(jobs, nullptr);
  EXPECT_EQ(jobs->present_on, std::vector<ShardId>{{1}});
  EXPECT_EQ(jobs->columns.at(0).type, 16600U);
  EXPECT_EQ(catalog.find_table("public", "users")->columns.size(), 3U);
  EXPECT_NE(std::find(catalog.schemas.begin(), catalog.schemas.end(), "app"), catalog.schemas.end());
}

}  // namespace
}  // namespace pgweir::control
