// ParameterStatusSet: the parameters that a server has reported, and what has to be told to a client that knows another
// set. Value type; not thread-safe. Small (some twenty entries), hence a sorted vector.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgweir::protocol {

class ParameterStatusSet {
 public:
  using Entry = std::pair<std::string, std::string>;
  // More than PostgreSQL has settings: a server that reports without end is not one. set() refuses beyond it.
  static constexpr std::size_t kMaxEntries = 512;

  enum class Set { Unchanged, Changed, Full };
  Set set(std::string_view name, std::string_view value);
  bool erase(std::string_view name);
  // nullptr when it was never reported. Valid until the set changes. Names are compared exactly: servers report one
  // spelling.
  const std::string* find(std::string_view name) const;

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }  // sorted by name
  auto end() const { return entries_.end(); }
  bool operator==(const ParameterStatusSet&) const = default;

 private:
  std::vector<Entry> entries_;
};

struct ParameterChange {
  std::string_view name, value;
  bool operator==(const ParameterChange&) const = default;
};
// What a client that knows `known` must be told to know `actual`, by name. A parameter that `actual` lacks is no
// change: the protocol cannot unreport. Views point into `actual`.
std::vector<ParameterChange> diff(const ParameterStatusSet& known, const ParameterStatusSet& actual);
// The same as ParameterStatus messages, without allocation when nothing changed; afterwards `known` holds the new
// values. Returns how many were appended.
std::size_t append_changes(ParameterStatusSet& known, const ParameterStatusSet& actual, std::string& out);

}  // namespace pgweir::protocol
