// Are two answers to one statement the same?
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/connection.h"

namespace pgweir::oracle {

// How much of the order of rows is definite.
struct Order {
  bool total = false;
  std::vector<std::size_t> tie_columns;  // not empty: rows are ordered by these columns (from 0) only
};

struct Comparison {
  Order order;
  bool approximate = false;  // float columns
  bool binary = false;       // cells are in binary format
  // For LIMIT or OFFSET without a total order: the rows that the statement without them gives on the expected side.
  const support::QueryResult* unlimited = nullptr;
  // Names of types by OID, for those that an installation makes itself (16384 and above).
  std::function<std::string(Oid)> expected_type, got_type;
};

// Nothing when they are the same, else what differs. Errors are compared by SQLSTATE.
std::optional<std::string> difference(const support::QueryResult& expected, const support::QueryResult& got,
                                      const Comparison& how);

// The same for the types of a statement's parameters.
std::optional<std::string> difference(const std::vector<Oid>& expected, const std::vector<Oid>& got,
                                      const Comparison& how);

}  // namespace pgweir::oracle
