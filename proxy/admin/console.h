// The admin console of one client: text of a simple Query in, complete protocol messages out. Made by the session after
// the login to the admin database. Used on one worker's thread only; execute() one at a time (wait for `done`).
//
// The console may be destroyed while an execute() is under way: `done` is then never called.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/admin/console_sources.h"
#include "proxy/admin/table.h"
#include "proxy/net/worker.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::admin {

using Answer = protocol::Result<Table>;
// Called once, on the console's worker, at once or later.
using Done = std::function<void(Answer)>;

class Console {
 public:
  // The runtime and the worker outlive the console. may_write: the user is in [admin].users; without it only SHOW,
  // ROUTE, SET and empty statements are answered, everything else with 42501.
  Console(runtime::Runtime& runtime, net::Worker& worker, std::string user, bool may_write, ConsoleSources sources);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Runs the statements of `sql` (separated by ';') in turn, up to the first error. `replies` is what the client gets:
  // RowDescription, DataRow and CommandComplete, EmptyQueryResponse, NoticeResponse or ErrorResponse, and at the end
  // ReadyForQuery(idle). `done` is called once, on the worker, before execute() returns or later. `sql` is copied.
  // Errors: 42601 for what is no command, 42501 for what the user may not do; others name the command's cause.
  void execute(std::string_view sql, std::function<void(std::string replies)> done);

  // One statement, without its ';', for the extended protocol: not while an execute() is under way. As above, but that
  // the answer comes as it is. `statement` is copied.
  void run(std::string_view statement, Done done);
  // Whether it only shows: running it once more changes nothing. Anything that is no such command does not.
  static bool only_shows(std::string_view statement);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Whether `database` is the console's: [admin].database, or "pgbouncer" for tools that expect that name.
bool is_console_database(const config::Config& config, std::string_view database);

}  // namespace pgweir::admin
