// From conditions on key columns to the set of shards that can hold a row that matters: a superset, never less.
// Compiled once per statement, evaluated with the values of each execution. Immutable after compile(); thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "routing/plan/scope.h"
#include "routing/plan/term.h"

namespace pgweir::routing {

// A condition on the key levels of one table.
struct KeyPredicate {
  enum class Kind : std::uint8_t {
    Any,
    And,
    Or,
    Equal,
    EqualArray,
    Less,
    LessEqual,
    Greater,
    GreaterEqual
  } kind = Kind::Any;
  std::size_t level = 0;               // of the placement
  std::vector<Term> terms;             // Equal: one of them; EqualArray and comparisons: one
  std::vector<KeyPredicate> children;  // And, Or
};

struct NarrowResult {
  ShardSet shards;                              // empty: no row can match
  std::optional<SqlError> error;                // PostgreSQL would refuse a value
  std::vector<std::optional<KeyValue>> single;  // per key level: the only value a row can have, where known
};

class Narrowing {
 public:
  // `relation` is a sharded one of `level`. Key columns whose type does not fit the placement narrow nothing.
  static Narrowing compile(const QueryLevel& level, std::size_t relation);
  NarrowResult evaluate(const TermInput& input) const;

  std::string table;  // schema.name
  std::shared_ptr<const Placement> placement;
  KeyPredicate predicate;

 private:
  void gather(const KeyPredicate& p, std::vector<const KeyPredicate*>& simple,
              std::vector<const KeyPredicate*>& ors) const;
  ShardSet shards(std::vector<const KeyPredicate*> simple, std::vector<const KeyPredicate*> ors, const TermInput& input,
                  int depth, NarrowResult& result) const;
  void constrain(const KeyPredicate& p, const TermInput& input, KeyConstraint& constraint, NarrowResult& result) const;
};

// Columns that equal `start` in every row of `start`'s relation that matters, start included. Two relations are joined
// on a key level if one's class holds the other's column.
std::vector<ColumnId> equal_columns(const ColumnId& start);

// Index into table->columns of key level `i`; nullopt: the table does not have the column.
std::optional<std::size_t> key_column_index(const BoundRelation& relation, std::size_t level);
// The column as a Term needs it. Precondition: the index is valid.
KeyColumn key_column(const BoundRelation& relation, std::size_t level, std::size_t column);

// Every Term of the predicate, for marking parameters.
void each_term(KeyPredicate& predicate, const std::function<void(Term&)>& fn);

}  // namespace pgweir::routing
