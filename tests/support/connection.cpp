#include "tests/support/connection.h"

#include <stdexcept>
#include <utility>

namespace pgweir::support {
namespace {

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPointer = std::unique_ptr<PGresult, Clear>;

Report report_of(const PGresult* result) {
  const auto field = [result](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text != nullptr ? text : "");
  };
  Report report{.severity = field(PG_DIAG_SEVERITY_NONLOCALIZED),
                .sqlstate = field(PG_DIAG_SQLSTATE),
                .message = field(PG_DIAG_MESSAGE_PRIMARY),
                .detail = field(PG_DIAG_MESSAGE_DETAIL),
                .hint = field(PG_DIAG_MESSAGE_HINT),
                .position = field(PG_DIAG_STATEMENT_POSITION),
                .routine = field(PG_DIAG_SOURCE_FUNCTION),
                .schema = field(PG_DIAG_SCHEMA_NAME),
                .table = field(PG_DIAG_TABLE_NAME),
                .column = field(PG_DIAG_COLUMN_NAME),
                .constraint = field(PG_DIAG_CONSTRAINT_NAME)};
  if (report.message.empty()) report.message = PQresultErrorMessage(result);
  return report;
}

void remember_notice(void* list, const PGresult* result) {
  static_cast<std::vector<Report>*>(list)->push_back(report_of(result));
}

bool failed(ExecStatusType status) {
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_PIPELINE_ABORTED;
}

QueryResult convert(PGconn* connection, const PGresult* result) {
  QueryResult converted;
  if (result == nullptr) {
    converted.error = Report{.severity = "FATAL", .message = PQerrorMessage(connection)};
    return converted;
  }
  converted.status = PQresultStatus(result);
  if (failed(converted.status)) converted.error = report_of(result);
  const int columns = PQnfields(result);
  for (int column = 0; column < columns; ++column) {
    const char* name = PQfname(result, column);  // columns of a COPY have none
    converted.columns.emplace_back(name != nullptr ? name : "");
    converted.types.push_back(PQftype(result, column));
    converted.modifiers.push_back(PQfmod(result, column));
  }
  for (int row = 0; row < PQntuples(result); ++row) {
    Row& cells = converted.rows.emplace_back();
    for (int column = 0; column < columns; ++column) {
      if (PQgetisnull(result, row, column) != 0)
        cells.emplace_back();
      else
        cells.emplace_back(
            std::string(PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))));
    }
  }
  converted.tag = PQcmdStatus(const_cast<PGresult*>(result));
  return converted;
}

struct Values {
  explicit Values(const Row& row, bool binary = false) : formats(row.size(), binary ? 1 : 0) {
    for (const Cell& cell : row) {
      pointers.push_back(cell ? cell->c_str() : nullptr);
      lengths.push_back(cell ? static_cast<int>(cell->size()) : 0);
    }
  }
  int count() const { return static_cast<int>(pointers.size()); }
  std::vector<const char*> pointers;
  std::vector<int> lengths, formats;
};

}  // namespace

std::string QueryResult::value() const {
  if (error) throw std::runtime_error(error->sqlstate + " " + error->message);
  if (rows.empty() || rows[0].empty()) throw std::runtime_error("no row");
  return rows[0][0].value_or("NULL");
}

std::ostream& operator<<(std::ostream& out, const QueryResult& result) {
  if (result.error) {
    out << result.error->severity << " " << result.error->sqlstate << ": " << result.error->message;
    if (!result.error->detail.empty()) out << " DETAIL: " << result.error->detail;
    if (!result.error->hint.empty()) out << " HINT: " << result.error->hint;
    return out;
  }
  out << result.tag << " {";
  for (const auto& name : result.columns) out << " " << name;
  out << " }";
  constexpr std::size_t kShown = 20;
  for (std::size_t row = 0; row < result.rows.size() && row < kShown; ++row) {
    out << "\n  ";
    for (const Cell& cell : result.rows[row]) out << cell.value_or("NULL").substr(0, 80) << " | ";
  }
  if (result.rows.size() > kShown) out << "\n  ... " << result.rows.size() << " rows";
  return out;
}

Connection::Connection(PGconn* connection)
    : connection_(connection), notices_(std::make_unique<std::vector<Report>>()) {
  PQsetNoticeReceiver(connection, remember_notice, notices_.get());
}

std::pair<std::optional<Connection>, std::string> Connection::try_open(Parameters parameters) {
  parameters.try_emplace("host", "127.0.0.1");
  parameters.try_emplace("sslmode", "disable");
  parameters.try_emplace("gssencmode", "disable");
  parameters.try_emplace("connect_timeout", "10");
  std::vector<const char*> names, values;
  for (const auto& [name, value] : parameters) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  Connection connection(PQconnectdbParams(names.data(), values.data(), 0));
  if (connection.alive()) return {std::move(connection), ""};
  return {std::nullopt, PQerrorMessage(connection.raw())};
}

Connection Connection::open(Parameters parameters) {
  auto [connection, error] = try_open(std::move(parameters));
  if (!connection) throw std::runtime_error(error);
  return std::move(*connection);
}

QueryResult Connection::exec(const std::string& sql) {
  const ResultPointer result(PQexec(raw(), sql.c_str()));
  return convert(raw(), result.get());
}

std::vector<QueryResult> Connection::exec_all(const std::string& sql) {
  std::vector<QueryResult> results;
  if (PQsendQuery(raw(), sql.c_str()) == 0) return {convert(raw(), nullptr)};
  while (auto result = next()) results.push_back(std::move(*result));
  return results;
}

QueryResult Connection::must(const std::string& sql) {
  QueryResult result = exec(sql);
  if (result.error)
    throw std::runtime_error(sql.substr(0, 200) + ": " + result.error->sqlstate + " " + result.error->message);
  return result;
}

QueryResult Connection::params(const std::string& sql, const Row& values, const std::vector<Oid>& types,
                               bool binary_result, bool binary_values) {
  const Values list(values, binary_values);
  const ResultPointer result(PQexecParams(raw(), sql.c_str(), list.count(), types.empty() ? nullptr : types.data(),
                                          list.pointers.data(), list.lengths.data(), list.formats.data(),
                                          binary_result ? 1 : 0));
  return convert(raw(), result.get());
}

QueryResult Connection::prepare(const std::string& name, const std::string& sql, const std::vector<Oid>& types) {
  const ResultPointer result(PQprepare(raw(), name.c_str(), sql.c_str(), static_cast<int>(types.size()),
                                       types.empty() ? nullptr : types.data()));
  return convert(raw(), result.get());
}

QueryResult Connection::execute(const std::string& name, const Row& values, bool binary_result, bool binary_values) {
  const Values list(values, binary_values);
  const ResultPointer result(PQexecPrepared(raw(), name.c_str(), list.count(), list.pointers.data(),
                                            list.lengths.data(), list.formats.data(), binary_result ? 1 : 0));
  return convert(raw(), result.get());
}

std::pair<QueryResult, std::vector<Oid>> Connection::describe(const std::string& name) {
  const ResultPointer result(PQdescribePrepared(raw(), name.c_str()));
  std::vector<Oid> parameters;
  for (int index = 0; index < PQnparams(result.get()); ++index) {
    parameters.push_back(PQparamtype(result.get(), index));
  }
  return {convert(raw(), result.get()), parameters};
}

QueryResult Connection::copy_in(const std::string& sql, std::string_view data) {
  QueryResult started = exec(sql);
  if (started.status != PGRES_COPY_IN) return started;
  constexpr std::size_t kChunk = 64 * 1024;
  for (std::size_t at = 0; at < data.size(); at += kChunk) {
    const std::string_view chunk = data.substr(at, kChunk);
    if (PQputCopyData(raw(), chunk.data(), static_cast<int>(chunk.size())) != 1) break;
  }
  PQputCopyEnd(raw(), nullptr);
  std::optional<QueryResult> last;
  while (auto result = next()) {
    if (!last || last->ok()) last = std::move(result);
  }
  return last ? *last : convert(raw(), nullptr);
}

std::pair<QueryResult, std::string> Connection::copy_out(const std::string& sql) {
  QueryResult started = exec(sql);
  if (started.status != PGRES_COPY_OUT) return {started, ""};
  return copy_rest();
}

std::pair<QueryResult, std::string> Connection::copy_rest() {
  std::string data;
  char* buffer = nullptr;
  for (int length = 0; (length = PQgetCopyData(raw(), &buffer, 0)) > 0;) {
    data.append(buffer, static_cast<std::size_t>(length));
    PQfreemem(buffer);
  }
  std::optional<QueryResult> last;
  while (auto result = next()) {
    if (!last || last->ok()) last = std::move(result);
  }
  return {last ? *last : convert(raw(), nullptr), data};
}

bool Connection::send_params(const std::string& sql, const Row& values) {
  const Values list(values);
  return PQsendQueryParams(raw(), sql.c_str(), list.count(), nullptr, list.pointers.data(), list.lengths.data(),
                           nullptr, 0) == 1;
}

bool Connection::send_prepared(const std::string& name, const Row& values) {
  const Values list(values);
  return PQsendQueryPrepared(raw(), name.c_str(), list.count(), list.pointers.data(), list.lengths.data(), nullptr,
                             0) == 1;
}

std::optional<QueryResult> Connection::next() {
  const ResultPointer result(PQgetResult(raw()));
  if (!result) return std::nullopt;
  return convert(raw(), result.get());
}

std::string Connection::cancel() const {
  const std::unique_ptr<PGcancel, void (*)(PGcancel*)> handle(PQgetCancel(connection_.get()), PQfreeCancel);
  char text[256] = "no connection to cancel";
  if (handle && PQcancel(handle.get(), text, sizeof text) == 1) return "";
  return text;
}

std::string Connection::parameter(const char* name) const {
  const char* value = PQparameterStatus(connection_.get(), name);
  return value != nullptr ? value : "";
}

std::vector<Report> Connection::take_notices() { return std::exchange(*notices_, {}); }

}  // namespace pgweir::support
