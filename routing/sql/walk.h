// Visits every node of a statement, also those in sub-selects, WITH, and inner statements. The visitor sees a node before
// its children. Depth is bounded by the converter's limit.
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

// The same shape, names and constants; locations do not count. Sub-selects are never equal.
bool same(const Expr& a, const Expr& b);

// The conjuncts of an AND tree (the expression itself if it is none).
void conjuncts(const Expr& expr, std::vector<const Expr*>& out);

}  // namespace pgweir::routing::sql
