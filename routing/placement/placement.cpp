#include "routing/placement/placement.h"

#include <algorithm>

#include "routing/placement/constraint.h"
#include "routing/placement/level.h"

namespace pgweir::routing {
namespace {

using config::KeyType;

// A placement nested deeper than any table has key columns must be a loop.
constexpr std::size_t kMaxLevels = 8;

SqlError config_error(std::string message) { return SqlError{"F0000", std::move(message), {}, {}, {}, {}}; }

// Builds the tree of levels below one placement of the configuration.
class Compiler {
 public:
  explicit Compiler(const config::Cluster& cluster) : cluster_(cluster) {}

  Result<std::shared_ptr<const Level>> build(const std::string& name, std::size_t depth) {
    if (depth >= kMaxLevels) return config_error("placement \"" + name + "\" is nested too deeply or in a circle");
    const config::Placement* placement = nullptr;
    for (const auto& p : cluster_.placements) {
      if (p.name == name) placement = &p;
    }
    if (!placement) return config_error("placement \"" + name + "\" does not exist");
    if (depth == key_types_.size()) key_types_.push_back(placement->key_type);
    if (key_types_[depth] != placement->key_type) {
      return config_error("placement \"" + name + "\": branches of one level must have one key type");
    }
    BranchNumbers number;
    auto level = make(*placement, number);
    if (!level.ok()) return level.error();
    (*level)->name = name;
    (*level)->key_type = placement->key_type;
    for (const auto& branch : number.branches()) {
      if (auto error = add_target(**level, branch, depth)) return *error;
    }
    return std::shared_ptr<const Level>(std::move(*level));
  }

  std::vector<KeyType> key_types() && { return std::move(key_types_); }

 private:
  static Result<std::shared_ptr<Level>> make(const config::Placement& placement, BranchNumbers& number) {
    switch (placement.type) {
      case config::PlacementType::Hash: return make_hash_level(placement, number);
      case config::PlacementType::List: return make_list_level(placement, number);
      case config::PlacementType::Range: break;
    }
    return make_range_level(placement, number);
  }

  std::optional<SqlError> add_target(Level& level, const config::Branch& branch, std::size_t depth) {
    Target target;
    if (!branch.placement.empty()) {
      auto next = build(branch.placement, depth + 1);
      if (!next.ok()) return next.error();
      target.next = std::move(*next);
      level.reach = level.reach | target.next->reach;
      level.depth = std::max(level.depth, target.next->depth + 1);
    } else {
      const auto at = std::find_if(cluster_.shards.begin(), cluster_.shards.end(),
                                   [&](const config::Shard& shard) { return shard.name == branch.shard; });
      if (at == cluster_.shards.end()) {
        return config_error("placement \"" + level.name + "\": shard \"" + branch.shard + "\" does not exist");
      }
      target.shard = ShardId{static_cast<std::uint16_t>(at - cluster_.shards.begin())};
      level.reach.add(target.shard);
    }
    level.targets.push_back(std::move(target));
    return std::nullopt;
  }

  const config::Cluster& cluster_;
  std::vector<KeyType> key_types_;  // by level
};

class Tree final : public Placement {
 public:
  Tree(std::shared_ptr<const Level> root, std::vector<KeyType> key_types)
      : root_(std::move(root)), key_types_(std::move(key_types)) {}

  std::size_t levels() const override { return key_types_.size(); }
  KeyType key_type(std::size_t level) const override { return key_types_[level]; }
  ShardSet reach() const override { return root_->reach; }

  Result<ShardId> shard_for(std::span<const KeyValue> key) const override {
    const Level* level = root_.get();
    for (std::size_t i = 0;; ++i) {
      if (key[i].null) return null_refusal(*level);
      const auto chosen = level->choose(key[i]);
      if (!chosen) return unmapped_refusal(*level);
      const Target& target = level->targets[*chosen];
      if (!target.next) return target.shard;
      level = target.next.get();
    }
  }

  ShardSet shards_for(std::span<const KeyConstraint> constraints) const override {
    // Also the columns of levels that a short branch does not reach can make the whole a contradiction.
    if (std::any_of(constraints.begin(), constraints.end(), admits_nothing)) return {};
    if (std::all_of(constraints.begin(), constraints.end(), [](const auto& c) { return c.unconstrained(); })) {
      return root_->reach;
    }
    ShardSet found;
    collect(*root_, constraints, found);
    return found;
  }

  std::optional<unsigned> bucket(std::size_t level, const KeyValue& value) const override {
    return bucket_at(*root_, level, value);
  }

 private:
  static SqlError null_refusal(const Level& level) {
    return refuse("key_null", "NULL in a key column: placement \"" + level.name + "\" has no shard for it",
                  "Give every key column a value.");
  }
  static SqlError unmapped_refusal(const Level& level) {
    return refuse("key_unmapped", "placement \"" + level.name + "\" maps this key value to no shard",
                  "Add an entry, a range or a default for it to the placement.");
  }

  static void collect(const Level& level, std::span<const KeyConstraint> constraints, ShardSet& found) {
    const KeyConstraint& constraint = constraints.front();
    const auto follow = [&](const Target& target) {
      if (target.next) collect(*target.next, constraints.subspan(1), found);
      else found.add(target.shard);
    };
    if (constraint.values) {
      std::vector<bool> seen(level.targets.size(), false);  // many values, few branches: each is followed once
      for (const KeyValue& value : *constraint.values) {
        if (!admits(constraint, value)) continue;
        const auto chosen = level.choose(value);
        if (!chosen || seen[*chosen]) continue;
        seen[*chosen] = true;
        follow(level.targets[*chosen]);
      }
    } else if (const auto value = only_value(constraint)) {
      if (const auto chosen = level.choose(*value)) follow(level.targets[*chosen]);
    } else {
      for (const std::uint32_t target : level.candidates(constraint)) follow(level.targets[target]);
    }
  }

  // The bucket in the first hash level at this depth: levels of one placement share it wherever they are used.
  static std::optional<unsigned> bucket_at(const Level& level, std::size_t depth, const KeyValue& value) {
    if (depth == 0) return level.bucket(value);
    for (const Target& target : level.targets) {
      if (!target.next) continue;
      if (const auto found = bucket_at(*target.next, depth - 1, value)) return found;
    }
    return std::nullopt;
  }

  std::shared_ptr<const Level> root_;
  std::vector<KeyType> key_types_;
};

}  // namespace

Result<std::shared_ptr<const Placement>> Placement::compile(const config::Cluster& cluster, const std::string& name) {
  Compiler compiler(cluster);
  auto root = compiler.build(name, 0);
  if (!root.ok()) return root.error();
  return std::shared_ptr<const Placement>(std::make_shared<Tree>(std::move(*root), std::move(compiler).key_types()));
}

}  // namespace pgweir::routing
