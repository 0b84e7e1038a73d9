#include "proxy/session/naming.h"

#include <atomic>

#include "proxy/session/statement_aliases.h"

namespace pgweir::session {

using routing::StatementFacts;
using routing::StatementKind;

StatementFacts effects_of(const StatementFacts& facts, const Statement* target) {
  StatementFacts effects = facts;
  if (facts.kind == StatementKind::Prepare || facts.kind == StatementKind::Deallocate) {
    effects.may_change_session = effects.runs_code = effects.uses_sequence_state = false;
    return effects;
  }
  if (!target || target->analysis->statements.size() != 1) return effects;
  if (facts.kind == StatementKind::Execute) {
    if (!facts.prepared.quiet) return effects;
    effects.may_change_session = effects.runs_code = effects.uses_sequence_state = false;
  }
  const StatementFacts& inner = target->analysis->statements.front();
  effects.may_change_session |= inner.may_change_session;
  effects.runs_code |= inner.runs_code;
  effects.uses_sequence_state |= inner.uses_sequence_state;
  return effects;
}

Renaming renaming_of(const Statement& command, bool utf8) {
  const std::string_view sql = command.sql, written = sql.substr(command.name_begin, command.name_end - command.name_begin);
  Renaming renaming{std::string(kInternalPrefix), {}, count_characters(sql.substr(0, command.name_begin), utf8), count_characters(written, utf8),
                    protocol::kServerStatementNameSize + 2};
  if (!command.runs.empty() && command.server_sql.empty()) renaming.at = Renaming::kNowhere;
  const auto& facts = command.analysis->statements;
  if (!command.from_sql && facts.size() == 1) renaming.own = command.runs.empty() ? facts.front().name : command.runs;
  return renaming;
}

bool counts_utf8(const pool::Settings& told) {
  const auto* encoding = told.find("client_encoding");
  return encoding && *encoding == "UTF8";
}

std::uint64_t private_environment() {
  static std::atomic<std::uint64_t> next_private{1};
  constexpr std::uint64_t kPrivate = std::uint64_t{1} << 63;
  return kPrivate | next_private.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace pgweir::session
