// Session: RESET, SET ... TO DEFAULT and their kin within a transaction. A pooled server goes back to its own default; the
// client's startup value is set behind it in the same transaction, so that it is rolled back with it. Outside a block the
// census does the same (session_census.cpp), and here custom settings only.
#include <algorithm>

#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::TransactionStatus;
using routing::StatementKind;

namespace {

// What RESET ALL leaves alone (GUC_NO_RESET_ALL) of what a startup packet may hold.
bool survives_reset_all(std::string_view name) {
  return pool::same_setting(name, "role") || pool::same_setting(name, "session_authorization");
}

}  // namespace

// What puts the client's startup values in place behind a statement that goes back to defaults.
void Session::append_restoring(const routing::StatementFacts& facts, Restoring& restoring) const {
  const std::string_view local = facts.kind == StatementKind::SetLocal ? "true" : "false";
  for (const auto& [name, value] : identity_.startup->values()) {
    if (facts.name.empty() || facts.name == "all" ? survives_reset_all(name) : !pool::same_setting(name, facts.name)) continue;
    restoring.sql += restoring.sql.empty() ? "SELECT " : ", ";
    restoring.sql += "pg_catalog.set_config(" + pool::quote_literal(name) + ", " + pool::quote_literal(value) + ", ";
    restoring.sql.append(local).push_back(')');
    restoring.names.push_back(name);
  }
}

// Of a statement that is sent. What comes behind it in the same query string and sets something has the last word.
void Session::note_reset(const routing::StatementFacts& facts) {
  const bool discards = facts.kind == StatementKind::Discard && facts.name == "all";
  if (discards && !in_block()) resetting_ = true;  // it runs alone, or fails
  if (!facts.to_default && !discards) {
    if (facts.kind == StatementKind::Set || facts.kind == StatementKind::SetLocal) restoring_.reset();
    return;
  }
  Restoring restoring = restoring_.or_default();
  append_restoring(facts, restoring);
  if (!restoring.names.empty()) restoring_.made() = std::move(restoring);
}

// Statements behind a RESET in one query string are to meet the startup values.
bool Session::resets_in_front(const routing::Analysis& analysis) const {
  if (identity_.startup->values().empty() || analysis.statements.empty()) return false;
  return std::any_of(analysis.statements.begin(), analysis.statements.end() - 1, [](const auto& facts) { return facts.to_default; });
}

// Behind the Execute of the extended protocol: statements of the same batch meet the startup value.
void Session::restore_in_batch() {
  if (!restoring_) return;
  run_in_batch(*relay_, restoring_->sql, 'r');
  restoring_.reset();
}

// In front of the ReadyForQuery of a simple Query within a block: the client is told as a direct server would tell it.
void Session::restore_startup(Link& link) {
  if (!restoring_) return;
  const Restoring restoring = std::move(*restoring_);
  restoring_.reset();
  if (tx_ == TransactionStatus::Idle) {
    // The census does it, but for custom settings: '' is what RESET makes of them, and what SET may have.
    const auto custom = [](const std::string& name) { return name.find('.') != std::string::npos; };
    if (std::none_of(restoring.names.begin(), restoring.names.end(), custom)) return;
    context_.cells.injected_commands.add();
    return link.inject(restoring.sql, [this](Link& reset, Injected& result) {
      boundary_ = true;
      if (result.error) restoring_failed(reset, *result.error);
    });
  }
  std::string messages;
  auto known = told_->values();
  for (const auto& [name, value] : identity_.parameters->values()) {
    const auto same = [&name = name](const std::string& each) { return pool::same_setting(each, name); };
    auto& old = known[name];
    if (old == value || std::none_of(restoring.names.begin(), restoring.names.end(), same)) continue;
    old = value;
    protocol::encode_parameter_status(name, value, messages);
  }
  if (!messages.empty() && !client_gone()) {
    told_ = pool::Settings::intern(std::move(known));
    link.flush_before(messages);
  }
  context_.cells.injected_commands.add();
  link.inject(restoring.sql, [this](Link& reset, Injected& result) {
    if (result.error) restoring_failed(reset, *result.error);
  });
}

// The client has been told of its RESET already.
void Session::restoring_failed(Link& link, const protocol::SqlError& error) {
  discard_link(link);
  if (!client_gone()) fatal({"08006", "what the session started with could not be set again", error.message, {}, {}, {}});
}

}  // namespace pgweir::session
