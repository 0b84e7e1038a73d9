// One level of a placement: its branches and how a value chooses among them. Immutable; private to placement/.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "routing/placement/placement.h"

namespace pgweir::routing {

struct Level;

// Where a branch leads: a shard, or the next level.
struct Target {
  ShardId shard;
  std::shared_ptr<const Level> next;  // null: a shard
};

struct Level {
  std::string name;
  config::KeyType key_type = config::KeyType::BigInt;
  std::vector<Target> targets;        // of all branches; never empty
  ShardSet reach;                     // over all targets
  std::size_t depth = 1;              // levels from here down

  virtual ~Level() = default;
  // Index into targets of a value that is not NULL; nullopt: the value is mapped nowhere.
  virtual std::optional<std::uint32_t> choose(const KeyValue& value) const = 0;
  // Indexes of targets that a row within the bounds can lead to. Not called when values are known.
  virtual std::vector<std::uint32_t> candidates(const KeyConstraint& bounds) const = 0;
  virtual std::optional<unsigned> bucket(const KeyValue&) const { return std::nullopt; }
};

// The level that placement `name` describes, without its further levels: `leads_to` turns its branches into indexes of
// Level::targets. An error names the key literal that cannot be read.
class BranchNumbers {
 public:
  std::uint32_t operator()(const config::Branch& branch);
  const std::vector<config::Branch>& branches() const { return branches_; }

 private:
  std::vector<config::Branch> branches_;
};

Result<std::shared_ptr<Level>> make_hash_level(const config::Placement& placement, BranchNumbers& number);
Result<std::shared_ptr<Level>> make_list_level(const config::Placement& placement, BranchNumbers& number);
Result<std::shared_ptr<Level>> make_range_level(const config::Placement& placement, BranchNumbers& number);

// A key literal of the configuration: read under UTC and "ISO, MDY". `what` says where it stands, for the error.
Result<KeyValue> configured_key(const config::Placement& placement, const std::string& text, const char* what);

}  // namespace pgweir::routing
