// The analysed statement in our own form: what routing needs of PostgreSQL's parse tree, nothing of the parser's
// memory. Whatever the converter does not understand becomes an Opaque node; nothing is silently left out. Immutable
// after parse(); thread-safe to read. Locations are byte offsets into the text, -1 where unknown.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgweir::routing::sql {

struct Expr;
struct Select;
struct Statement;
struct FromItem;
using ExprPtr = std::unique_ptr<Expr>;
using SelectPtr = std::unique_ptr<Select>;
using FromPtr = std::unique_ptr<FromItem>;

enum class ExprKind : std::uint8_t {
  Null,
  Integer,
  Float,
  String,
  Boolean,
  BitString,
  Parameter,
  Column,
  Call,
  Operator,
  And,
  Or,
  Not,
  NullTest,
  BooleanTest,
  Cast,
  Case,
  Coalesce,
  Extreme /* GREATEST, LEAST */,
  SqlValue,
  SubLink,
  Array,
  Row,
  Collate,
  Default,
  Indirection,
  Grouping /* GROUPING() and grouping sets */,
  List,
  Opaque
};

enum class OperatorForm : std::uint8_t {
  Plain,
  Any,
  All,
  Distinct,
  NotDistinct,
  NullIf,
  In,
  Like,
  ILike,
  Similar,
  Between,
  NotBetween,
  BetweenSymmetric,
  NotBetweenSymmetric
};

enum class SubLinkForm : std::uint8_t { Exists, All, Any, RowCompare, Scalar, MultiScalar, Array };

enum class SqlValueForm : std::uint8_t {
  Date,
  Time,
  Timestamp,
  LocalTime,
  LocalTimestamp,
  Role,
  User,
  SessionUser,
  Catalog,
  Schema
};

struct SortItem {
  ExprPtr expr;
  bool descending = false, nulls_first = false;  // defaults resolved
  bool with_operator = false;                    // ORDER BY ... USING op
};

struct Window {
  std::string name, base;
  std::vector<ExprPtr> partition;
  std::vector<SortItem> order;
  std::vector<ExprPtr> frame;  // frame offsets
};

struct CallParts {
  std::vector<SortItem> order;
  ExprPtr filter;
  std::unique_ptr<Window> over;
  bool star = false, distinct = false, variadic = false, within_group = false;
};

// One node. `names`: Column: the parts (star: without the *); Call, Operator, Cast, Collate: the qualified name.
// `text`: constants' text, Default and Opaque: empty. `args` by kind:
//   Operator: left (may be null), right; In and Between: right is a List; Case: argument (may be null), then all parts.
struct Expr {
  ExprKind kind = ExprKind::Opaque;
  OperatorForm op = OperatorForm::Plain;
  SubLinkForm sublink = SubLinkForm::Exists;
  SqlValueForm value = SqlValueForm::Date;
  bool negated = false;     // NullTest: IS NOT NULL; BooleanTest: anything but IS TRUE
  bool star = false;        // Column: ends in *
  bool typmod = false;      // Cast: the type has modifiers
  bool array_type = false;  // Cast: the type is an array
  std::int32_t location = -1;
  std::int32_t number = 0;  // Parameter: n of $n; SqlValue: precision or -1
  std::string text;
  std::vector<std::string> names;
  std::vector<ExprPtr> args;
  std::unique_ptr<CallParts> call;
  SelectPtr select;  // SubLink

  const std::string& name() const { return names.back(); }  // Precondition: names not empty.
  bool constant() const { return kind <= ExprKind::BitString; }
};

struct RelationName {
  std::string catalog, schema, name, alias;
  std::vector<std::string> column_aliases;
  bool only = false;       // ONLY: without children
  bool temporary = false;  // created as temp
  std::int32_t location = -1;
  const std::string& visible_name() const { return alias.empty() ? name : alias; }
};

enum class JoinForm : std::uint8_t { Inner, Left, Right, Full };

struct FromItem {
  enum class Kind : std::uint8_t { Table, Select, Function, Join, Opaque } kind = Kind::Opaque;
  RelationName relation;  // Table; for others only alias and column_aliases
  bool lateral = false;
  SelectPtr select;                       // Select
  std::vector<ExprPtr> functions;         // Function
  JoinForm join = JoinForm::Inner;        // Join
  bool natural = false, aliased = false;  // aliased: (a JOIN b) AS x or USING (...) AS x
  std::vector<std::string> using_columns;
  FromPtr left, right;
  ExprPtr on;
};

struct Target {              // select list, RETURNING, SET, INSERT column list
  std::string name;          // AS name; SET and INSERT: the column. Empty: none given
  bool indirection = false;  // SET a[1] = ..., a.b = ...
  ExprPtr expr;              // null in an INSERT column list
  std::int32_t location = -1;
};

struct CommonTable {
  std::string name;
  std::unique_ptr<Statement> query;
};

struct With {
  bool recursive = false;
  std::vector<CommonTable> tables;
};

enum class SetOperation : std::uint8_t { None, Union, Intersect, Except };

struct Select {
  std::unique_ptr<With> with;
  bool distinct = false;
  std::vector<ExprPtr> distinct_on;
  std::vector<Target> targets;
  std::vector<FromPtr> from;
  ExprPtr where, having, limit, offset;
  std::vector<ExprPtr> group_by;
  bool group_distinct = false;
  std::vector<Window> windows;
  std::vector<std::vector<ExprPtr>> values;
  std::vector<SortItem> order_by;
  bool with_ties = false, locking = false;
  bool into = false;
  RelationName into_relation;
  SetOperation operation = SetOperation::None;
  bool all = false;
  SelectPtr left, right;
};

struct OnConflict {
  bool update = false;
  bool has_target = false;  // columns or a constraint name
  std::string constraint;
  std::vector<std::string> columns;  // empty string: an expression
  std::vector<Target> set;
  ExprPtr index_where, where;
};

// INSERT, UPDATE, DELETE; MERGE carries only its relations (target first) and is otherwise opaque.
struct Modify {
  std::unique_ptr<With> with;
  RelationName target;
  std::vector<Target> columns;  // INSERT: column list
  SelectPtr source;             // INSERT: null for DEFAULT VALUES
  bool overriding = false;
  std::unique_ptr<OnConflict> conflict;
  std::vector<Target> set;    // UPDATE
  std::vector<FromPtr> from;  // UPDATE FROM, DELETE USING, MERGE source
  ExprPtr where;              // UPDATE, DELETE; MERGE: the ON condition
  bool current_of = false;
  std::vector<Target> returning;
};

struct Option {
  std::string name, text;         // text: constants and names; empty without argument
  std::vector<std::string> list;  // a list of names
  bool has_argument = false, star = false, opaque = false;
};

}  // namespace pgweir::routing::sql
