// The little SQL that the model of a server understands: what the sequences of tests are made of, and what the proxy
// puts in itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgweir::model {

struct Statement {
  enum class Kind {
    Empty, Syntax, Divide, Rows, Parameter, Show, Census, SetConfig, Insert, CopyIn, CopyOut,
    Set, SetLocal, Reset, ResetAll, DiscardAll, DiscardOther, Prepare, Execute, Deallocate, DeallocateAll,
    Begin, Commit, Rollback, Savepoint, Release, RollbackTo
  };
  Kind kind = Kind::Syntax;
  std::string name;   // of a setting, savepoint or prepared statement
  std::string value;  // the literal, the setting's value; Prepare: the statement's text; Syntax: what it is near to
  unsigned rows = 1;  // Rows, CopyOut: how many
  bool local = false; // SetConfig
  bool series = false;  // Rows: the row's number stands behind the literal

  bool controls_transaction() const { return kind >= Kind::Begin; }
  bool ends_transaction() const {
    return kind == Kind::Commit || kind == Kind::Rollback || kind == Kind::RollbackTo;
  }
  // Whether it has a row description.
  bool returns_rows() const { return kind >= Kind::Divide && kind <= Kind::SetConfig; }
};

// Cut at semicolons; statements without a word are left out. One that is not understood is Syntax, as all others are
// then of no use to PostgreSQL: the caller refuses the whole text.
std::vector<Statement> parse_model_sql(std::string_view text);

}  // namespace pgweir::model
