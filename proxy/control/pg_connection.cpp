#include "proxy/control/pg_connection.h"

#include <libpq-fe.h>
#include <unistd.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>

namespace pgweir::control {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
using protocol::SqlError;

struct CloseConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

// One line: libpq's own messages have several, indented by tabs.
std::string trimmed(const char* text) {
  std::string out;
  for (const char* at = text != nullptr ? text : ""; *at != '\0'; ++at) {
    const bool space = *at == '\n' || *at == '\t' || *at == ' ';
    if (!space)
      out += *at;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

SqlError lost(std::string message) { return SqlError{"08006", std::move(message), {}, {}, {}, {}}; }

SqlError error_of(const PGresult* result) {
  const auto field = [result](int code) { return trimmed(PQresultErrorField(result, code)); };
  SqlError error{field(PG_DIAG_SQLSTATE),
                 field(PG_DIAG_MESSAGE_PRIMARY),
                 field(PG_DIAG_MESSAGE_DETAIL),
                 field(PG_DIAG_MESSAGE_HINT),
                 {},
                 {}};
  if (error.sqlstate.empty()) error = lost(trimmed(PQresultErrorMessage(result)));
  return error;
}

RowSet rows_of(const PGresult* result) {
  RowSet set;
  set.tag = PQcmdStatus(const_cast<PGresult*>(result));
  const int rows = PQntuples(result), columns = PQnfields(result);
  set.columns = static_cast<std::size_t>(columns);
  set.cells.reserve(static_cast<std::size_t>(rows) * set.columns);
  set.nulls.reserve(set.cells.capacity());
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      set.cells.emplace_back(PQgetvalue(result, row, column),
                             static_cast<std::size_t>(PQgetlength(result, row, column)));
      set.nulls.push_back(PQgetisnull(result, row, column) != 0);
    }
  return set;
}

// An answer of the resolver on its way to the coroutine that asked; the coroutine may have ended meanwhile.
struct Resolution {
  explicit Resolution(asio::io_context& context) : arrived(context) {}
  Event arrived;
  std::optional<net::Result<net::Resolver::Addresses>> answer;
};

}  // namespace

struct PgConnection::State {
  State(asio::io_context& io, net::Resolver& names) : context(io), resolver(names), timer(io.get_executor()) {}
  asio::io_context& context;
  net::Resolver& resolver;
  std::unique_ptr<PGconn, CloseConnection> connection;
  std::unique_ptr<Descriptor> descriptor;  // a dup of libpq's socket, so that closing either never surprises the other
  ControlTimer timer;
  std::uint64_t wait_number = 0;
  Login login;

  bool watch_socket() {
    const int socket = PQsocket(connection.get());
    const int copy = socket < 0 ? -1 : ::dup(socket);
    if (copy < 0) return false;
    boost::system::error_code failed;
    descriptor = std::make_unique<Descriptor>(context.get_executor());
    descriptor->assign(copy, failed);
    if (failed) ::close(copy);
    return !failed;
  }
  void close() {
    descriptor.reset();
    connection.reset();
  }
};

namespace {

// Ends one wait of a State when its deadline passes, and no later one.
template <class StatePtr>
struct EndWait {
  StatePtr state;
  std::uint64_t number;
  void operator()(const boost::system::error_code& cancelled) const {
    if (cancelled || state->wait_number != number || !state->descriptor) return;
    boost::system::error_code ignored;
    state->descriptor->cancel(ignored);
  }
};

// True: the socket is ready (or broken: libpq finds out). False: the deadline passed.
template <class StatePtr>
Async<bool> wait_socket(StatePtr state, Descriptor::wait_type type, Clock::time_point deadline) {
  const std::uint64_t number = ++state->wait_number;
  state->timer.expires_at(deadline);
  state->timer.async_wait(EndWait<StatePtr>{state, number});
  boost::system::error_code failed;
  co_await state->descriptor->async_wait(type, asio::redirect_error(kAwait, failed));
  ++state->wait_number;
  state->timer.cancel();
  co_return !failed && Clock::now() < deadline;
}

template <class StatePtr>
Async<net::Result<std::string>> resolve(StatePtr state, config::Endpoint endpoint, Clock::time_point deadline) {
  if (endpoint.unix_socket) co_return std::string();
  if (auto known = state->resolver.try_resolve(endpoint)) co_return known->front().host();
  const auto resolution = std::make_shared<Resolution>(state->context);
  auto executor = [context = &state->context](std::function<void()> function) {
    asio::post(*context, std::move(function));
    return true;
  };
  auto callback = [resolution](net::Result<net::Resolver::Addresses> answer) {
    resolution->answer = std::move(answer);
    resolution->arrived.set();
  };
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  state->resolver.resolve(endpoint, left, executor, callback);
  (void)co_await resolution->arrived.wait(left + std::chrono::milliseconds(100));
  if (!resolution->answer)
    co_return net::StreamError{net::StreamError::Kind::Timeout, 0,
                               "the name " + endpoint.host + " was not resolved in time"};
  if (!resolution->answer->ok()) co_return resolution->answer->error();
  co_return resolution->answer->value().front().host();
}

void ignore_notice(void*, const PGresult*) {}

}  // namespace

PgConnection::PgConnection(asio::io_context& context, net::Resolver& resolver)
    : state_(std::make_shared<State>(context, resolver)) {}
PgConnection::~PgConnection() { close(); }
bool PgConnection::is_open() const {
  return state_->connection != nullptr && PQstatus(state_->connection.get()) == CONNECTION_OK;
}
void PgConnection::close() { state_->close(); }

Async<std::optional<SqlError>> PgConnection::ensure(Login login, std::chrono::milliseconds bound) {
  if (is_open() && login == state_->login) co_return std::nullopt;
  co_return co_await open(std::move(login), bound);
}

Async<std::optional<SqlError>> PgConnection::open(Login login, std::chrono::milliseconds bound) {
  const auto state = state_;
  state->close();
  state->login = std::move(login);
  const Clock::time_point deadline = Clock::now() + bound;
  const std::string where = state->login.endpoint.to_string();
  // libpq would take the name of the operating system's user.
  if (state->login.user.empty()) co_return lost("there is no login for " + where + ": set recovery_user");
  auto address = co_await resolve(state, state->login.endpoint, deadline);
  if (!address.ok()) co_return lost(address.error().text);

  const auto parameters = connection_parameters(state->login, address.value());
  std::vector<const char*> keywords, values;
  for (const auto& [keyword, value] : parameters) keywords.push_back(keyword.c_str()), values.push_back(value.c_str());
  keywords.push_back(nullptr), values.push_back(nullptr);
  state->connection.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  PGconn* connection = state->connection.get();
  PostgresPollingStatusType status =
      connection == nullptr || PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
    // libpq may have replaced its socket (a second try without TLS), possibly under the same number.
    if (!state->watch_socket()) break;
    const auto type = status == PGRES_POLLING_READING ? Descriptor::wait_read : Descriptor::wait_write;
    if (!co_await wait_socket(state, type, deadline)) {
      state->close();
      co_return lost("no connection to " + where + " within " + std::to_string(bound.count()) + " ms");
    }
    status = PQconnectPoll(connection);
  }
  if (status != PGRES_POLLING_OK || !state->watch_socket()) {
    const std::string why = connection == nullptr ? "out of memory" : trimmed(PQerrorMessage(connection));
    state->close();
    co_return lost(why.empty() ? "connection to " + where + " failed" : why);
  }
  PQsetnonblocking(connection, 1);
  PQsetNoticeReceiver(connection, ignore_notice, nullptr);
  co_return std::nullopt;
}

Async<Reply> PgConnection::query(std::string sql, std::chrono::milliseconds bound) {
  PGconn* connection = state_->connection.get();
  co_return co_await finish_query(state_, connection == nullptr ? 0 : PQsendQuery(connection, sql.c_str()), bound);
}

Async<Reply> PgConnection::query(std::string sql, std::vector<std::string> parameters,
                                 std::chrono::milliseconds bound) {
  PGconn* connection = state_->connection.get();
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  int sent = 0;
  if (connection != nullptr)
    sent = PQsendQueryParams(connection, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                             nullptr, 0);
  co_return co_await finish_query(state_, sent, bound);
}

// `sent`: what libpq said to the query, 1 when it took it.
Async<Reply> PgConnection::finish_query(std::shared_ptr<State> state, int sent, std::chrono::milliseconds bound) {
  Reply reply;
  const auto fail = [&](std::string why) {
    reply.error = lost(std::move(why));
    state->close();
  };
  PGconn* connection = state->connection.get();
  if (connection == nullptr || sent != 1) {
    fail(connection == nullptr ? "not connected" : trimmed(PQerrorMessage(connection)));
    co_return reply;
  }
  const Clock::time_point deadline = Clock::now() + bound;
  for (;;) {
    const int unsent = PQflush(connection);
    if (unsent >= 0 && PQisBusy(connection) == 0) {
      const ResultPtr result(PQgetResult(connection));
      if (!result) break;
      const ExecStatusType status = PQresultStatus(result.get());
      if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
        reply.results.push_back(rows_of(result.get()));
      else if (!reply.error)
        reply.error = error_of(result.get());
      continue;
    }
    // A server that reads slowly: our queries are short, so waiting for it to answer or to take more is the same.
    bool ready = true;
    if (unsent >= 0)
      ready = co_await wait_socket(state, unsent == 1 ? Descriptor::wait_write : Descriptor::wait_read, deadline);
    if (!ready) {
      fail("no answer from " + state->login.endpoint.to_string() + " within " + std::to_string(bound.count()) + " ms");
      co_return reply;
    }
    if (unsent < 0 || (unsent == 0 && PQconsumeInput(connection) != 1)) {
      fail(trimmed(PQerrorMessage(connection)));
      co_return reply;
    }
  }
  if (PQstatus(connection) != CONNECTION_OK) {
    if (!reply.error) reply.error = lost("the server closed the connection");
    state->close();
  }
  co_return reply;
}

std::string sql_literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

}  // namespace pgweir::control
