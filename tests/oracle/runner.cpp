#include "tests/oracle/runner.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "tests/oracle/sql_text.h"

namespace pgweir::oracle {
namespace {

using support::Connection;
using support::QueryResult;
using support::Row;

constexpr std::chrono::seconds kPatience{30};

std::vector<Oid> oids_of(const Statement& statement) {
  std::vector<Oid> oids;
  for (const std::string& type : statement.types) oids.push_back(oid_of(type));
  return oids;
}

std::string sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  std::string sorted;
  for (const std::string& line : lines) sorted += line + "\n";
  return sorted;
}

bool changes_rows_or_tables(const std::string& tag) {
  for (const char* word :
       {"INSERT", "UPDATE", "DELETE", "COPY", "MERGE", "CREATE", "ALTER", "DROP", "TRUNCATE", "COMMIT"}) {
    if (tag.starts_with(word)) return true;
  }
  return false;
}

}  // namespace

Oid oid_of(const std::string& type) {
  // src/include/catalog/pg_type.dat
  static const std::map<std::string, Oid> known{
      {"bool", 16},     {"bytea", 17},        {"int8", 20},       {"int2", 21},      {"int4", 23},
      {"text", 25},     {"float4", 700},      {"float8", 701},    {"int4[]", 1007},  {"text[]", 1009},
      {"int8[]", 1016}, {"bpchar", 1042},     {"varchar", 1043},  {"date", 1082},    {"timestamp", 1114},
      {"date[]", 1182}, {"timestamptz", 1184}, {"interval", 1186}, {"numeric", 1700}, {"uuid", 2950},
      {"uuid[]", 2951}, {"jsonb", 3802}};
  const auto found = known.find(type);
  if (found == known.end()) throw std::runtime_error("oid_of: add " + type);
  return found->second;
}

const char* name_of(Mode mode) {
  switch (mode) {
    case Mode::Simple:
      return "simple";
    case Mode::Text:
      return "extended, text";
    case Mode::Binary:
      return "extended, binary";
    case Mode::Prepared:
      return "prepared";
  }
  return "";
}

std::vector<Mode> modes_of(const Case& test_case) {
  if (test_case.has("simple") || test_case.has("together")) return {Mode::Simple};
  if (test_case.has_parameters()) return {Mode::Simple, Mode::Text, Mode::Binary, Mode::Prepared};
  return {Mode::Simple, Mode::Text, Mode::Binary};
}

std::optional<Refusal> refusal_of(const QueryResult& result) {
  if (result.ok() || result.error->sqlstate != "0A000" || result.error->routine != "pgweir_refuse") return std::nullopt;
  constexpr std::string_view kPrefix = "reason: ";
  const std::string& detail = result.error->detail;
  return Refusal{.reason = detail.starts_with(kPrefix) ? detail.substr(kPrefix.size()) : detail,
                 .hint = result.error->hint,
                 .message = result.error->message};
}

Runner::Runner(Sides sides) : sides_(std::move(sides)), watchdog_(kPatience), converter_(sides_.open_expected()) {}

Runner::Pair& Runner::pair(Mode mode) {
  auto& kept = pairs_[mode];
  if (!kept || !kept->expected.alive() || !kept->got.alive()) {
    kept.reset();
    kept = std::make_unique<Pair>(Pair{sides_.open_expected(), sides_.open_got()});
  }
  return *kept;
}

std::vector<Verdict> Runner::run(const Case& test_case) {
  std::vector<Verdict> verdicts;
  for (const Statement& statement : test_case.statements) verdicts.push_back(Verdict{.statement = &statement});
  if (test_case.has("fresh")) pairs_.clear();
  for (const Mode mode : modes_of(test_case)) {
    if (test_case.has("together"))
      run_together(test_case, verdicts);
    else
      run_mode(test_case, mode, verdicts);
    end_transactions(test_case, mode, verdicts);
  }
  if (test_case.has("fresh")) pairs_.clear();
  return verdicts;
}

void Runner::run_mode(const Case& test_case, Mode mode, std::vector<Verdict>& verdicts) {
  Pair& both = pair(mode);
  for (std::size_t index = 0; index < test_case.statements.size(); ++index) {
    const Statement& statement = test_case.statements[index];
    const bool binary = mode == Mode::Binary;
    if (statement.parameters.empty()) {
      run_statement(both, {test_case, index, mode, nullptr, binary}, verdicts[index]);
      continue;
    }
    // Twice what reads: the second time by a statement that both sides know already.
    const bool reads = sql_reads(statement.sql);
    for (int round = 0; round < (mode == Mode::Prepared && reads ? 2 : 1); ++round) {
      for (const Row& values : statement.parameters) {
        run_statement(both, {test_case, index, mode, &values, binary || round == 1}, verdicts[index]);
      }
    }
  }
}

void Runner::run_statement(Pair& both, const Execution& execution, Verdict& verdict) {
  if (!both.got.alive() || !both.expected.alive()) {
    verdict.differences.push_back({name_of(execution.mode), "not run, the connection was lost before"});
    return;
  }
  compare_once(both, execution, verdict);
}

void Runner::compare_once(Pair& both, const Execution& execution, Verdict& verdict) {
  const auto differ = [&](const std::string& what) {
    std::string text = what;
    if (execution.values != nullptr)
      text += "\n   as literals: " + with_literals(execution.statement(), *execution.values);
    verdict.differences.push_back({name_of(execution.mode), std::move(text)});
  };
  const Answer got = [&] {
    const Watchdog::Guard guard(watchdog_, PQsocket(both.got.raw()));
    return ask(both.got, execution);
  }();
  if (auto refused = refusal_of(got.result)) {
    refused->where = name_of(execution.mode);
    if (execution.values != nullptr) refused->where += ": " + with_literals(execution.statement(), *execution.values);
    verdict.refusals.push_back(*refused);
    // The other side must not do what was refused; an open transaction fails on both.
    if (both.expected.transaction_status() == PQTRANS_INTRANS) (void)both.expected.exec("SELECT refused_by_the_proxy");
    if (both.expected.transaction_status() != got.after) differ("transaction status after the refusal");
    return;
  }
  const Answer expected = ask(both.expected, execution);
  if (!both.got.alive()) return differ("the connection was lost: " + std::string(PQerrorMessage(both.got.raw())));
  if (auto found = difference_of(both, execution, expected, got)) return differ(*found);
  if (sides_.state != nullptr && got.after == PQTRANS_IDLE && changes_rows_or_tables(got.result.tag)) {
    const auto found = got.result.tag.starts_with("COMMIT")
                           ? sides_.state->difference()
                           : sides_.state->difference(words_of(execution.statement().sql));
    if (found) return differ("afterwards " + *found);
  }
  ++verdict.equal;
}

Runner::Answer Runner::ask(Connection& connection, const Execution& execution) {
  const Statement& statement = execution.statement();
  Answer answer;
  if (execution.mode == Mode::Simple) {
    const std::string sql = execution.values != nullptr ? with_literals(statement, *execution.values) : statement.sql;
    if (statement.copy_data) {
      answer.result = connection.copy_in(sql, *statement.copy_data);
    } else {
      answer.result = connection.exec(sql);
      if (answer.result.status == PGRES_COPY_OUT) std::tie(answer.result, answer.copied) = connection.copy_rest();
    }
  } else if (execution.mode == Mode::Prepared && execution.values != nullptr) {
    answer.result = ask_prepared(connection, execution, answer);
  } else {
    answer.result = connection.params(statement.sql, execution.values != nullptr ? *execution.values : Row{}, {},
                                      execution.binary_result);
  }
  answer.after = connection.transaction_status();
  return answer;
}

QueryResult Runner::ask_prepared(Connection& connection, const Execution& execution, Answer& answer) {
  const Statement& statement = execution.statement();
  const std::string name = execution.test_case.name + "_" + std::to_string(execution.index);
  auto [described, types] = connection.describe(name);
  if (!described.ok()) {
    if (connection.transaction_status() != PQTRANS_IDLE)
      return connection.params(statement.sql, *execution.values, oids_of(statement));
    QueryResult prepared = connection.prepare(name, statement.sql, oids_of(statement));
    if (!prepared.ok()) return prepared;
    std::tie(described, types) = connection.describe(name);
    if (!described.ok()) return described;
  }
  answer.parameter_types = types;
  if (statement.types.empty()) return connection.execute(name, *execution.values, execution.binary_result);
  return connection.execute(name, binary_values(statement, *execution.values), execution.binary_result, true);
}

Row Runner::binary_values(const Statement& statement, const Row& values) {
  Row row;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) {
      row.emplace_back();
      continue;
    }
    auto& bytes = converted_[{statement.types.at(i), *values[i]}];
    if (bytes.empty()) {
      bytes = converter_.params("SELECT $1::" + statement.types[i], {values[i]}, {}, true).value();
    }
    row.emplace_back(bytes);
  }
  return row;
}

Comparison Runner::comparison_of(const Execution& execution) const {
  const Case& test_case = execution.test_case;
  Comparison how{.approximate = test_case.has("approx"),
                 .binary = execution.binary_result,
                 .expected_type = sides_.expected_type,
                 .got_type = sides_.got_type};
  if (const auto ties = test_case.tags.find("ties"); ties != test_case.tags.end()) {
    std::istringstream columns(ties->second);
    for (std::string column; std::getline(columns, column, ',');) {
      how.order.tie_columns.push_back(std::stoul(column) - 1);
    }
  } else {
    how.order.total = test_case.has("ordered") || shape_of(execution.statement().sql).ordered;
  }
  return how;
}

std::optional<std::string> Runner::difference_of(Pair& both, const Execution& execution, const Answer& expected,
                                                 const Answer& got) {
  Comparison how = comparison_of(execution);
  std::optional<QueryResult> unlimited;
  const Shape shape = shape_of(execution.statement().sql);
  if (!how.order.total && shape.limited && expected.result.ok()) {
    const Statement& statement = execution.statement();
    const std::string sql = execution.values != nullptr ? with_literals(statement, *execution.values) : statement.sql;
    unlimited = both.expected.params(shape_of(sql).without_limit, {}, {}, execution.binary_result);
    if (!unlimited->ok()) throw std::runtime_error("without LIMIT: " + unlimited->error->message);
    how.unlimited = &*unlimited;
  }
  if (auto found = difference(expected.result, got.result, how)) return found;
  const bool ordered_copy = how.order.total;
  if (ordered_copy ? expected.copied != got.copied : sorted_lines(expected.copied) != sorted_lines(got.copied))
    return "COPY gave\n" + got.copied.substr(0, 500) + "\nexpected\n" + expected.copied.substr(0, 500);
  if (auto found = difference(expected.parameter_types, got.parameter_types, how)) return found;
  if (expected.after != got.after)
    return "transaction status afterwards: expected " + std::to_string(expected.after) + ", got " +
           std::to_string(got.after);
  return std::nullopt;
}

void Runner::run_together(const Case& test_case, std::vector<Verdict>& verdicts) {
  Pair& both = pair(Mode::Simple);
  std::string sql;
  for (const Statement& statement : test_case.statements) sql += statement.sql + ";\n";
  const auto got = [&] {
    const Watchdog::Guard guard(watchdog_, PQsocket(both.got.raw()));
    return both.got.exec_all(sql);
  }();
  if (!got.empty()) {
    if (const auto refused = refusal_of(got.back())) {
      verdicts[std::min(got.size(), verdicts.size()) - 1].refusals.push_back(*refused);
      return;
    }
  }
  const auto expected = both.expected.exec_all(sql);
  for (std::size_t index = 0; index < verdicts.size(); ++index) {
    Verdict& verdict = verdicts[index];
    if (index >= expected.size() && index >= got.size()) {
      ++verdict.equal;  // not reached, on both sides
      continue;
    }
    if (index >= expected.size() || index >= got.size()) {
      verdict.differences.push_back(
          {"together", "expected " + std::to_string(expected.size()) + " results, got " + std::to_string(got.size())});
      continue;
    }
    const Comparison how = comparison_of({test_case, index, Mode::Simple, nullptr, false});
    if (auto found = difference(expected[index], got[index], how))
      verdict.differences.push_back({"together", *found});
    else
      ++verdict.equal;
  }
  if (both.expected.transaction_status() != both.got.transaction_status())
    verdicts.back().differences.push_back({"together", "another transaction status afterwards"});
}

void Runner::end_transactions(const Case& test_case, Mode mode, std::vector<Verdict>& verdicts) {
  const auto kept = pairs_.find(mode);
  if (kept == pairs_.end() || !kept->second->got.alive() || !kept->second->expected.alive()) return;
  Pair& both = *kept->second;
  for (Connection* side : {&both.expected, &both.got}) {
    const Watchdog::Guard guard(watchdog_, PQsocket(side->raw()));
    if (side->transaction_status() != PQTRANS_IDLE) (void)side->exec("ROLLBACK");
  }
  if (sides_.state == nullptr) return;
  const bool reads_only = std::all_of(test_case.statements.begin(), test_case.statements.end(),
                                      [](const Statement& statement) { return sql_reads(statement.sql); });
  if (reads_only) return;
  if (auto found = sides_.state->difference())
    verdicts.back().differences.push_back({name_of(mode), "after the case " + *found});
}

}  // namespace pgweir::oracle
