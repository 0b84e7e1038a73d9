#include "routing/merge/group_table.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <random>

namespace pgweir::routing {
namespace {

constexpr std::size_t kFirstBlock = 4096, kLargestBlock = 256 * 1024, kFirstSlots = 16;

// Secret per process, so that no tenant can choose keys that collide.
std::uint64_t seed() {
  static const std::uint64_t value = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32 | device()) | 1;
  }();
  return value;
}

// Folds a 128-bit product: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  auto product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t hash_bytes(std::string_view bytes) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
  const auto secret = seed();
  auto hash = secret ^ bytes.size();
  std::uint64_t word = 0;
  for (; bytes.size() > 8; bytes.remove_prefix(8)) {
    std::memcpy(&word, bytes.data(), 8);
    hash = mix(hash ^ word, kOdd ^ secret);
  }
  word = 0;
  if (!bytes.empty()) std::memcpy(&word, bytes.data(), bytes.size());
  return mix(mix(hash ^ word, kOdd ^ secret), kOdd);
}

}  // namespace

GroupTable::GroupTable(std::size_t aggregates, std::size_t budget_bytes)
    : aggregates_(aggregates), budget_(budget_bytes), next_block_(kFirstBlock) {}

GroupTable::~GroupTable() {
  for (auto* group = first_; group != nullptr; group = group->next) std::destroy_n(group->states, aggregates_);
}

bool GroupTable::charge(std::ptrdiff_t bytes) {
  if (bytes > 0 && static_cast<std::size_t>(bytes) > budget_ - std::min(budget_, bytes_)) return false;
  bytes_ += static_cast<std::size_t>(bytes);
  return true;
}

void* GroupTable::allocate(std::size_t bytes, std::size_t alignment) {
  auto misaligned = reinterpret_cast<std::uintptr_t>(free_) % alignment;
  auto padding = misaligned == 0 ? 0 : alignment - misaligned;
  if (bytes + padding > room_) {
    auto size = std::max(next_block_, bytes);
    if (!charge(static_cast<std::ptrdiff_t>(size))) return nullptr;
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
    next_block_ = std::min(kLargestBlock, next_block_ * 2);
    free_ = blocks_.back().get();
    room_ = size;
    padding = 0;
  }
  void* result = free_ + padding;
  free_ += padding + bytes;
  room_ -= padding + bytes;
  return result;
}

bool GroupTable::store(std::string_view bytes, std::string_view& copy) {
  if (bytes.empty()) {
    copy = {};
    return true;
  }
  auto* to = static_cast<char*>(allocate(bytes.size(), 1));
  if (to == nullptr) return false;
  std::memcpy(to, bytes.data(), bytes.size());
  copy = std::string_view(to, bytes.size());
  return true;
}

bool GroupTable::grow() {
  auto size = std::max(kFirstSlots, slots_.size() * 2);
  if (!charge(static_cast<std::ptrdiff_t>(size * sizeof(Slot)))) return false;
  std::vector<Slot> larger(size);
  for (const auto& slot : slots_) {
    if (slot.group == nullptr) continue;
    auto at = slot.hash & (size - 1);
    while (larger[at].group != nullptr) at = (at + 1) & (size - 1);
    larger[at] = slot;
  }
  bytes_ -= slots_.size() * sizeof(Slot);
  slots_ = std::move(larger);
  return true;
}

GroupTable::Found GroupTable::find_or_insert(std::string_view key) {
  if ((count_ + 1) * 4 > slots_.size() * 3 && !grow()) return {};
  const auto hash = hash_bytes(key);
  const auto mask = slots_.size() - 1;
  auto at = hash & mask;
  for (; slots_[at].group != nullptr; at = (at + 1) & mask) {
    if (slots_[at].hash == hash && slots_[at].group->key == key) return {slots_[at].group, false};
  }
  auto* space = allocate(sizeof(MergeGroup), alignof(MergeGroup));
  if (space == nullptr) return {};
  auto* states = aggregates_ == 0 ? nullptr : allocate(sizeof(AggregateState) * aggregates_, alignof(AggregateState));
  if (aggregates_ != 0 && states == nullptr) return {};
  auto* group = new (space) MergeGroup;
  group->hash = hash;
  group->number = static_cast<std::uint32_t>(count_);
  if (!store(key, group->key)) return {};
  group->states = static_cast<AggregateState*>(states);
  std::uninitialized_value_construct_n(group->states, aggregates_);
  slots_[at] = Slot{hash, group};
  (last_ == nullptr ? first_ : last_->next) = group;
  last_ = group;
  ++count_;
  return {group, true};
}

}  // namespace pgweir::routing
