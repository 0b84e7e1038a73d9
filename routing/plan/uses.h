// What a statement uses besides tables that decides where it may run: functions, operators, values that differ between
// nodes. Filled by one walk over the statement.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "routing/plan/plan.h"
#include "routing/plan/router.h"
#include "routing/plan/search_path.h"
#include "routing/sql/statement.h"

namespace pgweir::routing {

struct Uses {
  std::optional<SqlError> refusal;         // wherever it runs: functions and operators that nothing is known of
  std::string home_function;               // a function that belongs to the home shard; empty: none
  bool reads_shard = false;                // a declared function that reads the tables of its shard
  std::optional<SqlError> node_dependent;  // refused on several shards
  std::vector<const sql::Expr*> nows;      // now() and relatives
  std::vector<const sql::Expr*> per_row;   // random(), gen_random_uuid()
  std::vector<int> parameter_uses;         // [n]: how often $n stands in the statement
  bool aggregates = false;
};

Uses collect_uses(const ClusterRouting& cluster, const SearchPath& path, const sql::Statement& statement);

// Where a use of now() stands in the text. nullopt: it cannot be replaced.
std::optional<NowUse> now_use(std::string_view text, const sql::Expr& expr, std::size_t end);
// The name PostgreSQL gives an unnamed output column (FigureColname in parse_target.c).
std::string column_label(const sql::Expr& expr);

}  // namespace pgweir::routing
