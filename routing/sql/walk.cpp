#include "routing/sql/walk.h"

namespace pgweir::routing::sql {
namespace {

void walk_all(const std::vector<ExprPtr>& list, Visitor& v) {
  for (const auto& e : list) {
    if (e) walk(*e, v);
  }
}
void walk_all(const std::vector<SortItem>& list, Visitor& v) {
  for (const auto& item : list) walk(*item.expr, v);
}
void walk_all(const std::vector<Target>& list, Visitor& v) {
  for (const auto& target : list) {
    if (target.expr) walk(*target.expr, v);
  }
}
void walk_all(const std::vector<FromPtr>& list, Visitor& v) {
  for (const auto& item : list) walk(*item, v);
}
void walk_window(const Window& w, Visitor& v) {
  walk_all(w.partition, v);
  walk_all(w.order, v);
  walk_all(w.frame, v);
}
void walk_with(const With* with, Visitor& v) {
  if (with == nullptr) return;
  for (const auto& table : with->tables) walk(*table.query, v);
}

void walk_modify(const Modify& m, Command command, Visitor& v) {
  v.on_modify(m, command);
  walk_with(m.with.get(), v);
  if (m.source) walk(*m.source, v);
  if (m.conflict) {
    walk_all(m.conflict->set, v);
    if (m.conflict->where) walk(*m.conflict->where, v);
    if (m.conflict->index_where) walk(*m.conflict->index_where, v);
  }
  walk_all(m.set, v);
  walk_all(m.from, v);
  if (m.where) walk(*m.where, v);
  walk_all(m.returning, v);
}

using Exprs = std::vector<const Expr*>;
void take(const ExprPtr& e, Exprs& out) {
  if (e) out.push_back(e.get());
}
void take_from(const FromItem& item, Exprs& out) {
  for (const auto& f : item.functions) take(f, out);
  take(item.on, out);
  if (item.left) take_from(*item.left, out);
  if (item.right) take_from(*item.right, out);
}
void take_window(const Window& w, Exprs& out) {
  for (const auto& e : w.partition) take(e, out);
  for (const auto& item : w.order) take(item.expr, out);
  for (const auto& e : w.frame) take(e, out);
}

bool same_list(const std::vector<ExprPtr>& a, const std::vector<ExprPtr>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i] != !b[i]) return false;
    if (a[i] && !same(*a[i], *b[i])) return false;
  }
  return true;
}

bool same_order(const std::vector<SortItem>& a, const std::vector<SortItem>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].descending != b[i].descending || a[i].nulls_first != b[i].nulls_first || a[i].with_operator ||
        b[i].with_operator)
      return false;
    if (!same(*a[i].expr, *b[i].expr)) return false;
  }
  return true;
}

bool same_call(const CallParts& a, const CallParts& b) {
  if (a.over || b.over) return false;
  if (a.star != b.star || a.distinct != b.distinct || a.variadic != b.variadic || a.within_group != b.within_group)
    return false;
  if (!a.filter != !b.filter || (a.filter && !same(*a.filter, *b.filter))) return false;
  return same_order(a.order, b.order);
}

}  // namespace

void walk(const Expr& e, Visitor& v) {
  v.on_expr(e);
  walk_all(e.args, v);
  if (e.call) {
    walk_all(e.call->order, v);
    if (e.call->filter) walk(*e.call->filter, v);
    if (e.call->over) walk_window(*e.call->over, v);
  }
  if (e.select) walk(*e.select, v);
}

void walk(const FromItem& item, Visitor& v) {
  v.on_from(item);
  if (item.select) walk(*item.select, v);
  walk_all(item.functions, v);
  if (item.left) walk(*item.left, v);
  if (item.right) walk(*item.right, v);
  if (item.on) walk(*item.on, v);
}

void walk(const Select& s, Visitor& v) {
  v.on_select(s);
  walk_with(s.with.get(), v);
  walk_all(s.distinct_on, v);
  walk_all(s.targets, v);
  walk_all(s.from, v);
  for (const auto* e : {s.where.get(), s.having.get(), s.limit.get(), s.offset.get()}) {
    if (e != nullptr) walk(*e, v);
  }
  walk_all(s.group_by, v);
  for (const auto& w : s.windows) walk_window(w, v);
  for (const auto& row : s.values) walk_all(row, v);
  walk_all(s.order_by, v);
  if (s.left) walk(*s.left, v);
  if (s.right) walk(*s.right, v);
}

void walk(const Statement& s, Visitor& v) {
  if (s.select) walk(*s.select, v);
  if (s.modify) walk_modify(*s.modify, s.command, v);
  if (s.inner) walk(*s.inner, v);
  walk_all(s.expressions, v);
  if (s.where) walk(*s.where, v);
}

std::vector<const Expr*> level_expressions(const Select& s) {
  Exprs out;
  for (const auto& e : s.distinct_on) take(e, out);
  for (const auto& t : s.targets) take(t.expr, out);
  for (const auto& item : s.from) take_from(*item, out);
  for (const auto* e : {&s.where, &s.having, &s.limit, &s.offset}) take(*e, out);
  for (const auto& e : s.group_by) take(e, out);
  for (const auto& w : s.windows) take_window(w, out);
  for (const auto& row : s.values) {
    for (const auto& e : row) take(e, out);
  }
  for (const auto& item : s.order_by) take(item.expr, out);
  return out;
}

std::vector<const Expr*> level_expressions(const Modify& m) {
  Exprs out;
  for (const auto& t : m.set) take(t.expr, out);
  for (const auto& item : m.from) take_from(*item, out);
  take(m.where, out);
  for (const auto& t : m.returning) take(t.expr, out);
  if (m.conflict) {
    for (const auto& t : m.conflict->set) take(t.expr, out);
    take(m.conflict->where, out);
    take(m.conflict->index_where, out);
  }
  return out;
}

bool same(const Expr& a, const Expr& b) {
  if (a.kind != b.kind || a.op != b.op || a.value != b.value || a.negated != b.negated || a.star != b.star ||
      a.typmod != b.typmod || a.array_type != b.array_type || a.number != b.number || a.text != b.text ||
      a.names != b.names) {
    return false;
  }
  // A cast's modifiers are not kept, and an opaque node could be anything.
  if (a.select || b.select || a.kind == ExprKind::Opaque || a.typmod) return false;
  if (!a.call != !b.call || (a.call && !same_call(*a.call, *b.call))) return false;
  return same_list(a.args, b.args);
}

void conjuncts(const Expr& e, std::vector<const Expr*>& out) {
  if (e.kind != ExprKind::And) {
    out.push_back(&e);
    return;
  }
  for (const auto& part : e.args) conjuncts(*part, out);
}

}  // namespace pgweir::routing::sql
