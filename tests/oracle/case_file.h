// Case files: the statements that the oracle sends to both sides.
//
//   -- a comment line
//   @name tag tag=value          a case begins; it ends at a blank line
//   SELECT ... WHERE id = $1;    one or more statements, each ending with a semicolon at the end of its line
//   $: uuid, int4                types of the statement's parameters (optional: without them the server decides)
//   $ 0b9c... | 7                one set of values, "\N" for NULL; the statement runs once for each set
//   > line                       one line of COPY data for the statement
//
// {word} in a statement or a value stands for the value of that word in names.txt.
//
// Tags: whether a result is ordered is derived from a top-level ORDER BY; these say what cannot be derived.
//   ordered       the rows of RETURNING come in a definite order
//   ties=1,2      ORDER BY is not a total order: it orders by these columns (from 1); rows equal in them come in any
//                 order
//   approx        floating point sums: equal up to a small relative difference
//   simple        by the simple protocol only (COPY, statements that cannot be prepared)
//   together      simple, and the whole case is one Query message with several statements
//   fresh         on connections of its own (it changes session state)
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/connection.h"

namespace pgweir::oracle {

struct Statement {
  std::string sql;  // without the semicolon
  int line = 0;
  std::vector<std::string> types;          // of $1, $2 ...; empty: not declared
  std::vector<support::Row> parameters;    // sets of values; empty: the statement has none
  std::optional<std::string> copy_data;
};

struct Case {
  std::string name, file;  // file: its stem
  int line = 0;
  std::map<std::string, std::string> tags;
  std::vector<Statement> statements;

  bool has(const std::string& tag) const { return tags.contains(tag); }
  bool has_parameters() const;
};
void PrintTo(const Case& test_case, std::ostream* out);  // for GoogleTest

// Throws std::runtime_error with file and line when the text breaks the format above.
std::vector<Case> parse_cases(const std::string& file, const std::string& text,
                              const std::map<std::string, std::string>& names);
// Lines "word value"; empty lines and "-- " comments are skipped.
std::map<std::string, std::string> parse_names(const std::string& text);

std::filesystem::path oracle_directory();
// All of cases/*.cases; names of cases are unique over all files.
const std::vector<Case>& all_cases();

}  // namespace pgweir::oracle
