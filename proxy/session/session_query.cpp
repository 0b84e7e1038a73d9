// Session: the simple protocol, and transaction control that the proxy answers itself.
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
using routing::Route;
using routing::StatementKind;
using Push = protocol::ReplyTracker::Push;

// Requests may follow each other without waiting only where all of them go to one server whatever they say.
bool Session::pipelines_freely() const {
  return routing_->plain && routing_->cluster->shards.front().replicas.empty();
}

bool Session::transaction_control(const routing::StatementFacts& facts) const {
  switch (facts.kind) {
    case StatementKind::Begin:
    case StatementKind::Commit:
    case StatementKind::Rollback:
    case StatementKind::Savepoint:
    case StatementKind::Release:
    case StatementKind::RollbackTo: return true;
    default: return false;
  }
}

// In a block on several servers: what changes settings must reach all of them.
bool Session::for_all_participants(const routing::StatementFacts& facts) const {
  if (participants() < 2 || facts.name.substr(0, 7) == "pgweir.") return false;
  return facts.kind == StatementKind::Set || facts.kind == StatementKind::SetLocal || facts.kind == StatementKind::Reset ||
         facts.kind == StatementKind::SetTransaction || facts.kind == StatementKind::SetConstraints;
}

std::optional<SqlError> Session::refuse_change_on_one(const routing::StatementFacts& facts, const Route& route) const {
  if (participants() < 2 || !route.any_shard || !facts.may_change_session) return std::nullopt;
  return routing::refuse("session_change", "a function that may change session state would do so on one server of this transaction only",
                         "Use SET, or call it outside the transaction.");
}

std::size_t Session::participants() const {
  return static_cast<std::size_t>(std::count_if(links_.begin(), links_.end(), [](const auto& l) { return l->open() && l->in_transaction; }));
}

SqlError Session::lost_participant_error() {
  return {"08006", "the transaction was rolled back: the connection to one of its servers was lost", {}, {}, {}, {}};
}

// A server with a part of the open block is gone, and that part with it.
bool Session::lost_participant() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& l) { return !l->open() && l->in_transaction; });
}

// In front of a Query or FunctionCall, which ends a batch as a Sync does. follows: it goes behind the batch without waiting.
Session::Step Session::finish_batch(bool follows) {
  if (group_.open && !group_.relayed && !group_.pending.empty() && decide_by_default() == Step::Later) return Step::Later;
  if (group_.relayed && !follows && relay_ && relay_->open() && !relay_->quiet() && !std::exchange(group_.flushed, true)) {
    // Its replies must come before this can be decided, and the server keeps them until it is told to flush.
    out_.clear();
    protocol::encode_flush(out_);
    relay_->send(out_);
  }
  return Step::Done;
}

Session::Step Session::on_query(const Frame& frame) {
  auto query = protocol::decode_query(frame.body());
  if (!query) return refuse_query(query.error());
  if (relay_ && relay_->open() && relay_->tracker().in_copy_in()) {  // out of place: the server says so, and ends
    relay_->send(frame.bytes);
    return Step::Done;
  }
  if (finish_batch(pipelines_freely()) == Step::Later) return Step::Later;
  if (relay_ && relay_->open() && !relay_->quiet() && (!pipelines_freely() || barrier_)) return Step::Later;
  barrier_ = listens();
  if (!in_block() && links_.empty()) refresh_routing();
  if (ends_now()) return Step::Done;
  const auto analysis = analyze(query->text);
  note_light(*analysis);
  statements_.drop("");  // a simple Query drops the unnamed statement
  if (analysis->statements.empty()) {
    if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
    std::string empty;
    protocol::encode_empty_query_response(empty);
    to_client(empty);
    answer_ready();
    return Step::Done;
  }
  return analysis->statements.size() == 1 ? on_single(frame, analysis) : on_multi(frame, analysis);
}

Session::Step Session::on_single(const Frame& frame, const std::shared_ptr<const routing::Analysis>& analysis) {
  const auto& facts = analysis->statements.front();
  const bool of_names = facts.kind == StatementKind::Deallocate || facts.kind == StatementKind::Discard;
  const bool ours = transaction_control(facts) || of_names || local_failed_;
  // What RESET brings back is put in place behind it: nothing may run in between.
  const bool alone = of_names || facts.kind == StatementKind::Reset;
  if ((alone || (ours && (local_failed_ || !pipelines_freely()))) && relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  barrier_ = alone || listens();
  if (facts.kind == StatementKind::Savepoint) savepoint_seen_ = true;
  if (auto local = ours ? control_locally(facts, analysis->text) : std::nullopt) {
    if (local->error) return refuse_query(*local->error);
    std::string reply;
    if (local->warning) protocol::encode_notice(*local->warning, protocol::Severity::Warning, reply);
    protocol::encode_command_complete(local->tag, reply);
    to_client(reply);
    answer_ready();
    return Step::Done;
  }
  if (facts.prepared.end != 0 && routing_->plain) return on_names(frame, *analysis);
  if (facts.prepared.shown)
    if (auto step = on_shown_names(frame, *analysis)) return *step;
  const bool failed_end = (local_failed_ || (lost_participant() && transaction_control(facts))) && participants() > 0;  // COMMIT and ROLLBACK of a block that failed by us
  if ((transaction_control(facts) && participants() > 1) || failed_end || for_all_participants(facts)) {
    start_virtual_query(analysis->text, analysis);
    return Step::Done;
  }
  if (pipelines_freely()) {
    static const Route kOnly = [] {
      Route only;
      only.shards = routing::ShardSet::single(routing::ShardId{0});
      return only;
    }();
    return relay_query(frame, *analysis, kOnly);
  }
  auto route = context_.router.route(*routing_, *analysis, 0, {}, route_context());
  if (auto refusal = route ? refuse_change_on_one(facts, *route) : std::nullopt) return refuse_query(*refusal);
  if (route && route->kind == Route::Kind::OneShard) return relay_query(frame, *analysis, *route);
  if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  start_virtual_query(analysis->text, analysis);
  return Step::Done;
}

// Several statements in one Query are one implicit transaction: all on one shard, or refused before anything runs.
Session::Step Session::on_multi(const Frame& frame, const std::shared_ptr<const routing::Analysis>& analysis) {
  const auto& all = analysis->statements;
  if (participants() > 1 && std::any_of(all.begin(), all.end(), [this](const auto& facts) { return transaction_control(facts); }))
    return refuse_query(routing::refuse("multi_statement", "a transaction that runs on several shards cannot be controlled from within a query string",
                                        "Send COMMIT, ROLLBACK and savepoint commands as queries of their own."));
  if (local_failed_)
    return refuse_query(failed_block_error());
  const bool names = std::any_of(all.begin(), all.end(), [](const auto& facts) { return facts.prepared.end != 0; });
  if (routing_->plain && (names || resets_in_front(*analysis))) return on_names(frame, *analysis);
  auto candidates = routing::ShardSet::all(routing_->cluster->shards.size());
  Route whole;
  whole.role = routing::Role::Replica;
  std::string text;
  std::size_t copied = 0;
  for (std::size_t i = 0; i < analysis->statements.size(); ++i) {
    const auto& facts = analysis->statements[i];
    if (facts.kind == StatementKind::Savepoint) savepoint_seen_ = true;
    if (transaction_control(facts)) {
      whole.role = routing::Role::Primary;
      continue;
    }
    auto route = context_.router.route(*routing_, *analysis, i, {}, route_context());
    if (!route) {
      note_route(nullptr, &route.error());
      return refuse_query(route.error());
    }
    if (route->kind != Route::Kind::OneShard)
      return refuse_query(routing::refuse("multi_statement", "a query string with several statements can only run on one shard",
                                          "Send the statements one by one."));
    candidates = candidates & (route->any_shard ? route->shards : routing::ShardSet::single(route->shards.front()));
    if (route->role == routing::Role::Primary) whole.role = routing::Role::Primary;
    whole.write = whole.write || route->write;
    whole.ddl = whole.ddl || route->ddl;
    if (!route->pushed_sql.empty()) {
      text.append(analysis->text, copied, facts.begin - copied);
      text += route->pushed_sql;
      copied = facts.end;
    }
  }
  if (candidates.empty())
    return refuse_query(routing::refuse("multi_statement", "the statements of one query string lead to different shards",
                                        "Send the statements one by one, or in separate transactions."));
  whole.kind = Route::Kind::OneShard;
  whole.shards = candidates;
  whole.any_shard = candidates.size() > 1;
  if (copied != 0) whole.pushed_sql = text + analysis->text.substr(copied);
  return relay_query(frame, *analysis, whole);
}

Session::Step Session::relay_query(const Frame& frame, const routing::Analysis& analysis, const Route& route) {
  Step step = Step::Done;
  wants_sequences_ = std::ranges::any_of(analysis.statements, [this](const auto& facts) { return may_use_sequences(facts); });
  if (auto error = acquire_one(route, step)) return refuse_query(*error);
  if (step == Step::Later) return step;
  if (!relay_) return refuse_query({"08006", "the server connection was lost", {}, {}, {}, {}});
  if (relay_->tracker().outstanding() >= 8192) return Step::Later;
  for (const auto& facts : analysis.statements)
    if (auto refusal = refuse_pin(*relay_, facts, analysis.text)) return refuse_query(*refusal);
  if (routing_->plain && statements_.size() != 0)
    if (auto later = lend_names(analysis)) return *later;
  note_route(&route, nullptr);
  forward_query(frame, analysis, route);
  return Step::Done;
}

void Session::forward_query(const Frame& frame, const routing::Analysis& analysis, const Route& route) {
  Link& link = *relay_;
  const bool alone = link.quiet(), single = analysis.statements.size() == 1;
  restoring_.reset();
  if (!single || !begin_or_throw_away(link, analysis.statements.front(), analysis.text, route.any_shard)) inject_begin(link);
  for (const auto& facts : naming_ ? naming_->effects : analysis.statements) {
    note_statement(link, facts, nullptr);
    own_sequences(link, facts);
    note_sequences(link, facts, analysis.text);
    barrier_ = barrier_ || facts.kind == StatementKind::Deallocate || facts.kind == StatementKind::Discard;  // see watch_tag()
  }
  barrier_ = barrier_ || restoring_;  // what comes behind the RESET comes behind its end
  if (link.suspect) {
    note_custom_names(link, analysis.text, nullptr);
    if (naming_)
      for (const auto& executed : naming_->executed) note_custom_names(link, executed->sql, nullptr);
  }
  const auto kind = analysis.statements.front().kind;
  resetting_ = single && !in_block() && !group_.open && (kind == StatementKind::Reset || kind == StatementKind::Discard);
  in_flight_read_only_ = single && analysis.statements.front().read_only && !in_block() && (alone || in_flight_read_only_);
  if (route.ddl) ddl_seen_ = true;
  link.server().unnamed.reset();
  if (alone) arm_query_timeout();
  link.tracker().push(Request::Query, Disposition::Forward);
  const std::string& rewritten = naming_ ? naming_->text : route.pushed_sql;
  if (rewritten.empty()) {
    link.send(frame.bytes);
  } else {
    out_.clear();
    protocol::encode_query(rewritten, out_);
    link.send(out_);
  }
  ++syncs_sent_;
}

// Counts from when the server turns to a request: on_ready() begins anew for the next one of a pipeline.
void Session::arm_query_timeout() {
  meter_.request_begins(context_.worker.now());
  if (client_gone()) return;
  overdue_ = false;
  if (std::exchange(idle_armed_, false)) timer_.cancel();
  if (const auto timeout = pool_settings().query_timeout; timeout.count() > 0) timer_.arm(context_.worker, timeout);
}

void Session::disarm_query_timeout() {
  if (!client_gone() && !idle_armed_) timer_.cancel();
}

// A statement that any shard answers must not decide where the block runs. True: it runs in a block of its own on `link`.
bool Session::begin_or_throw_away(Link& link, const routing::StatementFacts& facts, std::string_view text, bool any_shard) {
  if (deferred_begin_.empty() || participants() != 0 || local_failed_ || isolated_block_) return false;
  const bool setting = facts.kind == StatementKind::SetLocal || facts.kind == StatementKind::SetTransaction ||
                       facts.kind == StatementKind::SetConstraints;
  const bool harmless = any_shard && facts.kind == StatementKind::Select && facts.read_only && !facts.has_now && !facts.may_change_session;
  if (!harmless && !setting && facts.kind != StatementKind::Show) return false;
  inject_begin(link);
  throwaway_ = true;
  // SET TRANSACTION may raise the isolation level: from then on one snapshot must serve the whole block.
  if (facts.kind == StatementKind::SetTransaction || facts.name == "transaction_isolation") isolated_block_ = true;
  if (setting) throwaway_setting_ = ";" + std::string(text.substr(facts.begin, facts.end - facts.begin));
  return true;
}

Session::Step Session::refuse_query(const SqlError& error) {
  if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  send_error(error);
  if (in_block()) fail_block();
  answer_ready();
  if (!in_block() && !links_.empty()) finish_transaction();
  return Step::Done;
}

Session::Step Session::on_function_call(const Frame& frame) {
  if (finish_batch(false) == Step::Later) return Step::Later;
  if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  Route route;
  for (std::size_t i = 0; i < routing_->cluster->shards.size(); ++i)
    if (routing_->cluster->shards[i].name == routing_->cluster->home) route.shards.add(routing::ShardId{static_cast<std::uint16_t>(i)});
  Step step = Step::Done;
  if (auto error = acquire_one(route, step)) return refuse_query(*error);
  if (step == Step::Later) return step;
  arm_query_timeout();
  inject_begin(*relay_);
  relay_->wrote = true;
  light_ = false;
  note_function_call(*relay_, frame);
  in_flight_read_only_ = false;
  note_route(&route, nullptr);
  relay_->tracker().push(Request::FunctionCall, Disposition::Forward);
  relay_->send(frame.bytes);
  ++syncs_sent_;
  return Step::Done;
}

Session::Step Session::on_copy_message(const Frame& frame) {
  if (virtual_) {
    virtual_->on_copy_message(frame);
    return Step::Done;
  }
  // CopyData behind a failed COPY means nothing, as in PostgreSQL. A message that has begun is sent to its end, whatever the
  // server has said meanwhile: it would take the next request for the rest.
  if (frame.first) copy_forward_ = relay_ && relay_->open() && (!relay_->quiet() || relay_->tracker().in_copy_in());
  if (!copy_forward_ || !relay_ || !relay_->open()) return Step::Done;
  relay_->send(frame.bytes);
  copy_partial_ = !frame.last;
  if (frame.type != 'd' && frame.last) relay_->tracker().push_copy_end();
  if (!copy_partial_ && std::exchange(boundary_waits_, false)) {
    boundary_ = true;
    on_burst_end(*relay_);
    return Step::Done;
  }
  if (relay_->server().stream().above_high_water()) input_waits_ = true;  // on_server_writable() wakes us
  return Step::Done;
}

}  // namespace pgweir::session
