// Where the clauses of the outermost SELECT stand in the text, and its items. Value type.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/sql/statement.h"
#include "routing/sql/token.h"

namespace pgweir::routing {

struct TextRange {
  std::size_t begin = 0, end = 0;
  std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
};

struct ClauseRanges {
  std::vector<TextRange> targets;   // without AS name
  std::vector<TextRange> order_by;  // without ASC, DESC, NULLS
  std::vector<TextRange> group_by;
  std::size_t targets_end = 0;  // behind the last target with its name
  std::size_t order_begin = 0;  // of ORDER, LIMIT, OFFSET or FETCH, whichever is first; end of statement without
  std::size_t limit_begin = 0;  // of LIMIT, OFFSET or FETCH; end of statement without
  std::size_t end = 0;          // of the statement's last token

  // nullopt: the text is not a plain SELECT ... FROM ... whose tokens agree with the tree.
  static std::optional<ClauseRanges> find(std::string_view text, const sql::Statement& statement);
};

// The call at `location`: its name and the parentheses behind it; `filter`: and FILTER (...).
struct CallRange {
  TextRange name, arguments;  // arguments: inside the parentheses
  TextRange filter;           // "FILTER (...)"; empty range without
  std::size_t end = 0;
};
std::optional<CallRange> find_call(std::string_view text, std::size_t location, std::size_t end);

}  // namespace pgweir::routing
