// Names in a statement bound to tables: every query level with its relations, what is known of each row of it
// (conditions), and which columns must be equal. Lives while a statement is analysed; points into its tree and the
// catalog.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "routing/plan/router.h"
#include "routing/plan/search_path.h"
#include "routing/sql/statement.h"

namespace pgweir::routing {

enum class RelationKind : std::uint8_t { Sharded, Reference, Local, Home, Derived /* WITH, sub-select, function */ };

struct BoundRelation {
  RelationKind kind = RelationKind::Derived;
  std::string visible, schema, name;
  const CatalogTable* table = nullptr;
  const ClusterRouting::TableEntry* entry = nullptr;
  ShardId shard;        // Local, Home
  bool hidden = false;  // inside an aliased join: not reachable by name
  bool temporary = false;
  bool unknown = false;  // Home: neither the catalog nor the configuration has it
  std::vector<std::string> columns;  // visible names, parallel to table->columns; empty: unknown
  bool sharded() const { return kind == RelationKind::Sharded; }
};

// Conditions of a join that is not part of every result row: rows of `applies_to` that fail them contribute nothing.
struct JoinCondition {
  std::vector<const sql::Expr*> conjuncts;
  std::vector<std::size_t> applies_to;
};

struct QueryLevel;
struct ColumnId {
  const QueryLevel* level = nullptr;
  std::size_t relation = 0;
  std::size_t column = 0;  // index into table->columns
  bool operator==(const ColumnId&) const = default;
};

// Columns that USING or NATURAL makes equal. `condition`: index into QueryLevel::joins, -1: holds for every row.
struct UsingPair {
  ColumnId left, right;
  int condition = -1;
  bool merged_is_left = true;  // the unqualified name means the left column
};

struct QueryLevel {
  enum class Place : std::uint8_t { Main, Common, Derived, SubLink, SetArm } place = Place::Main;
  const QueryLevel* parent = nullptr;
  const sql::Select* select = nullptr;
  const sql::Modify* modify = nullptr;
  std::vector<BoundRelation> relations;
  std::vector<const sql::Expr*> where;  // true of every row that the level's result is made from
  std::vector<JoinCondition> joins;
  std::vector<UsingPair> pairs;
  bool full_join = false;

  // nullopt: not a column of a table here or further out, or it cannot be told which.
  std::optional<ColumnId> resolve(const sql::Expr& column) const;
  const CatalogColumn& column(const ColumnId& id) const {
    return id.level->relations[id.relation].table->columns[id.column];
  }
};

struct Bound {
  std::vector<std::unique_ptr<QueryLevel>> levels;  // outermost first
  std::unordered_map<const sql::Select*, QueryLevel*> by_select;
  std::optional<SqlError> refusal;       // a name that cannot be used at all
  std::vector<std::string> unqualified;  // table names that a temp table could hide
};

class Binder {
 public:
  Binder(const ClusterRouting& cluster, const SearchPath& path, std::span<const std::string> temp_tables)
      : cluster_(cluster), path_(path), temp_(temp_tables) {}

  Bound bind(const sql::Statement& statement);
  // Looks a table up by the rules of the search path and the configuration.
  Result<BoundRelation> lookup(const sql::RelationName& name) const;
  ShardId home() const;
  bool temp_name(std::string_view name) const { return std::find(temp_.begin(), temp_.end(), name) != temp_.end(); }
  std::optional<ShardId> shard_named(std::string_view name) const;

 private:
  using CommonNames = std::vector<std::string>;
  void statement(const sql::Statement& s, const QueryLevel* parent, QueryLevel::Place place, CommonNames names);
  void select(const sql::Select& s, const QueryLevel* parent, QueryLevel::Place place, CommonNames names);
  void modify(const sql::Modify& m, sql::Command command, const QueryLevel* parent, QueryLevel::Place place,
              CommonNames names);
  void with(const sql::With* with, const QueryLevel* parent, CommonNames& names);
  void sublinks(const std::vector<const sql::Expr*>& exprs, QueryLevel& level, const CommonNames& names);
  void derived(const sql::FromItem& item, QueryLevel& level, const CommonNames& names);
  QueryLevel& add(const QueryLevel* parent, QueryLevel::Place place);
  std::vector<std::size_t> from(const sql::FromItem& item, bool nullable, QueryLevel& level, const CommonNames& names);
  std::vector<std::size_t> join(const sql::FromItem& item, bool nullable, QueryLevel& level, const CommonNames& names);
  void using_pairs(const sql::FromItem& item, const std::vector<std::size_t>& left,
                   const std::vector<std::size_t>& right, int condition, QueryLevel& level);
  std::size_t table(const sql::RelationName& name, QueryLevel& level, const CommonNames& names);
  Result<BoundRelation> found(const sql::RelationName& name, const std::string& schema,
                              const CatalogTable* table) const;
  void refuse_with(SqlError error) {
    if (!bound_.refusal) bound_.refusal = std::move(error);
  }

  const ClusterRouting& cluster_;
  const SearchPath& path_;
  std::span<const std::string> temp_;
  Bound bound_;
};

}  // namespace pgweir::routing
