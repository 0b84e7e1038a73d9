// Do the tables hold the same rows and have the same shape on both sides?
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/connection.h"

namespace pgweir::oracle {

// Where the rows of a table of the configuration live, by index of the shard.
struct TableHome {
  enum class Kind { Sharded, Reference, Local } kind = Kind::Sharded;
  std::set<std::size_t> shards;  // on these the table must exist when it exists at all; Local: exactly one
};

// Talks to the servers directly, never through the proxy. One "shard" compares two plain servers.
class StateCheck {
 public:
  StateCheck(support::Connection expected, std::vector<support::Connection> shards,
             std::map<std::string, TableHome> tables);

  // Compares the known tables among `names`: count and checksum (shards summed; reference tables the same on each
  // shard; local ones only on theirs), columns, constraints and indexes. Returns what differs.
  std::optional<std::string> difference(const std::set<std::string>& names);
  // All known tables; and no other table exists on any side.
  std::optional<std::string> difference();

 private:
  struct TableState {
    bool exists = false;
    std::string shape;
    long long rows = 0, checksum = 0;
  };
  static TableState state_of(support::Connection& server, const std::string& table);
  std::optional<std::string> compare(const std::string& table, const TableHome& home);
  std::optional<std::string> unknown_tables();

  support::Connection expected_;
  std::vector<support::Connection> shards_;
  std::map<std::string, TableHome> tables_;
};

}  // namespace pgweir::oracle
