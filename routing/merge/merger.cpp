#include "routing/merge/merger.h"

#include "routing/merge/aggregate.h"
#include "routing/merge/comparator.h"
#include "routing/merge/concat_merger.h"
#include "routing/merge/group_merger.h"
#include "routing/merge/ordered_merger.h"

namespace pgweir::routing {
namespace {

// What the parts of a merger are built from.
struct Inputs {
  const MergePlan& plan;
  std::span<const MergeColumn> hidden;
  std::span<const MergeColumn> outputs;
  const MergeLimits& limits;
  const MergeTypes& types;
  std::size_t visible() const { return outputs.size(); }
};

SqlError disagree(std::string what) {
  return SqlError{"XX000", "merge plan does not fit the rows: " + std::move(what), {}, {}, {}, {}};
}

Result<Unit> check_columns(const MergePlan& plan, std::span<const MergeColumn> columns,
                           std::span<const MergeColumn> outputs) {
  if (columns.size() < plan.hidden || columns.size() - plan.hidden != outputs.size())
    return disagree("a shard's row has " + std::to_string(columns.size()) + " columns, " +
                    std::to_string(outputs.size()) + " visible and " + std::to_string(plan.hidden) +
                    " hidden ones are expected");
  for (std::size_t i = outputs.size(); i < columns.size(); ++i)
    if (!columns[i].binary) return disagree("a hidden column is not binary");
  std::vector<bool> computed(outputs.size(), false);
  if (plan.kind == MergePlan::Kind::Group)
    for (const auto& aggregate : plan.aggregates) {
      bool extreme = aggregate.function == AggregateFunction::Min || aggregate.function == AggregateFunction::Max;
      if (!extreme && aggregate.visible >= 0 && static_cast<std::size_t>(aggregate.visible) < computed.size())
        computed[static_cast<std::size_t>(aggregate.visible)] = true;
    }
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (!computed[i] && columns[i].binary != outputs[i].binary)
      return disagree("a visible column is not in the client's format");
  return Unit{};
}

Result<KeyType> order_type(const Inputs& in, const MergeKey& key) {
  if (key.index >= in.hidden.size()) return disagree("no such hidden column");
  return KeyType::create(in.hidden[key.index].type, sorts_bytewise(in.plan, key.index, key.bytewise_text, in.types),
                         in.types);
}

// Equality needs a deterministic collation only; plan/ proves it, and a known collation is checked again.
Result<KeyType> group_type(const Inputs& in, std::uint16_t column) {
  if (column >= in.hidden.size()) return disagree("no such hidden column");
  const auto& collations = in.plan.hidden_collations;
  Oid collation = column < collations.size() ? collations[column] : 0;
  return KeyType::create(in.hidden[column].type, collation == 0 || in.types.deterministic(collation), in.types);
}

Result<std::unique_ptr<Merger>> create_ordered(const Inputs& in, std::size_t columns, std::size_t shards) {
  std::vector<OrderedMerger::Key> keys;
  for (const auto& key : in.plan.order) {
    if (key.source != MergeKey::Source::Hidden) return disagree("an ordered merge has no aggregates");
    auto type = order_type(in, key);
    if (!type) return type.error();
    keys.push_back({in.visible() + key.index, std::move(*type), {key.descending, key.nulls_first}});
  }
  return std::unique_ptr<Merger>(std::make_unique<OrderedMerger>(in.plan, std::move(keys), columns, shards, in.limits));
}

Result<std::unique_ptr<Merger>> create_group(const Inputs& in, std::size_t columns, std::size_t shards) {
  GroupMerger::Parts parts;
  for (auto column : in.plan.group_by) {
    auto type = group_type(in, column);
    if (!type) return type.error();
    parts.keys.push_back({in.visible() + column, std::move(*type)});
  }
  std::vector<bool> ordered(in.plan.aggregates.size(), false);
  for (const auto& key : in.plan.order) {
    KeyOrder direction{key.descending, key.nulls_first};
    if (key.source == MergeKey::Source::Aggregate) {
      if (key.index >= ordered.size()) return disagree("no such aggregate");
      ordered[key.index] = true;
      parts.order.push_back({true, key.index, std::nullopt, direction});
      continue;
    }
    auto type = order_type(in, key);
    if (!type) return type.error();
    parts.order.push_back({false, in.visible() + key.index, std::move(*type), direction});
  }
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    auto aggregate = Aggregate::create(in.plan, in.plan.aggregates[i], in.hidden, in.outputs, ordered[i],
                                       in.limits.extra_float_digits, in.types);
    if (!aggregate) return aggregate.error();
    parts.aggregates.push_back(std::move(*aggregate));
  }
  auto merger = std::make_unique<GroupMerger>(in.plan, std::move(parts), columns, shards, in.limits);
  if (shards == 0) {
    auto completed = merger->complete();
    if (!completed) return completed.error();
  }
  return std::unique_ptr<Merger>(std::move(merger));
}

}  // namespace

Result<std::unique_ptr<Merger>> Merger::create(const MergePlan& plan, std::span<const MergeColumn> columns,
                                               std::span<const MergeColumn> outputs, std::size_t shards,
                                               MergeLimits limits, const MergeTypes& types) {
  auto fits = check_columns(plan, columns, outputs);
  if (!fits) return fits.error();
  Inputs in{plan, columns.subspan(outputs.size()), outputs, limits, types};
  switch (plan.kind) {
    case MergePlan::Kind::Ordered:
      return create_ordered(in, columns.size(), shards);
    case MergePlan::Kind::Group:
      return create_group(in, columns.size(), shards);
    case MergePlan::Kind::Concat:
    case MergePlan::Kind::First:
      break;
  }
  bool first_only = plan.kind == MergePlan::Kind::First;
  return std::unique_ptr<Merger>(std::make_unique<ConcatMerger>(plan, columns.size(), shards, first_only));
}

}  // namespace pgweir::routing
