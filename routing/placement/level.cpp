#include "routing/placement/level.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "routing/placement/constraint.h"
#include "routing/placement/pg_hash.h"
#include "routing/placement/xx_hash.h"

namespace pgweir::routing {
namespace {

struct KeyHash {
  std::size_t operator()(const KeyValue& value) const { return xxh64_key(value); }
};
using ValueMap = std::unordered_map<KeyValue, std::uint32_t, KeyHash>;

SqlError config_error(std::string message) { return SqlError{"F0000", std::move(message), {}, {}, {}, {}}; }

std::vector<std::uint32_t> distinct(std::vector<std::uint32_t> targets) {
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

struct HashLevel final : Level {
  config::HashKind kind = config::HashKind::Postgres;
  std::uint64_t buckets = 1;
  std::vector<std::uint32_t> target_of_bucket;
  ValueMap pins;

  std::uint64_t bucket_of(const KeyValue& value) const {
    return (kind == config::HashKind::Postgres ? pg_partition_hash(value) : xxh64_key(value)) % buckets;
  }
  std::optional<std::uint32_t> choose(const KeyValue& value) const override {
    if (!pins.empty()) {
      if (const auto pin = pins.find(value); pin != pins.end()) return pin->second;
    }
    return target_of_bucket[bucket_of(value)];
  }
  std::vector<std::uint32_t> candidates(const KeyConstraint& bounds) const override {
    std::vector<std::uint32_t> found = target_of_bucket;
    for (const auto& [value, target] : pins) {
      if (admits(bounds, value)) found.push_back(target);
    }
    return distinct(std::move(found));
  }
  std::optional<unsigned> bucket(const KeyValue& value) const override {
    if (value.null) return std::nullopt;
    return static_cast<unsigned>(bucket_of(value));
  }
};

struct ListLevel final : Level {
  ValueMap entries;
  std::optional<std::uint32_t> fallback;

  std::optional<std::uint32_t> choose(const KeyValue& value) const override {
    const auto entry = entries.find(value);
    return entry != entries.end() ? std::optional(entry->second) : fallback;
  }
  std::vector<std::uint32_t> candidates(const KeyConstraint& bounds) const override {
    std::vector<std::uint32_t> found;
    if (fallback) found.push_back(*fallback);
    for (const auto& [value, target] : entries) {
      if (admits(bounds, value)) found.push_back(target);
    }
    return distinct(std::move(found));
  }
};

struct RangeLevel final : Level {
  struct Entry {
    std::optional<KeyValue> from, to;  // [from, to)
    std::uint32_t target;
  };
  std::vector<Entry> entries;  // ascending, without overlap

  std::optional<std::uint32_t> choose(const KeyValue& value) const override {
    // The last entry that begins at or before the value.
    auto after = std::upper_bound(entries.begin(), entries.end(), value,
                                  [](const KeyValue& v, const Entry& e) { return e.from && v < *e.from; });
    if (after == entries.begin()) return std::nullopt;
    const Entry& entry = *--after;
    if (entry.to && !(value < *entry.to)) return std::nullopt;
    return entry.target;
  }
  std::vector<std::uint32_t> candidates(const KeyConstraint& bounds) const override {
    std::vector<std::uint32_t> found;
    for (const Entry& entry : entries) {
      KeyConstraint within = bounds;
      KeyConstraint own;
      if (entry.from) own.lower = KeyBound{*entry.from, true};
      if (entry.to) own.upper = KeyBound{*entry.to, false};
      within.intersect(own);
      if (!admits_nothing(within)) found.push_back(entry.target);
    }
    return distinct(std::move(found));
  }
};

std::optional<SqlError> read_entries(const config::Placement& placement, const std::vector<config::ListEntry>& from,
                                     const char* what, BranchNumbers& number, ValueMap& to) {
  for (const auto& entry : from) {
    auto key = configured_key(placement, entry.value, what);
    if (!key.ok()) return key.error();
    if (!to.emplace(std::move(*key), number(entry.branch)).second) {
      return config_error("placement \"" + placement.name + "\": " + what + " \"" + entry.value +
                          "\" is the same key as an earlier one");
    }
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t BranchNumbers::operator()(const config::Branch& branch) {
  const auto at = std::find(branches_.begin(), branches_.end(), branch);
  if (at != branches_.end()) return static_cast<std::uint32_t>(at - branches_.begin());
  branches_.push_back(branch);
  return static_cast<std::uint32_t>(branches_.size() - 1);
}

Result<KeyValue> configured_key(const config::Placement& placement, const std::string& text, const char* what) {
  auto key = key_from_text(placement.key_type, text, LiteralContext{});
  if (key.ok()) return std::move(*key);
  const char* why = key.error() == KeyError::OutOfRange ? "is out of range" : "cannot be read as";
  return config_error("placement \"" + placement.name + "\": " + what + " \"" + text + "\" " + why + " the key type");
}

Result<std::shared_ptr<Level>> make_hash_level(const config::Placement& placement, BranchNumbers& number) {
  auto level = std::make_shared<HashLevel>();
  level->kind = placement.hash;
  level->buckets = placement.buckets;
  constexpr std::uint32_t kNowhere = UINT32_MAX;
  level->target_of_bucket.assign(placement.buckets, kNowhere);
  for (const auto& range : placement.bucket_map) {
    const std::uint32_t target = number(range.branch);
    for (std::uint64_t b = range.first; b <= range.last && b < placement.buckets; ++b) {
      level->target_of_bucket[b] = target;
    }
  }
  const auto& targets = level->target_of_bucket;
  if (targets.empty() || std::count(targets.begin(), targets.end(), kNowhere) != 0) {
    return config_error("placement \"" + placement.name + "\": not every bucket is mapped");
  }
  if (auto error = read_entries(placement, placement.pins, "pin", number, level->pins)) return *error;
  return std::shared_ptr<Level>(level);
}

Result<std::shared_ptr<Level>> make_list_level(const config::Placement& placement, BranchNumbers& number) {
  auto level = std::make_shared<ListLevel>();
  if (auto error = read_entries(placement, placement.entries, "entry", number, level->entries)) return *error;
  if (placement.default_branch) level->fallback = number(*placement.default_branch);
  return std::shared_ptr<Level>(level);
}

Result<std::shared_ptr<Level>> make_range_level(const config::Placement& placement, BranchNumbers& number) {
  if (!ordered(placement.key_type)) {
    return config_error("placement \"" + placement.name + "\": a range needs a key type with one order, not text");
  }
  auto level = std::make_shared<RangeLevel>();
  for (const auto& range : placement.ranges) {
    RangeLevel::Entry entry;
    for (const auto& [text, key, what] : {std::tuple(&range.from, &entry.from, "bound \"from\""),
                                          std::tuple(&range.to, &entry.to, "bound \"to\"")}) {
      if (!*text) continue;
      auto read = configured_key(placement, **text, what);
      if (!read.ok()) return read.error();
      *key = std::move(*read);
    }
    entry.target = number(range.branch);
    const auto* before = level->entries.empty() ? nullptr : &level->entries.back();
    if ((before && (!before->to || !entry.from || *entry.from < *before->to)) ||
        (entry.from && entry.to && !(*entry.from < *entry.to))) {
      return config_error("placement \"" + placement.name + "\": ranges must ascend without overlap");
    }
    level->entries.push_back(std::move(entry));
  }
  return std::shared_ptr<Level>(level);
}

}  // namespace pgweir::routing
