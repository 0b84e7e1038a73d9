// BackendModel: statements and transactions.
#include <algorithm>

#include "protocol/backend_codec.h"
#include "tests/model/backend_model.h"

namespace pgweir::model {

using Kind = Statement::Kind;

namespace {

constexpr protocol::Oid kText = 25;

protocol::ColumnDescription column(const std::string& name) {
  protocol::ColumnDescription out;
  out.name = name;
  out.type_oid = kText;
  return out;
}

}  // namespace

// EXECUTE stands for what it runs.
const Statement& BackendModel::meant(const Statement& statement) {
  if (statement.kind != Kind::Execute) return statement;
  const auto found = prepared_.find(statement.name);
  return found == prepared_.end() ? statement : found->second.statement;
}

void BackendModel::describe_rows(const Statement& statement) {
  std::vector<protocol::ColumnDescription> columns;
  if (statement.kind == Kind::Census) {
    for (const char* name : {"?column?", "name", "setting"}) columns.push_back(column(name));
  } else if (statement.kind == Kind::Show) {
    const char* name = SettingsModel::canonical(statement.name);
    columns.push_back(column(name == nullptr ? "" : name));
  } else {
    columns.push_back(column(statement.kind == Kind::SetConfig ? "set_config" : "?column?"));
  }
  protocol::encode_row_description(columns, output_);
}

void BackendModel::row(const std::vector<std::string>& values) {
  protocol::DataRowWriter writer(output_);
  for (const auto& each : values) writer.column(each);
  writer.finish();
}

std::string BackendModel::value(const Statement& statement, const std::string& parameter, std::size_t at) const {
  if (statement.kind == Kind::Parameter) return parameter;
  return statement.value + (statement.series ? std::to_string(at + 1) : "");
}

std::vector<std::vector<std::string>> BackendModel::census(const Statement& statement) const {
  std::vector<std::vector<std::string>> out;
  for (const auto& [name, setting] : settings_.from_session()) out.push_back({"s", name, setting});
  std::size_t ours = 0;
  for (const auto& [name, prepared] : prepared_) {
    const bool of_proxy = name.starts_with("pgweir_");
    if (prepared.from_sql && !of_proxy) out.push_back({"p", name, ""});
    if (of_proxy && name.size() == 39 && !name.starts_with("pgweir_stand_in")) ++ours;
  }
  if (!statement.value.empty()) out.push_back({"P", std::to_string(ours), ""});
  return out;
}

bool BackendModel::run(const Statement& statement, bool top, const std::string& parameter, std::string& tag) {
  if (!statement.controls_transaction() && std::exchange(fails_next_, false))
    return error("XX000", "the server fails");
  switch (statement.kind) {
    case Kind::Divide: return error("22012", "division by zero");
    case Kind::Rows:
    case Kind::Parameter:
      for (std::size_t at = 0; at < statement.rows; ++at) row({value(statement, parameter, at)});
      tag = "SELECT " + std::to_string(statement.rows);
      return true;
    case Kind::Census: {
      const auto found = census(statement);
      for (const auto& each : found) row(each);
      tag = "SELECT " + std::to_string(found.size());
      return true;
    }
    case Kind::Insert:
      rows_.push_back(statement.value);
      tag = "INSERT 0 1";
      return true;
    case Kind::CopyOut: {
      const std::int16_t formats[] = {0};
      protocol::encode_copy_out_response(protocol::Format::Text, formats, output_);
      for (unsigned at = 0; at < statement.rows; ++at) protocol::encode_copy_data("row\n", output_);
      protocol::encode_copy_done(output_);
      tag = "COPY " + std::to_string(statement.rows);
      return true;
    }
    case Kind::Execute: {
      if (!top) return error("42601", "EXECUTE of EXECUTE");
      const Prepared* prepared = find_prepared(statement.name);
      return prepared != nullptr && run(Statement(prepared->statement), false, "", tag);
    }
    case Kind::Prepare:
    case Kind::Deallocate:
    case Kind::DeallocateAll: return run_names(statement, tag);
    default: return statement.controls_transaction() ? run_transaction(statement, tag) : run_setting(statement, tag);
  }
}

bool BackendModel::run_setting(const Statement& statement, std::string& tag) {
  const bool known = SettingsModel::canonical(statement.name) != nullptr;
  const bool needs_name = statement.kind == Kind::Show || statement.kind == Kind::Reset;
  if (needs_name && !known) return error("42704", "unrecognized configuration parameter \"" + statement.name + "\"");
  switch (statement.kind) {
    case Kind::Show:
      row({settings_.show(statement.name)});
      tag = "SHOW";
      return true;
    case Kind::Set:
    case Kind::SetLocal:
    case Kind::SetConfig: {
      const bool local = statement.kind == Kind::SetLocal || statement.local;
      if (auto wrong = settings_.set(statement.name, statement.value, local)) return error(wrong->sqlstate, wrong->message);
      if (statement.kind == Kind::SetConfig) row({settings_.show(statement.name)});
      tag = statement.kind == Kind::SetConfig ? "SELECT 1" : "SET";
      return true;
    }
    case Kind::Reset:
      settings_.reset(statement.name);
      tag = "RESET";
      return true;
    case Kind::ResetAll:
      settings_.reset_all();
      tag = "RESET";
      return true;
    case Kind::DiscardAll:
      if (tx_ == Tx::Block || several_) return error("25001", "DISCARD ALL cannot run inside a transaction block");
      settings_.reset_all();
      prepared_.clear();
      tag = "DISCARD ALL";
      return true;
    default: tag = "DISCARD SEQUENCES"; return true;
  }
}

bool BackendModel::run_names(const Statement& statement, std::string& tag) {
  if (statement.kind == Kind::DeallocateAll) {
    prepared_.clear();
    tag = "DEALLOCATE ALL";
    return true;
  }
  if (statement.kind == Kind::Deallocate) {
    if (find_prepared(statement.name) == nullptr) return false;
    prepared_.erase(statement.name);
    tag = "DEALLOCATE";
    return true;
  }
  const auto inner = parse_model_sql(statement.value);
  if (inner.empty() || inner.front().kind == Kind::Syntax) return error("42601", "syntax error in PREPARE");
  if (prepared_.contains(statement.name))
    return error("42P05", "prepared statement \"" + statement.name + "\" already exists");
  prepared_[statement.name] = {statement.value, inner.front(), true, false};
  tag = "PREPARE";
  return true;
}

bool BackendModel::to_savepoint(const Statement& statement) {
  if (tx_ != Tx::Block && tx_ != Tx::Failed) {
    const std::string what = statement.kind == Kind::Release ? "RELEASE SAVEPOINT" : "ROLLBACK TO SAVEPOINT";
    return error("25P01", what + " can only be used in transaction blocks");
  }
  const auto found = std::find_if(savepoints_.rbegin(), savepoints_.rend(),
                                  [&](const Savepoint& each) { return each.name == statement.name; });
  if (found == savepoints_.rend()) return error("3B001", "savepoint \"" + statement.name + "\" does not exist");
  const auto at = static_cast<std::size_t>(savepoints_.rend() - found) - 1;
  if (statement.kind == Kind::Release) {
    savepoints_.resize(at);
    settings_.release(at);
    for (auto& [name, portal] : portals_) portal.level = std::min(portal.level, at);
    return true;
  }
  rows_.resize(savepoints_[at].rows);
  savepoints_.resize(at + 1);
  settings_.roll_back_to(at);
  std::erase_if(portals_, [at](const auto& portal) { return portal.second.level > at; });
  tx_ = Tx::Block;
  return true;
}

bool BackendModel::run_transaction(const Statement& statement, std::string& tag) {
  switch (statement.kind) {
    case Kind::Begin:
      tag = "BEGIN";
      tx_ = Tx::Block;
      return true;
    case Kind::Commit:
      tag = tx_ == Tx::Failed ? "ROLLBACK" : "COMMIT";
      tx_ == Tx::Failed ? roll_back(Tx::Idle) : commit();
      return true;
    case Kind::Rollback:
      tag = "ROLLBACK";
      roll_back(Tx::Idle);
      return true;
    case Kind::Savepoint:
      if (tx_ != Tx::Block) return error("25P01", "SAVEPOINT can only be used in transaction blocks");
      tag = "SAVEPOINT";
      savepoints_.push_back({statement.name, rows_.size()});
      settings_.savepoint();
      return true;
    default:
      tag = statement.kind == Kind::Release ? "RELEASE" : "ROLLBACK";
      return to_savepoint(statement);
  }
}

void BackendModel::begin_implicit() {
  if (tx_ != Tx::Idle) return;
  tx_ = Tx::Implicit;
  settings_.begin();
}

void BackendModel::end_implicit() {
  if (tx_ == Tx::Implicit) commit();
}

void BackendModel::commit() {
  settings_.commit();
  committed_.insert(committed_.end(), rows_.begin(), rows_.end());
  rows_.clear();
  savepoints_.clear();
  portals_.clear();
  tx_ = Tx::Idle;
}

void BackendModel::roll_back(Tx next) {
  settings_.roll_back();
  rows_.clear();
  savepoints_.clear();
  portals_.clear();
  tx_ = next;
}

bool BackendModel::error(const std::string& sqlstate, const std::string& text) {
  protocol::encode_error({sqlstate, text, {}, {}, {}, {}}, protocol::Severity::Error, output_);
  if (extended_) skipping_ = true;
  if (tx_ == Tx::Block)
    tx_ = Tx::Failed;
  else if (tx_ == Tx::Implicit)
    roll_back(Tx::Idle);
  return false;
}

void BackendModel::ready() {
  for (auto& [name, told] : told_)
    if (const auto now = settings_.show(name); now != told) protocol::encode_parameter_status(name, told = now, output_);
  using protocol::TransactionStatus;
  protocol::encode_ready_for_query(tx_ == Tx::Block    ? TransactionStatus::InTransaction
                                   : tx_ == Tx::Failed ? TransactionStatus::Failed
                                                       : TransactionStatus::Idle,
                                   output_);
  committed_at_ready_.push_back(committed_.size());
}

std::string BackendModel::dirt() const {
  std::string out;
  if (tx_ != Tx::Idle) out += " an open transaction;";
  if (copy_ != Copy::None) out += " a COPY;";
  if (skipping_) out += " waits for Sync;";
  if (!portals_.empty()) out += " portals;";
  if (!input_.empty()) out += " half a message;";
  for (const auto& [name, prepared] : prepared_)
    if (!name.empty() && !name.starts_with("pgweir_")) out += " prepared statement " + name + ";";
  return out;
}

void BackendModel::terminate() {
  protocol::encode_error({"57P01", "terminating connection due to administrator command", {}, {}, {}, {}},
                         protocol::Severity::Fatal, output_);
  ended_ = true;
}

void BackendModel::notice(std::string_view text) {
  protocol::encode_notice({"00000", std::string(text), {}, {}, {}, {}}, protocol::Severity::Error, output_);
}

}  // namespace pgweir::model
