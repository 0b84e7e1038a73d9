// Visits every node of a statement, also those in sub-selects, WITH, and inner statements. The visitor sees a node
// before its children. Depth is bounded by the converter's limit.
#pragma once

#include "routing/sql/statement.h"

namespace pgweir::routing::sql {

class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void on_expr(const Expr&) {}
  virtual void on_select(const Select&) {}
  virtual void on_modify(const Modify&, Command) {}
  virtual void on_from(const FromItem&) {}
};

void walk(const Statement& statement, Visitor& visitor);
void walk(const Select& select, Visitor& visitor);
void walk(const Expr& expr, Visitor& visitor);
void walk(const FromItem& item, Visitor& visitor);

// Calls fn(const Expr&) for the node and every node below it, sub-selects included.
template <class Fn>
void each_expr(const Expr& expr, Fn fn) {
  struct Each : Visitor {
    explicit Each(Fn& f) : call(f) {}
    void on_expr(const Expr& e) override { call(e); }
    Fn& call;
  } visitor(fn);
  walk(expr, visitor);
}

// Calls fn(const Expr&) for the node and those below it, but not inside sub-selects.
template <class Fn>
void each_local(const Expr& expr, Fn&& fn) {
  fn(expr);
  for (const auto& e : expr.args) {
    if (e) each_local(*e, fn);
  }
  if (!expr.call) return;
  for (const auto& item : expr.call->order) each_local(*item.expr, fn);
  if (expr.call->filter) each_local(*expr.call->filter, fn);
  if (!expr.call->over) return;
  for (const auto& e : expr.call->over->partition) each_local(*e, fn);
  for (const auto& item : expr.call->over->order) each_local(*item.expr, fn);
  for (const auto& e : expr.call->over->frame) each_local(*e, fn);
}

// The expressions that stand directly in this query level (also those in its FROM, but not in its sub-selects).
std::vector<const Expr*> level_expressions(const Select& select);
std::vector<const Expr*> level_expressions(const Modify& modify);

// The same shape, names and constants; locations do not count. Sub-selects are never equal.
bool same(const Expr& a, const Expr& b);

// The conjuncts of an AND tree (the expression itself if it is none).
void conjuncts(const Expr& expr, std::vector<const Expr*>& out);

}  // namespace pgweir::routing::sql
