// A client connection of a test: libpq behind values that compare and print.
#pragma once

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/wait.h"

namespace pgweir::support {

using Cell = std::optional<std::string>;  // nothing: NULL
using Row = std::vector<Cell>;

// The fields of an ErrorResponse or NoticeResponse; empty when absent. A broken connection has no sqlstate but a
// message.
struct Report {
  std::string severity, sqlstate, message, detail, hint, position, routine, schema, table, column, constraint;
};

// Everything one statement gave back.
struct QueryResult {
  ExecStatusType status = PGRES_FATAL_ERROR;
  std::vector<std::string> columns;
  std::vector<Oid> types;
  std::vector<int> modifiers;
  std::vector<Row> rows;
  std::string tag;  // "INSERT 0 1"
  std::optional<Report> error;

  bool ok() const { return !error.has_value(); }
  std::string sqlstate() const { return error ? error->sqlstate : ""; }
  // The first cell of the first row; throws std::runtime_error when there is none or when the statement failed.
  std::string value() const;
};
std::ostream& operator<<(std::ostream& out, const QueryResult& result);

using Parameters =
    std::map<std::string, std::string>;  // libpq keywords: host, port, user, password, dbname, sslmode...

// One connection. Failures of statements are values in QueryResult; only open() throws (std::runtime_error with libpq's
// text). Not thread-safe, except that a Canceller may be used from any thread.
class Connection {
 public:
  // Keywords not given take: host=127.0.0.1, sslmode=disable, connect_timeout=10, gssencmode=disable.
  static Connection open(Parameters parameters);
  // As open(), but a failure is returned: {nothing, text}.
  static std::pair<std::optional<Connection>, std::string> try_open(Parameters parameters);

  // Runs one or several statements by the simple protocol and returns the last result (a failure ends the list).
  QueryResult exec(const std::string& sql);
  std::vector<QueryResult> exec_all(const std::string& sql);
  // exec() whose failure throws std::runtime_error: for the set-up of a test.
  QueryResult must(const std::string& sql);
  // By the extended protocol, unnamed statement; parameters in text unless binary_values, types as given (0: the server
  // decides).
  QueryResult params(const std::string& sql, const Row& values, const std::vector<Oid>& types = {},
                     bool binary_result = false, bool binary_values = false);
  QueryResult prepare(const std::string& name, const std::string& sql, const std::vector<Oid>& types = {});
  QueryResult execute(const std::string& name, const Row& values = {}, bool binary_result = false,
                      bool binary_values = false);
  // Describe of a prepared statement: its columns in `columns` and `types`, its parameters in the second.
  std::pair<QueryResult, std::vector<Oid>> describe(const std::string& name);

  // COPY ... FROM STDIN with `data` (text format unless the statement says otherwise) and COPY ... TO STDOUT.
  QueryResult copy_in(const std::string& sql, std::string_view data);
  std::pair<QueryResult, std::string> copy_out(const std::string& sql);
  // The rest of a COPY TO STDOUT whose start another function has returned.
  std::pair<QueryResult, std::string> copy_rest();

  // Pipelines: between enter and exit use send_* and next(); next() returns nothing at the end of one statement's
  // results.
  bool enter_pipeline() { return PQenterPipelineMode(raw()) == 1; }
  bool exit_pipeline() { return PQexitPipelineMode(raw()) == 1; }
  bool send_params(const std::string& sql, const Row& values);
  bool send_prepared(const std::string& name, const Row& values);
  bool sync() { return PQpipelineSync(raw()) == 1; }
  std::optional<QueryResult> next();

  // Sends a CancelRequest for what runs on this connection; callable from another thread. Empty: it was sent.
  std::string cancel() const;

  bool alive() const { return PQstatus(connection_.get()) == CONNECTION_OK; }
  PGTransactionStatusType transaction_status() const { return PQtransactionStatus(connection_.get()); }
  std::string parameter(const char* name) const;  // ParameterStatus; empty when not reported
  int backend_pid() const { return PQbackendPID(connection_.get()); }
  bool uses_tls() const { return PQsslInUse(connection_.get()) == 1; }
  // Notices received since the last call.
  std::vector<Report> take_notices();
  PGconn* raw() const { return connection_.get(); }
  void close() { connection_.reset(); }

 private:
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  explicit Connection(PGconn* connection);
  std::unique_ptr<PGconn, Close> connection_;
  std::unique_ptr<std::vector<Report>> notices_;  // its address is known to libpq, so it stays when the object moves
};

}  // namespace pgweir::support
