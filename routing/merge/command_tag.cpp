#include "routing/merge/command_tag.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace pgweir::routing {
namespace {

constexpr std::array<std::string_view, 8> kCounted = {"INSERT", "DELETE", "UPDATE", "MERGE",
                                                      "SELECT", "MOVE",   "FETCH",  "COPY"};

// A tag taken apart: `head` is all but the count, with the blank before it (INSERT keeps the OID, which is always 0).
struct Parts {
  std::string_view head;
  long long rows = -1;
};

Parts take_apart(std::string_view tag) {
  auto blank = tag.rfind(' ');
  auto command = tag.substr(0, tag.find(' '));
  if (blank == std::string_view::npos || std::find(kCounted.begin(), kCounted.end(), command) == kCounted.end())
    return {tag, -1};
  auto number = tag.substr(blank + 1);
  long long rows = -1;
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), rows);
  if (error != std::errc{} || end != number.data() + number.size() || rows < 0) return {tag, -1};
  return {tag.substr(0, blank + 1), rows};
}

}  // namespace

long long tag_rows(std::string_view tag) { return take_apart(tag).rows; }

std::string merge_command_tags(std::span<const std::string> tags) {
  if (tags.empty()) return {};
  auto first = take_apart(tags[0]);
  if (first.rows < 0) return tags[0];
  auto total = first.rows;
  for (const auto& tag : tags.subspan(1)) {
    auto next = take_apart(tag);
    if (next.rows < 0 || next.head != first.head) return tags[0];
    if (__builtin_add_overflow(total, next.rows, &total)) total = std::numeric_limits<long long>::max();
  }
  return std::string(first.head) + std::to_string(total);
}

std::string with_tag_rows(std::string_view tag, unsigned long long rows) {
  auto parts = take_apart(tag);
  return parts.rows < 0 ? std::string(tag) : std::string(parts.head) + std::to_string(rows);
}

}  // namespace pgweir::routing
