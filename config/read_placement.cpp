// One placement: reads its level and checks what the level alone can show to be wrong: bucket ranges, key literals,
// order and overlap. Whether branches exist is for the rules.
#include <algorithm>
#include <charconv>
#include <map>

#include "config/key_literal.h"
#include "config/read.h"

namespace pgweir::config {
namespace {

constexpr unsigned kMaxBuckets = 65'536;

struct PlacedRange {
  BucketRange range;
  Place place;
};

Branch read_branch(const Node& node, const std::string& label, Findings& findings) {
  const Branch branch = branch_from(node);
  if (branch == Branch{}) {
    findings.error(node.place, "this is not a branch of " + label,
                   "a branch is a shard's name or { placement = \"NAME\" }");
  }
  return branch;
}

bool parse_bucket(std::string_view text, unsigned& out) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc{} && end == text.data() + text.size();
}

bool parse_bucket_range(std::string_view text, BucketRange& range) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return parse_bucket(text, range.first) && (range.last = range.first, true);
  return parse_bucket(text.substr(0, dash), range.first) && parse_bucket(text.substr(dash + 1), range.last);
}

std::string shown(unsigned first, unsigned last) {
  return first == last ? "bucket " + std::to_string(first)
                       : "buckets " + std::to_string(first) + "-" + std::to_string(last);
}

// Rule: every bucket leads to exactly one branch. `ranges` ascend by their first bucket.
void check_cover(const std::vector<PlacedRange>& ranges, unsigned buckets, const Section& section) {
  unsigned next = 0;
  for (const PlacedRange& placed : ranges) {
    const BucketRange& range = placed.range;
    if (range.first > next) {
      section.findings().error(placed.place, "no branch for " + shown(next, range.first - 1) + ", before this range");
    } else if (range.first < next) {
      section.findings().error(placed.place, "an earlier range has " +
                                                 shown(range.first, std::min(range.last, next - 1)) + " already");
    }
    next = std::max(next, range.last + 1);
  }
  if (next < buckets) {
    section.findings().error(section.value_place("map"), "no branch for " + shown(next, buckets - 1));
  }
}

void read_bucket_map(const Section& section, const Node& map, Placement& placement) {
  std::vector<PlacedRange> ranges;
  bool sound = true;
  for (const Member& member : map.members) {
    PlacedRange placed{.range = {}, .place = member.place};
    placed.range.branch = read_branch(member.value, section.label(), section.findings());
    if (!parse_bucket_range(member.key, placed.range)) {
      section.findings().error(member.place, "\"" + member.key + "\" is not a range of buckets",
                               "write \"0-511\" or \"7\"");
      sound = false;
    } else if (placed.range.first > placed.range.last) {
      section.findings().error(member.place, "the range \"" + member.key + "\" ends before it starts");
      sound = false;
    } else if (placed.range.last >= placement.buckets) {
      section.findings().error(member.place, "the range \"" + member.key + "\" is beyond the last bucket, " +
                                                 std::to_string(placement.buckets - 1));
      sound = false;
    } else {
      ranges.push_back(placed);
    }
  }
  std::stable_sort(ranges.begin(), ranges.end(),
                   [](const PlacedRange& a, const PlacedRange& b) { return a.range.first < b.range.first; });
  // A range that could not be read would show up as a gap as well: one finding is enough.
  if (sound) check_cover(ranges, placement.buckets, section);
  for (const PlacedRange& placed : ranges) placement.bucket_map.push_back(placed.range);
}

// Equal runs: branch i of n gets buckets floor(i*B/n) up to floor((i+1)*B/n) - 1.
void read_branches(const Section& section, const Node& branches, Placement& placement) {
  const std::size_t count = branches.items.size();
  if (count == 0 || count > placement.buckets) {
    section.findings().error(branches.place, count == 0 ? "\"branches\" in " + section.label() + " is empty"
                                                        : "there are more branches than buckets");
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    BucketRange range;
    range.first = static_cast<unsigned>(i * placement.buckets / count);
    range.last = static_cast<unsigned>((i + 1) * placement.buckets / count - 1);
    range.branch = read_branch(branches.items[i], section.label(), section.findings());
    placement.bucket_map.push_back(range);
  }
}

// Rule: every key is of the key type, and no two are the same key ("7" and "07").
void read_values(const Section& section, const Node& map, KeyType type, std::vector<ListEntry>& entries) {
  std::map<std::string, std::string> seen;
  for (const Member& member : map.members) {
    entries.push_back({member.key, read_branch(member.value, section.label(), section.findings())});
    KeyLiteral literal;
    if (const std::string problem = read_key_literal(type, member.key, literal); !problem.empty()) {
      section.findings().error(member.place, "\"" + member.key + "\" is no " + std::string(to_word(type)) + " key: " +
                                                 problem);
      continue;
    }
    const auto [earlier, added] = seen.emplace(literal.canonical, member.key);
    if (added) continue;
    section.findings().error(member.place, "\"" + member.key + "\" is the same key as \"" + earlier->second + "\"");
  }
}

const Node* expect_kind(const Section& section, std::string_view key, Node::Kind kind) {
  const Node* node = section.node(key);
  if (!node || node->kind == kind) return node;
  section.findings().error(node->place, "\"" + std::string(key) + "\" in " + section.label() + " must be " +
                                            std::string(kind_name(kind)));
  return nullptr;
}

void read_hash(const Section& section, Placement& placement) {
  section.read("hash", placement.hash);
  section.read("buckets", placement.buckets, 1, kMaxBuckets);
  if (placement.key_type == KeyType::Bool) {
    section.findings().error(section.value_place("key_type"), "a hash placement cannot have key_type \"bool\"",
                             "use type = \"list\"");
  }
  if (section.has("branches") == section.has("map")) {
    section.findings().error(section.place(), section.label() + " needs either \"branches\" or \"map\"",
                             "branches = [\"eu1\", \"us1\"] or map = { \"0-511\" = \"eu1\", \"512-1023\" = \"us1\" }");
  } else if (const Node* branches = expect_kind(section, "branches", Node::Kind::Array)) {
    read_branches(section, *branches, placement);
  } else if (const Node* map = expect_kind(section, "map", Node::Kind::Table)) {
    read_bucket_map(section, *map, placement);
  }
  if (const Node* pins = expect_kind(section, "pins", Node::Kind::Table)) {
    read_values(section, *pins, placement.key_type, placement.pins);
  }
}

void read_list(const Section& section, Placement& placement) {
  const Node* map = expect_kind(section, "map", Node::Kind::Table);
  if (map) read_values(section, *map, placement.key_type, placement.entries);
  if (const Node* fallback = section.node("default")) {
    placement.default_branch = read_branch(*fallback, section.label(), section.findings());
  }
  if (!section.has("map")) {
    section.require("map", "map = { eu = \"eu1\", us = \"us1\" }");
  } else if (map && map->members.empty() && !placement.default_branch) {
    section.findings().error(map->place, "\"map\" in " + section.label() + " is empty");
  }
}

struct Bound {
  bool sound = true;
  std::optional<KeyLiteral> literal;
};

Bound read_bound(const Section& section, std::string_view key, KeyType type, std::optional<std::string>& out) {
  const Node* node = section.node(key);
  if (!node) return {};
  if (node->kind == Node::Kind::Integer) {
    out = std::to_string(node->integer);
  } else if (node->is_string() || node->kind == Node::Kind::DateTime) {
    out = node->text;
  } else {
    section.findings().error(node->place,
                             "\"" + std::string(key) + "\" in " + section.label() + " must be a key value");
    return {.sound = false};
  }
  Bound bound;
  const std::string problem = read_key_literal(type, *out, bound.literal.emplace());
  if (problem.empty()) return bound;
  section.findings().error(node->place, "\"" + *out + "\" is no " + std::string(to_word(type)) + " key: " + problem);
  return {.sound = false};
}

// Rules: each range holds something; they ascend without overlap, and only the ends of the whole are open.
class RangeOrder {
 public:
  void add(const Section& section, const Bound& from, const Bound& to) {
    if (!from.sound || !to.sound) return;
    Findings& findings = section.findings();
    if (from.literal && to.literal && from.literal->order >= to.literal->order) {
      findings.error(section.value_place("to"), "the range is empty: \"to\" must be greater than \"from\"");
    }
    if (!first_ && !from.literal) {
      findings.error(section.place(), "only the first range may have no \"from\"");
    } else if (!first_ && !end_) {
      findings.error(section.place(), "the range before this one has no \"to\": nothing can follow it");
    } else if (!first_ && from.literal->order < end_->order) {
      findings.error(section.value_place("from"), "the range starts before the end of the one above",
                     "ranges ascend and do not overlap");
    }
    first_ = false;
    end_ = to.literal;
  }

 private:
  bool first_ = true;
  std::optional<KeyLiteral> end_;
};

void read_ranges(const Section& section, Placement& placement) {
  if (!is_ordered(placement.key_type)) {
    section.findings().error(section.value_place("key_type"),
                             "a range placement cannot have key_type \"" +
                                 std::string(to_word(placement.key_type)) + "\"",
                             "integers, date, timestamp and timestamptz have ranges");
    return;
  }
  if (!section.require("ranges")) return;
  const Node* ranges = section.node("ranges");
  if (!ranges->is_array()) return;  // unknown_keys.h tells
  if (ranges->items.empty()) section.findings().error(ranges->place, "\"ranges\" in " + section.label() + " is empty");
  RangeOrder order;
  for (const Node* node : tables_of(ranges)) {
    const Section range(*node, "a range of " + section.label(), section.findings());
    RangeEntry& entry = placement.ranges.emplace_back();
    const Bound from = read_bound(range, "from", placement.key_type, entry.from);
    const Bound to = read_bound(range, "to", placement.key_type, entry.to);
    order.add(range, from, to);
    if (range.require("branch")) entry.branch = read_branch(*range.node("branch"), range.label(), section.findings());
  }
}

// Rule: a key of another type of placement would do nothing, so it is an error.
void check_foreign_keys(const Section& section, PlacementType type) {
  struct Owner {
    std::string_view key;
    std::vector<PlacementType> types;
  };
  static const std::vector<Owner> kOwners = {
      {"hash", {PlacementType::Hash}},     {"buckets", {PlacementType::Hash}},
      {"branches", {PlacementType::Hash}}, {"pins", {PlacementType::Hash}},
      {"default", {PlacementType::List}},  {"map", {PlacementType::Hash, PlacementType::List}},
      {"ranges", {PlacementType::Range}},
  };
  for (const Owner& owner : kOwners) {
    const bool own = std::find(owner.types.begin(), owner.types.end(), type) != owner.types.end();
    if (own || !section.has(owner.key)) continue;
    section.findings().error(section.value_place(owner.key),
                             "\"" + std::string(owner.key) + "\" means nothing in a " + std::string(to_word(type)) +
                                 " placement",
                             "it belongs to type = \"" + std::string(to_word(owner.types.front())) + "\"");
  }
}

}  // namespace

Branch branch_from(const Node& node) {
  if (node.is_string()) return {.shard = node.text};
  if (!node.is_table() || node.members.size() != 1 || !node.members.front().value.is_string()) return {};
  const Member& member = node.members.front();
  if (member.key == "placement") return {.placement = member.value.text};
  if (member.key == "shard") return {.shard = member.value.text};
  return {};
}

void read_placement(const Section& section, Placement& placement) {
  const std::size_t before = section.findings().errors();
  section.require("type", "type = \"hash\", \"list\" or \"range\"");
  section.require("key_type", "the type of the key column: \"uuid\", \"bigint\", \"text\", ...");
  section.read("type", placement.type);
  section.read("key_type", placement.key_type);
  // Without a type nothing else can be judged.
  if (section.findings().errors() != before) return;
  check_foreign_keys(section, placement.type);
  switch (placement.type) {
    case PlacementType::Hash: return read_hash(section, placement);
    case PlacementType::List: return read_list(section, placement);
    case PlacementType::Range: return read_ranges(section, placement);
  }
}

}  // namespace pgweir::config
