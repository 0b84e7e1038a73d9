// SHOW CONFIG: every setting in force with PgBouncer's columns. Secrets read "***" (config/describe.h). What PgBouncer has too
// is told under its name there as well, for the sake of exporters: times in seconds, 0 for none.
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/describe.h"
#include "config/names.h"
#include "proxy/admin/command.h"

namespace pgweir::admin {
namespace {

// What a reload keeps (server/reload.h), because sockets, threads and ids exist already.
bool changeable(std::string_view key) {
  return key != "listen.address" && key != "listen.workers" && key != "listen.reuse_port" && key != "listen.unix_socket_mode" && key != "listen.node_id";
}

std::string seconds(config::Duration time) { return fmt::format("{}", std::chrono::duration<double>(time).count()); }

std::vector<std::pair<std::string_view, std::string>> as_pgbouncer(const config::Config& config) {
  const config::Pool& pool = config.pool;
  return {{"max_client_conn", std::to_string(config.listen.max_clients)},
          {"default_pool_size", std::to_string(pool.size)},
          {"min_pool_size", std::to_string(pool.min_size)},
          {"reserve_pool_size", std::to_string(pool.reserve_size)},
          {"reserve_pool_timeout", seconds(pool.reserve_delay)},
          {"max_user_connections", std::to_string(pool.max_connections)},
          {"max_prepared_statements", std::to_string(pool.max_prepared_statements)},
          {"pool_mode", std::string(config::to_word(pool.mode))},
          {"query_wait_timeout", seconds(pool.checkout_timeout)},
          {"query_timeout", seconds(pool.query_timeout)},
          {"transaction_timeout", seconds(pool.transaction_timeout)},
          {"idle_transaction_timeout", seconds(pool.idle_in_transaction_timeout)},
          {"client_idle_timeout", seconds(pool.client_idle_timeout)},
          {"client_login_timeout", seconds(config.listen.client_login_timeout)},
          {"server_connect_timeout", seconds(pool.server_connect_timeout)},
          {"server_idle_timeout", seconds(pool.server_idle_timeout)},
          {"server_lifetime", seconds(pool.server_lifetime)},
          {"server_round_robin", pool.server_round_robin ? "1" : "0"}};
}

}  // namespace

void show_config(const Invocation& invocation, Done done) {
  std::unordered_map<std::string, std::string> defaults;
  for (config::Setting& setting : config::describe(config::Config{})) defaults.emplace(setting.key, setting.value);
  Table table{{{"key"}, {"value"}, {"default"}, {"changeable"}}};
  for (const config::Setting& setting : config::describe(*invocation.runtime.snapshot()->config)) {
    const auto found = defaults.find(setting.key);
    table.add(setting.key, setting.value, found == defaults.end() ? Value() : Value(found->second),
              changeable(setting.key) ? "yes" : "no");
  }
  const auto values = as_pgbouncer(*invocation.runtime.snapshot()->config), theirs = as_pgbouncer(config::Config{});
  for (std::size_t i = 0; i < values.size(); ++i) table.add(values[i].first, values[i].second, theirs[i].second, "yes");
  done(std::move(table));
}

}  // namespace pgweir::admin
