// pgweir --config FILE | check FILE | route FILE SQL | --version
#include <iostream>

#include <CLI/CLI.hpp>

#include "proxy/log/log.h"
#include "proxy/server/commands.h"
#include "proxy/server/server.h"

namespace {

int serve(const std::string& path) {
  pgweir::server::prepare_process();
  const auto config = pgweir::server::load_and_print(path, true);
  if (!config) return 1;
  pgweir::log::configure(config->log.level, config->log.format);
  pgweir::log::info("pgweir {} with {}", pgweir::server::version(), path);
  pgweir::server::Server server(config);
  if (const auto problem = server.start()) {
    pgweir::log::error("{}", *problem);
    return 1;
  }
  return server.run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"pgweir: a PostgreSQL proxy that pools, routes and shards"};
  app.set_version_flag("--version", "pgweir " + std::string(pgweir::server::version()));
  std::string config;
  app.add_option("--config,-c", config, "serve with this configuration file, in the foreground");

  std::string check_file;
  bool live = false;
  auto* check = app.add_subcommand("check", "read a configuration file and print every finding");
  check->add_option("FILE", check_file)->required();
  check->add_flag("--live", live, "ask the servers too");

  pgweir::server::RouteArguments arguments;
  auto* route = app.add_subcommand("route", "print where a statement would go, without running it");
  route->add_option("FILE", arguments.path)->required();
  route->add_option("SQL", arguments.sql)->required();
  route->add_option("--cluster", arguments.cluster, "default: the first of the file");
  route->add_option("--user", arguments.user, "login name; default: the first of the file");
  route->add_option("--search-path", arguments.search_path, "value of search_path; default: PostgreSQL's");
  app.require_subcommand(0, 1);
  CLI11_PARSE(app, argc, argv);

  if (*check) return pgweir::server::check_command(check_file, live);
  if (*route) return pgweir::server::route_command(arguments);
  if (!config.empty()) return serve(config);
  std::cout << app.help();
  return 2;
}
