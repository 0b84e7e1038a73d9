#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "admin_support.h"
#include "proxy/admin/pool_tables.h"
#include "proxy/admin/socket_table.h"

namespace pgweir::admin {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

Reply encoded(const Table& table) {
  std::string bytes;
  encode_table(table, bytes);
  protocol::encode_ready_for_query(protocol::TransactionStatus::Idle, bytes);
  auto replies = decode_replies(bytes);
  EXPECT_EQ(replies.size(), 1u);
  return replies.front();
}

metrics::PoolView view(const std::string& label, const std::string& user, unsigned total, unsigned idle,
                       unsigned connecting, unsigned waiting, std::int64_t wait_micros) {
  metrics::PoolView pool;
  pool.cluster = "fediflow";
  pool.user = user;
  pool.label = label;
  pool.shard = label.substr(0, label.find('/'));
  pool.primary = label.ends_with("primary");
  pool.endpoint = {"10.0.0.1", 5432, false};
  pool.server_user = user + "_server";
  pool.size = 7;
  pool.stats.total = total;
  pool.stats.idle = idle;
  pool.stats.connecting = connecting;
  pool.stats.waiting = waiting;
  pool.stats.oldest_wait = std::chrono::microseconds(wait_micros);
  return pool;
}

runtime::ClientInfo client(std::uint64_t id, const std::string& user, const std::string& state) {
  runtime::ClientInfo info;
  info.id = id;
  info.user = user;
  info.database = "fediflow";
  info.state = state;
  info.address = "192.0.2.7:4711";
  info.application_name = "psql";
  info.server = state == "active" ? "eu1/primary" : "";
  info.tls = true;
  info.worker = 1;
  return info;
}

TEST(AdminTables, PoolsAddUpByDatabaseAndUser) {
  const auto config = load_config(kTwoShards);
  const std::vector<metrics::PoolView> pools = {view("eu1/primary", "app", 5, 2, 1, 3, 2'500'000),
                                                view("us1/primary", "app", 4, 4, 0, 0, 0),
                                                view("eu1/primary", "other", 1, 0, 0, 0, 0)};
  const std::vector<runtime::ClientInfo> clients = {client(1, "app", "active"), client(2, "app", "idle"),
                                                    client(3, "app", "waiting"), client(4, "lonely", "waiting")};
  const Reply reply = encoded(pools_table(*config, pools, clients));
  EXPECT_THAT(reply.column("user"), ElementsAre("app", "lonely", "other"));
  EXPECT_THAT(reply.column("database"), ElementsAre("fediflow", "fediflow", "fediflow"));
  EXPECT_THAT(reply.column("cl_active"), ElementsAre("2", "0", "0"));
  EXPECT_THAT(reply.column("cl_waiting"), ElementsAre("3", "1", "0"));
  EXPECT_THAT(reply.column("sv_active"), ElementsAre("2", "0", "1"));
  EXPECT_THAT(reply.column("sv_idle"), ElementsAre("6", "0", "0"));
  EXPECT_THAT(reply.column("sv_login"), ElementsAre("1", "0", "0"));
  EXPECT_THAT(reply.column("maxwait"), ElementsAre("2", "0", "0"));
  EXPECT_THAT(reply.column("maxwait_us"), ElementsAre("500000", "0", "0"));
  EXPECT_THAT(reply.column("pool_mode"), ElementsAre("transaction", "transaction", "transaction"));
  EXPECT_EQ(reply.columns[reply.index("sv_used")].type_oid, 23u);
}

TEST(AdminTables, PoolsOfARemovedClusterAreMarked) {
  const auto config = load_config(kTwoShards);
  std::vector<metrics::PoolView> pools = {view("eu1/primary", "app", 1, 0, 0, 0, 0)};
  pools.front().cluster = "gone";
  EXPECT_EQ(encoded(pools_table(*config, pools, {})).at(0, "pool_mode"), "removed");
}

TEST(AdminTables, ServersAreLinkedToTheirClients) {
  auto target = std::make_shared<pool::ServerTarget>();
  target->endpoint = {"10.0.0.1", 5432};
  target->label = "eu1/primary";
  target->user = "app_server";
  pool::ServerRow busy{7, target, pool::ServerFacts::State::Active, true, 4242, 3, {}, {}};
  pool::ServerRow idle{8, target, pool::ServerFacts::State::Idle, false, 4243, 0, {}, {}};
  std::vector<metrics::PoolView> pools = {view("eu1/primary", "app", 2, 1, 0, 0, 0)};
  pools.front().servers = {busy, idle};
  auto one = client(5, "app", "active");
  one.server_id = 7;
  one.application_name = "report";
  const std::vector<runtime::ClientInfo> clients = {one};
  const Reply reply = encoded(servers_table(pools, clients));
  EXPECT_THAT(reply.column("state"), ElementsAre("active", "idle"));
  EXPECT_THAT(reply.column("close_needed"), ElementsAre("1", "0"));
  EXPECT_THAT(reply.column("remote_pid"), ElementsAre("4242", "4243"));
  EXPECT_THAT(reply.column("ptr"), ElementsAre("S7", "S8"));
  EXPECT_THAT(reply.column("link"), ElementsAre("C5", ""));
  EXPECT_THAT(reply.column("application_name"), ElementsAre("report", ""));
  EXPECT_THAT(reply.column("prepared_statements"), ElementsAre("3", "0"));
  EXPECT_EQ(reply.at(0, "addr"), "10.0.0.1");
  EXPECT_EQ(reply.at(0, "port"), "5432");
  EXPECT_EQ(reply.at(0, "server_user"), "app_server");
  EXPECT_EQ(encoded(clients_table(clients)).at(0, "link"), "S7");
  const Reply sockets = encoded(sockets_table(pools, clients, true));
  EXPECT_THAT(sockets.column("state"), ElementsAre("cl_active", "sv_active"));
}

// Exporters read columns by name or by place: PgBouncer 1.24's come first, in its order.
TEST(AdminTables, ColumnsBeginAsPgBouncers) {
  const auto config = load_config(kTwoShards);
  const auto names = [](const Table& table) {
    std::string all;
    for (const Column& column : table.columns) all += std::string(column.name) + " ";
    return all;
  };
  const std::string sockets = "type user database replication state addr port local_addr local_port connect_time request_time "
                              "wait wait_us close_needed ptr link remote_pid tls application_name prepared_statements id ";
  EXPECT_THAT(names(clients_table({})), StartsWith(sockets));
  EXPECT_THAT(names(servers_table({}, {})), StartsWith(sockets));
  EXPECT_THAT(names(pools_table(*config, {}, {})),
              StartsWith("database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active "
                         "sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us "
                         "pool_mode load_balance_hosts "));
  EXPECT_THAT(names(databases_table(*config, {}, {}, pool::Holds())),
              StartsWith("name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime "
                         "pool_mode load_balance_hosts max_connections current_connections max_client_connections "
                         "current_client_connections paused disabled "));
}

TEST(AdminTables, DatabasesAreClustersAndTheConsole) {
  const auto config = load_config(kTwoShards);
  const Reply reply = encoded(databases_table(
      *config, std::vector<metrics::PoolView>{view("eu1/primary", "a", 3, 0, 0, 0, 0),
                                              view("us1/primary", "a", 4, 0, 0, 0, 0)},
      std::vector<runtime::ClientInfo>{}, pool::Holds()));
  EXPECT_THAT(reply.column("name"), ElementsAre("fediflow", "pgweir"));
  EXPECT_EQ(reply.at(0, "host"), "127.0.0.1");
  EXPECT_EQ(reply.at(0, "port"), "54321");
  EXPECT_EQ(reply.at(0, "database"), "fediflow_db");
  EXPECT_EQ(reply.at(0, "pool_size"), "7");
  EXPECT_EQ(reply.at(0, "pool_mode"), "transaction");
  EXPECT_EQ(reply.at(0, "current_connections"), "7");
  EXPECT_EQ(reply.at(0, "shards"), "2");
  EXPECT_EQ(reply.rows[1][reply.index("host")], std::nullopt);
}

TEST_F(ConsoleTest, PoolTablesSeeThePoolsInUse) {
  make_pool(0);
  make_pool(0, 0);
  EXPECT_THAT(run("SHOW POOLS").column("user"), ElementsAre("app"));
  EXPECT_THAT(run("SHOW SERVERS").rows, IsEmpty());  // no connection was made
  EXPECT_EQ(run("SHOW SERVERS").columns.size(), 26u);
  EXPECT_EQ(run("SHOW LISTS").value_of("pools"), "2");
  EXPECT_EQ(run("SHOW DATABASES").at(0, "name"), "fediflow");
}

TEST_F(ConsoleTest, ClientsComeFromEveryWorkerInOrder) {
  sources.clients = [](net::Worker& worker) {
    EXPECT_TRUE(worker.on_own_thread());
    std::vector<runtime::ClientInfo> infos = {client(10 - worker.index(), "app", "active"),
                                              client(20 + worker.index(), "app", "idle")};
    for (auto& info : infos) info.worker = worker.index();
    if (worker.index() == 1) infos.front().address = "[2001:db8::1]:5";
    if (worker.index() == 1) infos.back().address = "unix";
    return infos;
  };
  const Reply reply = run("SHOW CLIENTS");
  EXPECT_THAT(reply.column("id"), ElementsAre("9", "10", "20", "21"));
  EXPECT_THAT(reply.column("worker"), ElementsAre("1", "0", "0", "1"));
  EXPECT_THAT(reply.column("addr"), ElementsAre("2001:db8::1", "192.0.2.7", "192.0.2.7", "unix"));
  EXPECT_THAT(reply.column("port"), ElementsAre("5", "4711", "4711", ""));
  EXPECT_THAT(reply.column("server"), ElementsAre("eu1/primary", "eu1/primary", "", ""));
  EXPECT_EQ(reply.at(0, "type"), "C");
  EXPECT_EQ(reply.at(0, "state"), "active");
  EXPECT_EQ(reply.at(0, "tls"), "yes");
  EXPECT_EQ(reply.at(0, "application_name"), "psql");
  EXPECT_THAT(reply.at(0, "connect_time"), MatchesRegex("20..-..-.. ..:..:.. UTC"));
  EXPECT_EQ(run("SHOW POOLS").at(0, "cl_active"), "4");
}

TEST_F(ConsoleTest, ClientsWithoutASourceAreNone) {
  const Reply reply = run("SHOW CLIENTS");
  EXPECT_THAT(reply.rows, IsEmpty());
  EXPECT_FALSE(reply.columns.empty());
}

TEST_F(ConsoleTest, ClientsOfAStoppedWorkerAreNone) {
  sources.clients = [](net::Worker& worker) {
    return std::vector<runtime::ClientInfo>{client(worker.index(), "app", "idle")};
  };
  second.stop();
  EXPECT_THAT(run("SHOW CLIENTS").column("id"), ElementsAre("0"));
}

TEST_F(ConsoleTest, StatsSumTheWorkersCellsOfEachCluster) {
  auto& one = runtime->metrics.cluster(0, "fediflow");
  auto& two = runtime->metrics.cluster(1, "fediflow");
  one.transactions.add(3);
  two.transactions.add(4);
  one.queries.add(5);
  two.queries.add(6);
  one.received.add(100);
  two.sent.add(200);
  two.wait_microseconds.add(30);
  one.wait_microseconds.add(10);
  two.assignments.add(2);
  one.transaction_microseconds.add(70);
  two.query_microseconds.add(60);
  one.client_parses.add(8);
  two.server_parses.add(9);
  one.binds.add(10);
  two.errors.add();
  runtime->metrics.cluster(1, "taken_away").transactions.add(1);
  const Reply reply = run("SHOW STATS");
  std::size_t at = 0;
  while (at < reply.rows.size() && reply.at(at, "database") != "fediflow") ++at;
  ASSERT_LT(at, reply.rows.size());
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"total_xact_count", "7"}, {"total_query_count", "11"}, {"total_received", "100"}, {"total_sent", "200"}, {"total_wait_time", "40"},
           {"avg_wait_time", "0"},  // no minute is over
           {"total_server_assignment_count", "2"}, {"total_xact_time", "70"}, {"total_query_time", "60"}, {"total_client_parse_count", "8"},
           {"total_server_parse_count", "9"}, {"total_bind_count", "10"}, {"total_error_count", "1"}})
    EXPECT_EQ(reply.at(at, name), value) << name;
  EXPECT_EQ(reply.columns[1].type_oid, 1700u);
  EXPECT_THAT(reply.column("database"), testing::Contains("taken_away"));  // its counts stay
  EXPECT_THAT(run("SHOW TOTALS").column("value"), testing::Contains("8"));  // transactions
}

TEST_F(ConsoleTest, ShardsShowEveryServerWithItsHealth) {
  using State = metrics::EndpointState::State;
  sources.health = [] {
    return std::vector<metrics::EndpointState>{
        {"fediflow", "eu1", "127.0.0.1:54321", "primary", State::Up, ""},
        {"fediflow", "eu1", "127.0.0.1:54322", "replica", State::Recovering, "the database system is starting up"},
        {"other", "us1", "127.0.0.1:54323", "primary", State::Up, ""}};
  };
  const Reply reply = run("SHOW SHARDS");
  EXPECT_THAT(reply.column("shard"), ElementsAre("eu1", "eu1", "us1"));
  EXPECT_THAT(reply.column("region"), ElementsAre("eu", "eu", "us"));
  EXPECT_EQ(reply.at(0, "tier"), "hot");
  EXPECT_THAT(reply.column("endpoint"), ElementsAre("127.0.0.1:54321", "127.0.0.1:54322", "127.0.0.1:54323"));
  EXPECT_THAT(reply.column("role"), ElementsAre("primary", "replica", "primary"));
  EXPECT_THAT(reply.column("state"), ElementsAre("up", "recovering", "unknown"));
  EXPECT_THAT(reply.column("last_error"), ElementsAre("", "the database system is starting up", ""));
}

TEST_F(ConsoleTest, ListsCountWhatThereIs) {
  runtime->clients = 12;
  runtime->unauthenticated = 2;
  const Reply reply = run("SHOW LISTS");
  EXPECT_EQ(reply.value_of("databases"), "1");
  EXPECT_EQ(reply.value_of("users"), "3");
  EXPECT_EQ(reply.value_of("used_clients"), "12");
  EXPECT_EQ(reply.value_of("login_clients"), "2");
  EXPECT_EQ(reply.value_of("shards"), "2");
  EXPECT_EQ(reply.value_of("workers"), "2");
}

}  // namespace
}  // namespace pgweir::admin
