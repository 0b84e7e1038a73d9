// A PostgreSQL backend as a function from the bytes of its client to the bytes of its answers: protocol state,
// transactions, prepared statements, portals, COPY and settings as PostgreSQL 15 has them, for the SQL of
// statement_model.h. It serves two ends: what it answers to a client's bytes is what a test expects, and it stands
// behind the proxy as its server.
//
// Rules: PostgreSQL 15, src/backend/tcop/postgres.c (the loop of messages), access/transam/xact.c (states),
// utils/mmgr/portalmem.c (the life of portals), commands/copyfromparse.c.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/frontend_codec.h"
#include "tests/model/settings_model.h"
#include "tests/model/statement_model.h"

namespace pgweir::model {

class BackendModel {
 public:
  // `committed`: where rows of "log" go when their transaction commits. Outlives this.
  explicit BackendModel(std::vector<std::string>& committed, std::int32_t pid = 1) : committed_(committed), pid_(pid) {}

  // Bytes of the client, startup packet first, cut anywhere. Reads complete messages only.
  void feed(std::string_view bytes);
  std::string take_output() { return std::exchange(output_, {}); }
  // Terminate came, or the server has said its last: the connection is to be closed behind the output.
  bool ended() const { return ended_; }
  bool logged_in() const { return logged_in_; }
  // What another client must not meet; empty when there is nothing.
  std::string dirt() const;
  // For each ReadyForQuery so far (that of the login is the first): how many rows were committed by then.
  const std::vector<std::size_t>& committed_at_ready() const { return committed_at_ready_; }
  const SettingsModel& settings() const { return settings_; }

  // Faults.
  void terminate();                           // as pg_terminate_backend does it
  void notice(std::string_view text);         // between any two messages
  void fail_next() { fails_next_ = true; }    // the next statement that runs fails

 private:
  enum class Tx { Idle, Implicit, Block, Failed };
  struct Prepared {
    std::string text;
    Statement statement;
    bool from_sql = false;
    bool empty = false;
  };
  struct Portal {
    Prepared prepared;
    std::string parameter;
    std::size_t row = 0;
    bool done = false;
    std::size_t level = 0;   // savepoints there were when it was made
  };
  enum class Copy { None, Simple, Extended };

  void start(std::string_view packet);
  void message(char type, std::string_view body);
  void copy_message(char type, std::string_view body);
  void simple_query(std::string_view text);
  void go_on();   // with the statements of the Query that are left
  void end_query();
  void parse(const protocol::Parse& parse);
  void bind(const protocol::Bind& bind);
  void describe(const protocol::Describe& describe);
  void execute(const protocol::Execute& execute);
  void close(const protocol::Close& close);
  void function_call();
  void sync();
  bool refused_in_failed_block(const Statement& statement);
  Prepared* find_prepared(const std::string& name);

  // Runs one; rows are written without a description. False: an error was sent.
  bool run(const Statement& statement, bool top, const std::string& parameter, std::string& tag);
  bool run_setting(const Statement& statement, std::string& tag);
  bool run_names(const Statement& statement, std::string& tag);
  bool run_transaction(const Statement& statement, std::string& tag);
  bool to_savepoint(const Statement& statement);
  std::vector<std::vector<std::string>> census(const Statement& statement) const;
  void describe_rows(const Statement& statement);
  void row(const std::vector<std::string>& values);
  std::string value(const Statement& statement, const std::string& parameter, std::size_t row) const;
  const Statement& meant(const Statement& statement);

  void begin_implicit();
  void end_implicit();
  void commit();
  void roll_back(Tx next);
  bool error(const std::string& sqlstate, const std::string& text);   // always false
  void ready();

  std::vector<std::string>& committed_;
  const std::int32_t pid_;
  std::string input_, output_;
  bool logged_in_ = false, ended_ = false, fails_next_ = false;
  Tx tx_ = Tx::Idle;
  bool extended_ = false;           // the message being handled is of the extended protocol
  bool skipping_ = false;           // up to the next Sync
  Copy copy_ = Copy::None;
  std::vector<std::string> copied_;
  std::deque<Statement> todo_;      // of a Query, behind the one that runs
  bool several_ = false;            // the Query has several statements
  SettingsModel settings_;
  std::map<std::string, std::string> told_;   // ParameterStatus as it was sent
  std::vector<std::string> rows_;   // of the open transaction
  struct Savepoint { std::string name; std::size_t rows; };
  std::vector<Savepoint> savepoints_;
  std::map<std::string, Prepared> prepared_;
  std::map<std::string, Portal> portals_;
  std::vector<std::size_t> committed_at_ready_;
};

}  // namespace pgweir::model
