// One libpq connection, driven by the control thread without ever blocking it. Private to control/.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/result.h"
#include "proxy/control/async.h"
#include "proxy/control/login.h"
#include "proxy/control/row_set.h"
#include "proxy/net/resolver.h"

namespace pgweir::control {

// What one simple query gave: a RowSet per statement, and the error that ended it, if any. After a lost connection
// (08006, also when the deadline passed) the connection is closed.
struct Reply {
  std::vector<RowSet> results;
  std::optional<protocol::SqlError> error;
  bool ok() const { return !error.has_value(); }
};

class PgConnection {
 public:
  PgConnection(asio::io_context& context, net::Resolver& resolver);
  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Closes what was open, resolves the name, connects and logs in, all within `bound`. The error, or nothing.
  Async<std::optional<protocol::SqlError>> open(Login login, std::chrono::milliseconds bound);
  // open() unless it is open already with the same login.
  Async<std::optional<protocol::SqlError>> ensure(Login login, std::chrono::milliseconds bound);
  // One simple query, any number of statements. One at a time.
  Async<Reply> query(std::string sql, std::chrono::milliseconds bound);
  // One statement with parameters $1, ... as text.
  Async<Reply> query(std::string sql, std::vector<std::string> parameters, std::chrono::milliseconds bound);
  bool is_open() const;
  void close();

 private:
  struct State;
  static Async<Reply> finish_query(std::shared_ptr<State> state, int sent, std::chrono::milliseconds bound);
  std::shared_ptr<State> state_;
};

// 'text' for SQL text; standard_conforming_strings is on in our sessions.
std::string sql_literal(std::string_view text);

}  // namespace pgweir::control
