// Session: SQL PREPARE, EXECUTE and DEALLOCATE in a Query. Their names are those of the extended protocol: in the text that goes
// to the server a client's name is replaced by the server's, what is EXECUTEd is prepared first where it is missing, and
// the client's names change as each statement completes (neither command is undone by a rollback).
#include <algorithm>
#include <map>

#include "proxy/session/refusals.h"
#include "proxy/session/session.h"
#include "proxy/session/statement_aliases.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Request;
using routing::StatementFacts;
using routing::StatementKind;
using Push = protocol::ReplyTracker::Push;

// Of a PREPARE, the client's name does not count.
void Session::hash_statement(Statement& statement) {
  const std::string nameless = statement.from_sql ? statement.sql.substr(0, statement.name_begin) + statement.sql.substr(statement.name_end) : std::string();
  const std::string& text = statement.from_sql ? nameless : statement.server_sql.empty() ? statement.sql : statement.server_sql;
  statement.hash = protocol::hash_statement(context_.runtime.statement_key, text, statement.types, statement.environment);
}

// `shared`: clients with the same text may use it, too; it stands alone in its text, all of which PostgreSQL keeps.
StatementPtr Session::make_sql_statement(std::string_view text, const StatementFacts& facts, bool shared) {
  auto statement = std::make_shared<Statement>();
  const std::size_t begin = shared ? 0 : facts.begin;
  statement->sql = std::string(shared ? text : text.substr(begin, facts.end - begin));
  statement->from_sql = statement->shaped = true;
  statement->name_begin = facts.prepared.begin - begin;
  statement->name_end = facts.prepared.end - begin;
  statement->analysis = analyze(text.substr(facts.prepared.query, facts.end - facts.prepared.query));
  statement->serial = next_tag_++;
  statement->version.stamp = next_stamp();
  if (!shared) statement->environment = private_environment();
  if (!shared) hash_statement(*statement);
  context_.cells.statements_prepared.add();
  return statement;
}

Session::Step Session::on_names(const Frame& frame, const routing::Analysis& analysis) {
  if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
  barrier_ = true;
  routing::Route route;
  route.shards = routing::ShardSet::single(routing::ShardId{0});
  route.ddl = std::any_of(analysis.statements.begin(), analysis.statements.end(), [](const auto& facts) { return facts.kind == StatementKind::Ddl; });
  Step step = Step::Done;
  wants_sequences_ = used_sequences_;
  if (auto error = acquire_one(route, step)) return refuse_query(*error);
  if (step == Step::Later) return step;
  if (!relay_) return refuse_query({"08006", "the server connection was lost", {}, {}, {}, {}});
  for (const auto& facts : analysis.statements)
    if (facts.kind == StatementKind::Savepoint) savepoint_seen_ = true;
  const bool made = making_.has_value();
  if (auto done = std::exchange(making_, {}); done && done->error) return refuse_query(*done->error);
  naming_.reset();
  for (const auto& facts : analysis.statements) {  // before anything is sent
    if (auto refusal = refuse_pin(*relay_, facts, analysis.text)) return refuse_query(*refusal);
    if (facts.kind != StatementKind::Prepare || statements_.find(facts.name)) continue;
    const auto tag = next_tag_++;
    if (auto error = statements_.put(facts.name, nullptr, sizeof(Statement) + analysis.text.size(), tag)) return refuse_query(*error);
    statements_.undo(tag);  // it counts when it is complete
  }
  // In a failed block the server refuses whatever the names are.
  if (tx_ != protocol::TransactionStatus::Failed && !relay_->tracker().skipping_until_sync()) {
    inject_begin(*relay_);
    if (!made && make_targets(analysis)) return Step::Later;
    if (made && changed_target(analysis)) return refuse_query(changed_result_error());
    put_names(analysis);
  }
  note_route(&route, nullptr);
  forward_query(frame, analysis, route);
  return Step::Done;
}

// What the text EXECUTEs is prepared on the server where it is missing. True: its reply must come first.
bool Session::make_targets(const routing::Analysis& analysis) {
  out_.clear();
  while (auto evicted = relay_->server().statements.pop_excess())
    if (!push_close(*evicted)) break;
  if (!out_.empty()) relay_->send(out_);
  const std::size_t owed = relay_->tracker().outstanding();
  making_.emplace();
  for (const auto& facts : analysis.statements) {
    if (facts.prepared.end == 0 || facts.prepared.executes.empty()) continue;
    if (auto* found = statements_.find(facts.prepared.executes); found && (*found)->runs.empty()) make_target(**found);
  }
  if (relay_->tracker().outstanding() == owed) {
    making_.reset();
    return false;
  }
  push_sync();
  return true;
}

// What a Query EXECUTEs cannot be prepared any more: the Query fails with that error. False: it is not for the client yet.
bool Session::making_failed(Link& link, const Frame& frame, const protocol::ReplyTracker::Reply& reply) {
  const Flight* flight = find_flight(reply.tag);
  std::string told;
  std::string_view body = frame.body();
  if (flight && flight->statement && flight->statement->name_end != 0)
    if (const Renaming renaming = renaming_of(*flight->statement, counts_utf8(*told_)); retell_error(body, {&renaming, 1}, told)) body = std::string_view(told).substr(5);
  if (auto fields = protocol::decode_error(body)) making_->error = protocol::to_sql_error(*fields);
  if (flight) undo_flight(link, *flight);
  return false;
}

void Session::push_sync() {
  if (relay_->tracker().push(Request::Sync, Disposition::Swallow) != Push::Queued) return;
  out_.clear();
  protocol::encode_sync(out_);
  relay_->send(out_);
}

// A statement that is there for a command to find, in the place of one that stays. Appends to out_.
void Session::push_stand_in(std::string_view name) {
  relay_->tracker().push(Request::Close, Disposition::Swallow);
  relay_->tracker().push(Request::Parse, Disposition::Swallow);
  protocol::encode_close('S', name, out_);
  protocol::encode_parse(name, "", {}, out_);
}

// What the server may have under the statement's name is in the way of its PREPARE. Appends to out_.
void Session::push_way_for(const protocol::StatementHash& hash) {
  if (relay_->server().statements.erase(hash)) {
    push_close(hash);
    return;
  }
  relay_->tracker().push(Request::Close, Disposition::Swallow);
  protocol::encode_close('S', protocol::server_name(hash), out_);
}

// Behind a RESET, in front of the client's next statement. copied: characters of the client's text that were sent.
void Session::put_restoring(std::string_view text, const StatementFacts& facts, Naming& naming, std::size_t& copied) {
  Restoring restoring;
  append_restoring(facts, restoring);
  if (restoring.sql.empty()) return;
  naming.effects.back().to_default = false;  // nothing is left to be done behind the Query
  const std::string sql = "\n;" + restoring.sql;  // the statement may end with a comment
  naming.text.append(text.substr(copied, facts.end - copied)) += sql;
  copied = facts.end;
  const std::size_t number = naming.effects.size() + naming.ours.size();
  naming.ours.push_back(number);
  naming.renamings.push_back({{}, {}, count_characters(text.substr(0, facts.end), counts_utf8(*told_)), 0, sql.size()});
  naming.renamed.push_back(number);
}

// The text with the servers' names, and what its commands will change.
void Session::put_names(const routing::Analysis& analysis) {
  auto naming = std::make_unique<Naming>();
  std::map<std::string, StatementPtr, std::less<>> changed;  // by statements in front; null: taken away
  bool none_left = false;
  std::size_t copied = 0, stand_ins = 0;
  const bool single = analysis.statements.size() == 1, utf8 = counts_utf8(*told_);
  out_.clear();
  for (std::size_t i = 0; i < analysis.statements.size(); ++i) {
    const auto& facts = analysis.statements[i];
    const std::size_t number = i + naming->ours.size();
    const bool all = (facts.kind == StatementKind::Deallocate && facts.name.empty()) || (facts.kind == StatementKind::Discard && facts.name == "all");
    if (all) changed.clear(), none_left = true;
    if (facts.prepared.end == 0) {
      naming->effects.push_back(facts);
      if (facts.to_default && i + 1 < analysis.statements.size()) put_restoring(analysis.text, facts, *naming, copied);
      continue;
    }
    const bool executes = !facts.prepared.executes.empty();
    const std::string& name = executes ? facts.prepared.executes : facts.name;
    StatementPtr known;
    if (auto at = changed.find(name); at != changed.end()) known = at->second;
    else if (auto* found = none_left ? nullptr : statements_.find(name)) known = *found;
    if (known && executes && !known->runs.empty()) known.reset();  // EXECUTE of an EXECUTE: not by PREPARE's rules
    naming->effects.push_back(effects_of(facts, executes ? known.get() : nullptr));
    std::string internal;
    if (executes) {
      if (known) internal = protocol::server_name(statement_hash(*known)), naming->executed.push_back(known);
    } else if (known) {
      internal = stand_in(stand_ins++);
      push_stand_in(internal);
      if (facts.kind == StatementKind::Deallocate) naming->changes.push_back({number, name, nullptr}), changed[name] = nullptr;
    } else if (facts.kind == StatementKind::Prepare) {
      auto made = make_sql_statement(analysis.text, facts, single);
      const auto hash = statement_hash(*made);
      push_way_for(hash);
      internal = protocol::server_name(hash);
      naming->changes.push_back({number, name, made});
      changed[name] = std::move(made);
    }
    if (internal.empty() && is_internal(name)) internal = kMissing;
    if (internal.empty()) continue;
    const auto text = std::string_view(analysis.text);
    const auto& place = facts.prepared;
    naming->text.append(text.substr(copied, place.begin - copied));
    ((naming->text += '"') += internal) += '"';
    copied = place.end;
    naming->renamings.push_back({internal, name, count_characters(text.substr(0, place.begin), utf8),
                                 count_characters(text.substr(place.begin, place.end - place.begin), utf8), internal.size() + 2});
    naming->renamed.push_back(number);
  }
  if (copied != 0) naming->text.append(analysis.text, copied);
  if (!out_.empty()) {
    relay_->send(out_);
    push_sync();
  }
  naming_ = std::move(naming);
}

// A statement has completed. True: its tag tells nothing but the change of a name, which is noted.
bool Session::names_completed(Link& link, const protocol::ReplyTracker::Reply& reply) {
  if (reply.request != Request::Query) {
    const auto* flight = find_flight(reply.tag);
    return flight && (flight->kind == 'P' || flight->kind == 'C');
  }
  if (!naming_) return false;
  const bool ours = naming_->runs_ours();
  const std::size_t number = naming_->completed++;
  if (ours) return true;
  for (const auto& change : naming_->changes) {
    if (change.statement != number) continue;
    statements_.drop(change.name);
    if (!change.made) return true;
    if (statements_.put(change.name, change.made, weight_of(*change.made), 0)) return false;
    statements_.confirm(0);
    link.server().statements.insert(change.made->hash, change.made->version.stamp);
    return true;
  }
  return false;
}

// True: the client was told the error with its own names and places.
bool Session::retell(Link& link, const Frame& frame, const protocol::ReplyTracker::Reply& reply) {
  if (overdue_ && retell_overdue(link, frame)) return true;
  std::vector<Renaming> renamings;
  const Flight* flight = reply.tag != 0 ? find_flight(reply.tag) : nullptr;
  if (naming_ && reply.request == Request::Query) {
    renamings = naming_->renamings;
    for (std::size_t i = 0; i < renamings.size(); ++i)
      if (naming_->renamed[i] != naming_->completed) renamings[i].internal.clear();  // another statement's
  } else if (reply.request == Request::Bind && reply.tag != 0) {
    statements_.for_each([&](std::string_view name, const StatementPtr& statement) {
      if (statement->serial == reply.tag) renamings.push_back({std::string(kInternalPrefix), std::string(name)});
    });
  } else if (flight && flight->statement && flight->statement->name_end != 0) {
    renamings.push_back(renaming_of(*flight->statement, counts_utf8(*told_)));
  }
  std::string told;
  if (renamings.empty() || !retell_error(frame.body(), renamings, told)) return false;
  link.flush_before(told);
  return true;
}

}  // namespace pgweir::session
