// What the oracle needs to know about a statement's text, found by its words outside of parentheses, literals and
// comments.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/oracle/case_file.h"

namespace pgweir::oracle {

struct Shape {
  bool ordered = false;  // a top-level ORDER BY
  bool limited = false;  // a top-level LIMIT, OFFSET or FETCH
  std::string without_limit;  // the statement up to that clause
};
Shape shape_of(const std::string& sql);

// Does it begin as a statement that only reads?
bool sql_reads(const std::string& sql);

// All words of the text in lower case, of literals and comments too.
std::set<std::string> words_of(const std::string& sql);

// $1 ... replaced by literals: 'value' or 'value'::type where the type is declared.
std::string with_literals(const Statement& statement, const support::Row& values);

}  // namespace pgweir::oracle
