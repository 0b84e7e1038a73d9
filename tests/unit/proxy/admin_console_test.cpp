#include "proxy/admin/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin_support.h"
#include "proxy/admin/command.h"

namespace pgweir::admin {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(ConsoleTest, TellsItsVersionInAnyCase) {
  const Reply reply = run("show Version;");
  ASSERT_EQ(reply.columns.size(), 1u);
  EXPECT_EQ(reply.columns[0].name, "version");
  EXPECT_EQ(reply.columns[0].type_oid, 25u);
  EXPECT_THAT(reply.at(0, "version"), HasSubstr("pgweir "));
  EXPECT_EQ(reply.tag, "SHOW");
}

TEST_F(ConsoleTest, RunsStatementsInTurn) {
  const auto replies = run_all("SHOW VERSION; SET extra_float_digits = 3; SHOW HELP");
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_EQ(replies[0].columns[0].name, "version");
  EXPECT_EQ(replies[1].tag, "SET");
  EXPECT_EQ(replies[2].columns[0].name, "command");
}

TEST_F(ConsoleTest, StopsAtTheFirstError) {
  const auto replies = run_all("SHOW VERSION; FROBNICATE; SHOW VERSION");
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[1].sqlstate, "42601");
}

TEST_F(ConsoleTest, ManyStatementsDoNotNest) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "SHOW VERSION;";
  EXPECT_EQ(run_all(text).size(), 20'000u);
}

TEST_F(ConsoleTest, AnswersNoMoreThanItsBound) {
  sources.clients = [](net::Worker&) {  // two workers: a table of two megabytes
    runtime::ClientInfo info;
    info.application_name = std::string(1u << 20, 'x');
    return std::vector<runtime::ClientInfo>{info};
  };
  std::string text;
  for (int i = 0; i < 40; ++i) text += "SHOW CLIENTS;";
  const auto replies = run_all(text);
  ASSERT_EQ(replies.size(), 32u);
  EXPECT_EQ(replies[30].tag, "SHOW");
  EXPECT_EQ(replies[31].sqlstate, "54000");  // in the place of the table that would go beyond 64 MiB
  EXPECT_TRUE(replies[31].rows.empty());
}

TEST_F(ConsoleTest, AnEmptyTextIsAnEmptyQuery) {
  for (const char* text : {"", ";", "-- nothing"}) {
    EXPECT_TRUE(run(text).empty_query) << text;
  }
}

TEST_F(ConsoleTest, UnknownCommandsAreSyntaxErrorsWithTheListAsHint) {
  for (const auto& [text, near] : {std::pair{"FROBNICATE", "FROBNICATE"}, {"SHOW FROBS", "FROBS"}, {"SHOW", "SHOW"},
                                   {"SHOW POOLS extra", "extra"}, {"SELECT 1", "SELECT"}, {"'x'", "'x'"},
                                   {"\"SHOW\" POOLS", "\"SHOW\""}, {"RELOAD now", "now"},
                                   {"SHUTDOWN soon", "soon"}, {"SHUTDOWN WAIT_FOR_CLIENTS x", "x"}}) {
    const Reply reply = run(text);
    EXPECT_EQ(reply.sqlstate, "42601") << text;
    EXPECT_EQ(reply.message, std::string("syntax error at or near \"") + near + "\"") << text;
  }
  const std::string hint = run("FROBNICATE").hint;
  for (const Command& command : commands()) EXPECT_THAT(hint, HasSubstr(std::string(command.words)));
}

TEST_F(ConsoleTest, HelpNamesEveryCommand) {
  const Reply reply = run("SHOW HELP");
  EXPECT_EQ(reply.rows.size(), commands().size());
  EXPECT_THAT(reply.column("command"), Contains("ROUTE [<cluster>:] <statement>"));
  EXPECT_THAT(reply.column("command"), Contains("SHOW POOLS"));
}

TEST_F(ConsoleTest, StatsUsersMayLookOnly) {
  int called = 0;
  runtime->reload = [&] { ++called; return std::string(); };
  runtime->shutdown = [&](runtime::Runtime::Shutdown) { ++called; };
  for (const Command& command : commands()) {
    const std::string text = std::string(command.words) + (command.words == "ROUTE" ? " SELECT 1" : "");
    const Reply reply = run(text, false);
    EXPECT_EQ(reply.sqlstate, command.writes ? "42501" : "") << text << ": " << reply.message;
  }
  EXPECT_EQ(called, 0);
  EXPECT_EQ(run("SET application_name = 'x'", false).tag, "SET");
  EXPECT_EQ(run("SET pool.size = 1", true).sqlstate, "0A000");
  EXPECT_TRUE(run("", false).empty_query);
  EXPECT_EQ(run("FROBNICATE", false).sqlstate, "42601");
  EXPECT_THAT(run("RELOAD", false).message, HasSubstr("\"stats\""));
  EXPECT_EQ(called, 0);
}

TEST_F(ConsoleTest, ConfigShowsEverySettingAndNoSecret) {
  const Reply reply = run("SHOW CONFIG");
  std::string all;
  for (const auto& row : reply.rows) {
    for (const auto& value : row) all += value.value_or("") + "\n";
  }
  for (const char* secret : {"app-secret-one", "server-secret-two", "admin-secret-three", "stats-secret-four",
                             "recovery-secret-five"}) {
    EXPECT_THAT(all, Not(HasSubstr(secret)));
  }
  EXPECT_EQ(reply.value_of("user.app.password"), "***");
  EXPECT_EQ(reply.value_of("pool.size"), "7");
  EXPECT_EQ(reply.columns.size(), 4u);
  // Exporters look for PgBouncer's names.
  EXPECT_EQ(reply.value_of("max_client_conn"), "10000");
  EXPECT_EQ(reply.value_of("default_pool_size"), "7");
  EXPECT_EQ(reply.value_of("query_wait_timeout"), "30");
  EXPECT_EQ(reply.value_of("pool_mode"), "transaction");
  for (std::size_t row = 0; row < reply.rows.size(); ++row) {
    if (reply.at(row, "key") == "pool.size") {
      EXPECT_EQ(reply.at(row, "default"), "20");
      EXPECT_EQ(reply.at(row, "changeable"), "yes");
    }
    if (reply.at(row, "key") == "listen.workers") { EXPECT_EQ(reply.at(row, "changeable"), "no"); }
  }
}

TEST_F(ConsoleTest, ReloadTellsWhatIsWrong) {
  std::string problem;
  runtime->reload = [&] { return problem; };
  EXPECT_EQ(run("RELOAD").tag, "RELOAD");
  problem = "pgweir.toml:3:1: error: unknown key";
  const Reply refused = run("reload");
  EXPECT_EQ(refused.sqlstate, "F0000");
  EXPECT_EQ(refused.detail, problem);
  runtime->reload = nullptr;
  EXPECT_EQ(run("RELOAD").sqlstate, "55000");
}

TEST_F(ConsoleTest, ShutdownWaitsWhenAsked) {
  using Shutdown = runtime::Runtime::Shutdown;
  std::vector<Shutdown> asked;
  runtime->shutdown = [&](runtime::Runtime::Shutdown how) { asked.push_back(how); };
  EXPECT_EQ(run("SHUTDOWN").tag, "SHUTDOWN");
  EXPECT_EQ(run("SHUTDOWN WAIT_FOR_CLIENTS").tag, "SHUTDOWN");
  EXPECT_EQ(run("shutdown wait_for_servers").tag, "SHUTDOWN");
  EXPECT_EQ(run("SHUTDOWN now").sqlstate, "42601");
  EXPECT_THAT(asked, ElementsAre(Shutdown::Now, Shutdown::WaitForClients, Shutdown::WaitForServers));
  runtime->shutdown = nullptr;
  EXPECT_EQ(run("SHUTDOWN").sqlstate, "55000");
}

TEST_F(ConsoleTest, DatabaseNames) {
  const auto snapshot = runtime->snapshot();
  EXPECT_TRUE(is_console_database(*snapshot->config, "pgweir"));
  EXPECT_TRUE(is_console_database(*snapshot->config, "pgbouncer"));
  EXPECT_FALSE(is_console_database(*snapshot->config, "fediflow"));
}

// The console goes away while workers are asked: nobody is called back.
TEST_F(ConsoleTest, IsNotCalledBackAfterItsEnd) {
  std::promise<void> asked, go;
  auto may_go = go.get_future().share();
  sources.clients = [&](net::Worker& worker) {
    if (worker.index() == 1) {
      asked.set_value();
      may_go.wait();
    }
    return std::vector<runtime::ClientInfo>();
  };
  auto console = std::make_unique<Console>(*runtime, first, "admin", true, sources);
  bool called = false;
  net::on(first, [&] { console->execute("SHOW CLIENTS", [&](std::string) { called = true; }); });
  asked.get_future().wait();
  net::on(first, [&] { console.reset(); });
  go.set_value();
  net::on(second, [] {});  // its answer is posted
  net::on(first, [] {});   // and taken
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace pgweir::admin
