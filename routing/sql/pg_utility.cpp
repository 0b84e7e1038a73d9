#include <utility>

#include "routing/sql/pg_convert.h"

namespace pgweir::routing::sql {
namespace {

// A DefElem's or SET's argument as text: constants and names.
std::string argument_text(const Node* node, bool& opaque) {
  if (node == nullptr) return {};
  switch (nodeTag(node)) {
    case T_String:
      return as<String>(node).sval;
    case T_Integer:
      return std::to_string(as<Integer>(node).ival);
    case T_Float:
      return as<Float>(node).fval;
    case T_Boolean:
      return as<Boolean>(node).boolval ? "true" : "false";
    case T_A_Const: {
      const auto& constant = as<A_Const>(node);
      return constant.isnull ? std::string() : argument_text(&constant.val.node, opaque);
    }
    case T_TypeCast:
      return argument_text(as<TypeCast>(node).arg, opaque);
    case T_TypeName: {
      const auto parts = name_parts(as<TypeName>(node).names);
      return parts.empty() ? std::string() : parts.back();
    }
    default:
      opaque = true;
      return {};
  }
}

}  // namespace

std::vector<Option> PgConverter::option_list(const List* list) {
  std::vector<Option> options;
  for (int i = 0; i < list_length(list); ++i) {
    const auto* element = nth<DefElem>(list, i);
    Option option;
    option.name = text_of(element->defname);
    option.has_argument = element->arg != nullptr;
    if (element->arg != nullptr && IsA(element->arg, List)) {
      option.list = name_parts(reinterpret_cast<const List*>(element->arg));
    } else if (element->arg != nullptr && IsA(element->arg, A_Star)) {
      option.star = true;
    } else {
      option.text = argument_text(element->arg, option.opaque);
    }
    options.push_back(std::move(option));
  }
  return options;
}

std::unique_ptr<Statement> PgConverter::inner(const Node* node) {
  auto result = std::make_unique<Statement>();
  if (node == nullptr) {
    opaque_ = true;
    return result;
  }
  const Level level(*this);
  if (!too_deep_) convert(node, *result);
  return result;
}

void PgConverter::transaction(const TransactionStmt& node, Statement& s) {
  s.command = Command::Transaction;
  switch (node.kind) {
    case TRANS_STMT_BEGIN:
    case TRANS_STMT_START:
      s.verb = TransactionVerb::Begin;
      break;
    case TRANS_STMT_COMMIT:
      s.verb = TransactionVerb::Commit;
      break;
    case TRANS_STMT_ROLLBACK:
      s.verb = TransactionVerb::Rollback;
      break;
    case TRANS_STMT_SAVEPOINT:
      s.verb = TransactionVerb::Savepoint;
      break;
    case TRANS_STMT_RELEASE:
      s.verb = TransactionVerb::Release;
      break;
    case TRANS_STMT_ROLLBACK_TO:
      s.verb = TransactionVerb::RollbackTo;
      break;
    case TRANS_STMT_PREPARE:
      s.verb = TransactionVerb::Prepare;
      break;
    case TRANS_STMT_COMMIT_PREPARED:
      s.verb = TransactionVerb::CommitPrepared;
      break;
    case TRANS_STMT_ROLLBACK_PREPARED:
      s.verb = TransactionVerb::RollbackPrepared;
      break;
  }
  s.options = option_list(node.options);
  s.name = node.gid != nullptr ? text_of(node.gid) : text_of(node.savepoint_name);
  s.chain = node.chain;
}

void PgConverter::set(const VariableSetStmt& node, Statement& s) {
  s.command = Command::Set;
  s.name = text_of(node.name);
  s.local = node.is_local;
  switch (node.kind) {
    case VAR_SET_VALUE:
      s.set_form = SetForm::Value;
      break;
    case VAR_SET_DEFAULT:
      s.set_form = SetForm::Default;
      break;
    case VAR_SET_CURRENT:
      s.set_form = SetForm::Current;
      break;
    case VAR_SET_MULTI:
      s.set_form = SetForm::Multi;
      break;
    case VAR_RESET:
      s.set_form = SetForm::Reset;
      break;
    case VAR_RESET_ALL:
      s.set_form = SetForm::ResetAll;
      break;
  }
  if (node.kind == VAR_SET_MULTI) {
    if (s.name != "TRANSACTION SNAPSHOT") s.options = option_list(node.args);
    return;
  }
  for (int i = 0; i < list_length(node.args); ++i) {
    bool unknown = false;
    s.values.push_back(argument_text(nth<Node>(node.args, i), unknown));
  }
}

void PgConverter::copy(const CopyStmt& node, Statement& s) {
  s.command = Command::Copy;
  s.from = node.is_from;
  s.program = node.is_program;
  s.file = node.filename != nullptr;
  s.columns = name_parts(node.attlist);
  s.options = option_list(node.options);
  if (node.relation != nullptr) add_relation(node.relation, s);
  if (node.query != nullptr) s.inner = inner(node.query);
  if (node.whereClause != nullptr) s.where = expr(node.whereClause);
}

void PgConverter::create_table_as(const CreateTableAsStmt& node, Statement& s) {
  s.command = Command::CreateTableAs;
  s.inner = inner(node.query);
  if (node.into != nullptr) add_relation(node.into->rel, s);
  s.creates = true;
  s.object = node.objtype == OBJECT_MATVIEW ? DdlObject::View : DdlObject::NewTable;
  s.if_exists = node.if_not_exists;
}

bool PgConverter::session_utility(const Node* node, Statement& s) {
  switch (nodeTag(node)) {
    case T_VariableShowStmt:
      s.command = Command::Show;
      s.name = text_of(as<VariableShowStmt>(node).name);
      return true;
    case T_DiscardStmt: {
      s.command = Command::Discard;
      const DiscardMode target = as<DiscardStmt>(node).target;
      s.name = target == DISCARD_ALL         ? "all"
               : target == DISCARD_PLANS     ? "plans"
               : target == DISCARD_SEQUENCES ? "sequences"
                                             : "temp";
      return true;
    }
    case T_PrepareStmt:
      s.command = Command::Prepare;
      s.name = text_of(as<PrepareStmt>(node).name);
      s.inner = inner(as<PrepareStmt>(node).query);
      return true;
    case T_ExecuteStmt:
      s.command = Command::Execute;
      s.name = text_of(as<ExecuteStmt>(node).name);
      s.expressions = exprs(as<ExecuteStmt>(node).params);
      return true;
    case T_DeallocateStmt:
      s.command = Command::Deallocate;
      s.name = text_of(as<DeallocateStmt>(node).name);
      return true;
    case T_ListenStmt:
      s.command = Command::Listen;
      s.name = text_of(as<ListenStmt>(node).conditionname);
      return true;
    case T_UnlistenStmt:
      s.command = Command::Unlisten;
      s.name = text_of(as<UnlistenStmt>(node).conditionname);
      return true;
    case T_NotifyStmt:
      s.command = Command::Notify;
      s.name = text_of(as<NotifyStmt>(node).conditionname);
      return true;
    default:
      return false;
  }
}

bool PgConverter::cursor_utility(const Node* node, Statement& s) {
  switch (nodeTag(node)) {
    case T_DeclareCursorStmt:
      s.command = Command::Declare;
      s.name = text_of(as<DeclareCursorStmt>(node).portalname);
      s.hold = (as<DeclareCursorStmt>(node).options & CURSOR_OPT_HOLD) != 0;
      s.inner = inner(as<DeclareCursorStmt>(node).query);
      return true;
    case T_FetchStmt:
      s.command = Command::Fetch;
      s.name = text_of(as<FetchStmt>(node).portalname);
      return true;
    case T_ClosePortalStmt:
      s.command = Command::CloseCursor;
      s.name = text_of(as<ClosePortalStmt>(node).portalname);
      return true;
    case T_LoadStmt:
      s.command = Command::Load;
      return true;
    case T_ConstraintsSetStmt:
      s.command = Command::SetConstraints;
      return true;
    case T_CheckPointStmt:
      s.command = Command::Checkpoint;
      return true;
    default:
      return false;
  }
}

bool PgConverter::table_utility(const Node* node, Statement& s) {
  switch (nodeTag(node)) {
    case T_LockStmt:
      s.command = Command::Lock;
      add_relations(as<LockStmt>(node).relations, s);
      return true;
    case T_TruncateStmt:
      s.command = Command::Truncate;
      s.cascade = as<TruncateStmt>(node).behavior == DROP_CASCADE;
      add_relations(as<TruncateStmt>(node).relations, s);
      return true;
    case T_VacuumStmt:
      s.command = Command::Vacuum;
      s.name = as<VacuumStmt>(node).is_vacuumcmd ? "vacuum" : "analyze";
      for (int i = 0; i < list_length(as<VacuumStmt>(node).rels); ++i) {
        add_relation(nth<VacuumRelation>(as<VacuumStmt>(node).rels, i)->relation, s);
      }
      return true;
    case T_ReindexStmt:
      s.command = Command::Reindex;
      s.options = option_list(as<ReindexStmt>(node).params);
      s.object = as<ReindexStmt>(node).kind == REINDEX_OBJECT_TABLE ? DdlObject::Relation : DdlObject::DropIndex;
      for (const Option& option : s.options) s.concurrently |= option.name == "concurrently";
      if (as<ReindexStmt>(node).relation != nullptr) add_relation(as<ReindexStmt>(node).relation, s);
      return true;
    case T_ClusterStmt:
      s.command = Command::Cluster;
      if (as<ClusterStmt>(node).relation != nullptr) add_relation(as<ClusterStmt>(node).relation, s);
      return true;
    default:
      return false;
  }
}

bool PgConverter::utility(const Node* node, Statement& s) {
  switch (nodeTag(node)) {
    case T_TransactionStmt:
      transaction(as<TransactionStmt>(node), s);
      return true;
    case T_VariableSetStmt:
      set(as<VariableSetStmt>(node), s);
      return true;
    case T_CopyStmt:
      copy(as<CopyStmt>(node), s);
      return true;
    case T_CreateTableAsStmt:
      create_table_as(as<CreateTableAsStmt>(node), s);
      return true;
    case T_ExplainStmt:
      s.command = Command::Explain;
      s.options = option_list(as<ExplainStmt>(node).options);
      s.inner = inner(as<ExplainStmt>(node).query);
      return true;
    case T_DoStmt:
      s.command = Command::Do;
      return true;
    case T_CallStmt:
      s.command = Command::Call;
      s.expressions.push_back(expr(reinterpret_cast<const Node*>(as<CallStmt>(node).funccall)));
      return true;
    case T_RefreshMatViewStmt:
      s.command = Command::RefreshView;
      s.concurrently = as<RefreshMatViewStmt>(node).concurrent;
      add_relation(as<RefreshMatViewStmt>(node).relation, s);
      return true;
    default:
      return table_utility(node, s) || session_utility(node, s) || cursor_utility(node, s);
  }
}

void PgConverter::convert(const Node* node, Statement& s) {
  if (query_statement(node, s) || utility(node, s)) return;
  s.command = Command::Ddl;
  if (table_ddl(node, s) || object_ddl(node, s) || everywhere_ddl(node, s)) return;
  s.object = DdlObject::Unknown;
}

std::unique_ptr<Statement> PgConverter::statement(const RawStmt& raw) {
  auto result = std::make_unique<Statement>();
  opaque_ = too_deep_ = false;
  depth_ = 0;
  nodes_ = 0;
  result->begin = raw.stmt_location < 0 ? 0 : static_cast<std::size_t>(raw.stmt_location);
  result->end = raw.stmt_len > 0 ? result->begin + static_cast<std::size_t>(raw.stmt_len) : text_.size();
  const std::size_t first = text_.find_first_not_of(" \t\r\n\f\v", result->begin);
  if (first != std::string_view::npos && first < result->end) result->begin = first;
  convert(raw.stmt, *result);
  result->opaque = opaque_;
  result->too_deep = too_deep_;
  return result;
}

}  // namespace pgweir::routing::sql
