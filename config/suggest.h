// "did you mean": the nearest of the known names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgweir::config {

// Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours cost one each.
std::size_t edit_distance(std::string_view a, std::string_view b);

// 'did you mean "size"?' for the nearest candidate within a third of the name's length (at least 1, at most 3), the
// first of several, if they have a character in common; otherwise "known: a, b, c" for up to 12 candidates; otherwise
// empty.
std::string suggest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace pgweir::config
