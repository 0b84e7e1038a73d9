// A key value as the statement writes it: a literal or a parameter, possibly under a cast that cannot lose. Compiled
// when the statement is analysed, read when it is routed. Immutable; thread-safe to read.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "routing/placement/key_value.h"
#include "routing/plan/router.h"
#include "routing/sql/ast.h"

namespace pgweir::routing {

// One key column: what the placement takes it for and what the database says it is.
struct KeyColumn {
  config::KeyType type = config::KeyType::BigInt;
  Oid oid = 0;
  std::int32_t typmod = -1;
};

// True if values of a column of type `oid` are what the placement's `type` hashes and compares.
bool key_type_fits(config::KeyType type, Oid oid);

struct TermInput {
  std::span<const Parameter> parameters;
  const LiteralContext* literals = nullptr;
  bool parameters_known = true;
  std::int64_t now_microseconds = 0;
  bool server_encoding = true;  // the client's texts are in the server's encoding
  bool now_known = false;       // outside of a transaction block: now() is a constant of our choice
};

struct TermValue {
  enum class Kind : std::uint8_t {
    Unknown,  // any value
    Null,     // NULL: no comparison is true
    None,     // a valid value that no key equals
    Value,
    Error  // PostgreSQL cannot read it: `error`
  } kind = Kind::Unknown;
  std::optional<KeyValue> value;
  std::optional<SqlError> error;
};

class Term {
 public:
  // For `column = expr` and the like. nullopt: the value cannot be known, or the comparison is not the key type's own.
  static std::optional<Term> compile(const sql::Expr& expr, const KeyColumn& column);
  // For `column = ANY (expr)`: an array literal or parameter, possibly under a cast to an array type.
  static std::optional<Term> compile_array(const sql::Expr& expr, const KeyColumn& column);
  // For INSERT: assigned to the column. Accepts now() for timestamps; DEFAULT is the caller's business.
  static std::optional<Term> compile_assigned(const sql::Expr& expr, const KeyColumn& column);

  TermValue evaluate(const TermInput& input) const;
  // The value as the column stores it; None and values that storing would change (typmod) are Unknown or an Error.
  TermValue evaluate_stored(const TermInput& input) const;
  // For `column = ANY (term)`: the elements of an array literal or parameter. nullopt: unknown.
  std::optional<std::vector<TermValue>> evaluate_array(const TermInput& input) const;

  bool is_now() const { return source_ == Source::Now; }
  int parameter() const { return source_ == Source::Parameter ? parameter_ : 0; }
  // The type an undeclared parameter is read as, and where it stands in the text.
  Oid parameter_type() const { return cast_ != 0 ? cast_ : column_.oid; }
  int location() const { return location_; }
  // An undeclared parameter of this type reads the same whatever the rest of the statement makes of it.
  bool safe_undeclared() const;
  void set_shared_parameter() { shared_parameter_ = true; }
  const KeyColumn& column() const { return column_; }

 private:
  enum class Source : std::uint8_t { Literal, Parameter, Null, Now };
  static bool accept_cast(const sql::Expr& cast, Term& term);
  static bool accept_constant(const sql::Expr& expr, Term& term);
  TermValue read(const Parameter& value, const TermInput& input) const;
  std::optional<Parameter> given(const TermInput& input) const;

  Source source_ = Source::Null;
  KeyColumn column_;
  std::string text_;
  int parameter_ = 0, location_ = -1;
  Oid cast_ = 0;                   // type of the cast around it; 0: none
  bool shared_parameter_ = false;  // used elsewhere in a way that could give an undeclared parameter another type
};

// The type named by a cast, if it is one of the built-in types that keys can have; 0 otherwise.
Oid key_cast_type(const sql::Expr& cast);
std::string key_type_name(config::KeyType type);

}  // namespace pgweir::routing
