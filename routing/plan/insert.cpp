// INSERT into a sharded table: where every row goes is decided by its key values.
#include <algorithm>

#include "routing/plan/planner.h"
#include "routing/plan/refusal.h"
#include "routing/plan/type_oids.h"
#include "routing/sql/parse.h"
#include "routing/sql/walk.h"

namespace pgweir::routing {
namespace {

using sql::Expr;
using sql::ExprKind;
using sql::is_word;

// The position behind the table's name and alias, and the ranges of the rows behind VALUES.
struct InsertText {
  std::size_t columns_at = 0;
  std::size_t columns_end = 0;  // in front of the ")" of the column list; 0: none
  std::vector<TextRange> rows;
};

bool is_punctuation(std::string_view text, const sql::Token& t, char c) {
  return t.kind == sql::TokenKind::Punctuation && text[t.begin] == c;
}

std::optional<InsertText> insert_text(std::string_view text, const sql::Statement& s) {
  const auto tokens = sql::tokenize(text, s.begin, s.end);
  if (!tokens || tokens->size() < 3 || !is_word(text, (*tokens)[0], "insert") || !is_word(text, (*tokens)[1], "into"))
    return std::nullopt;
  const auto& t = *tokens;
  InsertText out;
  std::size_t i = 3;
  while (i + 1 < t.size() && is_punctuation(text, t[i], '.')) i += 2;
  if (i + 1 < t.size() && is_word(text, t[i], "as")) i += 2;
  out.columns_at = t[i - 1].end;
  if (i < t.size() && is_punctuation(text, t[i], '(')) {
    for (++i; i < t.size() && !(t[i].depth == 0 && is_punctuation(text, t[i], ')')); ++i) {
    }
    if (i >= t.size()) return std::nullopt;
    out.columns_end = t[i].begin;
  }
  for (; i < t.size(); ++i) {
    if (t[i].depth == 0 && is_word(text, t[i], "values") && i + 1 < t.size() && is_punctuation(text, t[i + 1], '('))
      break;
    if (t[i].depth == 0 && is_word(text, t[i], "select")) return out;
  }
  for (++i; i < t.size() && is_punctuation(text, t[i], '('); ++i) {
    std::size_t close = i + 1;
    while (close < t.size() && !(t[close].depth == t[i].depth && is_punctuation(text, t[close], ')'))) ++close;
    if (close >= t.size()) return std::nullopt;
    out.rows.push_back({t[i].begin, t[close].end});
    i = close + 1;
    if (i >= t.size() || !is_punctuation(text, t[i], ',')) break;
  }
  return out;
}

bool is_now_default(const std::string& text) { return text == "now()" || text == "CURRENT_TIMESTAMP"; }
bool per_row_default(const std::string& text) {
  return text == "gen_random_uuid()" || text == "random()" || text == "pgweir.unique_id()";
}

}  // namespace

// Columns of a select's result; nullopt: a * stands for columns that are not known. An arm of a UNION counts for all.
std::optional<std::size_t> Planner::target_count(const sql::Select& select) const {
  const sql::Select* s = &select;
  while (s->operation != sql::SetOperation::None && s->left) s = s->left.get();
  if (!s->values.empty()) return s->values.front().size();
  const auto level = bound_.by_select.find(s);
  std::size_t count = 0;
  for (const auto& t : s->targets) {
    if (!t.expr->star) {
      ++count;
      continue;
    }
    if (t.expr->kind != ExprKind::Column || level == bound_.by_select.end() || !level->second->pairs.empty())
      return std::nullopt;
    bool found = false;
    for (const BoundRelation& r : level->second->relations) {
      if (!t.expr->names.empty() && (r.hidden || t.expr->names.back() != r.visible)) continue;
      if (r.columns.empty()) return std::nullopt;
      found = true;
      count += r.columns.size();
    }
    if (!found) return std::nullopt;
  }
  return count;
}

Planner::Failure Planner::insert_columns(const sql::Modify& m, std::vector<const CatalogColumn*>& columns) {
  const CatalogTable& t = *target().table;
  if (m.columns.empty()) {
    std::size_t count = t.columns.size();
    if (m.source != nullptr) {
      const auto targets = target_count(*m.source);
      if (!targets) {
        return refuse(reason::kInsertSelect, "how many columns this INSERT ... SELECT gives cannot be told",
                      "Name the columns behind the table and in the select list.");
      }
      count = std::min(count, *targets);
    }
    for (std::size_t i = 0; i < count; ++i) columns.push_back(&t.columns[i]);
    return std::nullopt;
  }
  for (const auto& c : m.columns) {
    const CatalogColumn* column = t.find_column(c.name);
    if (column == nullptr)
      return SqlError{"42703", "column \"" + c.name + "\" of relation \"" + t.name + "\" does not exist", {}, {}, {},
                      {}};
    const auto& key = target().entry->table->key;
    if (c.indirection && std::find(key.begin(), key.end(), c.name) != key.end())
      return refuse(reason::kKeyExpression, "a part of key column " + c.name + " is set", "Give the whole value.");
    columns.push_back(column);
  }
  return std::nullopt;
}

Planner::Failure Planner::conflict(const sql::Modify& m) {
  if (!m.conflict) return std::nullopt;
  const BoundRelation& t = target();
  const auto& key = t.entry->table->key;
  const auto holds_key = [&](const std::vector<std::string>& columns) {
    return std::all_of(key.begin(), key.end(),
                       [&](const auto& k) { return std::find(columns.begin(), columns.end(), k) != columns.end(); });
  };
  bool fine = t.entry->table->local_constraints;
  if (!m.conflict->has_target) {
    fine |= std::all_of(t.table->unique_indexes.begin(), t.table->unique_indexes.end(),
                        [&](const auto& i) { return holds_key(i.columns) && !i.exclusion; });
  } else if (!m.conflict->constraint.empty()) {
    for (const auto& i : t.table->unique_indexes) fine |= i.name == m.conflict->constraint && holds_key(i.columns);
  } else {
    fine |= holds_key(m.conflict->columns);
  }
  if (!fine)
    return refuse(reason::kOnConflict,
                  "ON CONFLICT needs a unique index that holds the sharding key: rows on other shards are not seen",
                  "Name all key columns in the conflict target.");
  for (const auto& set : m.conflict->set) {
    if (std::find(key.begin(), key.end(), set.name) != key.end())
      return refuse(reason::kKeyUpdate, "setting key column " + set.name + " could move the row to another shard",
                    "Leave it out of DO UPDATE.");
  }
  return std::nullopt;
}

// Defaults that every shard would compute for itself.
Planner::Failure Planner::insert_constraints(const sql::Modify& m, const std::vector<const CatalogColumn*>& columns) {
  const BoundRelation& t = target();
  if (auto f = table_constraints(t, {})) return f;
  for (const CatalogColumn& c : t.table->columns) {
    const auto at = std::find(columns.begin(), columns.end(), &c);
    const auto position = static_cast<std::size_t>(at - columns.begin());
    bool given = at != columns.end() && m.source != nullptr;
    if (given) {
      for (const auto& row : m.source->values)
        given &= position < row.size() && row[position]->kind != ExprKind::Default;
    }
    if (given || c.generated) continue;
    if ((c.default_nextval || c.identity) && !t.entry->table->local_constraints && t.entry->table->ids != "unique_id") {
      return refuse(reason::kIdentity,
                    "the default of column " + c.name + " counts on each shard by itself: values would repeat",
                    "Give a value, or say ids = \"unique_id\" or local_constraints = true for the table.");
    }
    if (c.default_volatile && !per_row_default(c.default_text) && !plan_->insert->split_refusal) {
      plan_->insert->split_refusal =
          refuse(reason::kNodeDependent, "the default of column " + c.name + " is computed on each shard",
                 "Give a value for it, or insert rows of one shard at a time.");
      // A column that no row gives and whose default is now() gets one constant for all shards.
      if (is_now_default(c.default_text) && at == columns.end() && !m.columns.empty() && c.type == oid::kTimestampTz) {
        plan_->insert->split_refusal.reset();
        plan_->insert->now_columns.push_back(c.name);
      }
    }
  }
  return std::nullopt;
}

Planner::Failure Planner::insert_row(const sql::Modify&, const std::vector<sql::ExprPtr>& row,
                                     const std::vector<const CatalogColumn*>& columns, InsertRow& out) {
  const BoundRelation& t = target();
  for (std::size_t i = 0; i < t.entry->placement->levels(); ++i) {
    const auto index = key_column_index(t, i);
    if (!index)
      return refuse(reason::kKeyType, "table " + t.name + " has no column for key level " + std::to_string(i + 1),
                    "Correct key = [...] in the configuration.");
    const KeyColumn key = key_column(t, i, *index);
    const CatalogColumn& column = t.table->columns[*index];
    if (!key_type_fits(key.type, key.oid) || column.generated) {
      return refuse(reason::kKeyType,
                    "key column " + column.name + " is not of the placement's key type " + key_type_name(key.type),
                    "Correct key_type in the configuration.");
    }
    const auto at = static_cast<std::size_t>(std::find(columns.begin(), columns.end(), &column) - columns.begin());
    const Expr* value = at < columns.size() && at < row.size() ? row[at].get() : nullptr;
    sql::ParseResult parsed_default;
    if (value == nullptr || value->kind == ExprKind::Default) {
      if (!column.has_default || column.default_volatile || column.default_nextval || column.identity) {
        return refuse(reason::kKeyMissing,
                      "a row for sharded table " + t.name + " has no constant value for key column " + column.name,
                      "Give the key column a value.");
      }
      parsed_default = sql::parse("SELECT " + column.default_text);
      if (parsed_default.statements.size() != 1 || !parsed_default.statements.front()->select ||
          parsed_default.statements.front()->select->targets.size() != 1) {
        return refuse(reason::kKeyMissing, "the default of key column " + column.name + " is not a constant",
                      "Give the key column a value.");
      }
      value = parsed_default.statements.front()->select->targets.front().expr.get();
    }
    auto term = Term::compile_assigned(*value, key);
    if (!term) {
      return refuse(reason::kKeyExpression,
                    "key column " + column.name + " is set to an expression whose value is known only when it runs",
                    "Compute it first and pass it as a constant or parameter.");
    }
    out.key.push_back(std::move(*term));
  }
  return std::nullopt;
}

Planner::Failure Planner::insert_rows(const sql::Statement& s, const std::vector<const CatalogColumn*>& columns) {
  const sql::Modify& m = *s.modify;
  const auto text = insert_text(text_, s);
  if (!text)
    return refuse(reason::kNotUnderstood, "the rows of this INSERT cannot be found in its text",
                  "Write INSERT INTO table (columns) VALUES (...).");
  plan_->insert->columns_end = text->columns_end;
  // A select runs on one shard as it is written.
  if (m.columns.empty() && m.source != nullptr && !m.source->values.empty()) {
    std::string names;
    for (const CatalogColumn* c : columns) names += (names.empty() ? "" : ", ") + sql::quote_identifier(c->name);
    plan_->single_splices.push_back({text->columns_at, text->columns_at, " (" + names + ")"});
  }
  if (m.source != nullptr && m.source->values.empty()) return insert_select(m, columns);
  if (m.source == nullptr) {
    InsertRow row;
    plan_->single_splices.clear();
    if (auto f = insert_row(m, {}, columns, row)) return f;
    plan_->insert->may_split = false;
    plan_->insert->rows.push_back(std::move(row));
    return std::nullopt;
  }
  if (text->rows.size() != m.source->values.size() || !m.source->order_by.empty() || m.source->limit ||
      m.source->offset || m.source->with) {
    return refuse(reason::kNotUnderstood, "the rows of this INSERT cannot be found in its text",
                  "Write INSERT INTO table (columns) VALUES (...).");
  }
  for (std::size_t i = 0; i < text->rows.size(); ++i) {
    if (m.source->values[i].size() > columns.size())
      return SqlError{"42601", "INSERT has more expressions than target columns", {}, {}, {}, {}};
    InsertRow row;
    row.begin = text->rows[i].begin;
    row.end = text->rows[i].end;
    if (auto f = insert_row(m, m.source->values[i], columns, row)) return f;
    plan_->insert->rows.push_back(std::move(row));
  }
  plan_->insert->may_split = plan_->narrowings.empty();
  return std::nullopt;
}

// One shard only: every sharded table read is narrowed to it, and the key is a constant or a key column read from
// there.
Planner::Failure Planner::insert_select(const sql::Modify& m, const std::vector<const CatalogColumn*>& columns) {
  const sql::Select& source = *m.source;
  const SqlError refusal =
      refuse(reason::kInsertSelect, "the rows of this INSERT ... SELECT may belong to several shards",
             "Select the key as a constant, from rows with the same constant key.");
  const auto level = bound_.by_select.find(&source);
  if (source.operation != sql::SetOperation::None || level == bound_.by_select.end()) return refusal;
  const BoundRelation& t = target();
  InsertRow row;
  std::vector<sql::ExprPtr> none;
  for (std::size_t i = 0; i < t.entry->placement->levels(); ++i) {
    const auto index = key_column_index(t, i);
    if (!index) return refusal;
    const KeyColumn key = key_column(t, i, *index);
    const auto at = static_cast<std::size_t>(std::find(columns.begin(), columns.end(), &t.table->columns[*index]) -
                                             columns.begin());
    for (std::size_t k = 0; k <= at && k < source.targets.size(); ++k) {
      if (source.targets[k].expr->star) return refusal;
    }
    if (at >= columns.size() || at >= source.targets.size() || !key_type_fits(key.type, key.oid)) return refusal;
    const Expr& value = *source.targets[at].expr;
    std::optional<Term> term = Term::compile_assigned(value, key);
    if (!term) term = constant_of(*level->second, value, key);
    if (!term) return refusal;
    row.key.push_back(std::move(*term));
  }
  plan_->insert->may_split = false;
  plan_->insert->split_refusal = refusal;
  plan_->insert->rows.push_back(std::move(row));
  return std::nullopt;
}

// The constant that a column equals in every row of its level.
std::optional<Term> Planner::constant_of(const QueryLevel& level, const Expr& e, const KeyColumn& key) const {
  const auto id = level.resolve(e);
  if (!id || id->level != &level || level.column(*id).type != key.oid) return std::nullopt;
  const auto members = equal_columns(*id);
  for (const Expr* c : level.where) {
    if (c->kind != ExprKind::Operator || c->op != sql::OperatorForm::Plain ||
        c->names != std::vector<std::string>{"="} || !c->args[0] || !c->args[1])
      continue;
    for (const auto& [column, value] :
         {std::pair{c->args[0].get(), c->args[1].get()}, std::pair{c->args[1].get(), c->args[0].get()}}) {
      const auto found = level.resolve(*column);
      if (!found || std::find(members.begin(), members.end(), *found) == members.end()) continue;
      if (auto term = Term::compile(*value, key)) return term;
    }
  }
  return std::nullopt;
}

Planner::Failure Planner::insert(const sql::Statement& s) {
  const sql::Modify& m = *s.modify;
  if (m.with)
    return refuse(reason::kWith, "WITH before an INSERT into a sharded table is not routed",
                  "Write the query behind INSERT INTO.");
  if (auto f = triggers(target())) return f;
  plan_->insert = std::make_unique<InsertPlan>();
  InsertPlan& insert = *plan_->insert;
  insert.table = target().schema + "." + target().name;
  insert.placement = target().entry->placement;
  insert.returning = !m.returning.empty();
  insert.returning_in_order = insert.returning && !m.conflict;
  std::vector<const CatalogColumn*> columns;
  if (auto f = insert_columns(m, columns)) return f;
  if (auto f = conflict(m)) return f;
  if (auto f = insert_constraints(m, columns)) return f;
  if (uses_.node_dependent && !insert.split_refusal && !clock_words_only_in_text(m, columns))
    insert.split_refusal = uses_.node_dependent;
  if (m.overriding)
    insert.split_refusal =
        refuse(reason::kIdentity, "OVERRIDING over several shards", "Insert rows of one shard at a time.");
  return insert_rows(s, columns);
}

// 'today' assigned to a text column is only text.
bool Planner::clock_words_only_in_text(const sql::Modify& m, const std::vector<const CatalogColumn*>& columns) const {
  if (m.source == nullptr || m.source->values.empty() || uses_.node_dependent->message.substr(0, 11) != "the literal")
    return false;
  for (const auto& row : m.source->values) {
    for (std::size_t i = 0; i < row.size() && i < columns.size(); ++i) {
      const Oid type = columns[i]->type;
      if (row[i]->kind == ExprKind::String && !oid::collatable(type)) {
        const bool time = type == oid::kDate || type == oid::kTime || type == oid::kTimestamp ||
                          type == oid::kTimestampTz || type == oid::kTimeTz || type >= oid::kFirstUser;
        if (time && !std::any_of(row[i]->text.begin(), row[i]->text.end(), [](char c) { return c >= '0' && c <= '9'; }))
          return false;
      } else if (!row[i]->constant() && row[i]->kind != ExprKind::Parameter) {
        bool holds_string = false;
        sql::each_expr(*row[i], [&](const Expr& e) { holds_string |= e.kind == ExprKind::String; });
        if (holds_string) return false;
      }
    }
  }
  return m.returning.empty() && !m.conflict;
}

}  // namespace pgweir::routing
