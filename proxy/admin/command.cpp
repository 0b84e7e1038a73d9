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
    {"SHOW SERVERS", "", "server connections by pool and state", false, show_servers},
    {"SHOW STATS", "", "counters since the start", false, show_stats},
    {"SHOW SHARDS", "", "servers of every shard and their health", false, show_shards},
    {"SHOW LISTS", "", "how many there are of what", false, show_lists},
    {"ROUTE", "[<cluster>:] <statement>", "where a statement would go, without running it", false, route},
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
