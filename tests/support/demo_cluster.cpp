#include "tests/support/demo_cluster.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace pgweir::support {
namespace {

namespace fs = std::filesystem;

std::string library(const char* name) { return std::string(PGWEIR_SOURCE_DIR) + "/scripts/lib/" + name; }

void replace(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// An absent replica takes its line with it.
void replace_replica(std::string& text, const std::string& mark, const PgCluster* replica) {
  if (replica != nullptr) return replace(text, mark, replica->endpoint());
  const std::size_t at = text.find("replicas = [\"" + mark);
  if (at != std::string::npos) text.erase(at, text.find('\n', at) - at);
}

// Made anew when the generator changes: its text is part of the directory's name.
fs::path data_directory(double scale) {
  const std::string generator = library("demo-data.py");
  const std::size_t version = std::hash<std::string>{}(read_file(generator));
  std::ostringstream name;
  name << "demo-" << version << "-" << scale;
  fs::path directory = cache_directory() / name.str();
  if (!fs::exists(directory)) {
    const fs::path work = directory.string() + "." + std::to_string(::getpid());
    std::ostringstream text;
    text << scale;
    run({.command = {"python3", generator, work.string(), text.str()}});
    std::error_code lost_the_race;
    fs::rename(work, directory, lost_the_race);
    if (lost_the_race) fs::remove_all(work);
  }
  return directory;
}

}  // namespace

DemoCluster::DemoCluster(const Options& options)
    : eu1_(std::make_unique<PgCluster>(options.server)),
      us1_(std::make_unique<PgCluster>(options.server)),
      archive_(std::make_unique<PgCluster>(options.server)) {
  if (options.replicas) {
    eu1_replica_ = eu1_->make_replica();
    us1_replica_ = us1_->make_replica();
  }
}

void DemoCluster::wait_for_replicas() {
  if (eu1_replica_) eu1_replica_->wait_for_replay_of(*eu1_);
  if (us1_replica_) us1_replica_->wait_for_replay_of(*us1_);
}

std::string DemoCluster::config() const {
  std::string text = read_file(library("demo-cluster.toml"));
  replace(text, "@EU1@", eu1_->endpoint());
  replace(text, "@US1@", us1_->endpoint());
  replace(text, "@ARCHIVE@", archive_->endpoint());
  replace_replica(text, "@EU1_REPLICA@", eu1_replica_.get());
  replace_replica(text, "@US1_REPLICA@", us1_replica_.get());
  return text;
}

std::string DemoCluster::config(const std::string& reads) const {
  std::string text = config();
  replace(text, "reads = \"primary\"", reads);
  return text;
}

const std::vector<std::string>& demo_tables() {
  static const std::vector<std::string> names{"tenants", "users",   "federation_identities", "activities",
                                              "content", "courses", "enrollments",           "jobs"};
  return names;
}

void create_demo_tables(Connection& connection) {
  std::istringstream lines(read_file(library("demo-schema.sql")));
  std::string statement, line;
  while (std::getline(lines, line)) {
    if (line.starts_with("--")) continue;
    statement += line + "\n";
    if (!line.ends_with(";")) continue;
    connection.must(statement);
    statement.clear();
  }
}

std::string demo_rows(const std::string& table, double scale) {
  return read_file(data_directory(scale) / (table + ".copy"));
}

std::size_t load_demo_rows(Connection& connection, double scale) {
  std::size_t rows = 0;
  for (const auto& table : demo_tables()) {
    const std::string data = demo_rows(table, scale);
    const QueryResult result = connection.copy_in("COPY " + table + " FROM STDIN", data);
    if (!result.ok())
      throw std::runtime_error("COPY " + table + ": " + result.sqlstate() + " " + result.error->message);
    rows += static_cast<std::size_t>(std::count(data.begin(), data.end(), '\n'));
  }
  return rows;
}

}  // namespace pgweir::support
