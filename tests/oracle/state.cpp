#include "tests/oracle/state.h"

#include <stdexcept>

namespace pgweir::oracle {
namespace {

// One line for each column, constraint and index, in an order of its own. Names of NOT NULL and the like are left to
// PostgreSQL: what it calls a constraint or an index by itself must be the same on every server.
constexpr const char* kShapeQuery = R"(
SELECT coalesce(string_agg(line, E'\n' ORDER BY line), '') FROM (
  SELECT format('column %s %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                pg_get_expr(d.adbin, d.adrelid)) AS line
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT format('constraint %s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = $1::regclass
  UNION ALL
  SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = $1::regclass AND indisvalid
) lines)";

// 40 bits of each row's hash: their sum fits bigint for any table of a test.
std::string rows_query(const std::string& table) {
  return "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0) & 1099511627775), 0)::bigint FROM public." +
         table + " t";
}

support::QueryResult checked(support::QueryResult result) {
  if (!result.ok()) throw std::runtime_error("state check: " + result.error->message);
  return result;
}

}  // namespace

StateCheck::StateCheck(support::Connection expected, std::vector<support::Connection> shards,
                       std::map<std::string, TableHome> tables)
    : expected_(std::move(expected)), shards_(std::move(shards)), tables_(std::move(tables)) {}

StateCheck::TableState StateCheck::state_of(support::Connection& server, const std::string& table) {
  const std::string name = "public." + table;
  if (checked(server.params("SELECT to_regclass($1) IS NOT NULL", {name})).value() == "f") return {};
  TableState state{.exists = true};
  state.shape = checked(server.params(kShapeQuery, {name})).value();
  const auto totals = checked(server.exec(rows_query(table)));
  state.rows = std::stoll(*totals.rows[0][0]);
  state.checksum = std::stoll(*totals.rows[0][1]);
  return state;
}

std::optional<std::string> StateCheck::compare(const std::string& table, const TableHome& home) {
  const TableState expected = state_of(expected_, table);
  long long rows = 0, checksum = 0;
  for (std::size_t index = 0; index < shards_.size(); ++index) {
    const std::string place = "table " + table + " on shard " + std::to_string(index);
    const TableState got = state_of(shards_[index], table);
    if (expected.exists && !got.exists && home.shards.contains(index)) return place + " does not exist";
    if (!got.exists) continue;
    if (!expected.exists) return place + " should not exist";
    if (got.shape != expected.shape)
      return place + " has another shape.\nexpected\n" + expected.shape + "\ngot\n" + got.shape;
    if (home.kind == TableHome::Kind::Reference && (got.rows != expected.rows || got.checksum != expected.checksum))
      return place + " has " + std::to_string(got.rows) + " rows, expected " + std::to_string(expected.rows) +
             (got.rows == expected.rows ? ", with other contents" : "");
    if (!home.shards.contains(index) && got.rows != 0)
      return place + " has " + std::to_string(got.rows) + " rows that do not belong there";
    rows += got.rows;
    checksum += got.checksum;
  }
  if (home.kind == TableHome::Kind::Reference) return std::nullopt;
  if (rows != expected.rows)
    return "table " + table + ": expected " + std::to_string(expected.rows) + " rows, shards have " +
           std::to_string(rows);
  if (checksum != expected.checksum) return "table " + table + ": the shards' rows have other contents";
  return std::nullopt;
}

std::optional<std::string> StateCheck::difference(const std::set<std::string>& names) {
  for (const auto& [table, home] : tables_) {
    if (!names.contains(table)) continue;
    if (auto found = compare(table, home)) return found;
  }
  return std::nullopt;
}

std::optional<std::string> StateCheck::unknown_tables() {
  const auto look = [this](support::Connection& server) -> std::optional<std::string> {
    const auto found = checked(server.exec("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"));
    for (const support::Row& row : found.rows) {
      if (!tables_.contains(row[0].value())) return "a table that no case should leave: " + *row[0];
    }
    return std::nullopt;
  };
  if (auto found = look(expected_)) return found;
  for (support::Connection& shard : shards_) {
    if (auto found = look(shard)) return found;
  }
  return std::nullopt;
}

std::optional<std::string> StateCheck::difference() {
  std::set<std::string> names;
  for (const auto& [table, home] : tables_) names.insert(table);
  if (auto found = difference(names)) return found;
  return unknown_tables();
}

}  // namespace pgweir::oracle
