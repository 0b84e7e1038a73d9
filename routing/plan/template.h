// The cached part of a decision: a statement's facts, its tree, and on a sharded cluster everything that does not
// depend on parameter values or the session. Immutable once analysed; private to plan/.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "routing/plan/router.h"
#include "routing/plan/search_path.h"
#include "routing/sql/statement.h"

namespace pgweir::routing {

struct Plan;  // plan.h

class StatementTemplate {
 public:
  StatementTemplate() = default;
  ~StatementTemplate();
  StatementTemplate(const StatementTemplate&) = delete;
  StatementTemplate& operator=(const StatementTemplate&) = delete;

  std::unique_ptr<const sql::Statement> statement;                     // null: unparsable
  std::unique_ptr<const Plan> plan;                                    // null on a plain cluster
  std::string hint_shard, hint_sharding_key, hint_role, hint_unknown;  // from comments
};

// facts.cpp: what the session must know of the statement.
// `text`: what the statement was parsed from.
StatementFacts statement_facts(const ClusterRouting& cluster, const SearchPath& path, const sql::Statement& statement,
                               std::string_view text);
// See PreparedName; `quiet` stays false.
PreparedName prepared_name(const sql::Statement& statement, std::string_view text);

}  // namespace pgweir::routing
