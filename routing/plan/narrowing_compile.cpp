// Conditions of the statement to KeyPredicates.
#include <algorithm>

#include "routing/plan/narrowing.h"
#include "routing/plan/type_oids.h"

namespace pgweir::routing {
namespace {

using sql::Expr;
using sql::ExprKind;
using sql::OperatorForm;

bool integer(Oid oid) { return oid == oid::kInt2 || oid == oid::kInt4 || oid == oid::kInt8; }

// An operator of the type's own btree family: pg_catalog's, not hidden by another schema's.
bool built_in_operator(const Expr& e, std::string_view name) {
  return e.name() == name && (e.names.size() == 1 || (e.names.size() == 2 && e.names.front() == "pg_catalog"));
}

bool comparable(const ColumnId& a, const ColumnId& b) {
  const CatalogColumn &x = a.level->column(a), &y = b.level->column(b);
  return (x.type == y.type && x.collation == y.collation) || (integer(x.type) && integer(y.type));
}

bool applies(const JoinCondition& j, std::size_t relation) {
  return std::find(j.applies_to.begin(), j.applies_to.end(), relation) != j.applies_to.end();
}

// Calls fn(condition) for what restricts rows of `relation`: conditions on every row, and those of joins that the
// relation is on the nullable side of. Of an outer query's level only the conditions on every row count.
template <class Fn>
void each_condition(const QueryLevel& level, std::size_t relation, bool own, Fn fn) {
  for (const Expr* e : level.where) fn(*e);
  if (!own) return;
  for (const JoinCondition& j : level.joins) {
    if (!applies(j, relation)) continue;
    for (const Expr* e : j.conjuncts) fn(*e);
  }
}

class EqualClass {
 public:
  explicit EqualClass(const ColumnId& start) {
    members_.push_back(start);
    for (std::size_t i = 0; i < members_.size() && i < 256; ++i) extend(members_[i]);
  }
  std::vector<ColumnId> take() { return std::move(members_); }

 private:
  void add(const ColumnId& from, const ColumnId& id) {
    if (comparable(from, id) && std::find(members_.begin(), members_.end(), id) == members_.end())
      members_.push_back(id);
  }
  void equality(const QueryLevel& level, const ColumnId& from, const Expr& left, const Expr& right) {
    const auto l = level.resolve(left), r = level.resolve(right);
    if (!l || !r) return;
    if (*l == from) add(from, *r);
    if (*r == from) add(from, *l);
  }
  void edge(const QueryLevel& level, const ColumnId& from, const Expr& e) {
    if (e.kind != ExprKind::Operator || e.op != OperatorForm::Plain || !built_in_operator(e, "=") || !e.args[0] ||
        !e.args[1])
      return;
    const Expr &left = *e.args[0], &right = *e.args[1];
    if (left.kind == ExprKind::Row && right.kind == ExprKind::Row && left.args.size() == right.args.size()) {
      for (std::size_t i = 0; i < left.args.size(); ++i) equality(level, from, *left.args[i], *right.args[i]);
    } else {
      equality(level, from, left, right);
    }
  }
  // Equalities known where the column's relation stands. A column of an outer query is met from an inner one through
  // the inner one's conditions, and goes on through the outer one's conditions on every row.
  void extend(ColumnId from) {
    const QueryLevel& level = *from.level;
    const bool own = &level == members_.front().level;
    each_condition(level, from.relation, own, [&](const Expr& e) { edge(level, from, e); });
    for (const UsingPair& p : level.pairs) {
      if (p.condition >= 0 && !own) continue;
      if (p.condition >= 0 && !applies(level.joins[static_cast<std::size_t>(p.condition)], from.relation)) continue;
      if (p.left == from) add(from, p.right);
      if (p.right == from) add(from, p.left);
    }
  }

  std::vector<ColumnId> members_;
};

// Compiles conditions for one relation, whose key levels are known under the columns of `classes`.
class Compiler {
 public:
  Compiler(const QueryLevel& level, std::size_t relation) : level_(level), relation_(level.relations[relation]) {
    const std::size_t levels = relation_.entry->placement->levels();
    for (std::size_t i = 0; i < levels; ++i) {
      classes_.emplace_back();
      columns_.emplace_back();
      const auto index = key_column_index(relation_, i);
      if (!index) continue;
      columns_[i] = key_column(relation_, i, *index);
      if (!key_type_fits(columns_[i].type, columns_[i].oid)) continue;
      classes_[i] = equal_columns({&level, relation, *index});
    }
  }

  KeyPredicate run(std::size_t relation) {
    KeyPredicate all;
    all.kind = KeyPredicate::Kind::And;
    std::vector<std::pair<const QueryLevel*, std::size_t>> owners{{&level_, relation}};
    for (const auto& c : classes_) {
      for (const ColumnId& id : c) {
        const std::pair<const QueryLevel*, std::size_t> owner{id.level, id.relation};
        if (std::find(owners.begin(), owners.end(), owner) == owners.end()) owners.push_back(owner);
      }
    }
    std::vector<const Expr*> done;
    for (const auto& [level, index] : owners) {
      each_condition(*level, index, level == &level_, [&, level = level](const Expr& e) {
        if (std::find(done.begin(), done.end(), &e) != done.end()) return;
        done.push_back(&e);
        KeyPredicate p = compile(*level, e, 0);
        if (p.kind != KeyPredicate::Kind::Any) all.children.push_back(std::move(p));
      });
    }
    if (all.children.empty()) all.kind = KeyPredicate::Kind::Any;
    return all;
  }

 private:
  using Kind = KeyPredicate::Kind;

  std::optional<std::size_t> key_level(const QueryLevel& level, const Expr& e) const {
    const auto id = level.resolve(e);
    if (!id) return std::nullopt;
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      if (std::find(classes_[i].begin(), classes_[i].end(), *id) != classes_[i].end()) return i;
    }
    return std::nullopt;
  }

  KeyPredicate compile(const QueryLevel& level, const Expr& e, int depth) {
    KeyPredicate p;
    if (depth > 100) return p;
    if (e.kind == ExprKind::And || e.kind == ExprKind::Or) return junction(level, e, depth);
    if (e.kind != ExprKind::Operator || !e.args[0] || !e.args[1]) return p;
    const Expr &left = *e.args[0], &right = *e.args[1];
    switch (e.op) {
      case OperatorForm::Plain:
        return comparison(level, e.name(), e, left, right);
      case OperatorForm::NotDistinct:
        return equal(level, left, right, true);
      case OperatorForm::In:
        return e.name() == "=" ? in_list(level, left, right) : p;
      case OperatorForm::Any:
        return built_in_operator(e, "=") ? any_array(level, left, right) : p;
      case OperatorForm::Between:
        return between(level, left, right);
      default:
        return p;
    }
  }

  KeyPredicate junction(const QueryLevel& level, const Expr& e, int depth) {
    KeyPredicate p;
    p.kind = e.kind == ExprKind::And ? Kind::And : Kind::Or;
    for (const auto& part : e.args) {
      KeyPredicate child = compile(level, *part, depth + 1);
      if (child.kind == Kind::Any && p.kind == Kind::Or) return KeyPredicate{};
      if (child.kind != Kind::Any) p.children.push_back(std::move(child));
    }
    return p.children.empty() ? KeyPredicate{} : p;
  }

  // column = value, either way round; rows element by element.
  KeyPredicate equal(const QueryLevel& level, const Expr& left, const Expr& right, bool null_safe) {
    KeyPredicate p;
    if (!null_safe && left.kind == ExprKind::Row && right.kind == ExprKind::Row &&
        left.args.size() == right.args.size()) {
      p.kind = Kind::And;
      for (std::size_t i = 0; i < left.args.size(); ++i) {
        KeyPredicate child = equal(level, *left.args[i], *right.args[i], false);
        if (child.kind != Kind::Any) p.children.push_back(std::move(child));
      }
      return p.children.empty() ? KeyPredicate{} : p;
    }
    for (const auto& [column, value] : {std::pair{&left, &right}, std::pair{&right, &left}}) {
      const auto key = key_level(level, *column);
      if (!key) continue;
      auto term = Term::compile(*value, columns_[*key]);
      // IS NOT DISTINCT FROM NULL finds NULL keys, which no row has; a parameter may be NULL and then means the same.
      if (!term) continue;
      p.kind = Kind::Equal;
      p.level = *key;
      p.terms.push_back(std::move(*term));
      return p;
    }
    return p;
  }

  KeyPredicate comparison(const QueryLevel& level, const std::string& name, const Expr& e, const Expr& left,
                          const Expr& right) {
    if (!built_in_operator(e, name)) return {};
    if (name == "=") return equal(level, left, right, false);
    static constexpr std::pair<std::string_view, Kind> kForms[] = {
        {"<", Kind::Less}, {"<=", Kind::LessEqual}, {">", Kind::Greater}, {">=", Kind::GreaterEqual}};
    static constexpr Kind kMirrored[] = {Kind::Greater, Kind::GreaterEqual, Kind::Less, Kind::LessEqual};
    for (std::size_t i = 0; i < 4; ++i) {
      if (kForms[i].first != name) continue;
      KeyPredicate p = bound(level, left, right, kForms[i].second);
      return p.kind != Kind::Any ? p : bound(level, right, left, kMirrored[i]);
    }
    return {};
  }

  KeyPredicate bound(const QueryLevel& level, const Expr& column, const Expr& value, Kind kind) {
    const auto key = key_level(level, column);
    // The order of text is the collation's, not the bytes'.
    if (!key || columns_[*key].type == config::KeyType::Text) return {};
    auto term = Term::compile(value, columns_[*key]);
    if (!term) return {};
    KeyPredicate p;
    p.kind = kind;
    p.level = *key;
    p.terms.push_back(std::move(*term));
    return p;
  }

  KeyPredicate between(const QueryLevel& level, const Expr& column, const Expr& list) {
    if (list.args.size() != 2) return {};
    KeyPredicate p;
    p.kind = Kind::And;
    for (auto child : {bound(level, column, *list.args[0], Kind::GreaterEqual),
                       bound(level, column, *list.args[1], Kind::LessEqual)}) {
      if (child.kind != Kind::Any) p.children.push_back(std::move(child));
    }
    return p.children.empty() ? KeyPredicate{} : p;
  }

  KeyPredicate in_list(const QueryLevel& level, const Expr& left, const Expr& right) {
    if (left.kind == ExprKind::Row) {
      KeyPredicate any;
      any.kind = Kind::Or;
      for (const auto& row : right.args) {
        KeyPredicate child = equal(level, left, *row, false);
        if (child.kind == Kind::Any) return {};
        any.children.push_back(std::move(child));
      }
      return any;
    }
    return one_of(level, left, right.args);
  }

  KeyPredicate one_of(const QueryLevel& level, const Expr& left, const std::vector<sql::ExprPtr>& values) {
    const auto key = key_level(level, left);
    if (!key) return {};
    KeyPredicate p;
    p.kind = Kind::Equal;
    p.level = *key;
    for (const auto& value : values) {
      auto term = Term::compile(*value, columns_[*key]);
      if (!term) return {};
      p.terms.push_back(std::move(*term));
    }
    return p;
  }

  KeyPredicate any_array(const QueryLevel& level, const Expr& left, const Expr& right) {
    if (right.kind == ExprKind::Array) return one_of(level, left, right.args);
    const auto key = key_level(level, left);
    if (!key) return {};
    auto term = Term::compile_array(right, columns_[*key]);
    if (!term) return {};
    KeyPredicate p;
    p.kind = Kind::EqualArray;
    p.level = *key;
    p.terms.push_back(std::move(*term));
    return p;
  }

  const QueryLevel& level_;
  const BoundRelation& relation_;
  std::vector<std::vector<ColumnId>> classes_;
  std::vector<KeyColumn> columns_;
};

}  // namespace

std::vector<ColumnId> equal_columns(const ColumnId& start) { return EqualClass(start).take(); }

std::optional<std::size_t> key_column_index(const BoundRelation& r, std::size_t level) {
  const auto& key = r.entry->table->key;
  if (level >= key.size() || r.table == nullptr) return std::nullopt;
  for (std::size_t i = 0; i < r.table->columns.size(); ++i) {
    if (r.table->columns[i].name == key[level]) return i;
  }
  return std::nullopt;
}

KeyColumn key_column(const BoundRelation& r, std::size_t level, std::size_t column) {
  const CatalogColumn& c = r.table->columns[column];
  return {r.entry->placement->key_type(level), c.type, c.typmod};
}

Narrowing Narrowing::compile(const QueryLevel& level, std::size_t relation) {
  const BoundRelation& r = level.relations[relation];
  Narrowing n;
  n.table = r.schema + "." + r.name;
  n.placement = r.entry->placement;
  n.predicate = Compiler(level, relation).run(relation);
  return n;
}

void each_term(KeyPredicate& p, const std::function<void(Term&)>& fn) {
  for (Term& t : p.terms) fn(t);
  for (KeyPredicate& c : p.children) each_term(c, fn);
}

}  // namespace pgweir::routing
