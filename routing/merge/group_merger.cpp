#include "routing/merge/group_merger.h"

#include <algorithm>

#include "routing/merge/row_errors.h"

namespace pgweir::routing {
namespace {

bool orders_by_column(const std::vector<GroupMerger::Order>& order) {
  return std::any_of(order.begin(), order.end(), [](const auto& key) { return !key.aggregate; });
}

}  // namespace

GroupMerger::GroupMerger(const MergePlan& plan, Parts parts, std::size_t columns, std::size_t shards,
                         MergeLimits limits)
    : parts_(std::move(parts)),
      columns_(columns),
      visible_(columns - plan.hidden),
      budget_(limits.group_bytes),
      global_(plan.global_aggregate),
      keep_hidden_(orders_by_column(parts_.order)),
      limit_(plan.limit),
      offset_(std::max<std::int64_t>(plan.offset, 0)),
      table_(parts_.aggregates.size(), limits.group_bytes),
      aggregate_of_(visible_, -1),
      fields_(columns),
      finished_(shards, false),
      running_(shards) {
  for (std::size_t i = 0; i < parts_.aggregates.size(); ++i) {
    auto visible = parts_.aggregates[i].visible();
    if (visible >= 0) aggregate_of_[static_cast<std::size_t>(visible)] = static_cast<std::int32_t>(i);
  }
  done_ = limit_ == 0;
}

SqlError GroupMerger::exhausted() const { return groups_exhausted(table_.size(), budget_); }

Result<std::size_t> GroupMerger::read(std::string_view body) {
  wire::RowCursor cursor(body);
  if (cursor.count() != static_cast<int>(columns_)) return malformed_row();
  for (std::size_t i = 0; i < visible_; ++i)
    if (!cursor.next(fields_[i])) return malformed_row();
  const auto end = static_cast<std::size_t>(cursor.position() - body.data());
  for (auto i = visible_; i < columns_; ++i)
    if (!cursor.next(fields_[i])) return malformed_row();
  if (!cursor.at_end()) return malformed_row();
  key_.clear();
  for (const auto& key : parts_.keys) {
    const auto& field = fields_[key.column];
    if (!append_component(key.type, KeyOrder{}, field.bytes, field.null, key_)) return malformed_key();
  }
  return end;
}

Result<Unit> GroupMerger::push(std::size_t stream, std::string_view body, std::string& /*out*/) {
  if (stream >= finished_.size() || finished_[stream]) return unexpected_row();
  if (done_) return Unit{};
  auto visible_end = read(body);
  if (!visible_end) return visible_end.error();
  auto found = table_.find_or_insert(key_);
  if (found.group == nullptr) return exhausted();
  if (found.inserted) {
    auto kept = keep_hidden_ ? body : body.substr(0, *visible_end);
    if (!table_.store(kept, found.group->row)) return exhausted();
  }
  for (std::size_t i = 0; i < parts_.aggregates.size(); ++i) {
    auto& state = found.group->states[i];
    auto before = state.heap_bytes();
    auto error = parts_.aggregates[i].add(state, fields_, visible_);
    if (error != AggregateError::None) return aggregate_error(error);
    auto grown = static_cast<std::ptrdiff_t>(state.heap_bytes()) - static_cast<std::ptrdiff_t>(before);
    if (grown != 0 && !table_.charge(grown)) return exhausted();
  }
  return Unit{};
}

Result<Unit> GroupMerger::finish(std::size_t stream, std::string& /*out*/) {
  if (stream >= finished_.size()) return unexpected_row();
  if (!finished_[stream]) --running_;
  finished_[stream] = true;
  if (running_ > 0 || complete_ || done_) return Unit{};
  return complete();
}

Result<Unit> GroupMerger::complete() {
  complete_ = true;
  if (global_ && table_.size() == 0 && table_.find_or_insert({}).group == nullptr) return exhausted();
  for (auto* group = table_.first(); group != nullptr; group = group->next) {
    for (std::size_t i = 0; i < parts_.aggregates.size(); ++i) {
      auto error = parts_.aggregates[i].check(group->states[i]);
      if (error != AggregateError::None) return aggregate_error(error);
    }
  }
  const auto count = table_.size();
  position_ = std::min(count, static_cast<std::size_t>(offset_));
  end_ = limit_ < 0 ? count : position_ + std::min(count - position_, static_cast<std::size_t>(limit_));
  if (!parts_.order.empty() && position_ < end_) {
    auto sorted = sort();
    if (!sorted) return sorted;
  }
  next_ = table_.first();
  for (std::size_t i = 0; i < position_ && next_ != nullptr; ++i) next_ = next_->next;
  done_ = position_ == end_;
  return Unit{};
}

bool GroupMerger::add_sort_key(MergeGroup& group, std::string& scratch) {
  scratch.clear();
  wire::RowCursor cursor(group.row);
  if (keep_hidden_ && cursor.count() >= 0)
    for (auto& field : fields_)
      if (!cursor.next(field)) field = wire::Field{};
  for (const auto& part : parts_.order) {
    if (part.aggregate) {
      parts_.aggregates[part.index].append_component(group.states[part.index], part.order, scratch);
    } else {
      const auto& field = fields_[part.index];
      if (!append_component(*part.type, part.order, field.bytes, field.null, scratch)) return false;
    }
  }
  return true;
}

Result<Unit> GroupMerger::sort() {
  std::string scratch;
  if (!table_.charge(static_cast<std::ptrdiff_t>(table_.size() * sizeof(MergeGroup*)))) return exhausted();
  sorted_.reserve(table_.size());
  for (auto* group = table_.first(); group != nullptr; group = group->next) {
    if (!add_sort_key(*group, scratch)) return malformed_key();
    if (!table_.store(scratch, group->sort_key)) return exhausted();
    sorted_.push_back(group);
  }
  auto less = [](const MergeGroup* a, const MergeGroup* b) {
    auto order = a->sort_key.compare(b->sort_key);
    return order != 0 ? order < 0 : a->number < b->number;
  };
  std::partial_sort(sorted_.begin(), sorted_.begin() + static_cast<std::ptrdiff_t>(end_), sorted_.end(), less);
  return Unit{};
}

bool GroupMerger::wants(std::size_t stream) const { return stream < finished_.size() && !finished_[stream] && !done_; }

void GroupMerger::append_row(const MergeGroup& group, std::string& out) {
  const auto start = out.size();
  out.append("D\0\0\0\0", 5);
  wire::append<std::uint16_t>(out, static_cast<std::uint16_t>(visible_));
  wire::RowCursor cursor(group.row);
  cursor.count();
  for (std::size_t i = 0; i < visible_; ++i) {
    wire::Field own;
    if (!cursor.next(own)) own = wire::Field{};  // the one row of a global aggregate over no input
    auto aggregate = aggregate_of_[i];
    if (aggregate < 0) {
      wire::append_field(out, own);
    } else {
      auto at = static_cast<std::size_t>(aggregate);
      parts_.aggregates[at].append_result(group.states[at], out);
    }
  }
  wire::store<std::uint32_t>(out.data() + start + 1, static_cast<std::uint32_t>(out.size() - start - 1));
}

MergeGroup* GroupMerger::next_group() {
  if (!sorted_.empty()) return sorted_[position_];
  auto* group = next_;
  next_ = next_->next;
  return group;
}

bool GroupMerger::drain(std::string& out, std::size_t max_bytes) {
  if (!complete_ || done_) return false;
  const auto start = out.size();
  while (position_ < end_) {
    if (out.size() - start >= max_bytes && out.size() != start) return true;
    append_row(*next_group(), out);
    ++position_;
    ++rows_;
  }
  done_ = true;
  return false;
}

}  // namespace pgweir::routing
