// Session: the simple protocol, and transaction control that the proxy answers itself.
#include <algorithm>

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

namespace {

bool contains_ignoring_case(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         }) != text.end();
}

}  // namespace

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

Session::Step Session::on_query(const Frame& frame) {
  auto query = protocol::decode_query(frame.body());
  if (!query) return refuse_query(query.error());
  if (group_.open && !group_.relayed && !group_.pending.empty()) {
    if (decide_by_default() == Step::Later) return Step::Later;
  }
  if (relay_ && relay_->open() && !relay_->quiet() && !pipelines_freely()) return Step::Later;
  if (!in_block() && links_.empty()) refresh_routing();
  const auto analysis = analyze(query->text);
  if (statements_.find("")) {  // a simple Query drops the unnamed statement
    statements_.erase("", 0);
    statements_.confirm(0);
  }
  if (analysis->statements.empty()) {
    if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
    std::string empty;
    protocol::encode_empty_query_response(empty);
    to_client(empty);
    send_ready();
    return Step::Done;
  }
  return analysis->statements.size() == 1 ? on_single(frame, analysis) : on_multi(frame, analysis);
}

Session::Step Session::on_single(const Frame& frame, const std::shared_ptr<const routing::Analysis>& analysis) {
  const auto& facts = analysis->statements.front();
  const bool ours = transaction_control(facts) || facts.kind == StatementKind::Deallocate || facts.kind == StatementKind::Discard || local_failed_;
  if (ours && relay_ && relay_->open() && !relay_->quiet() && !pipelines_freely()) return Step::Later;
  if (auto local = ours ? control_locally(facts, analysis->text) : std::nullopt) {
    if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
    if (local->error) return refuse_query(*local->error);
    std::string reply;
    if (local->warning) protocol::encode_notice(*local->warning, protocol::Severity::Warning, reply);
    protocol::encode_command_complete(local->tag, reply);
    to_client(reply);
    send_ready();
    return Step::Done;
  }
  const bool failed_end = (local_failed_ || (lost_participant() && transaction_control(facts))) && participants() > 0;  // COMMIT and ROLLBACK of a block that failed by us
  if ((transaction_control(facts) && participants() > 1) || failed_end) {
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
  if (route && route->kind == Route::Kind::OneShard) return relay_query(frame, *analysis, *route);
  if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  start_virtual_query(analysis->text, analysis);
  return Step::Done;
}

// Several statements in one Query are one implicit transaction: all on one shard, or refused before anything runs.
Session::Step Session::on_multi(const Frame& frame, const std::shared_ptr<const routing::Analysis>& analysis) {
  if (local_failed_)
    return refuse_query({"25P02", "current transaction is aborted, commands ignored until end of transaction block", {}, {}, {}, {}});
  auto candidates = routing::ShardSet::all(routing_->cluster->shards.size());
  Route whole;
  whole.role = routing::Role::Replica;
  std::string text;
  std::size_t copied = 0;
  for (std::size_t i = 0; i < analysis->statements.size(); ++i) {
    const auto& facts = analysis->statements[i];
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
  if (auto error = acquire_one(route, step)) return refuse_query(*error);
  if (step == Step::Later) return step;
  if (!relay_) return refuse_query({"08006", "the server connection was lost", {}, {}, {}, {}});
  if (relay_->tracker().outstanding() >= 8192) return Step::Later;
  note_route(&route, nullptr);
  forward_query(frame, analysis, route);
  return Step::Done;
}

void Session::forward_query(const Frame& frame, const routing::Analysis& analysis, const Route& route) {
  Link& link = *relay_;
  const bool single = analysis.statements.size() == 1;
  if (!single || !begin_or_throw_away(link, analysis.statements.front(), analysis.text, route.any_shard)) inject_begin(link);
  for (const auto& facts : analysis.statements) note_statement(link, facts, nullptr);
  if (link.suspect) note_custom_names(link, analysis.text);
  in_flight_read_only_ = single && analysis.statements.front().read_only && !in_block();
  if (route.ddl) ddl_seen_ = true;
  link.server().unnamed.reset();
  link.tracker().push(Request::Query, Disposition::Forward);
  if (route.pushed_sql.empty()) {
    link.send(frame.bytes);
  } else {
    out_.clear();
    protocol::encode_query(route.pushed_sql, out_);
    link.send(out_);
  }
  ++syncs_sent_;
  if (const auto timeout = pool_settings().query_timeout; timeout.count() > 0) timer_.arm(context_.worker, timeout);
}

// A statement that any shard answers must not decide where the block runs. True: it runs in a block of its own on `link`.
bool Session::begin_or_throw_away(Link& link, const routing::StatementFacts& facts, std::string_view text, bool any_shard) {
  if (deferred_begin_.empty() || participants() != 0 || local_failed_ || isolated_block_) return false;
  const bool setting = facts.kind == StatementKind::SetLocal || facts.kind == StatementKind::SetTransaction;
  const bool harmless = any_shard && facts.kind == StatementKind::Select && facts.read_only && !facts.has_now && !facts.may_change_session;
  if (!harmless && !setting && facts.kind != StatementKind::Show) return false;
  inject_begin(link);
  throwaway_ = true;
  // SET TRANSACTION may raise the isolation level: from then on one snapshot must serve the whole block.
  if (facts.kind == StatementKind::SetTransaction) isolated_block_ = true;
  if (setting) throwaway_setting_ = ";" + std::string(text.substr(facts.begin, facts.end - facts.begin));
  return true;
}

Session::Step Session::refuse_query(const SqlError& error) {
  if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  send_error(error);
  if (in_block()) local_failed_ = true;
  send_ready();
  if (!in_block() && !links_.empty()) finish_transaction();
  return Step::Done;
}

// The block failed by an error of ours: only its end is taken.
std::optional<Session::LocalReply> Session::control_failed(const routing::StatementFacts& facts) {
  const bool known = std::find(deferred_savepoints_.begin(), deferred_savepoints_.end(), facts.name) != deferred_savepoints_.end();
  if (facts.kind == StatementKind::RollbackTo && (participants() > 0 || known)) {
    local_failed_ = false;  // the server knows the savepoint, or complains
    return std::nullopt;
  }
  if (facts.kind != StatementKind::Commit && facts.kind != StatementKind::Rollback)
    return LocalReply{{}, SqlError{"25P02", "current transaction is aborted, commands ignored until end of transaction block", {}, {}, {}, {}}, {}};
  if (participants() > 0) return std::nullopt;  // a virtual group rolls the servers back
  return end_local_block(facts, true);
}

Session::LocalReply Session::end_local_block(const routing::StatementFacts& facts, bool failed) {
  const bool commit = facts.kind == StatementKind::Commit && !failed;
  const std::string begin = deferred_begin_;
  tx_ = TransactionStatus::Idle;
  finish_transaction();
  if (facts.chain) {
    deferred_begin_ = begin;
    tx_ = TransactionStatus::InTransaction;
  }
  return LocalReply{commit ? "COMMIT" : "ROLLBACK", {}, {}};
}

// Statements that the client prepared by protocol have other names on the servers: SQL must not look for them there.
std::optional<Session::LocalReply> Session::deallocate_locally(const routing::StatementFacts& facts) {
  if (facts.kind == StatementKind::Discard && facts.name.empty()) {
    statements_.erase_all(0);
    statements_.confirm(0);
    return std::nullopt;
  }
  if (facts.kind != StatementKind::Deallocate) return std::nullopt;
  if (facts.name.empty()) {
    statements_.erase_all(0);
    statements_.confirm(0);
    if (pinned_ == "sql_prepare" || in_block()) return std::nullopt;
    return LocalReply{"DEALLOCATE ALL", {}, {}};
  }
  if (!statements_.erase(facts.name, 0)) return std::nullopt;
  statements_.confirm(0);
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
    read_only_block_ = facts.begin_read_only;
    const auto* isolation = settings_->find("default_transaction_isolation");
    isolated_block_ = facts.begin_serializable || facts.begin_repeatable_read || (isolation && *isolation != "read committed" && *isolation != "read uncommitted");
    tx_ = TransactionStatus::InTransaction;
    const bool start = contains_ignoring_case(std::string_view(deferred_begin_).substr(0, 5), "start");
    return LocalReply{start ? "START TRANSACTION" : "BEGIN", {}, {}};
  }
  if (auto reply = savepoint_locally(facts, text)) return reply;
  if ((facts.kind == StatementKind::Commit || facts.kind == StatementKind::Rollback) && participants() == 0) {
    if (const bool lost = lost_participant(); in_block()) {
      auto reply = end_local_block(facts, lost);
      if (lost && facts.kind == StatementKind::Commit) reply.error = lost_participant_error();
      return reply;
    }
    const bool commit = facts.kind == StatementKind::Commit;
    return LocalReply{commit ? "COMMIT" : "ROLLBACK", {}, SqlError{"25P01", "there is no transaction in progress", {}, {}, {}, {}}};
  }
  return std::nullopt;
}

Session::Step Session::on_function_call(const Frame& frame) {
  if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  Route route;
  for (std::size_t i = 0; i < routing_->cluster->shards.size(); ++i)
    if (routing_->cluster->shards[i].name == routing_->cluster->home) route.shards.add(routing::ShardId{static_cast<std::uint16_t>(i)});
  Step step = Step::Done;
  if (auto error = acquire_one(route, step)) return refuse_query(*error);
  if (step == Step::Later) return step;
  inject_begin(*relay_);
  relay_->wrote = true;
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
