#include "config/suggest.h"

#include <algorithm>

namespace pgweir::config {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows are enough: a swap looks back two.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replace});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::string suggest(std::string_view name, const std::vector<std::string>& candidates) {
  // A name longer than any of ours is not a slip of the hand; it also bounds the work.
  if (name.size() > 64) return {};
  const std::size_t allowed = std::clamp<std::size_t>(name.size() / 3, 1, 3);
  const std::string* best = nullptr;
  std::size_t best_distance = allowed + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    // "x" is not a slip for "y": something of the name must be left.
    if (distance < best_distance && distance < std::max(name.size(), candidate.size())) {
      best_distance = distance;
      best = &candidate;
    }
  }
  if (best) return "did you mean \"" + *best + "\"?";
  if (candidates.empty() || candidates.size() > 16) return {};
  std::string known = "known: ";
  for (const std::string& candidate : candidates) {
    if (&candidate != &candidates.front()) known += ", ";
    known += candidate;
  }
  return known;
}

}  // namespace pgweir::config
