// Clients that write rows through the proxy and remember what was acknowledged, and the proof afterwards.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/connection.h"
#include "tests/support/pg_cluster.h"

namespace pgweir::support {

// One writer: unique ids into ledger(region, id), one at a time, in one of four manners (simple, extended, prepared, a
// block of two rows). Reconnects when its connection breaks.
class Writer {
 public:
  Writer(Parameters parameters, std::string region, int number);
  ~Writer() { stop(); }
  void stop();  // after the statement under way

  const std::string& region() const { return region_; }
  unsigned acknowledged() const { return count_; }
  unsigned failures() const { return failures_; }
  std::string last_failure() const;
  std::vector<std::int64_t> ids() const;  // acknowledged; after stop()

 private:
  void run();
  bool write(Connection& connection);
  bool checked(const QueryResult& result);
  const Parameters parameters_;
  const std::string region_;
  const int number_;
  std::int64_t next_;
  std::atomic<bool> stopping_{false};
  std::atomic<unsigned> count_{0}, failures_{0};
  mutable std::mutex mutex_;
  std::string last_failure_;
  std::vector<std::int64_t> acknowledged_;
  std::thread thread_;
};

// Several writers, spread over the regions given.
class Load {
 public:
  Load(const Parameters& parameters, const std::vector<std::string>& regions, int clients);
  unsigned acknowledged(const std::string& region) const;
  unsigned failures(const std::string& region) const;
  std::string last_failure(const std::string& region) const;
  void stop();
  // After stop(): every acknowledged id of the region is in the table of this server once, and no id is twice; prints
  // what is wrong.
  void expect_all_there(const std::string& region, PgCluster& server, const std::vector<std::int64_t>& more = {}) const;

 private:
  std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace pgweir::support
