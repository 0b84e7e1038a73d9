// SHOW CONFIG: every setting in force with PgBouncer's columns. Secrets read "***" (config/describe.h).
#include <unordered_map>

#include "config/describe.h"
#include "proxy/admin/command.h"

namespace pgweir::admin {
namespace {

// What a reload keeps (server/reload.h), because sockets, threads and ids exist already.
bool changeable(std::string_view key) {
  return key != "listen.address" && key != "listen.workers" && key != "listen.reuse_port" && key != "listen.unix_socket_mode" && key != "listen.node_id";
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
  done(std::move(table));
}

}  // namespace pgweir::admin
