// Merges partial groups: MergePlan::Kind::Group. All groups are held, within a byte budget, until every stream has
// finished; then they are sorted if the plan says so and given out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "routing/merge/aggregate.h"
#include "routing/merge/comparator.h"
#include "routing/merge/group_table.h"
#include "routing/merge/merger.h"

namespace pgweir::routing {

class GroupMerger final : public Merger {
 public:
  struct Key {
    std::size_t column;  // of the whole row
    KeyType type;
  };
  struct Order {
    bool aggregate;  // index is a position in aggregates, else a column of the whole row
    std::size_t index;
    std::optional<KeyType> type;  // of the column
    KeyOrder order;
  };
  struct Parts {
    std::vector<Key> keys;
    std::vector<Aggregate> aggregates;
    std::vector<Order> order;
  };
  GroupMerger(const MergePlan& plan, Parts parts, std::size_t columns, std::size_t shards, MergeLimits limits);

  Result<Unit> push(std::size_t stream, std::string_view body, std::string& out) override;
  Result<Unit> finish(std::size_t stream, std::string& out) override;
  bool wants(std::size_t stream) const override;
  bool drain(std::string& out, std::size_t max_bytes) override;
  bool done() const override { return done_; }
  std::uint64_t rows() const override { return rows_; }
  std::size_t held_bytes() const override { return table_.bytes(); }

  // All rows are in: checks and sorts the groups. Called by finish() of the last stream, and once if there is no
  // stream.
  Result<Unit> complete();

 private:
  Result<std::size_t> read(std::string_view body);
  Result<Unit> sort();
  bool add_sort_key(MergeGroup& group, std::string& scratch);
  void append_row(const MergeGroup& group, std::string& out);
  MergeGroup* next_group();
  SqlError exhausted() const;

  const Parts parts_;
  const std::size_t columns_, visible_, budget_;
  const bool global_, keep_hidden_;  // keep_hidden_: a hidden column is a sort key, so whole rows are kept
  const std::int64_t limit_, offset_;
  GroupTable table_;
  std::vector<std::int32_t> aggregate_of_;  // by visible column; -1: the group's own value
  std::vector<wire::Field> fields_;
  std::vector<bool> finished_;
  std::size_t running_;
  std::string key_;
  std::vector<MergeGroup*> sorted_;
  MergeGroup* next_ = nullptr;          // without an order
  std::size_t position_ = 0, end_ = 0;  // rows [position_, end_) are still due, counted over all groups
  bool complete_ = false, done_ = false;
  std::uint64_t rows_ = 0;
};

}  // namespace pgweir::routing
