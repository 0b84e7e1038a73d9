// Errors that every merger reports alike. Internal to routing/merge.
#pragma once

#include "routing/types.h"

namespace pgweir::routing {

inline SqlError malformed_row() { return SqlError{"08P01", "malformed DataRow from a shard", {}, {}, {}, {}}; }

inline SqlError malformed_key() {
  return SqlError{"08P01",
                  "cannot read a merge key in a DataRow from a shard",
                  "The value does not fit the column's type as the proxy knows it.",
                  "If a type was altered on the shards, reload the catalog.",
                  {},
                  {}};
}

inline SqlError unexpected_row() {
  return SqlError{"XX000", "a row came from a shard that has no stream open", {}, {}, {}, {}};
}

inline SqlError out_of_order(std::size_t stream) {
  return SqlError{"XX000",
                  "rows of a shard are not in the order of the merge",
                  "Stream " + std::to_string(stream) + " gave a row that sorts before its predecessor.",
                  "Check that collations and operators are the same on all shards.",
                  {},
                  {}};
}

inline SqlError groups_exhausted(std::size_t groups, std::size_t budget) {
  return SqlError{"53200",
                  "out of memory while merging groups of several shards",
                  std::to_string(groups) + " groups need more than the budget of " + std::to_string(budget) + " bytes.",
                  "Narrow the statement, group by the sharding key, or raise the budget.",
                  {},
                  {}};
}

}  // namespace pgweir::routing
