// Session: servers that are kept beyond a transaction, how many there may be, and what is counted of it.
#include <algorithm>
#include <limits>

#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::SqlError;
using routing::StatementKind;

namespace {

// A session that moves sequences where others read currval() keeps its server for so many transactions; one that has not read
// any by then is taken for one that never does.
constexpr unsigned kProbation = 8;

bool mentions(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         }) != text.end();
}

// Why the statement is going to keep its server, as far as its text tells.
std::optional<pool::PinReason> foreseen_pin(const routing::StatementFacts& facts, std::string_view text) {
  if (facts.creates_temp) return pool::PinReason::TempTables;
  if (facts.kind == StatementKind::Load) return pool::PinReason::Library;
  if (!facts.may_change_session) return std::nullopt;
  if (facts.kind == StatementKind::Declare) return pool::PinReason::HoldableCursor;
  // Not pg_advisory_xact_lock; and pg_try_advisory_lock may get nothing, and shall say so.
  if (mentions(text, "pg_advisory_lock")) return pool::PinReason::AdvisoryLock;
  return std::nullopt;
}

}  // namespace

// A place for the pin that the statement is going to make is taken before it runs: afterwards it is too late to refuse it.
std::optional<SqlError> Session::refuse_pin(Link& link, const routing::StatementFacts& facts, std::string_view text) {
  const auto reason = foreseen_pin(facts, text);
  if (!reason || pool_settings().mode == config::PoolMode::Session) return std::nullopt;
  auto& pool = link.server().pool();
  const auto limit = pool.limits().pinned();
  if (link.pin.held() && link.pin.reason() != pool::PinReason::Sequence) return std::nullopt;
  if (link.pin.take(pool, *reason, limit)) return std::nullopt;
  const auto counts = pool.refuse_pin();
  std::string detail;
  for (std::size_t i = 0; i < counts.now.size(); ++i)
    if (counts.now[i] != 0)
      detail += (detail.empty() ? "Kept by clients: " : ", ") + std::string(pool::pin_reason_name(static_cast<pool::PinReason>(i))) + " " +
                std::to_string(counts.now[i]);
  return SqlError{"53300", "too many server connections are kept by single clients", detail + (detail.empty() ? "" : "."),
                  "This statement would keep its server connection for this client (" + std::string(pool::pin_reason_name(*reason)) +
                      "), and pool.max_pinned (" + std::to_string(limit) + ") are kept already. Raise it or pool.size, or use pool.mode = \"session\".",
                  {}, {}};
}

// currval() and lastval() are answered by the server that moved the sequence only.
void Session::note_sequences(Link& link, const routing::StatementFacts& facts, std::string_view text) {
  if (facts.kind == StatementKind::Discard) link.moved_sequence = false;
  if (!facts.uses_sequence_state && !(facts.runs_code && reads_sequences_)) return;
  const bool reads = facts.uses_sequence_state && (mentions(text, "currval") || mentions(text, "lastval"));
  if (reads) {
    reads_sequences_ = true;
    link.server().pool().note_sequence_reader();
  }
  const bool only_reads = reads && facts.kind == StatementKind::Select && !facts.runs_code && !mentions(text, "nextval") && !mentions(text, "setval");
  link.moved_sequence = link.moved_sequence || !only_reads;
}

// Such a statement is better off on the server of the last one, where the session's values are.
bool Session::may_use_sequences(const routing::StatementFacts& facts) {
  used_sequences_ = used_sequences_ || facts.uses_sequence_state;
  return facts.uses_sequence_state || (facts.runs_code && used_sequences_);
}

// Never at the cost of state that cannot be had elsewhere: half of the places at most, and never the only server of a pool.
// Without a place the worst is 55000.
bool Session::keeps_sequences(Link& link) {
  if (!link.moved_sequence) return false;
  auto& pool = link.server().pool();
  const auto limits = pool.limits();
  const unsigned places = std::min((limits.pinned() + 1) / 2, limits.size - 1);
  const bool wanted = reads_sequences_ || (pool.has_sequence_readers() && ++probation_ <= kProbation);
  if (wanted && (link.pin.held() || link.pin.take(pool, pool::PinReason::Sequence, places))) return true;
  link.moved_sequence = false;
  return false;
}

// At the end of a transaction, when what the servers hold is known: are they kept?
bool Session::keeps_links() {
  if (pool_settings().mode == config::PoolMode::Session) return true;
  if (pinned_ == pool::pin_reason_name(pool::PinReason::Sequence)) pinned_ = {};
  for (auto& link : links_)
    if (link->open() && keeps_sequences(*link) && pinned_.empty()) pinned_ = pool::pin_reason_name(pool::PinReason::Sequence);
  if (pinned_.empty()) return false;
  for (auto& link : links_) {
    if (!link->open()) continue;
    // What was found only now is kept beyond the limit, too: its statement has run.
    const auto reason = pool::find_pin_reason(link->pinned.empty() ? pinned_ : link->pinned);
    if (reason) link->pin.take(link->server().pool(), *reason, std::numeric_limits<unsigned>::max());
    link->pin.kept();
  }
  return true;
}

void Session::end_transaction_on_servers() {
  const bool any = std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->open(); });
  const bool kept = keeps_links();
  if (any) (kept ? context_.cells.transactions_kept : context_.cells.transactions_released).add();
  if (any && !kept) tally_.released();
  if (any && kept) tally_.kept(pool::find_pin_reason(pinned_));
  if (!kept) release_links();
}

}  // namespace pgweir::session
