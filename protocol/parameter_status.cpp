#include "protocol/parameter_status.h"

#include <algorithm>

#include "protocol/backend_codec.h"

namespace pgweir::protocol {
namespace {

auto position(auto& entries, std::string_view name) {
  return std::lower_bound(entries.begin(), entries.end(), name,
                          [](const auto& entry, std::string_view key) { return entry.first < key; });
}

}  // namespace

ParameterStatusSet::Set ParameterStatusSet::set(std::string_view name, std::string_view value) {
  const auto at = position(entries_, name);
  if (at != entries_.end() && at->first == name) {
    if (at->second == value) return Set::Unchanged;
    at->second = value;
    return Set::Changed;
  }
  if (entries_.size() >= kMaxEntries) return Set::Full;
  entries_.emplace(at, name, value);
  return Set::Changed;
}

bool ParameterStatusSet::erase(std::string_view name) {
  const auto at = position(entries_, name);
  if (at == entries_.end() || at->first != name) return false;
  entries_.erase(at);
  return true;
}

const std::string* ParameterStatusSet::find(std::string_view name) const {
  const auto at = position(entries_, name);
  return at == entries_.end() || at->first != name ? nullptr : &at->second;
}

std::vector<ParameterChange> diff(const ParameterStatusSet& known, const ParameterStatusSet& actual) {
  std::vector<ParameterChange> changes;
  for (const auto& [name, value] : actual) {
    const std::string* before = known.find(name);
    if (before == nullptr || *before != value) changes.push_back(ParameterChange{name, value});
  }
  return changes;
}

std::size_t append_changes(ParameterStatusSet& known, const ParameterStatusSet& actual, std::string& out) {
  std::size_t count = 0;
  for (const auto& [name, value] : actual) {
    if (known.set(name, value) != ParameterStatusSet::Set::Changed) continue;
    encode_parameter_status(name, value, out);
    ++count;
  }
  return count;
}

}  // namespace pgweir::protocol
