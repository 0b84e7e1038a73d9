// The output columns of a scattered SELECT, and what ORDER BY and GROUP BY items mean: PostgreSQL's rules of
// findTargetlistEntrySQL92 (parse_clause.c): ORDER BY prefers output names, GROUP BY input columns.
#include <algorithm>

#include "routing/plan/planner.h"
#include "routing/plan/refusal.h"
#include "routing/plan/type_oids.h"
#include "routing/sql/walk.h"

namespace pgweir::routing {

using sql::Expr;
using sql::ExprKind;

Planner::Failure Planner::expand_star(const Expr& star) {
  const QueryLevel& main = *bound_.levels.front();
  if (!main.pairs.empty()) {
    return refuse(reason::kNotUnderstood,
                  "* over a join with USING or NATURAL cannot be ordered or grouped over several shards",
                  "Name the columns.");
  }
  bool found = false;
  for (std::size_t i = 0; i < main.relations.size(); ++i) {
    const BoundRelation& r = main.relations[i];
    if (!star.names.empty() && star.names.back() != r.visible) continue;
    found = true;
    for (std::size_t c = 0; c < r.columns.size(); ++c) {
      outputs_.push_back({r.columns[c], sql::quote_identifier(r.visible) + "." + sql::quote_identifier(r.columns[c]),
                          nullptr, ColumnId{&main, i, c}});
    }
  }
  if (!found)
    return refuse(reason::kNotUnderstood, "the * of this SELECT names no table of its FROM", "Name the columns.");
  return std::nullopt;
}

Planner::Failure Planner::output_columns(const sql::Select& s) {
  const QueryLevel& main = *bound_.levels.front();
  const bool positions_matter = s.distinct || !s.order_by.empty() || !s.group_by.empty();
  for (std::size_t i = 0; i < s.targets.size(); ++i) {
    const auto& t = s.targets[i];
    const bool star = (t.expr->kind == ExprKind::Column || t.expr->kind == ExprKind::Indirection) && t.expr->star;
    if (star) {
      if (!positions_matter) continue;
      if (t.expr->kind != ExprKind::Column)
        return refuse(reason::kNotUnderstood, "a row's .* over several shards", "Name the columns.");
      if (auto f = expand_star(*t.expr)) return f;
      continue;
    }
    OutputColumn column;
    column.label = t.name.empty() ? column_label(*t.expr) : t.name;
    column.text = "(" + copy(ranges_->targets[i]) + ")";
    column.expr = t.expr.get();
    column.column = main.resolve(*t.expr);
    outputs_.push_back(std::move(column));
  }
  return std::nullopt;
}

Result<Planner::Item> Planner::ordinal(const Expr& e, const char* clause) const {
  const auto n = static_cast<std::size_t>(std::atoll(e.text.c_str()));
  if (e.text.front() == '-' || n < 1 || n > outputs_.size()) {
    return SqlError{"42P10", std::string(clause) + " position " + e.text + " is not in select list", {}, {}, {}, {}};
  }
  const OutputColumn& o = outputs_[n - 1];
  return Item{o.text, o.expr, o.column};
}

Result<Planner::Item> Planner::order_item(const Expr& e, TextRange range) const {
  const QueryLevel& main = *bound_.levels.front();
  if (e.kind == ExprKind::Integer) return ordinal(e, "ORDER BY");
  if (e.constant() || e.kind == ExprKind::Parameter)
    return refuse(reason::kOrderBy, "ORDER BY a constant over several shards", "Leave it out.");
  if (e.kind == ExprKind::Column && !e.star && e.names.size() == 1) {
    const OutputColumn* match = nullptr;
    for (const OutputColumn& o : outputs_) {
      if (o.label != e.name()) continue;
      const bool same = match != nullptr && ((match->column && match->column == o.column) ||
                                             (match->expr && o.expr && sql::same(*match->expr, *o.expr)));
      if (match != nullptr && !same)
        return SqlError{"42702", "ORDER BY \"" + e.name() + "\" is ambiguous", {}, {}, {}, {}};
      match = &o;
    }
    if (match != nullptr) return Item{match->text, match->expr, match->column};
  }
  return Item{"(" + copy(range) + ")", &e, main.resolve(e)};
}

Result<Planner::Item> Planner::group_item(const Expr& e, TextRange range) const {
  const QueryLevel& main = *bound_.levels.front();
  if (e.kind == ExprKind::Integer) return ordinal(e, "GROUP BY");
  if (e.constant() || e.kind == ExprKind::Parameter)
    return refuse(reason::kGrouping, "GROUP BY a constant over several shards", "Leave it out.");
  const auto column = main.resolve(e);
  if (!column && e.kind == ExprKind::Column && e.names.size() == 1 && !e.star) {
    const OutputColumn* match = nullptr;
    for (const OutputColumn& o : outputs_) {
      if (o.label != e.name()) continue;
      if (match != nullptr) return SqlError{"42702", "GROUP BY \"" + e.name() + "\" is ambiguous", {}, {}, {}, {}};
      match = &o;
    }
    if (match != nullptr) return Item{match->text, match->expr, match->column};
  }
  return Item{"(" + copy(range) + ")", &e, column};
}

// How text in this expression would be ordered. Types that have no collation count as bytewise: the flag is not used.
Planner::TextOrder Planner::text_order(const Expr* e, const std::optional<ColumnId>& column) const {
  const Catalog& catalog = *cluster_.catalog;
  const auto column_order = [&](const ColumnId& id) {
    const CatalogColumn& c = id.level->column(id);
    if (c.collation == 0) return TextOrder::Bytewise;
    if (c.collation == catalog.database_collation && catalog.database_collation_c) return TextOrder::Bytewise;
    const auto known = catalog.collation_is_c.find(c.collation);
    return known != catalog.collation_is_c.end() && known->second ? TextOrder::Bytewise : TextOrder::Linguistic;
  };
  if (column) return column_order(*column);
  if (e == nullptr) return TextOrder::Unknown;
  if (e->kind == ExprKind::Collate) {
    const bool catalog_name = e->names.size() == 1 || e->names.front() == "pg_catalog";
    const bool c = catalog_name && (e->name() == "C" || e->name() == "POSIX" || e->name() == "ucs_basic");
    return c ? TextOrder::Bytewise : TextOrder::Linguistic;
  }
  if (!catalog.database_collation_c) return TextOrder::Unknown;
  TextOrder order = TextOrder::Bytewise;
  const QueryLevel& main = *bound_.levels.front();
  sql::each_expr(*e, [&](const Expr& node) {
    if (node.kind == ExprKind::Collate || node.kind == ExprKind::SubLink) order = TextOrder::Unknown;
    if (node.kind != ExprKind::Column) return;
    const auto id = main.resolve(node);
    if (!id || column_order(*id) != TextOrder::Bytewise) order = TextOrder::Unknown;
  });
  return order;
}

// Whether equal means equal bytes for text in this expression.
bool Planner::deterministic(const Expr* e, const std::optional<ColumnId>& column) const {
  const auto column_is = [&](const ColumnId& id) {
    const Oid collation = id.level->column(id).collation;
    if (collation == 0 || collation == cluster_.catalog->database_collation) return true;
    const auto known = cluster_.catalog->collation_deterministic.find(collation);
    return known != cluster_.catalog->collation_deterministic.end() && known->second;
  };
  if (column) return column_is(*column);
  if (e == nullptr) return false;
  bool all = true;
  const QueryLevel& main = *bound_.levels.front();
  sql::each_expr(*e, [&](const Expr& node) {
    if (node.kind == ExprKind::Collate) all &= text_order(&node, std::nullopt) == TextOrder::Bytewise;
    if (node.kind != ExprKind::Column || node.star) return;
    const auto id = main.resolve(node);
    all &= id && column_is(*id);
  });
  return all;
}

Planner::Failure Planner::collation_refusal(const std::string& text) const {
  return refuse(reason::kCollation,
                "text of several shards is merged only in C collation, not in the linguistic one of " + text,
                "Write " + text + " COLLATE \"C\" for the order of bytes, or " + narrow_hint());
}

}  // namespace pgweir::routing
