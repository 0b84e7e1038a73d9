#include <utility>

#include "routing/sql/pg_convert.h"

namespace pgweir::routing::sql {

std::vector<std::string> name_parts(const List* list) {
  std::vector<std::string> parts;
  for (int i = 0; i < list_length(list); ++i) {
    const Node* node = nth<Node>(list, i);
    if (node != nullptr && IsA(node, String)) parts.push_back(text_of(as<String>(node).sval));
  }
  return parts;
}

namespace {

ExprPtr make(ExprKind kind, int location) {
  auto e = std::make_unique<Expr>();
  e->kind = kind;
  e->location = location;
  return e;
}

OperatorForm form_of(A_Expr_Kind kind) {
  switch (kind) {
    case AEXPR_OP:
      return OperatorForm::Plain;
    case AEXPR_OP_ANY:
      return OperatorForm::Any;
    case AEXPR_OP_ALL:
      return OperatorForm::All;
    case AEXPR_DISTINCT:
      return OperatorForm::Distinct;
    case AEXPR_NOT_DISTINCT:
      return OperatorForm::NotDistinct;
    case AEXPR_NULLIF:
      return OperatorForm::NullIf;
    case AEXPR_IN:
      return OperatorForm::In;
    case AEXPR_LIKE:
      return OperatorForm::Like;
    case AEXPR_ILIKE:
      return OperatorForm::ILike;
    case AEXPR_SIMILAR:
      return OperatorForm::Similar;
    case AEXPR_BETWEEN:
      return OperatorForm::Between;
    case AEXPR_NOT_BETWEEN:
      return OperatorForm::NotBetween;
    case AEXPR_BETWEEN_SYM:
      return OperatorForm::BetweenSymmetric;
    case AEXPR_NOT_BETWEEN_SYM:
      return OperatorForm::NotBetweenSymmetric;
  }
  return OperatorForm::Plain;
}

}  // namespace

ExprPtr PgConverter::opaque_expr() {
  opaque_ = true;
  return make(ExprKind::Opaque, -1);
}

ExprPtr PgConverter::constant(const A_Const& node) {
  auto e = make(ExprKind::Null, node.location);
  if (node.isnull) return e;
  switch (nodeTag(&node.val.node)) {
    case T_Integer:
      e->kind = ExprKind::Integer;
      e->text = std::to_string(node.val.ival.ival);
      break;
    case T_Float:
      e->kind = ExprKind::Float;
      e->text = text_of(node.val.fval.fval);
      break;
    case T_Boolean:
      e->kind = ExprKind::Boolean;
      e->text = node.val.boolval.boolval ? "true" : "false";
      break;
    case T_String:
      e->kind = ExprKind::String;
      e->text = text_of(node.val.sval.sval);
      break;
    case T_BitString:
      e->kind = ExprKind::BitString;
      e->text = text_of(node.val.bsval.bsval);
      break;
    default:
      return opaque_expr();
  }
  return e;
}

ExprPtr PgConverter::column(const ColumnRef& node) {
  auto e = make(ExprKind::Column, node.location);
  e->names = name_parts(node.fields);
  const int count = list_length(node.fields);
  e->star = count > 0 && IsA(nth<Node>(node.fields, count - 1), A_Star);
  if (e->names.empty() && !e->star) return opaque_expr();
  return e;
}

std::vector<ExprPtr> PgConverter::exprs(const List* list) {
  std::vector<ExprPtr> result;
  const int count = list_length(list);
  result.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count && !too_deep_; ++i) result.push_back(expr(nth<Node>(list, i)));
  return result;
}

ExprPtr PgConverter::call(const FuncCall& node) {
  auto e = make(ExprKind::Call, node.location);
  e->names = name_parts(node.funcname);
  if (e->names.empty()) return opaque_expr();
  e->args = exprs(node.args);
  e->call = std::make_unique<CallParts>();
  e->call->order = sort_items(node.agg_order);
  if (node.agg_filter != nullptr) e->call->filter = expr(node.agg_filter);
  if (node.over != nullptr) e->call->over = std::make_unique<Window>(window(*node.over));
  e->call->star = node.agg_star;
  e->call->distinct = node.agg_distinct;
  e->call->variadic = node.func_variadic;
  e->call->within_group = node.agg_within_group;
  return e;
}

ExprPtr PgConverter::operation(const A_Expr& node) {
  auto e = make(ExprKind::Operator, node.location);
  e->op = form_of(node.kind);
  e->names = name_parts(node.name);
  if (e->names.empty()) return opaque_expr();
  e->args.push_back(node.lexpr == nullptr ? nullptr : expr(node.lexpr));
  e->args.push_back(node.rexpr == nullptr ? nullptr : expr(node.rexpr));
  return e;
}

ExprPtr PgConverter::cast(const TypeCast& node) {
  auto e = make(ExprKind::Cast, node.location);
  const TypeName* type = node.typeName;
  if (type == nullptr || type->pct_type || type->setof) return opaque_expr();
  e->names = name_parts(type->names);
  if (e->names.empty()) return opaque_expr();
  e->typmod = type->typmods != nullptr;
  e->array_type = type->arrayBounds != nullptr;
  e->args.push_back(expr(node.arg));
  return e;
}

ExprPtr PgConverter::boolean(const BoolExpr& node) {
  const ExprKind kind = node.boolop == AND_EXPR ? ExprKind::And : node.boolop == OR_EXPR ? ExprKind::Or : ExprKind::Not;
  return with_args(kind, node.args, node.location);
}

ExprPtr PgConverter::sublink(const SubLink& node) {
  auto e = make(ExprKind::SubLink, node.location);
  switch (node.subLinkType) {
    case EXISTS_SUBLINK:
      e->sublink = SubLinkForm::Exists;
      break;
    case ALL_SUBLINK:
      e->sublink = SubLinkForm::All;
      break;
    case ANY_SUBLINK:
      e->sublink = SubLinkForm::Any;
      break;
    case ROWCOMPARE_SUBLINK:
      e->sublink = SubLinkForm::RowCompare;
      break;
    case EXPR_SUBLINK:
      e->sublink = SubLinkForm::Scalar;
      break;
    case MULTIEXPR_SUBLINK:
      e->sublink = SubLinkForm::MultiScalar;
      break;
    case ARRAY_SUBLINK:
      e->sublink = SubLinkForm::Array;
      break;
    default:
      return opaque_expr();
  }
  e->names = name_parts(node.operName);
  if (node.testexpr != nullptr) e->args.push_back(expr(node.testexpr));
  e->select = select(node.subselect);
  return e;
}

ExprPtr PgConverter::sql_value(const SQLValueFunction& node) {
  auto e = make(ExprKind::SqlValue, node.location);
  e->number = -1;
  switch (node.op) {
    case SVFOP_CURRENT_DATE:
      e->value = SqlValueForm::Date;
      break;
    case SVFOP_CURRENT_TIME_N:
      e->number = node.typmod;
      [[fallthrough]];
    case SVFOP_CURRENT_TIME:
      e->value = SqlValueForm::Time;
      break;
    case SVFOP_CURRENT_TIMESTAMP_N:
      e->number = node.typmod;
      [[fallthrough]];
    case SVFOP_CURRENT_TIMESTAMP:
      e->value = SqlValueForm::Timestamp;
      break;
    case SVFOP_LOCALTIME_N:
      e->number = node.typmod;
      [[fallthrough]];
    case SVFOP_LOCALTIME:
      e->value = SqlValueForm::LocalTime;
      break;
    case SVFOP_LOCALTIMESTAMP_N:
      e->number = node.typmod;
      [[fallthrough]];
    case SVFOP_LOCALTIMESTAMP:
      e->value = SqlValueForm::LocalTimestamp;
      break;
    case SVFOP_CURRENT_ROLE:
      e->value = SqlValueForm::Role;
      break;
    case SVFOP_CURRENT_USER:
    case SVFOP_USER:
      e->value = SqlValueForm::User;
      break;
    case SVFOP_SESSION_USER:
      e->value = SqlValueForm::SessionUser;
      break;
    case SVFOP_CURRENT_CATALOG:
      e->value = SqlValueForm::Catalog;
      break;
    case SVFOP_CURRENT_SCHEMA:
      e->value = SqlValueForm::Schema;
      break;
  }
  return e;
}

ExprPtr PgConverter::case_expr(const CaseExpr& node) {
  auto e = make(ExprKind::Case, node.location);
  e->args.push_back(node.arg == nullptr ? nullptr : expr(reinterpret_cast<const Node*>(node.arg)));
  for (int i = 0; i < list_length(node.args); ++i) {
    const Node* item = nth<Node>(node.args, i);
    if (!IsA(item, CaseWhen)) return opaque_expr();
    e->args.push_back(expr(reinterpret_cast<const Node*>(as<CaseWhen>(item).expr)));
    e->args.push_back(expr(reinterpret_cast<const Node*>(as<CaseWhen>(item).result)));
  }
  e->args.push_back(node.defresult == nullptr ? nullptr : expr(reinterpret_cast<const Node*>(node.defresult)));
  return e;
}

ExprPtr PgConverter::indirection(const A_Indirection& node) {
  auto e = make(ExprKind::Indirection, -1);
  e->args.push_back(expr(node.arg));
  for (int i = 0; i < list_length(node.indirection); ++i) {
    const Node* item = nth<Node>(node.indirection, i);
    if (IsA(item, A_Indices)) {
      const auto& index = as<A_Indices>(item);
      e->text += index.is_slice ? "[:]" : "[]";
      if (index.lidx != nullptr) e->args.push_back(expr(index.lidx));
      if (index.uidx != nullptr) e->args.push_back(expr(index.uidx));
    } else if (IsA(item, String)) {
      e->names.push_back(text_of(as<String>(item).sval));
    } else {
      e->star = true;
    }
  }
  return e;
}

ExprPtr PgConverter::with_args(ExprKind kind, const List* args, int location) {
  auto e = make(kind, location);
  e->args = exprs(args);
  return e;
}

// Nodes with one or two parts and little of their own.
ExprPtr PgConverter::special(const Node* node) {
  switch (nodeTag(node)) {
    case T_NullTest: {
      auto e = make(ExprKind::NullTest, as<NullTest>(node).location);
      e->negated = as<NullTest>(node).nulltesttype == IS_NOT_NULL;
      e->args.push_back(expr(reinterpret_cast<const Node*>(as<NullTest>(node).arg)));
      return e;
    }
    case T_BooleanTest: {
      auto e = make(ExprKind::BooleanTest, as<BooleanTest>(node).location);
      e->negated = as<BooleanTest>(node).booltesttype != IS_TRUE;
      e->number = static_cast<std::int32_t>(as<BooleanTest>(node).booltesttype);
      e->args.push_back(expr(reinterpret_cast<const Node*>(as<BooleanTest>(node).arg)));
      return e;
    }
    case T_MinMaxExpr: {
      auto e = with_args(ExprKind::Extreme, as<MinMaxExpr>(node).args, as<MinMaxExpr>(node).location);
      e->number = as<MinMaxExpr>(node).op == IS_GREATEST ? 1 : 0;
      return e;
    }
    case T_CollateClause: {
      auto e = make(ExprKind::Collate, as<CollateClause>(node).location);
      e->names = name_parts(as<CollateClause>(node).collname);
      if (e->names.empty()) return opaque_expr();
      e->args.push_back(expr(as<CollateClause>(node).arg));
      return e;
    }
    case T_NamedArgExpr: {
      auto e = make(ExprKind::List, as<NamedArgExpr>(node).location);
      e->text = text_of(as<NamedArgExpr>(node).name);
      e->args.push_back(expr(reinterpret_cast<const Node*>(as<NamedArgExpr>(node).arg)));
      return e;
    }
    case T_MultiAssignRef: {
      const auto& ref = as<MultiAssignRef>(node);
      if (IsA(ref.source, RowExpr) && list_length(as<RowExpr>(ref.source).args) == ref.ncolumns) {
        return expr(nth<Node>(as<RowExpr>(ref.source).args, ref.colno - 1));
      }
      return ref.colno == 1 ? expr(ref.source) : make(ExprKind::List, -1);
    }
    default:
      return opaque_expr();
  }
}

ExprPtr PgConverter::expr(const Node* node) {
  const Level level(*this);
  if (node == nullptr || too_deep_) return opaque_expr();
  switch (nodeTag(node)) {
    case T_A_Const:
      return constant(as<A_Const>(node));
    case T_ColumnRef:
      return column(as<ColumnRef>(node));
    case T_ParamRef: {
      auto e = make(ExprKind::Parameter, as<ParamRef>(node).location);
      e->number = as<ParamRef>(node).number;
      return e;
    }
    case T_FuncCall:
      return call(as<FuncCall>(node));
    case T_A_Expr:
      return operation(as<A_Expr>(node));
    case T_BoolExpr:
      return boolean(as<BoolExpr>(node));
    case T_TypeCast:
      return cast(as<TypeCast>(node));
    case T_SubLink:
      return sublink(as<SubLink>(node));
    case T_SQLValueFunction:
      return sql_value(as<SQLValueFunction>(node));
    case T_CaseExpr:
      return case_expr(as<CaseExpr>(node));
    case T_A_Indirection:
      return indirection(as<A_Indirection>(node));
    case T_CoalesceExpr:
      return with_args(ExprKind::Coalesce, as<CoalesceExpr>(node).args, as<CoalesceExpr>(node).location);
    case T_A_ArrayExpr:
      return with_args(ExprKind::Array, as<A_ArrayExpr>(node).elements, as<A_ArrayExpr>(node).location);
    case T_RowExpr:
      return with_args(ExprKind::Row, as<RowExpr>(node).args, as<RowExpr>(node).location);
    case T_GroupingFunc:
      return with_args(ExprKind::Grouping, as<GroupingFunc>(node).args, as<GroupingFunc>(node).location);
    case T_GroupingSet:
      return with_args(ExprKind::Grouping, as<GroupingSet>(node).content, as<GroupingSet>(node).location);
    case T_List:
      return with_args(ExprKind::List, reinterpret_cast<const List*>(node), -1);
    case T_SetToDefault:
      return make(ExprKind::Default, as<SetToDefault>(node).location);
    default:
      return special(node);
  }
}

}  // namespace pgweir::routing::sql
