#include <algorithm>
#include <map>
#include <set>

#include "config/names.h"
#include "config/read.h"
#include "config/rules.h"
#include "config/suggest.h"

namespace pgweir::config {
namespace {

struct PlacedBranch {
  Branch branch;
  Place place;
};

// Every branch that a placement's text names, with its place, in the order of the file.
std::vector<PlacedBranch> branches_of(const RuleContext& context, const Cluster& cluster, const std::string& name) {
  std::vector<PlacedBranch> found;
  const auto add = [&](const Node& node) { found.push_back({branch_from(node), node.place}); };
  const auto at = [&](const char* key) {
    return context.document.find({"cluster", cluster.name, "placement", name, key});
  };
  if (const Node* branches = at("branches")) {
    for (const Node& item : branches->items) add(item);
  }
  for (const char* key : {"map", "pins"}) {
    for (const Member& member : table_or_empty(at(key)).members) add(member.value);
  }
  if (const Node* fallback = at("default")) add(*fallback);
  for (const Node* range : tables_of(at("ranges"))) {
    if (const Member* member = range->find("branch")) add(member->value);
  }
  return found;
}

const Placement* find_placement(const Cluster& cluster, const std::string& name) {
  for (const Placement& placement : cluster.placements) {
    if (placement.name == name) return &placement;
  }
  return nullptr;
}

void check_branch(const RuleContext& context, const Cluster& cluster, const PlacedBranch& placed) {
  const Branch& branch = placed.branch;
  std::vector<std::string> shards, placements;
  for (const Shard& shard : cluster.shards) shards.push_back(shard.name);
  for (const Placement& placement : cluster.placements) placements.push_back(placement.name);
  const auto missing = [](const std::vector<std::string>& names, const std::string& name) {
    return !name.empty() && std::find(names.begin(), names.end(), name) == names.end();
  };
  if (missing(shards, branch.shard)) {
    const bool placement = !missing(placements, branch.shard);
    context.findings.error(placed.place, "the cluster \"" + cluster.name + "\" has no shard \"" + branch.shard + "\"",
                           placement ? "a placement is written { placement = \"" + branch.shard + "\" }"
                                     : suggest(branch.shard, shards));
  }
  if (missing(placements, branch.placement)) {
    context.findings.error(placed.place,
                           "the cluster \"" + cluster.name + "\" has no placement \"" + branch.placement + "\"",
                           suggest(branch.placement, placements));
  }
}

// Walks the placements of one cluster depth first; each is finished once.
class Nesting {
 public:
  Nesting(const RuleContext& context, const Cluster& cluster) : context_(context), cluster_(cluster) {}

  void check(const Placement& placement) { visit(placement); }

 private:
  // The key types of the levels below and including this one; empty where there is a cycle.
  std::vector<KeyType> visit(const Placement& placement) {
    if (const auto done = done_.find(placement.name); done != done_.end()) return done->second;
    open_.insert(placement.name);
    std::vector<KeyType> types = {placement.key_type};
    for (const PlacedBranch& placed : branches_of(context_, cluster_, placement.name)) {
      const Placement* next = find_placement(cluster_, placed.branch.placement);
      if (!next) continue;
      if (open_.contains(next->name)) {
        context_.findings.error(placed.place, "the placement \"" + next->name + "\" leads back to itself here");
        continue;
      }
      merge(types, visit(*next), placed);
    }
    open_.erase(placement.name);
    if (types.size() > kMaxPlacementLevels) {
      context_.findings.error(
          context_.document.key_place({"cluster", cluster_.name, "placement", placement.name}),
          "the placement \"" + placement.name + "\" is more than " + std::to_string(kMaxPlacementLevels) +
              " levels deep");
      // Told once, at the innermost placement that is too deep: outer ones see nothing below it.
      types.clear();
    }
    return done_[placement.name] = types;
  }

  // A table has one column for each level, so all branches must agree on its type.
  void merge(std::vector<KeyType>& types, const std::vector<KeyType>& below, const PlacedBranch& placed) {
    for (std::size_t i = 0; i < below.size(); ++i) {
      if (i + 1 == types.size()) {
        types.push_back(below[i]);
      } else if (types[i + 1] != below[i]) {
        context_.findings.error(placed.place, "level " + std::to_string(i + 2) + " has key_type \"" +
                                                  std::string(to_word(below[i])) + "\" here and \"" +
                                                  std::string(to_word(types[i + 1])) + "\" in a branch above",
                                "one key column serves all branches of a level");
        return;
      }
    }
  }

  const RuleContext& context_;
  const Cluster& cluster_;
  std::map<std::string, std::vector<KeyType>> done_;
  std::set<std::string> open_;
};

// The branches of the typed placement, for level_types().
std::set<std::string> inner_placements(const Placement& placement) {
  std::set<std::string> names;
  for (const BucketRange& range : placement.bucket_map) names.insert(range.branch.placement);
  for (const ListEntry& entry : placement.pins) names.insert(entry.branch.placement);
  for (const ListEntry& entry : placement.entries) names.insert(entry.branch.placement);
  if (placement.default_branch) names.insert(placement.default_branch->placement);
  for (const RangeEntry& entry : placement.ranges) names.insert(entry.branch.placement);
  names.erase("");
  return names;
}

}  // namespace

std::vector<KeyType> level_types(const Cluster& cluster, const std::string& placement) {
  std::vector<KeyType> types;
  std::set<std::string> level = {placement};
  while (!level.empty()) {
    // More levels than allowed: too deep, or a cycle.
    if (types.size() == kMaxPlacementLevels) return {};
    std::set<std::string> below;
    for (const std::string& name : level) {
      const Placement* found = find_placement(cluster, name);
      if (!found) return {};
      if (name == *level.begin()) types.push_back(found->key_type);
      below.merge(inner_placements(*found));
    }
    level = std::move(below);
  }
  return types;
}

void rule_branches_exist(const RuleContext& context) {
  for (const Cluster& cluster : context.config.clusters) {
    for (const Placement& placement : cluster.placements) {
      for (const PlacedBranch& placed : branches_of(context, cluster, placement.name)) {
        check_branch(context, cluster, placed);
      }
    }
  }
}

void rule_placements_nest(const RuleContext& context) {
  for (const Cluster& cluster : context.config.clusters) {
    Nesting nesting(context, cluster);
    for (const Placement& placement : cluster.placements) nesting.check(placement);
  }
}

}  // namespace pgweir::config
