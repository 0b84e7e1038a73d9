#include "tests/oracle/world.h"

#include <algorithm>
#include <memory>
#include <sstream>

namespace pgweir::oracle {
namespace {

using support::Connection;

constexpr double kScale = 0.02;  // some 4,500 rows: enough for every shard, key and tie

std::string reversed_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::string reversed;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) reversed += *line + "\n";
  return reversed;
}

void load(Connection& connection, bool reversed) {
  support::create_demo_tables(connection);
  for (const std::string& table : support::demo_tables()) {
    const std::string rows = support::demo_rows(table, kScale);
    const auto result = connection.copy_in("COPY " + table + " FROM STDIN", reversed ? reversed_lines(rows) : rows);
    if (!result.ok())
      throw std::runtime_error("COPY " + table + ": " + result.sqlstate() + " " + result.error->message);
  }
  std::istringstream lines(support::read_file(oracle_directory() / "setup.sql"));
  std::string statement;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("--")) continue;
    statement += line + "\n";
    if (!line.ends_with(';')) continue;
    connection.must(statement);
    statement.clear();
  }
}

support::PgOptions options_of(bool reversed) {
  support::PgOptions options;
  if (reversed) options.settings = {"enable_hashagg = off", "enable_hashjoin = off", "enable_indexscan = off"};
  return options;
}

}  // namespace

const std::map<std::string, TableHome>& table_homes() {
  using Kind = TableHome::Kind;
  constexpr std::size_t kEu1 = 0, kUs1 = 1, kArchive = 2;
  const std::set<std::size_t> all{kEu1, kUs1, kArchive}, tenants{kEu1, kUs1};
  static const std::map<std::string, TableHome> homes{
      {"tenants", {Kind::Reference, all}},
      {"users", {Kind::Sharded, tenants}},
      {"federation_identities", {Kind::Sharded, tenants}},
      {"activities", {Kind::Sharded, all}},
      {"content", {Kind::Sharded, all}},
      {"courses", {Kind::Sharded, tenants}},
      {"enrollments", {Kind::Sharded, tenants}},
      {"jobs", {Kind::Local, {kEu1}}},
      {"by_bigint", {Kind::Sharded, all}},
      {"by_int", {Kind::Sharded, {kUs1, kArchive}}},
      {"by_smallint", {Kind::Sharded, all}},
      {"by_text", {Kind::Sharded, all}},
      {"by_bytea", {Kind::Sharded, {kEu1, kArchive}}},
      {"by_numeric", {Kind::Sharded, tenants}},
      {"by_date", {Kind::Sharded, all}},
      {"by_timestamp", {Kind::Sharded, tenants}},
      {"by_bool", {Kind::Sharded, {kUs1, kArchive}}},
      {"by_place", {Kind::Sharded, all}},
      {"notes", {Kind::Sharded, tenants}},
      {"labels", {Kind::Reference, all}},
      {"audit", {Kind::Local, {kArchive}}}};
  return homes;
}

PlainWorld::PlainWorld(bool reversed) : server_(options_of(reversed)) {
  Connection connection = server_.connect();
  load(connection, reversed);
}

ShardedWorld::ShardedWorld()
    : proxy_(support::ProxyOptions{.clusters = cluster_.config() + "\n" +
                                               support::read_file(oracle_directory() / "tables.toml")}) {
  // From here on each shard gives a type or table another OID than the others do.
  cluster_.us1().exec("CREATE TABLE shift (); DROP TABLE shift");
  for (int i = 0; i < 3; ++i) cluster_.archive().exec("CREATE TABLE shift (); DROP TABLE shift");
  Connection connection = proxy_.connect();
  load(connection, false);
}

std::function<std::string(Oid)> type_names_of(support::PgCluster& server) {
  auto connection = std::make_shared<Connection>(server.connect());
  auto known = std::make_shared<std::map<Oid, std::string>>();
  return [connection, known](Oid oid) {
    std::string& name = (*known)[oid];
    if (name.empty()) name = connection->params("SELECT format_type($1::oid, NULL)", {std::to_string(oid)}).value();
    return name;
  };
}

}  // namespace pgweir::oracle
