// The hash table of a grouped merge: one entry per distinct key, within a byte budget. Keys, rows and states live in an
// arena and never move; entries are kept in the order in which they came. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "routing/merge/aggregate.h"

namespace pgweir::routing {

struct MergeGroup {
  MergeGroup* next = nullptr;  // in order of arrival
  std::uint64_t hash = 0;
  std::uint32_t number = 0;          // position in order of arrival
  AggregateState* states = nullptr;  // one per aggregate
  std::string_view key;
  std::string_view row;  // the representative row, as the merger stored it
  std::string_view sort_key;
};

class GroupTable {
 public:
  GroupTable(std::size_t aggregates, std::size_t budget_bytes);
  ~GroupTable();
  GroupTable(const GroupTable&) = delete;
  GroupTable& operator=(const GroupTable&) = delete;

  struct Found {
    MergeGroup* group = nullptr;  // nullptr: the budget is exhausted
    bool inserted = false;
  };
  Found find_or_insert(std::string_view key);
  // Copies bytes into the arena; false if the budget is exhausted. `copy` lives as long as the table.
  [[nodiscard]] bool store(std::string_view bytes, std::string_view& copy);
  // Accounts for memory that the states hold themselves. False if the budget is exhausted.
  [[nodiscard]] bool charge(std::ptrdiff_t bytes);

  MergeGroup* first() const { return first_; }
  std::size_t size() const { return count_; }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    MergeGroup* group = nullptr;
  };
  void* allocate(std::size_t bytes, std::size_t alignment);
  bool grow();

  const std::size_t aggregates_, budget_;
  std::size_t bytes_ = 0, count_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* free_ = nullptr;
  std::size_t room_ = 0, next_block_;
  MergeGroup* first_ = nullptr;
  MergeGroup* last_ = nullptr;
};

}  // namespace pgweir::routing
