#include <utility>

#include "routing/sql/pg_convert.h"

namespace pgweir::routing::sql {
namespace {

// libpg_query puts LIMIT_OPTION_DEFAULT first in its LimitOption (pg_query.proto shows the order); the server's header
// has it last. Tested by sql_parse_test.cpp.
constexpr int kWithTies = 2;

void take_alias(const Alias* alias, RelationName& name) {
  if (alias == nullptr) return;
  name.alias = text_of(alias->aliasname);
  name.column_aliases = name_parts(alias->colnames);
}

}  // namespace

RelationName PgConverter::relation(const RangeVar* node) {
  RelationName name;
  if (node == nullptr) return name;
  name.catalog = text_of(node->catalogname);
  name.schema = text_of(node->schemaname);
  name.name = text_of(node->relname);
  name.only = !node->inh;
  name.temporary = node->relpersistence == 't';
  name.location = node->location;
  take_alias(node->alias, name);
  return name;
}

std::vector<Target> PgConverter::targets(const List* list) {
  std::vector<Target> result;
  for (int i = 0; i < list_length(list) && !too_deep_; ++i) {
    const Node* node = nth<Node>(list, i);
    if (!IsA(node, ResTarget)) {
      opaque_ = true;
      continue;
    }
    const auto& target = as<ResTarget>(node);
    Target t;
    t.name = text_of(target.name);
    t.indirection = target.indirection != nullptr;
    t.location = target.location;
    if (target.val != nullptr) t.expr = expr(target.val);
    result.push_back(std::move(t));
  }
  return result;
}

std::vector<SortItem> PgConverter::sort_items(const List* list) {
  std::vector<SortItem> items;
  for (int i = 0; i < list_length(list); ++i) {
    const Node* node = nth<Node>(list, i);
    if (!IsA(node, SortBy)) {
      opaque_ = true;
      continue;
    }
    const auto& sort = as<SortBy>(node);
    SortItem item;
    item.expr = expr(sort.node);
    item.descending = sort.sortby_dir == SORTBY_DESC;
    item.with_operator = sort.sortby_dir == SORTBY_USING;
    item.nulls_first =
        sort.sortby_nulls == SORTBY_NULLS_FIRST || (sort.sortby_nulls == SORTBY_NULLS_DEFAULT && item.descending);
    items.push_back(std::move(item));
  }
  return items;
}

Window PgConverter::window(const WindowDef& node) {
  Window w;
  w.name = text_of(node.name);
  w.base = text_of(node.refname);
  w.partition = exprs(node.partitionClause);
  w.order = sort_items(node.orderClause);
  if (node.startOffset != nullptr) w.frame.push_back(expr(node.startOffset));
  if (node.endOffset != nullptr) w.frame.push_back(expr(node.endOffset));
  return w;
}

FromPtr PgConverter::join(const JoinExpr& node) {
  auto item = std::make_unique<FromItem>();
  item->kind = FromItem::Kind::Join;
  switch (node.jointype) {
    case JOIN_INNER:
      item->join = JoinForm::Inner;
      break;
    case JOIN_LEFT:
      item->join = JoinForm::Left;
      break;
    case JOIN_RIGHT:
      item->join = JoinForm::Right;
      break;
    case JOIN_FULL:
      item->join = JoinForm::Full;
      break;
    default:
      opaque_ = true;
  }
  item->natural = node.isNatural;
  item->aliased = node.alias != nullptr || node.join_using_alias != nullptr;
  take_alias(node.alias, item->relation);
  item->using_columns = name_parts(node.usingClause);
  item->left = from_item(node.larg);
  item->right = from_item(node.rarg);
  if (node.quals != nullptr) item->on = expr(node.quals);
  return item;
}

FromPtr PgConverter::function_item(const RangeFunction& node) {
  auto item = std::make_unique<FromItem>();
  item->kind = FromItem::Kind::Function;
  item->lateral = node.lateral;
  take_alias(node.alias, item->relation);
  for (int i = 0; i < list_length(node.functions); ++i) {
    // Each entry is a two-element list: the expression and its column definitions.
    const List* pair = nth<List>(node.functions, i);
    item->functions.push_back(expr(nth<Node>(pair, 0)));
  }
  return item;
}

FromPtr PgConverter::from_item(const Node* node) {
  const Level level(*this);
  auto item = std::make_unique<FromItem>();
  if (node == nullptr || too_deep_) {
    opaque_ = true;
    return item;
  }
  switch (nodeTag(node)) {
    case T_RangeVar:
      item->kind = FromItem::Kind::Table;
      item->relation = relation(&as<RangeVar>(node));
      return item;
    case T_RangeSubselect:
      item->kind = FromItem::Kind::Select;
      item->lateral = as<RangeSubselect>(node).lateral;
      take_alias(as<RangeSubselect>(node).alias, item->relation);
      item->select = select(as<RangeSubselect>(node).subquery);
      return item;
    case T_RangeFunction:
      return function_item(as<RangeFunction>(node));
    case T_JoinExpr:
      return join(as<JoinExpr>(node));
    default:
      opaque_ = true;
      return item;
  }
}

std::vector<FromPtr> PgConverter::from_items(const List* list) {
  std::vector<FromPtr> items;
  for (int i = 0; i < list_length(list); ++i) items.push_back(from_item(nth<Node>(list, i)));
  return items;
}

std::unique_ptr<With> PgConverter::with(const WithClause* node) {
  if (node == nullptr) return nullptr;
  auto result = std::make_unique<With>();
  result->recursive = node->recursive;
  for (int i = 0; i < list_length(node->ctes); ++i) {
    const auto* table = nth<CommonTableExpr>(node->ctes, i);
    if (table->search_clause != nullptr || table->cycle_clause != nullptr) opaque_ = true;
    CommonTable common;
    common.name = text_of(table->ctename);
    common.query = std::make_unique<Statement>();
    if (!query_statement(table->ctequery, *common.query)) opaque_ = true;
    result->tables.push_back(std::move(common));
  }
  return result;
}

void PgConverter::leaf_select(const SelectStmt& node, Select& select) {
  if (node.distinctClause != nullptr) {
    select.distinct = true;
    if (nth<Node>(node.distinctClause, 0) != nullptr) select.distinct_on = exprs(node.distinctClause);
  }
  if (node.intoClause != nullptr) {
    select.into = true;
    select.into_relation = relation(node.intoClause->rel);
  }
  select.targets = targets(node.targetList);
  select.from = from_items(node.fromClause);
  if (node.whereClause != nullptr) select.where = expr(node.whereClause);
  select.group_by = exprs(node.groupClause);
  select.group_distinct = node.groupDistinct;
  if (node.havingClause != nullptr) select.having = expr(node.havingClause);
  for (int i = 0; i < list_length(node.windowClause); ++i)
    select.windows.push_back(window(*nth<WindowDef>(node.windowClause, i)));
  for (int i = 0; i < list_length(node.valuesLists) && !too_deep_; ++i)
    select.values.push_back(exprs(nth<List>(node.valuesLists, i)));
}

SelectPtr PgConverter::select(const Node* node) {
  const Level level(*this);
  auto result = std::make_unique<Select>();
  if (node == nullptr || !IsA(node, SelectStmt) || too_deep_) {
    opaque_ = true;
    return result;
  }
  const auto& stmt = as<SelectStmt>(node);
  result->with = with(stmt.withClause);
  if (stmt.op == SETOP_NONE) {
    leaf_select(stmt, *result);
  } else {
    result->operation = stmt.op == SETOP_UNION       ? SetOperation::Union
                        : stmt.op == SETOP_INTERSECT ? SetOperation::Intersect
                                                     : SetOperation::Except;
    result->all = stmt.all;
    result->left = select(reinterpret_cast<const Node*>(stmt.larg));
    result->right = select(reinterpret_cast<const Node*>(stmt.rarg));
    // INTO stands in the first SELECT and is about the whole.
    result->into = std::exchange(result->left->into, false);
    if (result->into) result->into_relation = std::move(result->left->into_relation);
  }
  result->order_by = sort_items(stmt.sortClause);
  if (stmt.limitOffset != nullptr) result->offset = expr(stmt.limitOffset);
  if (stmt.limitCount != nullptr) result->limit = expr(stmt.limitCount);
  result->with_ties = static_cast<int>(stmt.limitOption) == kWithTies;
  result->locking = stmt.lockingClause != nullptr;
  return result;
}

std::unique_ptr<OnConflict> PgConverter::conflict(const OnConflictClause& node) {
  auto result = std::make_unique<OnConflict>();
  result->update = node.action == ONCONFLICT_UPDATE;
  if (node.infer != nullptr) {
    result->has_target = true;
    result->constraint = text_of(node.infer->conname);
    for (int i = 0; i < list_length(node.infer->indexElems); ++i) {
      const auto* element = nth<IndexElem>(node.infer->indexElems, i);
      result->columns.push_back(text_of(element->name));
      if (element->expr != nullptr) result->set.push_back(Target{"", false, expr(element->expr), -1});
    }
    if (node.infer->whereClause != nullptr) result->index_where = expr(node.infer->whereClause);
  }
  for (Target& t : targets(node.targetList)) result->set.push_back(std::move(t));
  if (node.whereClause != nullptr) result->where = expr(node.whereClause);
  return result;
}

std::unique_ptr<Modify> PgConverter::insert(const InsertStmt& node) {
  auto result = std::make_unique<Modify>();
  result->with = with(node.withClause);
  result->target = relation(node.relation);
  result->columns = targets(node.cols);
  if (node.selectStmt != nullptr) result->source = select(node.selectStmt);
  result->overriding = node.override != OVERRIDING_NOT_SET;
  if (node.onConflictClause != nullptr) result->conflict = conflict(*node.onConflictClause);
  result->returning = targets(node.returningList);
  return result;
}

std::unique_ptr<Modify> PgConverter::update(const UpdateStmt& node) {
  auto result = std::make_unique<Modify>();
  result->with = with(node.withClause);
  result->target = relation(node.relation);
  result->set = targets(node.targetList);
  result->from = from_items(node.fromClause);
  result->current_of = node.whereClause != nullptr && IsA(node.whereClause, CurrentOfExpr);
  if (node.whereClause != nullptr && !result->current_of) result->where = expr(node.whereClause);
  result->returning = targets(node.returningList);
  return result;
}

std::unique_ptr<Modify> PgConverter::remove(const DeleteStmt& node) {
  auto result = std::make_unique<Modify>();
  result->with = with(node.withClause);
  result->target = relation(node.relation);
  result->from = from_items(node.usingClause);
  result->current_of = node.whereClause != nullptr && IsA(node.whereClause, CurrentOfExpr);
  if (node.whereClause != nullptr && !result->current_of) result->where = expr(node.whereClause);
  result->returning = targets(node.returningList);
  return result;
}

// The relations and every expression, so that functions and tables inside are seen; what each WHEN does is not kept.
std::unique_ptr<Modify> PgConverter::merge(const MergeStmt& node) {
  auto result = std::make_unique<Modify>();
  result->with = with(node.withClause);
  result->target = relation(node.relation);
  result->from.push_back(from_item(node.sourceRelation));
  if (node.joinCondition != nullptr) result->where = expr(node.joinCondition);
  for (int i = 0; i < list_length(node.mergeWhenClauses); ++i) {
    const auto* when = nth<MergeWhenClause>(node.mergeWhenClauses, i);
    if (when->condition != nullptr) result->returning.push_back(Target{"", false, expr(when->condition), -1});
    for (Target& t : targets(when->targetList)) result->set.push_back(std::move(t));
    for (ExprPtr& e : exprs(when->values)) result->returning.push_back(Target{"", false, std::move(e), -1});
  }
  return result;
}

bool PgConverter::query_statement(const Node* node, Statement& statement) {
  switch (nodeTag(node)) {
    case T_SelectStmt:
      statement.command = Command::Select;
      statement.select = select(node);
      return true;
    case T_InsertStmt:
      statement.command = Command::Insert;
      statement.modify = insert(as<InsertStmt>(node));
      return true;
    case T_UpdateStmt:
      statement.command = Command::Update;
      statement.modify = update(as<UpdateStmt>(node));
      return true;
    case T_DeleteStmt:
      statement.command = Command::Delete;
      statement.modify = remove(as<DeleteStmt>(node));
      return true;
    case T_MergeStmt:
      statement.command = Command::Merge;
      statement.modify = merge(as<MergeStmt>(node));
      return true;
    default:
      return false;
  }
}

}  // namespace pgweir::routing::sql
