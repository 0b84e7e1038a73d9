// Session: transaction control and names that the proxy answers itself.
#include <algorithm>

#include "proxy/session/refusals.h"
#include "proxy/session/session.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Request;
using protocol::SqlError;
using protocol::TransactionStatus;
using routing::StatementKind;
using Push = protocol::ReplyTracker::Push;

// The block failed by an error of ours: only its end is taken.
std::optional<Session::LocalReply> Session::control_failed(const routing::StatementFacts& facts) {
  const bool known = std::find(deferred_savepoints_.begin(), deferred_savepoints_.end(), facts.name) != deferred_savepoints_.end();
  if (facts.kind == StatementKind::RollbackTo && (participants() > 0 || known)) {
    local_failed_ = false;  // the server knows the savepoint, or complains
    return std::nullopt;
  }
  if (facts.kind != StatementKind::Commit && facts.kind != StatementKind::Rollback)
    return LocalReply{{}, failed_block_error(), {}};
  if (participants() > 0) return std::nullopt;  // a virtual group rolls the servers back
  return end_local_block(facts, true);
}

bool Session::isolated_by_default() const {
  const auto* isolation = settings_->find("default_transaction_isolation");
  return isolation && *isolation != "read committed" && *isolation != "read uncommitted";
}

Session::LocalReply Session::end_local_block(const routing::StatementFacts& facts, bool failed) {
  const bool commit = facts.kind == StatementKind::Commit && !failed;
  const std::string begin = deferred_begin_;
  const bool read_only = read_only_block_, isolated = isolated_block_;
  tx_ = TransactionStatus::Idle;
  finish_transaction();
  if (facts.chain) {
    deferred_begin_ = begin;
    read_only_block_ = read_only;
    isolated_block_ = isolated;
    tx_ = TransactionStatus::InTransaction;
  }
  return LocalReply{commit ? "COMMIT" : "ROLLBACK", {}, {}};
}

// Statements that the client prepared by protocol have other names on the servers: SQL must not look for them there.
std::optional<Session::LocalReply> Session::deallocate_locally(const routing::StatementFacts& facts) {
  // What the server runs, a failed block's refusal too, is taken from its tag: see watch_tag().
  if (facts.kind != StatementKind::Deallocate || tx_ == TransactionStatus::Failed) return std::nullopt;
  if (facts.name.empty()) {
    if (pinned_ == "sql_prepare" || in_block()) return std::nullopt;
    forget_named_statements();
    return LocalReply{"DEALLOCATE ALL", {}, {}};
  }
  if (!statements_.drop(facts.name)) return std::nullopt;
  return LocalReply{"DEALLOCATE", {}, {}};
}

// Savepoints before the first statement that has a shard: they go to the server together with the BEGIN.
std::optional<Session::LocalReply> Session::savepoint_locally(const routing::StatementFacts& facts, std::string_view text) {
  const bool savepoint = facts.kind == StatementKind::Savepoint;
  const bool release = facts.kind == StatementKind::Release;
  if ((!savepoint && !release && facts.kind != StatementKind::RollbackTo) || deferred_begin_.empty() || participants() != 0 || local_failed_)
    return std::nullopt;
  auto& names = deferred_savepoints_;
  if (!savepoint) {
    const auto found = std::find(names.rbegin(), names.rend(), facts.name);
    if (found == names.rend())
      return LocalReply{{}, SqlError{"3B001", "savepoint \"" + facts.name + "\" does not exist", {}, {}, {}, {}}, {}};
    names.erase(found.base() - (release ? 1 : 0), names.end());
  } else {
    names.push_back(facts.name);
    savepoint_seen_ = true;
  }
  if (deferred_begin_.size() + text.size() > 64 * 1024)
    return LocalReply{{}, SqlError{"54000", "too many savepoints before the first statement of a transaction", {}, {}, {}, {}}, {}};
  deferred_begin_ += ";" + std::string(text.substr(facts.begin, facts.end - facts.begin));
  return LocalReply{savepoint ? "SAVEPOINT" : release ? "RELEASE" : "ROLLBACK", {}, {}};
}

std::optional<Session::LocalReply> Session::control_locally(const routing::StatementFacts& facts, std::string_view text) {
  if (local_failed_) {
    auto reply = control_failed(facts);
    return reply || local_failed_ ? reply : savepoint_locally(facts, text);
  }
  if (auto reply = deallocate_locally(facts)) return reply;
  const bool begin = facts.kind == StatementKind::Begin;
  if (begin && pool_settings().mode == config::PoolMode::Statement)
    return LocalReply{{}, SqlError{"0A000", "transaction blocks are not allowed in statement pooling mode", {}, "Set pool.mode to \"transaction\".", {}, {}}, {}};
  if (routing_->plain && pipelines_freely()) return std::nullopt;
  if (begin && participants() == 0 && facts.plain_begin) {
    if (in_block()) return LocalReply{"BEGIN", {}, SqlError{"25001", "there is already a transaction in progress", {}, {}, {}, {}}};
    deferred_begin_ = std::string(text.substr(facts.begin, facts.end - facts.begin));
    deferred_savepoints_.clear();
    read_only_block_ = facts.begin_read_only && !facts.begin_serializable;  // a hot standby refuses serializable
    isolated_block_ = facts.begin_serializable || facts.begin_repeatable_read || (!facts.begin_read_committed && isolated_by_default());
    tx_ = TransactionStatus::InTransaction;
    transaction_since_ = std::chrono::steady_clock::now();
    meter_.block_begins(context_.worker.now());
    seen_transactions_ = tally_.transactions();
    if (const auto bound = pool_settings().begin_defer_max; bound.count() > 0 && routing_->cluster->shards.size() == 1)
      idle_timer_.arm_no_later(context_.worker, bound);
    const bool start = deferred_begin_.front() == 's' || deferred_begin_.front() == 'S';
    return LocalReply{start ? "START TRANSACTION" : "BEGIN", {}, {}};
  }
  if (auto reply = savepoint_locally(facts, text)) return reply;
  if ((facts.kind == StatementKind::Commit || facts.kind == StatementKind::Rollback) && participants() == 0) {
    if (const bool lost = lost_participant(); in_block()) {
      auto reply = end_local_block(facts, lost);
      if (lost && facts.kind == StatementKind::Commit) reply.error = lost_participant_error();
      return reply;
    }
    const std::string command = facts.kind == StatementKind::Commit ? "COMMIT" : "ROLLBACK";
    if (facts.chain) return LocalReply{{}, SqlError{"25P01", command + " AND CHAIN can only be used in transaction blocks", {}, {}, {}, {}}, {}};
    return LocalReply{command, {}, SqlError{"25P01", "there is no transaction in progress", {}, {}, {}, {}}};
  }
  return std::nullopt;
}

// The server's answer to a BEGIN of ours. The parser took it, so hardly anything but a statement_timeout can be in its way; what was
// sent behind it has then run outside the block, which must not go unseen.
void Session::begun_on(Link& link, const Injected& result) {
  link.begin_sent = false;
  const auto late = std::exchange(link.late_cancels, {});
  if (result.skipped) link.in_transaction = false;
  if (result.error) {
    discard_link(link);
    if (mode_ == Mode::Orphan) return orphan_step();
    return fatal({"40003", "the transaction could not be begun on its server: " + result.error->message,
                  "What was sent behind BEGIN may have been carried out outside of a transaction.", {}, {}, {}});
  }
  tell_parameters(link);  // a SET LOCAL may be in it
  if (!late.empty()) cancel(std::make_shared<std::vector<std::shared_ptr<void>>>(late));
}

void Session::forget_named_statements() {
  std::vector<std::string> names;
  statements_.for_each([&](std::string_view name, const StatementPtr&) {
    if (!name.empty()) names.emplace_back(name);
  });
  for (const auto& name : names) statements_.drop(name);
}

// PostgreSQL looks whether the name is taken when it has parsed the text: what is wrong with the text, or with the block,
// comes first. So the server parses it, as a statement that nobody will use.
Session::Step Session::refuse_parse(const protocol::Parse& parse, const SqlError& error) {
  if (error.sqlstate == "42P05") {
    auto unused = std::make_shared<Statement>();
    unused->sql = std::string(parse.query);
    for (std::size_t i = 0; i < parse.parameter_types.size(); ++i) unused->types.push_back(parse.parameter_types[i]);
    unused->analysis = analyze(unused->sql);
    (void)ensure_on_server(*unused);
  }
  fail_group(error);
  return Step::Done;
}

}  // namespace pgweir::session
