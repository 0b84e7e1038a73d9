#include "tests/faults/load.h"

#include <gtest/gtest.h>

namespace pgweir::support {
namespace {

std::int64_t first_id(int number) {
  static std::atomic<int> generation{0};  // ids of one test process never repeat
  return (static_cast<std::int64_t>(++generation) * 1'000 + number) * 10'000'000;
}

}  // namespace

Writer::Writer(Parameters parameters, std::string region, int number)
    : parameters_(std::move(parameters)), region_(std::move(region)), number_(number), next_(first_id(number)) {
  thread_ = std::thread([this] { run(); });
}

void Writer::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

std::string Writer::last_failure() const {
  const std::lock_guard lock(mutex_);
  return last_failure_;
}

std::vector<std::int64_t> Writer::ids() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

void Writer::run() {
  while (!stopping_) {
    auto [connection, error] = Connection::try_open(parameters_);
    if (!connection) {
      ++failures_;
      const std::lock_guard lock(mutex_);
      last_failure_ = error;
      continue;
    }
    if (number_ % 4 == 2 && !checked(connection->prepare("put", "INSERT INTO ledger (region, id) VALUES ($1, $2)")))
      continue;
    while (!stopping_ && connection->alive()) {
      const bool written = write(*connection);
      if (!written && connection->transaction_status() != PQTRANS_IDLE) connection->exec("ROLLBACK");
    }
  }
}

bool Writer::checked(const QueryResult& result) {
  if (result.ok()) return true;
  ++failures_;
  const std::lock_guard lock(mutex_);
  last_failure_ = result.sqlstate() + " " + result.error->message;
  return false;
}

bool Writer::write(Connection& connection) {
  const std::int64_t first = ++next_;
  std::int64_t last = first;
  const std::string id = std::to_string(first);
  bool done = false;
  switch (number_ % 4) {
    case 0:
      done = checked(connection.exec("INSERT INTO ledger (region, id) VALUES ('" + region_ + "', " + id + ")"));
      break;
    case 1:
      done = checked(connection.params("INSERT INTO ledger (region, id) VALUES ($1, $2)", {region_, id}, {25, 20}));
      break;
    case 2:
      done = checked(connection.execute("put", {region_, id}));
      break;
    default: {
      last = ++next_;
      const QueryResult begun = connection.exec("BEGIN");
      done = checked(begun) &&
             checked(connection.exec("INSERT INTO ledger (region, id) VALUES ('" + region_ + "', " + id + ")")) &&
             checked(connection.params("INSERT INTO ledger (region, id) VALUES ($1, $2)",
                                       {region_, std::to_string(last)}, {25, 20}));
      if (done) {
        const QueryResult committed = connection.exec("COMMIT");
        done = checked(committed) && committed.tag == "COMMIT";
      }
    }
  }
  if (!done) return false;
  const std::lock_guard lock(mutex_);
  for (std::int64_t one = first; one <= last; ++one) acknowledged_.push_back(one);
  ++count_;
  return true;
}

Load::Load(const Parameters& parameters, const std::vector<std::string>& regions, int clients) {
  for (int i = 0; i < clients; ++i)
    // Regions change slower than manners, so that every region has all of them.
    writers_.push_back(
        std::make_unique<Writer>(parameters, regions[static_cast<std::size_t>(i / 4) % regions.size()], i));
}

unsigned Load::acknowledged(const std::string& region) const {
  unsigned sum = 0;
  for (const auto& writer : writers_)
    if (writer->region() == region) sum += writer->acknowledged();
  return sum;
}

unsigned Load::failures(const std::string& region) const {
  unsigned sum = 0;
  for (const auto& writer : writers_)
    if (writer->region() == region) sum += writer->failures();
  return sum;
}

std::string Load::last_failure(const std::string& region) const {
  for (const auto& writer : writers_)
    if (writer->region() == region && writer->failures() != 0) return writer->last_failure();
  return "";
}

void Load::stop() {
  for (auto& writer : writers_) writer->stop();
}

void Load::expect_all_there(const std::string& region, PgCluster& server, const std::vector<std::int64_t>& more) const {
  std::multiset<std::int64_t> there;
  for (const auto& row : server.exec("SELECT id FROM ledger WHERE region = '" + region + "'").rows)
    there.insert(std::stoll(row[0].value()));
  std::size_t acknowledged = 0;
  std::vector<std::int64_t> missing;
  const auto look_for = [&](const std::vector<std::int64_t>& ids) {
    for (const std::int64_t id : ids) {
      ++acknowledged;
      if (there.count(id) == 0) missing.push_back(id);
    }
  };
  for (const auto& writer : writers_)
    if (writer->region() == region) look_for(writer->ids());
  look_for(more);
  EXPECT_GT(acknowledged, 0u) << "nothing was written to " << region;
  EXPECT_TRUE(missing.empty()) << missing.size() << " of " << acknowledged << " acknowledged rows are missing in "
                               << region << ", the first: " << missing.front();
  std::size_t twice = 0;
  for (auto at = there.begin(); at != there.end(); at = there.upper_bound(*at)) twice += there.count(*at) > 1 ? 1 : 0;
  EXPECT_EQ(twice, 0u) << "ids that are there more than once in " << region;
}

}  // namespace pgweir::support
