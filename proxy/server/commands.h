// The subcommands that do not serve: pgweir check, pgweir route. Main thread; they return the exit code and print.
#pragma once

#include <memory>
#include <string>

#include "config/config.h"

namespace pgweir::server {

// Prints every finding on standard output (errors, warnings); null when there is an error.
std::shared_ptr<const config::Config> load_and_print(const std::string& path, bool print_warnings);

int check_command(const std::string& path, bool live);

struct RouteArguments {
  std::string path, sql;
  std::string cluster;      // empty: the first
  std::string user;         // empty: the first
  std::string search_path;  // empty: PostgreSQL's default
};
// Exit code 0: routed; 1: refused, or the configuration or the schema could not be read.
int route_command(const RouteArguments& arguments);

}  // namespace pgweir::server
