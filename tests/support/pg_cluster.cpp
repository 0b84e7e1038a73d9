#include "tests/support/pg_cluster.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <stdexcept>

namespace pgweir::support {
namespace {

namespace fs = std::filesystem;

fs::path bin_directory() {
  const char* chosen = std::getenv("PGWEIR_PG_BIN");
  return chosen != nullptr ? chosen : "/usr/lib/postgresql/15/bin";
}

std::string script(const char* name) { return std::string(PGWEIR_SOURCE_DIR) + "/scripts/lib/" + name; }

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

const fs::path& template_directory(const fs::path& bin) {
  static std::map<fs::path, fs::path> made;
  fs::path& path = made[bin];
  if (path.empty())
    path = first_line(run({.command = {script("make-template"), cache_directory().string(), bin.string()}}));
  return path;
}

void own_by_postgres(const fs::path& path) {
  if (::getuid() != 0) return;
  const char* user = std::getenv("PGWEIR_PG_USER");
  run({.command = {"chown", "-R", user != nullptr ? user : "postgres", path.string()}});
}

// PostgreSQL names the backend's kind in its process title.
bool is_client_backend(pid_t pid) {
  try {
    const std::string title = read_file("/proc/" + std::to_string(pid) + "/cmdline");
    return title.find("127.0.0.1(") != std::string::npos || title.find("[local]") != std::string::npos;
  } catch (const std::runtime_error&) {
    return false;  // it has just ended
  }
}

}  // namespace

fs::path cache_directory() {
  fs::path path = fs::temp_directory_path() / ("pgweir-cache-" + std::to_string(::getuid()));
  fs::create_directories(path);
  return path;
}

fs::path newer_postgres(int major) {
  return first_line(run({.command = {script("postgres-binaries"), std::to_string(major)}}, Milliseconds{600'000}));
}

const Certificates& certificates() {
  static const Certificates files = [] {
    const fs::path directory = cache_directory() / "tls";
    run({.command = {"flock", (cache_directory() / "tls.lock").string(), script("make-certificates"),
                     directory.string()}});
    return Certificates{.ca = directory / "ca.crt",
                        .server_cert = directory / "server.crt",
                        .server_key = directory / "server.key",
                        .client_cert = directory / "client.crt",
                        .client_key = directory / "client.key"};
  }();
  return files;
}

PgCluster::PgCluster(PgOptions options)
    : options_(std::move(options)), temp_("pg"), data_(temp_.path() / "data"), port_(free_port()) {
  run({.command = {"cp", "-a", "--reflink=auto", template_directory(bin()).string(), data_.string()}});
  configure();
  start();
}

PgCluster::PgCluster(Replica, const PgCluster& primary)
    : options_(primary.options_), temp_("pg"), data_(temp_.path() / "data"), port_(free_port()) {
  own_by_postgres(temp_.path());
  run({.command = {(bin() / "pg_basebackup").string(), "-h", primary.data_.string(), "-p",
                   std::to_string(primary.port_), "-U", "postgres", "-D", data_.string(), "-c", "fast", "-X", "stream",
                   "-R", "--no-sync"},
       .as_postgres = true});
  configure();
  start();
}

fs::path PgCluster::bin() const { return options_.bin.empty() ? bin_directory() : options_.bin; }

PgCluster::~PgCluster() {
  if (!process_.running()) return;
  process_.signal(SIGCONT);
  process_.signal(SIGQUIT);  // immediate: nothing of it is kept
  (void)process_.wait(Milliseconds{10'000});
}

std::unique_ptr<PgCluster> PgCluster::make_replica() {
  return std::unique_ptr<PgCluster>(new PgCluster(Replica{}, *this));
}

void PgCluster::configure() const {
  const Certificates& tls = certificates();
  for (const auto& [from, to] :
       {std::pair{tls.server_cert, "server.crt"}, {tls.server_key, "server.key"}, {tls.ca, "ca.crt"}}) {
    fs::copy_file(from, data_ / to, fs::copy_options::overwrite_existing);
  }
  std::string text =
      "listen_addresses = '127.0.0.1'\nport = " + std::to_string(port_) + "\nunix_socket_directories = '" +
      data_.string() +
      "'\nssl = on\nssl_ca_file = 'ca.crt'\npassword_encryption = 'scram-sha-256'\n"
      "wal_level = replica\nwal_keep_size = '256MB'\nhot_standby = on\nwal_retrieve_retry_interval = '100ms'\n"
      "shared_buffers = '32MB'\ntimezone = 'UTC'\nlog_timezone = 'UTC'\nlc_messages = 'C'\n"
      "log_line_prefix = '%m [%p] %u@%d '\n";
  text += std::string("fsync = ") + (options_.fsync ? "on" : "off") + "\n";
  text += "max_prepared_transactions = " + std::to_string(options_.max_prepared_transactions) + "\n";
  text += "max_connections = " + std::to_string(options_.max_connections) + "\n";
  for (const auto& line : options_.settings) text += line + "\n";
  write_file(data_ / "postgresql.conf", text);

  std::string hba = "local all all trust\nlocal replication all trust\n";
  if (options_.hba.empty()) hba += "host all all 127.0.0.1/32 scram-sha-256\n";
  for (const auto& line : options_.hba) hba += line + "\n";
  write_file(data_ / "pg_hba.conf", hba);
  own_by_postgres(temp_.path());
}

void PgCluster::spawn() {
  // SIGQUIT is PostgreSQL's immediate shutdown: what should happen when the test process dies.
  process_ = Process({.command = {(bin() / "postgres").string(), "-D", data_.string()},
                      .output = temp_.path() / "server.log",
                      .directory = data_,
                      .as_postgres = true,
                      .death_signal = SIGQUIT});
}

void PgCluster::start() {
  if (process_.running()) return;
  spawn();
  const auto ready = [this] {
    // After a kill -9 the old shared memory may be held for a moment, and the new postmaster gives up.
    if (!process_.running()) spawn();
    auto [connection, error] = Connection::try_open(
        {{"host", data_.string()}, {"port", std::to_string(port_)}, {"user", "postgres"}, {"dbname", "postgres"}});
    return connection.has_value();
  };
  if (!wait_until(ready, Milliseconds{60'000})) throw std::runtime_error("PostgreSQL did not start:\n" + log());
}

void PgCluster::stop() {
  process_.signal(SIGCONT);
  process_.signal(SIGINT);
  if (process_.running() && !process_.wait(Milliseconds{60'000}))
    throw std::runtime_error("PostgreSQL did not stop:\n" + log());
}

void PgCluster::kill9() { process_.kill9(); }

void PgCluster::kill_backends() {
  for (const pid_t child : children_of(process_.pid())) {
    if (is_client_backend(child)) ::kill(child, SIGKILL);
  }
}

void PgCluster::pause(bool on) {
  const int number = on ? SIGSTOP : SIGCONT;
  process_.signal(number);
  for (const pid_t child : children_of(process_.pid())) ::kill(child, number);
}

void PgCluster::promote() {
  admin("postgres").must("SELECT pg_promote(true, 60)");
  if (!wait_until([this] { return exec("SELECT pg_is_in_recovery()", "postgres").value() == "f"; },
                  Milliseconds{60'000})) {
    throw std::runtime_error("the replica did not become a primary:\n" + log());
  }
}

void PgCluster::wait_for_replay_of(PgCluster& primary) {
  const std::string target = primary.exec("SELECT pg_current_wal_lsn()", "postgres").value();
  Connection connection = admin("postgres");
  const std::string test = "SELECT coalesce(pg_last_wal_replay_lsn() >= '" + target + "', false)";
  if (!wait_until([&] { return connection.must(test).value() == "t"; }, Milliseconds{30'000})) {
    throw std::runtime_error("the replica does not follow:\n" + log());
  }
}

std::string PgCluster::log() const { return read_file(temp_.path() / "server.log"); }

Connection PgCluster::admin(const std::string& database) const {
  return Connection::open(
      {{"host", data_.string()}, {"port", std::to_string(port_)}, {"user", "postgres"}, {"dbname", database}});
}

Connection PgCluster::connect(const std::string& user, const std::string& database) const {
  return Connection::open(
      {{"port", std::to_string(port_)}, {"user", user}, {"password", user + "-secret"}, {"dbname", database}});
}

QueryResult PgCluster::exec(const std::string& sql, const std::string& database) const {
  return admin(database).must(sql);
}

}  // namespace pgweir::support
