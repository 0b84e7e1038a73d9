// A compiled placement: key values to exactly one shard, and key constraints to the set of shards that can hold a
// matching row (a superset, never less). Immutable after compile(); thread-safe to read.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "routing/placement/key_value.h"
#include "routing/types.h"

namespace pgweir::routing {

struct KeyBound {
  KeyValue value;
  bool inclusive = true;
};

// What is known of one level's key column. Default: nothing (any value).
struct KeyConstraint {
  // Set: the column equals one of these (an empty vector: contradiction, no row can match).
  std::optional<std::vector<KeyValue>> values;
  std::optional<KeyBound> lower, upper;
  // Intersects with another constraint on the same column.
  void intersect(const KeyConstraint& other);
  bool unconstrained() const { return !values && !lower && !upper; }
};

class Placement {
 public:
  // `name` is one of cluster.placements; the configuration has been validated, so this only fails on a key literal of
  // the configuration that cannot be read as the level's key type (the message says which).
  static Result<std::shared_ptr<const Placement>> compile(const config::Cluster& cluster, const std::string& name);
  virtual ~Placement() = default;

  virtual std::size_t levels() const = 0;                          // deepest path; >= 1
  virtual config::KeyType key_type(std::size_t level) const = 0;
  // The shard of one row; key.size() == levels(). Refusal: value with no entry (reason "key_unmapped"), NULL
  // ("key_null").
  virtual Result<ShardId> shard_for(std::span<const KeyValue> key) const = 0;
  // Shards that can hold rows satisfying all constraints; constraints.size() == levels().
  virtual ShardSet shards_for(std::span<const KeyConstraint> constraints) const = 0;
  // All shards that any key leads to.
  virtual ShardSet reach() const = 0;
  // For hash levels: the bucket of a value; for explaining a route. nullopt for other levels.
  virtual std::optional<unsigned> bucket(std::size_t level, const KeyValue& value) const = 0;
};

}  // namespace pgweir::routing
