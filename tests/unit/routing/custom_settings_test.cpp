#include "routing/catalog/custom_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgweir::routing {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

CustomSettings found(std::string_view code) {
  CustomSettings settings;
  find_custom_settings(code, settings);
  return settings;
}

TEST(CustomSettings, NamesThatAreWritten) {
  const std::pair<const char*, const char*> cases[] = {
      {"select set_config('app.usr', 'x', false)", "app.usr"},
      {"begin perform pg_catalog . SET_CONFIG ( /* who */ 'App.Usr'::text , t, false); end", "app.usr"},
      {"select \"set_config\"(E'app.e', 'x', true)", "app.e"},
      {"select set_config(setting_name => 'app.named', new_value => 'x', is_local => true)", "app.named"},
      {"select set_config(setting_name := $q$app.dollar$q$, 'x', true)", "app.dollar"},
      {"execute 'select set_config(''app.nested'', $1, false)' using t", "app.nested"},
      {"execute 'execute ''select set_config(''''app.deep'''', 1, false)'''", "app.deep"},
      {"do $$ begin perform set_config('app.do', 'x', false); end $$", "app.do"},
      {"set app.x = 1", "app.x"},
      {"begin SET SESSION app . \"Second\" to 'x'; end", "app.second"},
      {"set local\n\"a b\".c.d = 1", "a b.c.d"},
      {"execute 'set app.y = ' || quote_literal(v)", "app.y"},
      {"plpy.execute(\"set session app.py = 1\")", "app.py"},
      {"-- it's\nset app.z = 1", "app.z"}};
  for (const auto& [code, name] : cases) {
    const auto settings = found(code);
    EXPECT_THAT(settings.names, ElementsAre(name)) << code;
    EXPECT_FALSE(settings.unknown) << code;
    EXPECT_THAT(settings.parameters, IsEmpty()) << code;
  }
}

TEST(CustomSettings, NamesThatOnlyTheRunTells) {
  for (const char* code :
       {"perform set_config(name, 'x', false)", "select set_config('app.' || t, t, false)",
        "select set_config(format('app.%s', t), t, false)", "select set_config(concat('app.', t), t, false)",
        "execute 'select set_config(' || quote_literal(n) || ', 1, false)'",
        "execute format('select set_config(''app.%s'', 1, false)', n)", "select set_config('app.x'", "select set_config(",
        "select set_config(setting_name => n, new_value => 'x', is_local => true)", "select set_config($1 || '.x', 'y', true)",
        "execute format('SET app.%I = %L', n, v)", "execute format('set local %s', v)", "execute 'SET ' || v",
        "execute 'set app.' || n || ' = 1'", "execute 'set app' || n", "execute concat('set ', v)",
        "execute $q$set session $q$ || v; execute 'set session ' || v", "execute format('set \"%s\".x = 1', v)"})
    EXPECT_TRUE(found(code).unknown) << code;
}

TEST(CustomSettings, OtherUsesOfTheWordsAreNone) {
  for (const char* code :
       {"update t set a = 1, b = 2", "execute format('update %I set %I = $1', t, c)",
        "execute 'update ' || t || ' set ' || c || ' = 1'", "raise notice 'tenant is not set', x; raise notice 'not set yet'",
        "set work_mem = '1MB'; set time zone 'utc'; set role none", "select set_config('work_mem', v, false)",
        "-- set_config(name, value) sets it\nselect 1", "/* set_config(x) */ select 1", "select 'call set_config'",
        "insert into log values ('set', 'x')", "references t on delete set null", "select my_set_config(x), set_config_2(y)",
        "select reset.x, offset.y", "", "set", "set ", "'"}) {
    const auto settings = found(code);
    EXPECT_THAT(settings.names, IsEmpty()) << code;
    EXPECT_FALSE(settings.unknown) << code;
  }
}

TEST(CustomSettings, ParametersAndBounds) {
  const auto settings = found("select set_config($2, $1, false), set_config($1::text, 'x', true), set_config($2, '', true)");
  EXPECT_THAT(settings.parameters, ElementsAre(2u, 1u));
  EXPECT_FALSE(settings.unknown);
  std::string many;
  for (std::size_t i = 0; i <= CustomSettings::kMaxNames; ++i) many += "set a.b" + std::to_string(i) + " = 1;";
  EXPECT_TRUE(found(many).unknown);
  EXPECT_EQ(found(many).names.size(), CustomSettings::kMaxNames);
  EXPECT_TRUE(found("set a." + std::string(300, 'b') + " = 1").unknown);
}

// Nobody can say what a library defines and sets.
TEST(CustomSettings, ALibraryIsLoaded) {
  for (const char* code : {"begin execute 'load ''auto_explain'''; end", "begin load 'x'; end", "begin x := 1; LOAD 'x'; end", "LOAD $$x$$",
                           "execute format('load %L', lib)"})
    EXPECT_TRUE(found(code).unknown) << code;
  for (const char* code : {"select load from t", "select 'load'", "select load('x')", "download 'x'", "-- load 'x'", "raise notice 'high load '"})
    EXPECT_FALSE(found(code).unknown) << code;
}

}  // namespace
}  // namespace pgweir::routing
