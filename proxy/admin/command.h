// The console's commands: one file each, found by their leading words in one table.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/admin/console.h"
#include "proxy/admin/console_sources.h"
#include "proxy/admin/lexer.h"
#include "proxy/admin/table.h"

namespace pgweir::admin {


// All of it outlives the command's run, except `statement`, which is valid until run() returns.
struct Invocation {
  runtime::Runtime& runtime;
  net::Worker& worker;
  const ConsoleSources& sources;
  std::string_view statement;
  std::shared_ptr<void>& pending;  // what a command leaves here lives until the next one or the console's end
  std::size_t arguments = 0;  // offset in `statement` behind the command's words
};

struct Command {
  std::string_view words;      // "SHOW POOLS"
  std::string_view arguments;  // for SHOW HELP; empty: takes none, and anything behind it is a syntax error
  std::string_view help;
  bool writes = false;         // needs [admin].users
  void (*run)(const Invocation& invocation, Done done) = nullptr;
};

// All commands, in the order of SHOW HELP. Static storage.
std::span<const Command> commands();
// The one that the tokens start with; null when there is none.
const Command* find_command(std::span<const Token> tokens);
// How many words it has.
std::size_t word_count(const Command& command);

// The runs; what each one shows stands in its file.
void show_help(const Invocation&, Done);
void show_version(const Invocation&, Done);
void show_config(const Invocation&, Done);
void show_databases(const Invocation&, Done);
void show_pools(const Invocation&, Done);
void show_clients(const Invocation&, Done);
void show_servers(const Invocation&, Done);
void show_all_sockets(const Invocation&, Done);
void show_active_sockets(const Invocation&, Done);
void show_users(const Invocation&, Done);
void show_state(const Invocation&, Done);
void show_peers(const Invocation&, Done);
void show_peer_pools(const Invocation&, Done);
void show_mem(const Invocation&, Done);
void show_dns_hosts(const Invocation&, Done);
void show_dns_zones(const Invocation&, Done);
void show_fds(const Invocation&, Done);
void show_stats_totals(const Invocation&, Done);
void show_stats_averages(const Invocation&, Done);
void show_totals(const Invocation&, Done);
void show_stats(const Invocation&, Done);
void show_shards(const Invocation&, Done);
void show_lists(const Invocation&, Done);
void pause(const Invocation&, Done);
void resume(const Invocation&, Done);
void disable(const Invocation&, Done);
void enable(const Invocation&, Done);
void reconnect(const Invocation&, Done);
void wait_close(const Invocation&, Done);
void kill(const Invocation&, Done);
void kill_client(const Invocation&, Done);
void suspend(const Invocation&, Done);
void reload(const Invocation&, Done);
void shutdown(const Invocation&, Done);
void route(const Invocation&, Done);

// The sessions of all workers, ordered by id, given to `then` on the invocation's worker once every worker has answered
// (a stopped one has none). Calls it before it returns when no worker needs to be asked.
void collect_clients(const Invocation& invocation, std::function<void(std::vector<runtime::ClientInfo>)> then);

}  // namespace pgweir::admin
