#include "routing/plan/scope.h"

#include <algorithm>

#include "routing/sql/walk.h"

namespace pgweir::routing {
namespace {

using sql::FromItem;

std::optional<std::size_t> column_index(const BoundRelation& r, std::string_view name) {
  for (std::size_t i = 0; i < r.columns.size(); ++i) {
    if (r.columns[i] == name) return i;
  }
  return std::nullopt;
}

void append(std::vector<std::size_t>& a, const std::vector<std::size_t>& b) { a.insert(a.end(), b.begin(), b.end()); }

std::vector<const sql::Expr*> conjuncts_of(const sql::Expr* e) {
  std::vector<const sql::Expr*> out;
  if (e != nullptr) sql::conjuncts(*e, out);
  return out;
}

}  // namespace

std::optional<ColumnId> QueryLevel::resolve(const sql::Expr& e) const {
  if (e.kind != sql::ExprKind::Column || e.star || e.names.empty() || e.names.size() > 3) return std::nullopt;
  const std::string& name = e.names.back();
  std::vector<ColumnId> matches;
  bool qualifier_found = false, unknown_columns = false;
  for (std::size_t i = 0; i < relations.size(); ++i) {
    const BoundRelation& r = relations[i];
    if (e.names.size() > 1) {
      if (r.hidden || r.visible != e.names[e.names.size() - 2]) continue;
      if (e.names.size() == 3 && r.schema != e.names.front()) continue;
      qualifier_found = true;
    }
    unknown_columns |= r.columns.empty();
    if (const auto c = column_index(r, name)) matches.push_back({this, i, *c});
  }
  if (matches.size() == 1) return matches.front();
  if (matches.size() > 1) {
    // Only a column merged by USING may be named without its table.
    for (const UsingPair& p : pairs) {
      const bool covers =
          std::all_of(matches.begin(), matches.end(), [&](const ColumnId& m) { return m == p.left || m == p.right; });
      if (covers && !full_join) return p.merged_is_left ? p.left : p.right;
    }
    return std::nullopt;
  }
  if (qualifier_found || (unknown_columns && e.names.size() == 1) || parent == nullptr) return std::nullopt;
  return parent->resolve(e);
}

QueryLevel& Binder::add(const QueryLevel* parent, QueryLevel::Place place) {
  bound_.levels.push_back(std::make_unique<QueryLevel>());
  QueryLevel& level = *bound_.levels.back();
  level.parent = parent;
  level.place = place;
  return level;
}

std::size_t Binder::table(const sql::RelationName& name, QueryLevel& level, const CommonNames& names) {
  BoundRelation relation;
  relation.visible = name.visible_name();
  const bool common = name.schema.empty() && std::find(names.begin(), names.end(), name.name) != names.end();
  if (!common) {
    if (name.schema.empty()) bound_.unqualified.push_back(name.name);
    auto looked_up = lookup(name);
    if (looked_up.ok()) {
      relation = std::move(*looked_up);
    } else {
      refuse_with(looked_up.error());
    }
  }
  level.relations.push_back(std::move(relation));
  return level.relations.size() - 1;
}

void Binder::using_pairs(const FromItem& item, const std::vector<std::size_t>& left,
                         const std::vector<std::size_t>& right, int condition, QueryLevel& level) {
  std::vector<std::string> columns = item.using_columns;
  if (item.natural && left.size() == 1 && right.size() == 1) {
    for (const auto& c : level.relations[left.front()].columns) {
      if (column_index(level.relations[right.front()], c)) columns.push_back(c);
    }
  }
  const auto find = [&](const std::vector<std::size_t>& side, const std::string& column) -> std::optional<ColumnId> {
    std::optional<ColumnId> found;
    for (const std::size_t i : side) {
      if (const auto c = column_index(level.relations[i], column)) {
        if (found) return std::nullopt;
        found = ColumnId{&level, i, *c};
      }
    }
    return found;
  };
  for (const auto& column : columns) {
    const auto l = find(left, column), r = find(right, column);
    if (l && r) level.pairs.push_back({*l, *r, condition, item.join != sql::JoinForm::Right});
  }
}

std::vector<std::size_t> Binder::join(const FromItem& item, bool nullable, QueryLevel& level,
                                      const CommonNames& names) {
  const bool left_nullable = nullable || item.join == sql::JoinForm::Right || item.join == sql::JoinForm::Full;
  const bool right_nullable = nullable || item.join == sql::JoinForm::Left || item.join == sql::JoinForm::Full;
  const auto left = from(*item.left, left_nullable, level, names);
  const auto right = from(*item.right, right_nullable, level, names);
  std::vector<std::size_t> all = left;
  append(all, right);
  const auto on = conjuncts_of(item.on.get());
  int condition = -1;
  if (item.join == sql::JoinForm::Full) {
    level.full_join = true;
  } else if (item.join == sql::JoinForm::Inner && !nullable) {
    level.where.insert(level.where.end(), on.begin(), on.end());
  } else {
    condition = static_cast<int>(level.joins.size());
    level.joins.push_back({on, item.join == sql::JoinForm::Left    ? right
                               : item.join == sql::JoinForm::Right ? left
                                                                   : all});
  }
  if (item.join != sql::JoinForm::Full) using_pairs(item, left, right, condition, level);
  if (item.aliased && !item.relation.alias.empty()) {
    for (const std::size_t i : all) level.relations[i].hidden = true;
    BoundRelation alias;
    alias.visible = item.relation.alias;
    level.relations.push_back(std::move(alias));
  }
  return all;
}

std::vector<std::size_t> Binder::from(const FromItem& item, bool nullable, QueryLevel& level,
                                      const CommonNames& names) {
  switch (item.kind) {
    case FromItem::Kind::Table:
      return {table(item.relation, level, names)};
    case FromItem::Kind::Join:
      return join(item, nullable, level, names);
    case FromItem::Kind::Select:
    case FromItem::Kind::Function:
    case FromItem::Kind::Opaque:
      break;
  }
  BoundRelation relation;
  relation.visible = item.relation.alias;
  level.relations.push_back(std::move(relation));
  return {level.relations.size() - 1};
}

// Sub-selects in FROM are bound after the level's own relations are known, for LATERAL references.
void Binder::derived(const FromItem& item, QueryLevel& level, const CommonNames& names) {
  if (item.select) select(*item.select, &level, QueryLevel::Place::Derived, names);
  if (item.left) derived(*item.left, level, names);
  if (item.right) derived(*item.right, level, names);
}

void Binder::sublinks(const std::vector<const sql::Expr*>& exprs, QueryLevel& level, const CommonNames& names) {
  for (const sql::Expr* e : exprs) {
    sql::each_local(*e, [&](const sql::Expr& node) {
      if (node.select) select(*node.select, &level, QueryLevel::Place::SubLink, names);
    });
  }
}

void Binder::with(const sql::With* with, const QueryLevel* parent, CommonNames& names) {
  if (with == nullptr) return;
  // In WITH RECURSIVE every name is visible in every query of the list.
  if (with->recursive) {
    for (const auto& t : with->tables) names.push_back(t.name);
  }
  for (const auto& t : with->tables) {
    statement(*t.query, parent, QueryLevel::Place::Common, names);
    if (!with->recursive) names.push_back(t.name);
  }
}

void Binder::select(const sql::Select& s, const QueryLevel* parent, QueryLevel::Place place, CommonNames names) {
  QueryLevel& level = add(parent, place);
  level.select = &s;
  bound_.by_select[&s] = &level;
  with(s.with.get(), parent, names);
  for (const auto& item : s.from) from(*item, false, level, names);
  const auto where = conjuncts_of(s.where.get());
  level.where.insert(level.where.end(), where.begin(), where.end());
  for (const auto& item : s.from) derived(*item, level, names);
  sublinks(sql::level_expressions(s), level, names);
  if (s.left) select(*s.left, parent, QueryLevel::Place::SetArm, names);
  if (s.right) select(*s.right, parent, QueryLevel::Place::SetArm, names);
}

void Binder::modify(const sql::Modify& m, sql::Command command, const QueryLevel* parent, QueryLevel::Place place,
                    CommonNames names) {
  QueryLevel& level = add(parent, place);
  level.modify = &m;
  with(m.with.get(), parent, names);
  table(m.target, level, {});
  if (command == sql::Command::Insert) {
    BoundRelation excluded;
    excluded.visible = "excluded";
    level.relations.push_back(std::move(excluded));
    // The key of an INSERT is not a condition on rows read; the source is a level of its own.
    if (m.source) select(*m.source, nullptr, QueryLevel::Place::Derived, names);
  }
  for (const auto& item : m.from) from(*item, false, level, names);
  // A MERGE also acts on rows that its ON does not join.
  const auto where = conjuncts_of(m.where.get());
  if (command != sql::Command::Merge) level.where.insert(level.where.end(), where.begin(), where.end());
  for (const auto& item : m.from) derived(*item, level, names);
  sublinks(sql::level_expressions(m), level, names);
}

void Binder::statement(const sql::Statement& s, const QueryLevel* parent, QueryLevel::Place place, CommonNames names) {
  if (s.select) select(*s.select, parent, place, names);
  if (s.modify) modify(*s.modify, s.command, parent, place, names);
  if (s.inner) statement(*s.inner, parent, place, names);
}

Bound Binder::bind(const sql::Statement& s) {
  bound_ = Bound{};
  statement(s, nullptr, QueryLevel::Place::Main, {});
  return std::move(bound_);
}

}  // namespace pgweir::routing
