// StatementFacts: what the session must know before and after a statement runs.
#include <algorithm>
#include <array>

#include "routing/plan/builtin_names.h"
#include "routing/plan/functions.h"
#include "routing/plan/temp_names.h"
#include "routing/plan/template.h"
#include "routing/sql/walk.h"

namespace pgweir::routing {
namespace {

using sql::Command;

class Collector : public sql::Visitor {
 public:
  Collector(const ClusterRouting& cluster, const SearchPath& path, StatementFacts& facts)
      : cluster_(cluster), path_(path), facts_(facts) {}

  bool read_only = true;

  void on_expr(const sql::Expr& e) override {
    switch (e.kind) {
      case sql::ExprKind::Parameter:
        facts_.max_parameter = std::max(facts_.max_parameter, static_cast<unsigned>(std::max(e.number, 0)));
        break;
      case sql::ExprKind::SqlValue:
        facts_.has_now |= e.value <= sql::SqlValueForm::LocalTimestamp;
        break;
      case sql::ExprKind::Call: {
        const FunctionFacts f = function_facts(cluster_, path_, e);
        read_only &= f.read_only;
        facts_.may_change_session |= f.session_state;
        facts_.runs_code |= f.session_state && f.known != FunctionFacts::Known::BuiltIn;
        facts_.uses_sequence_state |= f.sequence_state;
        facts_.has_now |= f.now;
        break;
      }
      case sql::ExprKind::Operator:
        user_operator(e);
        break;
      case sql::ExprKind::Cast:
        if (checks_values(e.names)) {
          read_only = false;
          unknown_code();
        }
        break;
      case sql::ExprKind::Column:
        if (e.names.size() > 1) attribute_call(e.names.back());
        break;
      case sql::ExprKind::Opaque:
        read_only = false;
        unknown_code();
        break;
      default:
        break;
    }
  }

  void on_select(const sql::Select& s) override {
    common_tables(s.with.get());
    if (s.locking || s.into) read_only = false;
    if (s.into) {
      facts_.creates_temp |= pgweir::routing::creates_temp(s.into_relation, path_);
      facts_.may_change_session |= facts_.creates_temp;
      facts_.name = s.into_relation.name;
    }
  }
  void on_modify(const sql::Modify& m, Command) override {
    read_only = false;
    common_tables(m.with.get());
    changed(m.target);
  }
  void on_from(const sql::FromItem& item) override {
    if (item.kind == sql::FromItem::Kind::Opaque) read_only = false;
    if (item.kind == sql::FromItem::Kind::Table) relation(item.relation);
  }

  // Triggers, rules and defaults of a changed table may use sequences or call functions of their own.
  void changed(const sql::RelationName& name) {
    if (!cluster_.catalog || !cluster_.catalog->loaded) return unknown_code();
    bool found = false;
    for (const CatalogTable* t : candidates(name)) {
      found = true;
      if (t->has_user_triggers || t->has_rules || (t->kind != 'r' && t->kind != 'p') || t->drifted ||
          cluster_.catalog->session_code.written.contains(t->schema + "." + t->name))
        unknown_code();
      for (const auto& c : t->columns) facts_.uses_sequence_state |= c.default_nextval || c.identity;
    }
    if (!found) unknown_code();
  }

  // Fires triggers and nothing else.
  void truncated(const sql::RelationName& name) {
    const auto found = candidates(name);
    if (found.empty() || std::any_of(found.begin(), found.end(), [](const CatalogTable* t) { return t->has_user_triggers || t->has_inheritance; }))
      unknown_code();
  }

 private:
  void unknown_code() { facts_.may_change_session = facts_.runs_code = true; }
  // An operator may call any function.
  void user_operator(const sql::Expr& e) {
    if (!cluster_.catalog || !cluster_.catalog->loaded) return;
    bool known = e.name().front() >= 'A' && e.name().front() <= 'Z';  // BETWEEN and its kin
    for (const auto& op : cluster_.catalog->operators) {
      if (op.name == e.name()) {
        read_only = false;
        known = true;
        break;
      }
    }
    // An unknown one may be newer than the catalog.
    if (cluster_.catalog->session_code.operators.contains(e.name()) || !(known || is_builtin_operator(e.name())))
      unknown_code();
  }
  // A domain whose check calls what leaves state behind, or a type that nothing is known of.
  bool checks_values(const std::vector<std::string>& names) const {
    if (!cluster_.catalog || !cluster_.catalog->loaded || names.empty()) return false;
    if (cluster_.catalog->session_code.types.contains(names.back())) return true;
    if ((names.size() > 1 && names.front() == "pg_catalog") || is_everyday_type(names.back())) return false;
    const auto& types = cluster_.catalog->types;
    return std::none_of(types.begin(), types.end(), [&](const auto& type) { return type.second.name == names.back(); });
  }
  void common_tables(const sql::With* with) {
    if (with == nullptr) return;
    for (const auto& table : with->tables) common_tables_.push_back(table.name);
  }
  // row.f is f(row) where the row has no such column.
  void attribute_call(const std::string& name) {
    if (!cluster_.catalog || !cluster_.catalog->loaded) return;
    const Catalog& catalog = *cluster_.catalog;
    const auto [begin, end] = catalog.function_index.equal_range(name);
    for (auto i = begin; i != end; ++i) {
      const CatalogFunction& f = catalog.functions[i->second];
      if (f.built_in || f.argument_types.size() != 1 || (f.volatility != 'v' && !f.names_session_state)) continue;
      const auto type = catalog.types.find(f.argument_types.front());
      if (type != catalog.types.end() && type->second.type != 'c') continue;
      read_only = false;
      unknown_code();
    }
  }
  // What a view or a policy calls, the catalog knows; policies may be another's by the time.
  void relation(const sql::RelationName& name) {
    const auto found = candidates(name);
    const bool common = name.schema.empty() && std::find(common_tables_.begin(), common_tables_.end(), name.name) != common_tables_.end();
    // What nothing is known of may be newer than the catalog.
    const auto known = [&] { return common || (name.schema.empty() && cluster_.catalog->find_table("pg_catalog", name.name)); };
    if (found.empty() && cluster_.catalog && cluster_.catalog->loaded && !known()) unknown_code();
    for (const CatalogTable* t : found) {
      if (t->kind == 'v' && t->schema != "information_schema") read_only = false;
      if (cluster_.catalog->session_code.read.contains(t->schema + "." + t->name) || (t->kind == 'v' && t->drifted)) {
        read_only = false;
        unknown_code();
      }
      if (t->kind == 'f' || t->has_rules || t->has_row_security) read_only = false;
    }
  }
  std::vector<const CatalogTable*> candidates(const sql::RelationName& name) const {
    std::vector<const CatalogTable*> found;
    if (!cluster_.catalog) return found;
    if (!name.schema.empty()) {
      if (const auto* t = cluster_.catalog->find_table(name.schema, name.name)) found.push_back(t);
      return found;
    }
    for (const auto& schema : path_.schemas) {
      if (const auto* t = cluster_.catalog->find_table(schema, name.name)) found.push_back(t);
    }
    return found;
  }

  const ClusterRouting& cluster_;
  const SearchPath& path_;
  StatementFacts& facts_;
  std::vector<std::string> common_tables_;   // of the whole statement
};

StatementKind transaction_kind(sql::TransactionVerb verb) {
  static constexpr std::array<StatementKind, 9> kKinds{StatementKind::Begin,
                                                       StatementKind::Commit,
                                                       StatementKind::Rollback,
                                                       StatementKind::Savepoint,
                                                       StatementKind::Release,
                                                       StatementKind::RollbackTo,
                                                       StatementKind::PrepareTransaction,
                                                       StatementKind::CommitPrepared,
                                                       StatementKind::RollbackPrepared};
  return kKinds[static_cast<std::size_t>(verb)];
}

StatementKind set_kind(const sql::Statement& s) {
  if (s.set_form == sql::SetForm::Multi) return StatementKind::SetTransaction;
  if (s.set_form == sql::SetForm::Reset || s.set_form == sql::SetForm::ResetAll) return StatementKind::Reset;
  if (s.set_form == sql::SetForm::Default && !s.local) return StatementKind::Reset;  // the same by another name
  return s.local ? StatementKind::SetLocal : StatementKind::Set;
}

// Commands that are one kind each.
constexpr std::pair<Command, StatementKind> kKinds[] = {
    {Command::Insert, StatementKind::Insert},       {Command::Update, StatementKind::Update},
    {Command::Delete, StatementKind::Delete},       {Command::Merge, StatementKind::Merge},
    {Command::Copy, StatementKind::Copy},           {Command::Show, StatementKind::Show},
    {Command::Discard, StatementKind::Discard},     {Command::Prepare, StatementKind::Prepare},
    {Command::Execute, StatementKind::Execute},     {Command::Deallocate, StatementKind::Deallocate},
    {Command::Listen, StatementKind::Listen},       {Command::Unlisten, StatementKind::Unlisten},
    {Command::Notify, StatementKind::Notify},       {Command::Declare, StatementKind::Declare},
    {Command::Fetch, StatementKind::Fetch},         {Command::CloseCursor, StatementKind::CloseCursor},
    {Command::Lock, StatementKind::Lock},           {Command::Explain, StatementKind::Explain},
    {Command::Vacuum, StatementKind::Maintenance},  {Command::Reindex, StatementKind::Maintenance},
    {Command::Cluster, StatementKind::Maintenance}, {Command::Do, StatementKind::Do},
    {Command::Call, StatementKind::Call},           {Command::Load, StatementKind::Load},
    {Command::SetConstraints, StatementKind::SetConstraints},
    {Command::Truncate, StatementKind::Truncate},   {Command::CreateTableAs, StatementKind::Ddl},
    {Command::RefreshView, StatementKind::Ddl},     {Command::Ddl, StatementKind::Ddl}};

StatementKind kind_of(const sql::Statement& s) {
  if (s.command == Command::Select) return s.select && s.select->into ? StatementKind::Ddl : StatementKind::Select;
  if (s.command == Command::Transaction) return transaction_kind(s.verb);
  if (s.command == Command::Set) return set_kind(s);
  for (const auto& [command, kind] : kKinds) {
    if (command == s.command) return kind;
  }
  return StatementKind::Utility;
}

void begin_options(const sql::Statement& s, StatementFacts& f) {
  f.plain_begin = true;
  for (const auto& option : s.options) {
    if (option.name == "transaction_read_only") f.begin_read_only = option.text != "0" && option.text != "false";
    if (option.name == "transaction_isolation") {
      f.begin_read_committed = option.text == "read committed" || option.text == "read uncommitted";
      f.begin_serializable = option.text == "serializable";
      f.begin_repeatable_read = option.text == "repeatable read";
    }
  }
}

bool changes_session(StatementKind kind) {
  switch (kind) {
    case StatementKind::Set:
    case StatementKind::Reset:
    case StatementKind::Discard:
    case StatementKind::Prepare:
    case StatementKind::Execute:
    case StatementKind::Deallocate:
    case StatementKind::Listen:
    case StatementKind::Unlisten:
    case StatementKind::Do:
    case StatementKind::Call:
    case StatementKind::Load:
    case StatementKind::Utility:
    case StatementKind::Unparsable:
      return true;
    default:
      return false;
  }
}

// Commands whose text does not show what they run.
bool runs_unseen(StatementKind kind) {
  return kind == StatementKind::Do || kind == StatementKind::Call || kind == StatementKind::Execute ||
         kind == StatementKind::Unparsable;
}

bool outside_transactions(const sql::Statement& s) {
  switch (s.command) {
    case Command::Vacuum:
      return s.name == "vacuum";
    case Command::Cluster:
      return s.relations.empty();
    case Command::Reindex:
      return s.concurrently || s.relations.empty();
    case Command::Ddl:
      return s.concurrently || s.object == sql::DdlObject::Database;
    default:
      return false;
  }
}

// EXPLAIN without ANALYZE runs nothing, but it plans, which folds immutable functions only.
bool explain_executes(const sql::Statement& s) {
  for (const auto& option : s.options) {
    if (option.name == "analyze") return option.text != "false" && option.text != "0" && option.text != "off";
  }
  return false;
}

bool read_only_command(const sql::Statement& s, bool tree_read_only) {
  switch (s.command) {
    case Command::Select:
      return tree_read_only;
    case Command::Show:
      return true;
    case Command::Explain:
      return tree_read_only;
    case Command::Copy:
      return !s.from && !s.file && !s.program && tree_read_only;
    default:
      return false;
  }
}

void temp_relation(const sql::Statement& s, const SearchPath& path, StatementFacts& f) {
  const sql::RelationName& name = s.relations.front();
  f.creates_temp = s.creates && creates_temp(name, path);
  if (f.creates_temp) f.name = name.name;
  f.may_change_session |= f.creates_temp;
  for (const auto& option : s.options) {
    if (option.name != "rename" || !(name.schema.empty() || is_temp_schema(name.schema))) continue;
    f.may_change_session = true;  // it may be a temp one: the census tells
    if (name.schema.empty()) continue;
    f.creates_temp = true;
    f.name = option.text;
  }
}

}  // namespace

StatementFacts statement_facts(const ClusterRouting& cluster, const SearchPath& path, const sql::Statement& s,
                               std::string_view text) {
  StatementFacts f;
  f.kind = kind_of(s);
  f.begin = s.begin;
  f.end = s.end;
  f.name = s.name;
  f.chain = s.chain;
  f.to_default = s.command == Command::Set && (s.set_form == sql::SetForm::Reset || s.set_form == sql::SetForm::ResetAll ||
                                               s.set_form == sql::SetForm::Default);
  f.no_transaction_block = outside_transactions(s);
  Collector collector(cluster, path, f);
  sql::walk(s, collector);
  if (s.command == Command::Copy) {
    for (const auto& r : s.relations) {
      sql::FromItem item;
      item.kind = sql::FromItem::Kind::Table;
      item.relation = r;
      collector.on_from(item);
      if (s.from) collector.changed(r);
    }
  }
  if (s.command == Command::Truncate)
    for (const auto& r : s.relations) collector.truncated(r);
  if (cluster.catalog && cluster.catalog->session_code.anywhere && s.command != Command::Transaction) f.may_change_session = f.runs_code = true;
  f.prepared = prepared_name(s, text);
  f.prepared.quiet = !f.may_change_session && !f.runs_code && !f.uses_sequence_state && !s.opaque && !s.too_deep;
  f.read_only = read_only_command(s, collector.read_only) && !s.opaque && !s.too_deep && f.prepared.executes.empty();
  f.may_change_session |= changes_session(f.kind) || s.too_deep || (s.command == Command::Declare && s.hold);
  f.runs_code |= runs_unseen(f.kind) || s.too_deep;
  if (f.kind == StatementKind::Begin) begin_options(s, f);
  if (f.kind == StatementKind::Explain && !explain_executes(s)) f.uses_sequence_state = f.runs_code = false;
  if (f.kind == StatementKind::Ddl && !s.relations.empty()) temp_relation(s, path, f);
  return f;
}

}  // namespace pgweir::routing
