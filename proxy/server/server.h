// The running proxy: makes every part, connects them, and lives from start() to the signal that ends it. Used on the
// main thread; reload() is thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace pgweir::server {

// "0.1.0".
std::string_view version();

// Blocks the signals that Server::run() waits for, in this thread and those it makes later; ignores SIGPIPE; raises the
// limit of open files as far as it goes. Before any other thread exists.
void prepare_process();

class Server {
 public:
  explicit Server(std::shared_ptr<const config::Config> config);
  ~Server();  // stops whatever runs: the workers first
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens when it returns; waits a few seconds for the first schema of each cluster. What is wrong, or nothing.
  std::optional<std::string> start();
  // Waits for signals: SIGHUP reloads; SIGTERM ends each session at its next transaction boundary, a second one or
  // SIGINT or SIGQUIT at once. Returns the process's exit code.
  int run();
  // Reads the file again. A bad file changes nothing. Returns what is wrong, empty: it is in force.
  std::string reload();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgweir::server
