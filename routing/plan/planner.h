// Builds a Plan: everything about a statement on a sharded cluster that does not depend on parameter values. One object
// per statement; not thread-safe. The refusals are the rules of docs/routing.md, "What a scatter may contain" and
// "Writes": when in doubt a statement is refused.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/plan/clause_ranges.h"
#include "routing/plan/plan.h"
#include "routing/plan/scope.h"
#include "routing/plan/uses.h"

namespace pgweir::routing {

class Planner {
 public:
  Planner(const ClusterRouting& cluster, const SearchPath& path, std::string_view text,
          std::span<const std::string> temp_tables)
      : cluster_(cluster), path_(path), text_(text), binder_(cluster, path, temp_tables) {}

  std::unique_ptr<const Plan> build(const sql::Statement& statement);

 private:
  using Failure = std::optional<SqlError>;

  // planner.cpp: any query, by where its tables are
  void query(const sql::Statement& statement);
  Failure bind(const sql::Statement& statement);
  Failure place_relations(const sql::Statement& statement);
  Failure check_modifies(const sql::Statement& statement);
  void mark_parameters();
  Failure nows();
  void explain_relations();
  std::string relation_list() const;

  // planner_session.cpp, planner_ddl.cpp, planner_copy.cpp: utility statements
  bool session_command(const sql::Statement& statement);
  void transaction_command(const sql::Statement& statement);
  void set_hint(const sql::Statement& statement);
  void to_home();
  void to_session();
  void utility(const sql::Statement& statement);
  void explain(const sql::Statement& statement);
  void ddl(const sql::Statement& statement);
  Failure ddl_indexes(const sql::Statement& statement, ShardSet& shards);
  Failure ddl_relations(const sql::Statement& statement, ShardSet& shards);
  Failure new_table(const sql::Statement& statement, const sql::RelationName& name, ShardSet& shards);
  Failure new_temp(const sql::Statement& statement, const sql::RelationName& name, ShardSet& shards);
  Failure new_view(const sql::Statement& statement, ShardSet& shards);
  Failure table_as(const sql::Statement& statement, const sql::RelationName& name, ShardSet& shards);
  void select_into(const sql::Statement& statement);
  Failure renamed_to(const sql::Statement& statement, const std::string& name);
  Failure old_relation(const sql::Statement& statement, const sql::RelationName& name, ShardSet& shards);
  Failure rename_checks(const sql::Statement& statement);
  Failure reference_ddl(const sql::Statement& statement);
  void finish_ddl(const sql::Statement& statement, ShardSet shards);
  void truncate(const sql::Statement& statement);
  void maintenance(const sql::Statement& statement);
  void copy(const sql::Statement& statement);
  void copy_out(const sql::Statement& statement, const BoundRelation& relation, std::shared_ptr<CopyPlan> plan,
                const std::string& table);
  Failure copy_defaults(const BoundRelation& relation, const std::vector<std::string>& columns) const;
  void copy_table(const sql::Statement& statement, const BoundRelation& relation);

  // scatter.cpp
  Failure scatter(const sql::Statement& statement);
  Failure scatter_shape(const sql::Select& select);
  Failure scatter_from(const sql::Select& select);
  Failure scatter_sublevels();
  Failure find_anchor();
  bool colocated(const QueryLevel& level, std::size_t relation, std::size_t anchor) const;
  Failure scatter_windows(const sql::Select& select);
  bool full_key(const std::vector<const sql::Expr*>& exprs) const;
  Failure scatter_order(const sql::Select& select, MultiPlan& multi);
  Failure scatter_limit(const sql::Select& select, MultiPlan& multi);
  void push_limit(MultiPlan& multi);
  Failure per_row_values(const sql::Select& select) const;
  // text[begin, end) to be written again: uses of now() become marks that expand_marks() replaces.
  std::string copy(TextRange range) const;
  std::vector<Splice> hidden_splices(const std::vector<std::string>& hidden) const;

  // scatter_columns.cpp
  struct OutputColumn {
    std::string label, text;          // text: as it can be written again in the select list
    const sql::Expr* expr = nullptr;  // null: from a *
    std::optional<ColumnId> column;   // where it is one
  };
  Failure output_columns(const sql::Select& select);
  Failure expand_star(const sql::Expr& star);
  // An ORDER BY or GROUP BY item: which output column (index) or text it is.
  struct Item {
    std::string text;
    const sql::Expr* expr = nullptr;
    std::optional<ColumnId> column;
  };
  Result<Item> order_item(const sql::Expr& expr, TextRange range) const;
  Result<Item> group_item(const sql::Expr& expr, TextRange range) const;
  Result<Item> ordinal(const sql::Expr& expr, const char* clause) const;
  enum class TextOrder : std::uint8_t { Bytewise, Linguistic, Unknown };
  TextOrder text_order(const sql::Expr* expr, const std::optional<ColumnId>& column) const;
  bool deterministic(const sql::Expr* expr, const std::optional<ColumnId>& column) const;
  Failure collation_refusal(const std::string& text) const;

  // scatter_group.cpp
  Failure grouped(const sql::Select& select, MultiPlan& multi);
  Failure distinct(const sql::Select& select, MultiPlan& multi);
  Failure group_keys(const sql::Select& select, MultiPlan& multi);
  Failure group_targets(const sql::Select& select, MultiPlan& multi);
  Failure group_order(const sql::Select& select, MultiPlan& multi);
  Result<std::size_t> aggregate(const sql::Expr& call, std::int32_t visible, MultiPlan& multi);
  bool is_aggregate(const sql::Expr& expr) const;
  bool contains_aggregate(const sql::Expr& expr) const;
  bool over_keys(const sql::Expr& expr) const;
  bool same_value(const sql::Expr& a, const sql::Expr& b) const;

  // insert.cpp, change.cpp
  Failure insert(const sql::Statement& statement);
  std::optional<std::size_t> target_count(const sql::Select& select) const;
  Failure insert_columns(const sql::Modify& m, std::vector<const CatalogColumn*>& columns);
  Failure insert_rows(const sql::Statement& statement, const std::vector<const CatalogColumn*>& columns);
  Failure insert_select(const sql::Modify& m, const std::vector<const CatalogColumn*>& columns);
  Failure insert_row(const sql::Modify& m, const std::vector<sql::ExprPtr>& row,
                     const std::vector<const CatalogColumn*>& columns, InsertRow& out);
  std::optional<Term> constant_of(const QueryLevel& level, const sql::Expr& e, const KeyColumn& key) const;
  bool clock_words_only_in_text(const sql::Modify& m, const std::vector<const CatalogColumn*>& columns) const;
  Failure insert_constraints(const sql::Modify& m, const std::vector<const CatalogColumn*>& columns);
  Failure conflict(const sql::Modify& m);
  Failure table_constraints(const BoundRelation& table, const std::vector<std::string>& written);
  Failure change(const sql::Statement& statement);
  Failure key_assignments(const sql::Modify& m, const BoundRelation& target);
  Failure reference_write(const sql::Statement& statement);
  Failure reference_values(const sql::Modify& m, const BoundRelation& target, bool insert);
  Failure triggers(const BoundRelation& table) const;
  const BoundRelation& target() const { return bound_.levels.front()->relations.front(); }

  const ClusterRouting& cluster_;
  const SearchPath& path_;
  std::string_view text_;
  Binder binder_;
  std::unique_ptr<Plan> plan_;
  const sql::Statement* statement_ = nullptr;
  Bound bound_;
  Uses uses_;
  bool any_sharded_ = false;

  // while a scatter is planned
  std::optional<ClauseRanges> ranges_;
  std::size_t anchor_ = 0;
  std::vector<std::vector<ColumnId>> anchor_classes_;
  std::vector<OutputColumn> outputs_;
  std::vector<std::string> hidden_;
  std::vector<Item> keys_;
  std::vector<const sql::Expr*> aggregate_calls_;
};

}  // namespace pgweir::routing
