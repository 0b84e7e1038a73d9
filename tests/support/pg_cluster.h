// Real PostgreSQL servers for tests. "Cluster" in PostgreSQL's sense: one data directory with one server.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/connection.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace pgweir::support {

struct PgOptions {
  bool fsync = false;  // true where a test kills the server and counts rows afterwards
  int max_prepared_transactions = 64;
  int max_connections = 200;
  std::vector<std::string> settings;  // further lines of postgresql.conf: "log_statement = 'all'"
  std::vector<std::string> hba;       // replaces the default lines for TCP (SCRAM for everybody)
  std::filesystem::path bin;          // of another PostgreSQL than PGWEIR_PG_BIN or Debian's 15: newer_postgres()
};

// A server on 127.0.0.1 and a free port, TLS on, SCRAM, locale C, UTF8, time zone UTC, wal_level replica. Roles:
// postgres/postgres-secret (superuser), app/app-secret, reader/reader-secret; databases postgres and fediflow (owner
// app). The data directory is a copy of a cached one, so a new server takes well under a second. Stopped by pid and
// removed on destruction. Failures throw std::runtime_error with the server's log. Create and start it on the main
// thread (Process).
class PgCluster {
 public:
  explicit PgCluster(PgOptions options = {});  // started
  ~PgCluster();
  PgCluster(const PgCluster&) = delete;
  PgCluster& operator=(const PgCluster&) = delete;

  // A streaming replica of this running server (pg_basebackup), started and following.
  std::unique_ptr<PgCluster> make_replica();
  // Waits until this replica has replayed what `primary` has written up to now.
  void wait_for_replay_of(PgCluster& primary);

  void start();  // waits until it accepts; also after kill9()
  void stop();   // fast shutdown
  void restart() {
    stop();
    start();
  }
  void kill9();          // SIGKILL to the postmaster and all its backends
  void kill_backends();  // SIGKILL to client backends only: the server goes through crash recovery by itself
  void pause(bool on);   // SIGSTOP / SIGCONT to all its processes
  void promote();        // a replica becomes a primary; waits until it is one
  bool running() { return process_.running(); }

  std::uint16_t port() const { return port_; }
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  const std::filesystem::path& directory() const { return data_; }  // data directory, also of the unix socket
  std::string log() const;

  // As the superuser over the unix socket, or as another user over TCP with "<user>-secret" and TLS off.
  Connection admin(const std::string& database = "fediflow") const;
  Connection connect(const std::string& user = "app", const std::string& database = "fediflow") const;
  QueryResult exec(const std::string& sql,
                   const std::string& database = "fediflow") const;  // admin(), throws on failure

 private:
  struct Replica {};
  PgCluster(Replica, const PgCluster& primary);
  std::filesystem::path bin() const;
  void configure() const;
  void spawn();

  PgOptions options_;
  TempDir temp_;
  std::filesystem::path data_;
  std::uint16_t port_;
  Process process_;
};

// Files of a throw-away certificate authority and of what it signed; the same for all tests of one machine.
struct Certificates {
  std::string ca, server_cert, server_key, client_cert, client_key;  // the client's is for user app
};
const Certificates& certificates();

// The programs of PostgreSQL 17 or 18 (scripts/lib/postgres-binaries fetches them once); throws where they cannot be had.
std::filesystem::path newer_postgres(int major);

// Where templates and certificates are cached between test runs.
std::filesystem::path cache_directory();

}  // namespace pgweir::support
