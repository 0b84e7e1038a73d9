// A COPY into t(a, k, c) with a hash key k over two shards, and what the router made of an input.
#pragma once

#include <string>
#include <vector>

#include "routing/copy/copy_router.h"

namespace pgweir::routing::testing {

struct Collected : CopySink {
  std::vector<std::string> shards = std::vector<std::string>(2);
  std::vector<std::string> bursts;  // "shard:rows" as they came
  void rows(ShardId shard, std::string_view rows) override {
    shards[shard.value].append(rows);
    bursts.push_back(std::to_string(shard.value) + ":" + std::string(rows));
  }
};

// Keys below 100 live on shard 0, the others on shard 1.
inline std::shared_ptr<const Placement> placement() {
  config::Cluster cluster;
  for (const char* name : {"zero", "one"}) {
    config::Shard shard;
    shard.name = name;
    cluster.shards.push_back(shard);
  }
  config::Placement range;
  range.name = "by_k";
  range.type = config::PlacementType::Range;
  range.key_type = config::KeyType::Int;
  range.ranges = {{std::nullopt, "100", {"zero", ""}}, {"100", "1000", {"one", ""}}};
  cluster.placements = {range};
  return *Placement::compile(cluster, "by_k");
}

inline std::shared_ptr<CopyPlan> plan(const CopyOptions& options) {
  auto plan = std::make_shared<CopyPlan>();
  plan->table = "t";
  plan->columns = {"a", "k", "c"};
  plan->shard_statement = "COPY public.t (a, k, c) FROM STDIN";
  plan->options = options;
  plan->key = {{1, 23, -1}};
  plan->placement = placement();
  return plan;
}

struct Outcome {
  std::vector<std::string> shards;
  std::string error;  // "sqlstate message (context)"
  bool operator==(const Outcome&) const = default;
};

inline std::string show(const SqlError& error) {
  return error.sqlstate + " " + error.message + " (" + (error.fields.empty() ? std::string() : error.fields.substr(1, error.fields.size() - 2)) + ")";
}

// Feeds the pieces one by one, each in memory of its own so that a kept view would be caught.
inline Outcome route(std::shared_ptr<const CopyPlan> plan, const std::vector<std::string>& pieces) {
  CopyRouter router(std::move(plan), LiteralContext{});
  Collected sink;
  std::optional<SqlError> error;
  for (const auto& piece : pieces) {
    const std::vector<char> memory(piece.begin(), piece.end());
    if (!error) error = router.feed({memory.data(), memory.size()}, sink);
  }
  if (!error) error = router.finish(sink);
  return {sink.shards, error ? show(*error) : ""};
}

// In one piece; cut in two at each byte; byte by byte. All must give the same.
inline std::vector<Outcome> route_cut_everywhere(const std::shared_ptr<const CopyPlan>& plan,
                                                 const std::string& input) {
  std::vector<Outcome> outcomes = {route(plan, {input})};
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    outcomes.push_back(route(plan, {input.substr(0, cut), input.substr(cut)}));
  }
  std::vector<std::string> bytes;
  for (const char c : input) bytes.emplace_back(1, c);
  outcomes.push_back(route(plan, bytes));
  return outcomes;
}

}  // namespace pgweir::routing::testing
