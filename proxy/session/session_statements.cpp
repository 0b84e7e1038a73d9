// Session: relaying extended messages to one server, with the client's statement names turned into the servers' names.
#include <algorithm>

#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Request;
using protocol::SqlError;
using Push = protocol::ReplyTracker::Push;

Session::Step Session::relay_extended(const Frame& frame) {
  if (!relay_ || !relay_->open()) {
    fail_group({"08006", "the server connection was lost", {}, {}, {}, {}});
    return Step::Done;
  }
  if (relay_->tracker().outstanding() >= 8192) return Step::Later;
  switch (frame.type) {
    case 'P': return relay_parse(frame);
    case 'B': return relay_bind(frame);
    case 'D': return relay_describe(frame);
    case 'C': return relay_close(frame);
    default: break;
  }
  inject_begin(*relay_);
  // A portal that may be fetched from again needs its block.
  if (auto execute = protocol::decode_execute(frame.body()); execute && execute->max_rows > 0) throwaway_ = false;
  if (relay_->tracker().push(Request::Execute, Disposition::Forward) == Push::Queued) relay_->send(frame.bytes);
  return Step::Done;
}

const protocol::StatementHash& Session::statement_hash(Statement& statement) {
  const auto environment = settings_->parse_environment();
  if (statement.environment != environment) {
    statement.environment = environment;
    statement.hash = protocol::hash_statement(context_.runtime.statement_key, statement.sql, statement.types, environment);
  }
  return statement.hash;
}

void Session::append_parse(Statement& statement, std::string_view name, std::string& out) {
  const auto& maps = routing_->catalog ? routing_->catalog->oid_maps : std::vector<routing::OidMap>{};
  const auto shard = relay_->shard().value;
  if (shard < maps.size() && !maps[shard].identity) {
    auto types = statement.types;
    for (auto& type : types) type = maps[shard].local(type);
    protocol::encode_parse(name, statement.sql, types, out);
  } else {
    protocol::encode_parse(name, statement.sql, statement.types, out);
  }
}

std::string Session::name_on_server(Statement& statement) {
  return statement.unnamed ? std::string() : protocol::server_name(statement_hash(statement));
}

// False when nothing more may be sent (limits).
bool Session::ensure_on_server(Statement& statement) {
  auto& server = relay_->server();
  if (statement.unnamed) {
    if (server.unnamed.get() == &statement) return true;
    server.unnamed = statement.shared_from_this();
    const auto parse_tag = next_tag_++;
    out_.clear();
    append_parse(statement, "", out_);
    if (relay_->tracker().push(Request::Parse, Disposition::Swallow, parse_tag) != Push::Queued) {
      server.unnamed.reset();
      return false;
    }
    flights_.push_back({parse_tag, 'u', nullptr, {}, syncs_sent_ + 1});
    relay_->send(out_);
    return true;
  }
  const auto& hash = statement_hash(statement);
  if (server.statements.touch(hash)) return true;
  const auto tag = next_tag_++;
  server.statements.insert(hash, tag);
  out_.clear();
  while (auto evicted = server.statements.pop_excess()) {
    if (relay_->tracker().push(Request::Close, Disposition::Swallow, tag) != Push::Queued) break;
    protocol::encode_close('S', protocol::server_name(*evicted), out_);
  }
  append_parse(statement, protocol::server_name(hash), out_);
  if (relay_->tracker().push(Request::Parse, Disposition::Swallow, tag) != Push::Queued) {
    server.statements.erase(hash);
    return false;
  }
  flights_.push_back({tag, 'i', nullptr, hash, syncs_sent_ + 1});
  context_.cells.injected_commands.add();
  relay_->send(out_);
  return true;
}

Session::Step Session::relay_unnamed_parse(const StatementPtr& statement, std::uint32_t tag) {
  out_.clear();
  append_parse(*statement, "", out_);
  if (relay_->tracker().push(Request::Parse, Disposition::Forward, tag) != Push::Queued) {
    statements_.undo(tag);
    return Step::Done;
  }
  relay_->server().unnamed = statement;
  flights_.push_back({tag, 'U', statement, {}, syncs_sent_ + 1});
  relay_->send(out_);
  return Step::Done;
}

Session::Step Session::relay_parse(const Frame& frame) {
  auto parse = protocol::decode_parse(frame.body());
  if (!parse) {
    fail_group(parse.error());
    return Step::Done;
  }
  if (group_.decided) inject_begin(*relay_);
  std::uint32_t tag = 0;
  StatementPtr statement;
  if (!group_.parsed.empty()) {
    std::tie(tag, statement) = group_.parsed.front();
    group_.parsed.pop_front();
  } else {
    tag = next_tag_++;
    if (auto error = define_statement(*parse, tag)) {
      fail_group(*error);
      return Step::Done;
    }
    statement = *statements_.find(parse->name);
  }
  auto& server = relay_->server();
  if (statement->unnamed) return relay_unnamed_parse(statement, tag);
  const auto& hash = statement_hash(*statement);
  // The same text may mean other tables after DDL: a Parse that the server has answered before is simulated only because
  // its plan is revalidated by the server itself.
  if (server.statements.touch(hash)) {
    std::string complete;
    protocol::encode_parse_complete(complete);
    const bool due_now = relay_->tracker().outstanding() == 0;
    if (relay_->tracker().push_simulated(complete, tag) == Push::Skipped) {
      statements_.undo(tag);
      return Step::Done;
    }
    flights_.push_back({tag, 's', statement, hash, syncs_sent_ + 1});
    if (due_now) {
      std::string due;
      if (relay_->tracker().take_simulated(due)) to_client(due);
    }
    return Step::Done;
  }
  server.statements.insert(hash, tag);
  out_.clear();
  while (auto evicted = server.statements.pop_excess()) {
    if (relay_->tracker().push(Request::Close, Disposition::Swallow, tag) != Push::Queued) break;
    protocol::encode_close('S', protocol::server_name(*evicted), out_);
  }
  append_parse(*statement, protocol::server_name(hash), out_);
  if (relay_->tracker().push(Request::Parse, Disposition::Forward, tag) != Push::Queued) {
    server.statements.erase(hash);
    statements_.undo(tag);
    return Step::Done;
  }
  flights_.push_back({tag, 'P', statement, hash, syncs_sent_ + 1});
  relay_->send(out_);
  return Step::Done;
}

// The statement behind a name, as of the moment the message came. Null: there is none.
StatementPtr Session::resolve(std::string_view name) {
  if (!group_.resolved.empty()) {
    StatementPtr then = std::move(group_.resolved.front());
    group_.resolved.pop_front();
    return then;
  }
  auto* found = statements_.find(name);
  return found ? *found : nullptr;
}

// Inside a group or block that has its server, every further statement must belong there.
Session::Check Session::check_bind(const protocol::Bind& bind, Statement& statement) {
  if (statement.analysis->statements.size() != 1) return Check::Stay;
  const auto& facts = statement.analysis->statements.front();
  if (transaction_control(facts)) return Check::Stay;
  if (pipelines_freely()) {
    note_statement(*relay_, facts, nullptr);
    return Check::Stay;
  }
  auto route = route_bind(bind, statement);
  if (!route) {
    note_route(nullptr, &route.error());
    fail_group(route.error());
    return Check::Failed;
  }
  const bool here = route->kind == routing::Route::Kind::OneShard && route->shards.contains(relay_->shard()) &&
                    (route->any_shard || route->shards.front() == relay_->shard()) && route->pushed_sql.empty();
  if (!here) return Check::Elsewhere;
  last_any_shard_ = route->any_shard;
  note_statement(*relay_, facts, &*route);
  return Check::Stay;
}

// The group was parsed or described on a server of the proxy's choice, and its first Bind needs another: what it has there
// is ended by a Sync of ours. Done: relay_ is free again.
Session::Step Session::leave_server() {
  if (!relay_->quiet()) return Step::Later;
  if (!group_.leaving) {
    group_.leaving = true;
    out_.clear();
    protocol::encode_sync(out_);
    relay_->tracker().push(Request::Sync, Disposition::Swallow);
    relay_->send(out_);
    return Step::Later;
  }
  if (!relay_->idle()) return Step::Later;
  relay_->give_back();
  drop_link(relay_);
  relay_ = nullptr;
  group_.relayed = group_.leaving = false;
  return Step::Done;
}

// DEALLOCATE of a statement that the client prepared by protocol: it has another name on the server.
bool Session::bind_deallocate(const protocol::Bind& bind, const routing::StatementFacts& facts) {
  if (facts.name.empty()) {
    statements_.erase_all(0);
    statements_.confirm(0);
    return false;  // the server's own DEALLOCATE ALL follows; watch_tag() sees it
  }
  auto* target = statements_.find(facts.name);
  if (!target) return false;
  const StatementPtr statement = *target;
  if (!ensure_on_server(*statement)) return true;
  const auto hash = statement_hash(*statement);
  out_.clear();
  protocol::encode_parse("", "DEALLOCATE " + pool::quote_identifier(protocol::server_name(hash)), {}, out_);
  protocol::encode_bind_raw(bind.portal, "", bind.tail, out_);
  relay_->tracker().push(Request::Parse, Disposition::Swallow);
  if (relay_->tracker().push(Request::Bind, Disposition::Forward) == Push::Queued) relay_->send(out_);
  relay_->server().statements.erase(hash);
  statements_.erase(facts.name, 0);
  statements_.confirm(0);
  return true;
}

Session::Step Session::relay_bind(const Frame& frame) {
  auto bind = protocol::decode_bind(frame.body());
  const StatementPtr held = resolve(bind ? bind->statement : std::string_view());
  if (!bind || !held) {
    fail_group(bind ? protocol::undefined_statement(bind->statement) : bind.error());
    return Step::Done;
  }
  Statement& statement = *held;
  const Check check = group_.leaving ? Check::Elsewhere : check_bind(*bind, statement);
  if (check == Check::Failed) return Step::Done;
  if (check == Check::Elsewhere) {
    if (!group_.executed && !relay_->in_transaction) {
      if (leave_server() == Step::Later) return Step::Later;
      return pend(frame);
    }
    fail_group(routing::refuse("cross_shard_transaction", "this transaction or batch runs on shard \"" +
                                   routing_->cluster->shards[relay_->shard().value].name + "\", and this statement needs another one",
                               "Run the statement in a transaction of its own."));
    return Step::Done;
  }
  if (group_.executed) throwaway_ = false;  // a second statement: the block stays where it is
  const auto& executed = statement.analysis->statements;
  if (executed.size() != 1 || group_.executed || !begin_or_throw_away(*relay_, executed.front(), statement.sql, last_any_shard_)) inject_begin(*relay_);
  if (relay_->suspect) note_custom_names(*relay_, statement.sql);
  in_flight_read_only_ = executed.size() == 1 && executed.front().read_only && !in_block() && !group_.executed;
  group_.executed = true;
  if (const auto& facts = statement.analysis->statements;
      facts.size() == 1 && facts.front().kind == routing::StatementKind::Deallocate && bind_deallocate(*bind, facts.front()))
    return Step::Done;
  if (!ensure_on_server(statement)) return Step::Done;
  if (!statement.unnamed && recent_binds_.size() < 64) recent_binds_.push_back(statement_hash(statement));
  out_.clear();
  protocol::encode_bind_raw(bind->portal, name_on_server(statement), bind->tail, out_);
  if (relay_->tracker().push(Request::Bind, Disposition::Forward) == Push::Queued) relay_->send(out_);
  return Step::Done;
}

Session::Step Session::relay_describe(const Frame& frame) {
  auto describe = protocol::decode_describe(frame.body());
  if (!describe) {
    fail_group(describe.error());
    return Step::Done;
  }
  if (describe->kind == 'P') {
    if (relay_->tracker().push(Request::DescribePortal, Disposition::Forward) == Push::Queued) relay_->send(frame.bytes);
    return Step::Done;
  }
  const StatementPtr statement = resolve(describe->name);
  if (!statement) {
    fail_group(protocol::undefined_statement(describe->name));
    return Step::Done;
  }
  if (!ensure_on_server(*statement)) return Step::Done;
  const auto tag = next_tag_++;
  out_.clear();
  protocol::encode_describe('S', name_on_server(*statement), out_);
  if (relay_->tracker().push(Request::DescribeStatement, Disposition::Forward, tag) != Push::Queued) return Step::Done;
  flights_.push_back({tag, 'D', statement, {}, syncs_sent_ + 1});
  relay_->send(out_);
  return Step::Done;
}

Session::Step Session::relay_close(const Frame& frame) {
  auto close = protocol::decode_close(frame.body());
  if (!close) {
    fail_group(close.error());
    return Step::Done;
  }
  if (close->kind == 'P') {
    if (relay_->tracker().push(Request::Close, Disposition::Forward) == Push::Queued) relay_->send(frame.bytes);
    return Step::Done;
  }
  // The server keeps the statement for others; only the client's name goes.
  const auto tag = next_tag_++;
  statements_.erase(close->name, tag);
  std::string complete;
  protocol::encode_close_complete(complete);
  const bool due_now = relay_->tracker().outstanding() == 0;
  if (relay_->tracker().push_simulated(complete, tag) == Push::Skipped) {
    statements_.undo(tag);
    return Step::Done;
  }
  flights_.push_back({tag, 'C', nullptr, {}, syncs_sent_ + 1});
  if (due_now) {
    std::string due;
    if (relay_->tracker().take_simulated(due)) to_client(due);
  }
  return Step::Done;
}

Session::Flight* Session::find_flight(std::uint32_t tag) {
  for (auto& flight : flights_)
    if (flight.tag == tag) return &flight;
  return nullptr;
}

// A Sync was answered: what its group assumed and was not taken back is final.
void Session::confirm_flights() {
  ++syncs_done_;
  while (!flights_.empty() && flights_.front().batch <= syncs_done_) {
    statements_.confirm(flights_.front().tag);
    flights_.pop_front();
  }
}

}  // namespace pgweir::session
