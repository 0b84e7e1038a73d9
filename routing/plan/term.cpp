#include "routing/plan/term.h"

#include "routing/plan/array_value.h"
#include "routing/plan/refusal.h"
#include "routing/plan/type_oids.h"

namespace pgweir::routing {
namespace {

using config::KeyType;
using sql::Expr;
using sql::ExprKind;

bool integer(Oid oid) { return oid == oid::kInt2 || oid == oid::kInt4 || oid == oid::kInt8; }
bool character(Oid oid) { return oid == oid::kText || oid == oid::kVarchar; }

bool ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

std::string key_type_name(KeyType type) {
  switch (type) {
    case KeyType::SmallInt:
      return "smallint";
    case KeyType::Int:
      return "integer";
    case KeyType::BigInt:
      return "bigint";
    case KeyType::Uuid:
      return "uuid";
    case KeyType::Text:
      return "text";
    case KeyType::Bytea:
      return "bytea";
    case KeyType::Numeric:
      return "numeric";
    case KeyType::Date:
      return "date";
    case KeyType::Timestamp:
      return "timestamp";
    case KeyType::TimestampTz:
      return "timestamp with time zone";
    case KeyType::Bool:
      return "boolean";
  }
  return "text";
}

bool key_type_fits(KeyType type, Oid oid) {
  switch (type) {
    case KeyType::SmallInt:
    case KeyType::Int:
    case KeyType::BigInt:
      return integer(oid);
    case KeyType::Uuid:
      return oid == oid::kUuid;
    case KeyType::Text:
      return character(oid) || oid == oid::kBpchar;
    case KeyType::Bytea:
      return oid == oid::kBytea;
    case KeyType::Numeric:
      return oid == oid::kNumeric;
    case KeyType::Date:
      return oid == oid::kDate;
    case KeyType::Timestamp:
      return oid == oid::kTimestamp;
    case KeyType::TimestampTz:
      return oid == oid::kTimestampTz;
    case KeyType::Bool:
      return oid == oid::kBool;
  }
  return false;
}

Oid key_cast_type(const Expr& cast) {
  if (cast.kind != ExprKind::Cast || cast.typmod || cast.array_type || cast.names.size() > 2) return 0;
  if (cast.names.size() == 2 && cast.names.front() != "pg_catalog") return 0;
  return oid::by_name(cast.name());
}

bool Term::accept_constant(const Expr& e, Term& term) {
  switch (e.kind) {
    case ExprKind::Null:
      term.source_ = Source::Null;
      return true;
    case ExprKind::String:
      break;
    case ExprKind::Integer:
      term.cast_ = oid::kInt8;
      break;
    case ExprKind::Float:
      // Digits only: a bigint or numeric. With a point or exponent it is numeric, which other keys than numeric do not
      // have.
      if (e.text.find_first_not_of("-0123456789") != std::string::npos && term.column_.type != KeyType::Numeric)
        return false;
      term.cast_ = oid::kNumeric;
      break;
    case ExprKind::Boolean:
      term.cast_ = oid::kBool;
      break;
    default:
      return false;
  }
  term.source_ = Source::Literal;
  term.text_ = e.text;
  return true;
}

// One cast of a constant or parameter to a built-in type: what the value is then read as.
bool Term::accept_cast(const Expr& cast, Term& term) {
  const Oid type = key_cast_type(cast);
  const Expr& inner = *cast.args.front();
  if (type == 0 || type == oid::kBpchar || type == oid::kName) return false;
  if (inner.kind == ExprKind::Parameter) {
    term.source_ = Source::Parameter;
    term.parameter_ = inner.number;
    term.location_ = inner.location;
    term.cast_ = type;
    return true;
  }
  if (!accept_constant(inner, term)) return false;
  if (term.source_ == Source::Null) return true;
  const bool exact = inner.kind == ExprKind::String || (inner.kind == ExprKind::Boolean && type == oid::kBool) ||
                     (inner.kind == ExprKind::Integer && (integer(type) || type == oid::kNumeric || character(type)));
  term.cast_ = type;
  return exact;
}

std::optional<Term> Term::compile(const Expr& e, const KeyColumn& column) {
  Term term;
  term.column_ = column;
  if (e.kind == ExprKind::Parameter) {
    term.source_ = Source::Parameter;
    term.parameter_ = e.number;
    term.location_ = e.location;
    return term;
  }
  if (e.kind == ExprKind::Cast ? accept_cast(e, term) : accept_constant(e, term)) return term;
  return std::nullopt;
}

std::optional<Term> Term::compile_array(const Expr& e, const KeyColumn& column) {
  Term term;
  term.column_ = column;
  const Expr* value = &e;
  if (e.kind == ExprKind::Cast) {
    if (!e.array_type || e.typmod || (e.names.size() == 2 && e.names.front() != "pg_catalog")) return std::nullopt;
    term.cast_ = oid::by_name(e.name());
    if (term.cast_ == 0 || term.cast_ == oid::kBpchar || term.cast_ == oid::kName) return std::nullopt;
    value = e.args.front().get();
  }
  if (value->kind == ExprKind::Parameter) {
    term.source_ = Source::Parameter;
    term.parameter_ = value->number;
    term.location_ = value->location;
    return term;
  }
  if (value->kind != ExprKind::String) return std::nullopt;
  term.source_ = Source::Literal;
  term.text_ = value->text;
  return term;
}

std::optional<Term> Term::compile_assigned(const Expr& e, const KeyColumn& column) {
  const bool timestamptz = column.type == KeyType::TimestampTz;
  const bool now_call =
      e.kind == ExprKind::Call && e.args.empty() && e.names.size() == 1 && !e.call->over && e.name() == "now";
  const bool current = e.kind == ExprKind::SqlValue && e.value == sql::SqlValueForm::Timestamp && e.number < 0;
  if (timestamptz && (now_call || current)) {
    Term term;
    term.column_ = column;
    term.source_ = Source::Now;
    return term;
  }
  auto term = compile(e, column);
  if (term && column.type == KeyType::Text && e.kind == ExprKind::Integer) term->cast_ = oid::kText;
  return term;
}

bool Term::safe_undeclared() const {
  return column_.type == KeyType::Uuid || column_.type == KeyType::Bytea || column_.type == KeyType::Bool ||
         (column_.type == KeyType::Text && column_.oid != oid::kBpchar);
}

TermValue Term::read(const Parameter& value, const TermInput& input) const {
  TermValue result;
  if (value.null) {
    result.kind = TermValue::Kind::Null;
    return result;
  }
  auto read = key_from_parameter(column_.type, value, *input.literals);
  if (!read.ok()) {
    if (read.error() == KeyError::OutOfRange) result.kind = TermValue::Kind::None;
    if (read.error() == KeyError::Invalid) {
      result.kind = TermValue::Kind::Error;
      result.error = value.binary ? SqlError{"22P03", "incorrect binary data format in bind parameter", {}, {}, {}, {}}
                                  : key_text_error(column_.type, key_type_name(column_.type), value.value,
                                                   *input.literals);
    }
    return result;
  }
  KeyValue key = std::move(*read);
  if (column_.type == KeyType::Text) {
    const auto* text = std::get_if<std::string>(&key.value);
    if (text == nullptr || (!input.server_encoding && !ascii(*text))) return result;
    // Comparing with char(n) ignores trailing blanks.
    if (column_.oid == oid::kBpchar && store_in_column(key, oid::kBpchar, -1)) return result;
  }
  result.kind = TermValue::Kind::Value;
  result.value = std::move(key);
  return result;
}

TermValue Term::evaluate(const TermInput& input) const {
  TermValue result;
  switch (source_) {
    case Source::Null:
      result.kind = TermValue::Kind::Null;
      return result;
    case Source::Now: {
      if (!input.now_known) return result;
      KeyValue key;
      key.type = column_.type;
      key.value = input.now_microseconds;
      result.kind = TermValue::Kind::Value;
      result.value = std::move(key);
      return result;
    }
    case Source::Literal:
    case Source::Parameter:
      break;
  }
  const auto value = given(input);
  return value ? read(*value, input) : result;
}

// The constant or parameter with the type that it is read as; nullopt: not known, or converted at run time.
std::optional<Parameter> Term::given(const TermInput& input) const {
  if (source_ == Source::Literal) {
    Parameter literal;
    literal.type = cast_ != 0 ? cast_ : column_.oid;
    literal.value = text_;
    return literal;
  }
  const auto index = static_cast<std::size_t>(parameter_);
  if (!input.parameters_known || index == 0 || index > input.parameters.size()) return std::nullopt;
  Parameter parameter = input.parameters[index - 1];
  if (parameter.type == 0 || parameter.type == oid::kUnknown) {
    if (shared_parameter_ && !safe_undeclared()) return std::nullopt;
    parameter.type = cast_ != 0 ? cast_ : column_.oid;
  } else if (cast_ != 0 && parameter.type != cast_ && !(integer(parameter.type) && integer(cast_)) &&
             !(character(parameter.type) && character(cast_))) {
    return std::nullopt;
  }
  return parameter;
}

TermValue Term::evaluate_stored(const TermInput& input) const {
  TermValue result = evaluate(input);
  if (result.kind == TermValue::Kind::None) {
    // Assigning what no key equals: a text has PostgreSQL's own error, a numeric with a fraction would be rounded.
    const auto value = given(input);
    const bool whole = value && !value->binary && value->value.find_first_of(".eE") == std::string_view::npos;
    const bool rounded = !value || (value->type == oid::kNumeric && !whole);
    result.kind = integer(column_.oid) && !rounded ? TermValue::Kind::Error : TermValue::Kind::Unknown;
    if (result.kind == TermValue::Kind::Error) {
      const std::string type = key_type_name(column_.type);
      result.error = whole || value->binary ? SqlError{"22003", type + " out of range", {}, {}, {}, {}}
                                            : key_text_error(column_.type, type, value->value, *input.literals);
    }
    return result;
  }
  if (result.kind != TermValue::Kind::Value) return result;
  if (const auto error = store_in_column(*result.value, column_.oid, column_.typmod, input.server_encoding)) {
    result.kind = *error == KeyError::Invalid ? TermValue::Kind::Error : TermValue::Kind::Unknown;
    if (*error == KeyError::Invalid)
      result.error = store_error(column_.type);
  }
  return result;
}

std::optional<std::vector<TermValue>> Term::evaluate_array(const TermInput& input) const {
  Parameter array;
  if (source_ == Source::Literal) {
    array.type = cast_ != 0 ? cast_ : column_.oid;
    array.value = text_;
  } else if (source_ == Source::Parameter) {
    const auto index = static_cast<std::size_t>(parameter_);
    if (!input.parameters_known || index == 0 || index > input.parameters.size()) return std::nullopt;
    array = input.parameters[index - 1];
    const Oid element = oid::element_of(array.type);
    if (array.type != 0 && array.type != oid::kUnknown && element == 0) return std::nullopt;
    if (element == 0 && shared_parameter_ && !safe_undeclared()) return std::nullopt;
    if (cast_ != 0 && element != 0 && element != cast_) return std::nullopt;
    array.type = element != 0 ? element : cast_ != 0 ? cast_ : column_.oid;
  } else {
    return std::nullopt;
  }
  if (array.null) return std::vector<TermValue>{};
  std::vector<std::optional<std::string>> elements;
  Oid element_type = array.type;
  if (!(array.binary ? read_array_binary(array.value, elements, element_type) : read_array_text(array.value, elements)))
    return std::nullopt;
  std::vector<TermValue> values;
  values.reserve(elements.size());
  for (const auto& e : elements) {
    Parameter one;
    one.type = element_type;
    one.binary = array.binary;
    one.null = !e.has_value();
    if (e) one.value = *e;
    values.push_back(read(one, input));
  }
  return values;
}

}  // namespace pgweir::routing
