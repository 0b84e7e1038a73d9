// Private to sql/pg_*.cpp, the only files that see PostgreSQL's parse tree: turns it into the nodes of ast.h. The tree
// belongs to libpg_query's memory context of this thread; nothing of it is kept. Not thread-safe (one per parse).
#pragma once

// Standard headers first: PostgreSQL's port.h redefines printf and friends as macros.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "routing/sql/statement.h"

extern "C" {
#include "postgres.h"

#include "nodes/parsenodes.h"
#include "nodes/value.h"
}

namespace pgweir::routing::sql {

// Nesting beyond this (PostgreSQL's parser accepts left-recursive chains of any length) is not converted: our walkers
// recurse. The node bound keeps one statement's memory within about 100 MB.
inline constexpr int kMaxDepth = 1000;
inline constexpr std::size_t kMaxNodes = 500'000;

class PgConverter {
 public:
  explicit PgConverter(std::string_view sql) : text_(sql) {}
  std::unique_ptr<Statement> statement(const RawStmt& raw);

 private:
  class Level;  // RAII: counts nesting and nodes

  // pg_expr.cpp
  ExprPtr expr(const Node* node);
  ExprPtr opaque_expr();
  ExprPtr constant(const A_Const& node);
  ExprPtr column(const ColumnRef& node);
  ExprPtr call(const FuncCall& node);
  ExprPtr operation(const A_Expr& node);
  ExprPtr cast(const TypeCast& node);
  ExprPtr boolean(const BoolExpr& node);
  ExprPtr sublink(const SubLink& node);
  ExprPtr sql_value(const SQLValueFunction& node);
  ExprPtr case_expr(const CaseExpr& node);
  ExprPtr indirection(const A_Indirection& node);
  ExprPtr with_args(ExprKind kind, const List* args, int location);
  ExprPtr special(const Node* node);
  std::vector<ExprPtr> exprs(const List* list);
  std::vector<SortItem> sort_items(const List* list);
  Window window(const WindowDef& node);

  // pg_query.cpp
  SelectPtr select(const Node* node);
  void leaf_select(const SelectStmt& node, Select& select);
  FromPtr from_item(const Node* node);
  FromPtr join(const JoinExpr& node);
  FromPtr function_item(const RangeFunction& node);
  std::vector<FromPtr> from_items(const List* list);
  std::vector<Target> targets(const List* list);
  RelationName relation(const RangeVar* node);
  std::unique_ptr<With> with(const WithClause* node);
  std::unique_ptr<Modify> insert(const InsertStmt& node);
  std::unique_ptr<OnConflict> conflict(const OnConflictClause& node);
  std::unique_ptr<Modify> update(const UpdateStmt& node);
  std::unique_ptr<Modify> remove(const DeleteStmt& node);
  std::unique_ptr<Modify> merge(const MergeStmt& node);
  // SELECT, INSERT, UPDATE, DELETE, MERGE; false: none of these.
  bool query_statement(const Node* node, Statement& statement);

  // pg_utility.cpp, pg_ddl.cpp
  std::unique_ptr<Statement> inner(const Node* node);
  void convert(const Node* node, Statement& statement);
  bool utility(const Node* node, Statement& statement);
  bool session_utility(const Node* node, Statement& statement);
  bool cursor_utility(const Node* node, Statement& statement);
  bool table_utility(const Node* node, Statement& statement);
  void transaction(const TransactionStmt& node, Statement& statement);
  void set(const VariableSetStmt& node, Statement& statement);
  void copy(const CopyStmt& node, Statement& statement);
  void create_table_as(const CreateTableAsStmt& node, Statement& statement);
  std::vector<Option> option_list(const List* list);
  bool table_ddl(const Node* node, Statement& statement);
  bool object_ddl(const Node* node, Statement& statement);
  bool everywhere_ddl(const Node* node, Statement& statement);
  void create_table(const CreateStmt& node, Statement& statement);
  void table_element(const Node* node, Statement& statement);
  void constraint(const Constraint& node, Statement& statement);
  void alter_table(const AlterTableStmt& node, Statement& statement);
  void drop(const DropStmt& node, Statement& statement);
  void grant(const GrantStmt& node, Statement& statement);
  void object_statement(ObjectType type, const RangeVar* relation, const Node* object, Statement& statement);
  void add_relation(const RangeVar* node, Statement& statement);
  void add_relations(const List* list, Statement& statement);
  void add_relation(const List* names, std::size_t drop_last, Statement& statement);

  std::string_view text_;
  int depth_ = 0;
  std::size_t nodes_ = 0;
  bool opaque_ = false, too_deep_ = false;
};

class PgConverter::Level {
 public:
  explicit Level(PgConverter& owner) : owner_(owner) {
    ++owner_.depth_;
    if (owner_.depth_ > kMaxDepth || ++owner_.nodes_ > kMaxNodes) owner_.too_deep_ = true;
  }
  ~Level() { --owner_.depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  PgConverter& owner_;
};

// Small helpers over PostgreSQL's lists.
inline std::string text_of(const char* s) { return s == nullptr ? std::string() : std::string(s); }
template <class T>
const T* nth(const List* list, int i) {
  return static_cast<const T*>(list_nth(list, i));
}
template <class T>
const T& as(const Node* node) {
  return *reinterpret_cast<const T*>(node);
}
std::vector<std::string> name_parts(const List* list);

}  // namespace pgweir::routing::sql
