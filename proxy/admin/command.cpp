#include "proxy/admin/command.h"

#include <algorithm>
#include <array>

namespace pgweir::admin {
namespace {

constexpr std::array kCommands = std::to_array<Command>({
    {"SHOW HELP", "", "this list", false, show_help},
    {"SHOW VERSION", "", "version of the proxy", false, show_version},
    {"SHOW CONFIG", "", "every setting in force, without secrets", false, show_config},
    {"SHOW DATABASES", "", "clusters that clients can connect to", false, show_databases},
    {"SHOW POOLS", "", "clients and server connections by database and user", false, show_pools},
    {"SHOW CLIENTS", "", "client connections", false, show_clients},
    {"SHOW SERVERS", "", "server connections", false, show_servers},
    {"SHOW SOCKETS", "", "client and server connections", false, show_all_sockets},
    {"SHOW ACTIVE_SOCKETS", "", "those in use", false, show_active_sockets},
    {"SHOW USERS", "", "users and what they have of their own", false, show_users},
    {"SHOW STATS", "", "counters since the start, and averages", false, show_stats},
    {"SHOW STATS_TOTALS", "", "the counters alone", false, show_stats_totals},
    {"SHOW STATS_AVERAGES", "", "the averages alone", false, show_stats_averages},
    {"SHOW TOTALS", "", "counters and averages as rows", false, show_totals},
    {"SHOW STATE", "", "whether the proxy is paused", false, show_state},
    {"SHOW PEERS", "", "other nodes that cancel requests are passed to", false, show_peers},
    {"SHOW PEER_POOLS", "", "always empty: cancel requests are not pooled", false, show_peer_pools},
    {"SHOW MEM", "", "buffers against listen.memory_budget", false, show_mem},
    {"SHOW DNS_HOSTS", "", "always empty: names are not kept", false, show_dns_hosts},
    {"SHOW DNS_ZONES", "", "always empty", false, show_dns_zones},
    {"SHOW FDS", "", "refused", true, show_fds},
    {"SHOW SHARDS", "", "servers of every shard and their health", false, show_shards},
    {"SHOW LISTS", "", "how many there are of what", false, show_lists},
    {"ROUTE", "[<cluster>:] <statement>", "where a statement would go, without running it", false, route},
    {"PAUSE", "[<database>]", "waits until its servers are released and closed; new queries wait", true, pause},
    {"RESUME", "[<database>]", "ends PAUSE or KILL", true, resume},
    {"DISABLE", "<database>", "refuses new clients", true, disable},
    {"ENABLE", "<database>", "ends DISABLE", true, enable},
    {"RECONNECT", "[<database>]", "closes each server connection when it is next free", true, reconnect},
    {"WAIT_CLOSE", "[<database>]", "waits until those that RECONNECT or RELOAD replaces are closed", true, wait_close},
    {"KILL", "[<database>]", "ends all its clients and servers, then paused", true, kill},
    {"KILL_CLIENT", "<id>", "ends one client and its servers", true, kill_client},
    {"SUSPEND", "", "refused: sockets are not handed on", true, suspend},
    {"RELOAD", "", "reads the configuration again", true, reload},
    {"SHUTDOWN", "[WAIT_FOR_CLIENTS | WAIT_FOR_SERVERS]", "stops the proxy, at once or when its work is done", true,
     shutdown},
});

}  // namespace

std::span<const Command> commands() { return kCommands; }

std::size_t word_count(const Command& command) {
  return 1 + static_cast<std::size_t>(std::ranges::count(command.words, ' '));
}

const Command* find_command(std::span<const Token> tokens) {
  for (const Command& command : kCommands) {
    std::string_view words = command.words;
    bool same = true;
    for (std::size_t i = 0; same && !words.empty(); ++i) {
      const std::string_view word = words.substr(0, words.find(' '));
      same = i < tokens.size() && tokens[i].kind == Token::Kind::Word && same_word(tokens[i].text, word);
      words.remove_prefix(std::min(words.size(), word.size() + 1));
    }
    if (same) return &command;
  }
  return nullptr;
}

}  // namespace pgweir::admin
