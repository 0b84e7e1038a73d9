// The proxy's binary as a child process, with the configuration a test gives it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/connection.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace pgweir::support {

// What most tests need in the part of the file before the clusters. Users app, reader and admin have "<name>-secret";
// admin may use the console `pgweir`.
struct ProxyOptions {
  std::string clusters;              // TOML: every [cluster.NAME] table
  std::string listen_extra;          // further lines of [listen]
  std::string tls_client = "allow";  // mode of [tls.client]; certificates() are used
  std::string tls_server = "prefer";
  std::string auth = "method = \"scram-sha-256\"";  // lines of [auth]
  std::string pool;                                 // lines of [pool]
  std::string extra;                                // further tables: [[user]], [log]
  int workers = 2;
  bool metrics = true;
  std::map<std::string, std::string> environment;  // fault points
};

// A cluster with one shard and no tables: the plain pooler.
std::string plain_cluster(const std::string& name, const std::string& endpoint, const std::string& extra = "");

// A running proxy. The constructor waits until it accepts (std::runtime_error with its log when it does not). SIGKILL
// on destruction when it still runs. Create it on the main thread (Process).
class ProxyProcess {
 public:
  explicit ProxyProcess(ProxyOptions options);
  // Does not start it: to test a configuration that is refused. Starts on start().
  struct Stopped {};
  ProxyProcess(ProxyOptions options, Stopped);

  void start();
  void reload(const std::string& clusters);  // rewrites the clusters' part and sends SIGHUP (returns at once)
  void reload_file(const std::string& whole_text);
  std::optional<int> terminate(Milliseconds deadline = Milliseconds{30'000});  // SIGTERM; its exit code
  void kill9() { process_.kill9(); }
  void signal(int number) const { process_.signal(number); }
  bool running() { return process_.running(); }
  pid_t pid() const { return process_.pid(); }

  // From the next start on.
  void set_environment(const std::string& name, const std::string& value) { options_.environment[name] = value; }
  void clear_environment() { options_.environment.clear(); }

  std::uint16_t port() const { return port_; }
  std::uint16_t metrics_port() const { return metrics_port_; }
  const std::filesystem::path& config_file() const { return config_file_; }
  std::string config_text() const { return read_file(config_file_); }
  std::string log() const;
  // Waits until the log holds `text`.
  [[nodiscard]] bool wait_for_log(const std::string& text, Milliseconds deadline = Milliseconds{10'000}) const;

  // Connection parameters of a user ("<user>-secret"); change what the test needs and pass them to Connection::open.
  Parameters parameters(const std::string& user = "app", const std::string& database = "fediflow") const;
  Connection connect(const std::string& user = "app", const std::string& database = "fediflow") const;
  Connection console() const { return connect("admin", "pgweir"); }
  // GET /metrics.
  std::string metrics() const;

 private:
  std::string render(const std::string& clusters) const;

  ProxyOptions options_;
  TempDir temp_;
  std::filesystem::path config_file_;
  std::uint16_t port_, metrics_port_;
  Process process_;
};

}  // namespace pgweir::support
