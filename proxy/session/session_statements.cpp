// Session: relaying extended messages to one server, with the client's statement names turned into the servers' names.
#include <algorithm>

#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Request;
using protocol::SqlError;
using Push = protocol::ReplyTracker::Push;

namespace {

constexpr std::size_t kMaxOutstanding = 8192;  // requests of one client under way; half of what the ReplyTracker takes

}  // namespace

Session::Step Session::relay_extended(const Frame& frame) {
  if (!relay_ || !relay_->open()) {
    fail_group({"08006", "the server connection was lost", {}, {}, {}, {}});
    return Step::Done;
  }
  if (relay_->tracker().outstanding() >= kMaxOutstanding) {
    // The server keeps its last replies until it is told to flush.
    out_.clear();
    protocol::encode_flush(out_);
    relay_->send(out_);
    return Step::Later;
  }
  if (relay_->quiet()) arm_query_timeout();
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
  for (std::size_t i = 0; i < naming_portals_.size(); ++i)
    if (auto execute = protocol::decode_execute(frame.body()); execute && execute->portal == naming_portals_[i].portal)
      return execute_naming_portal(frame, i);
  if (relay_->tracker().push(Request::Execute, Disposition::Forward) == Push::Queued) {
    relay_->send(frame.bytes);
    restore_in_batch();
  }
  return Step::Done;
}

// What the meaning of a text depends on, as an id. Where a statement of this transaction may have changed settings it is
// one of its own, so that nobody else meets what is parsed now.
std::uint64_t Session::environment() {
  if (!relay_ || !relay_->suspect) return settings_->parse_environment();
  if (relay_->private_environment == 0) relay_->private_environment = private_environment();
  return relay_->private_environment;
}

const protocol::StatementHash& Session::statement_hash(Statement& statement) {
  if (statement.environment == Statement::kNoEnvironment) {
    statement.environment = environment();
    hash_statement(statement);
  }
  return statement.hash;
}

// An earlier batch of the pipeline is still to decide whether the client has the name, or the server the statement.
bool Session::undecided(std::string_view name) {
  if (flights_.empty() || flights_.front().batch > syncs_sent_) return false;
  if (statements_.pending_before(name, group_.first_tag)) return true;
  const auto* found = statements_.find(name);
  if (!found) return false;
  const Statement& statement = **found;
  return std::any_of(flights_.begin(), flights_.end(), [&](const Flight& flight) {
    if (flight.batch > syncs_sent_ || flight.tag >= group_.first_tag) return false;
    if (statement.unnamed) return flight.kind == 'U' || flight.kind == 'u';
    return flight.hash == statement.hash && (flight.kind == 'P' || flight.kind == 'i' || flight.kind == 'x');
  });
}

std::string Session::name_on_server(Statement& statement) {
  return statement.unnamed ? std::string() : protocol::server_name(statement_hash(statement));
}

bool Session::push_close(const protocol::StatementHash& hash) {
  const auto tag = next_tag_++;
  if (relay_->tracker().push(Request::Close, Disposition::Swallow, tag) != Push::Queued) return false;
  protocol::encode_close('S', protocol::server_name(hash), out_);
  flights_.push_back({tag, 'x', nullptr, hash, syncs_sent_ + 1});
  return true;
}

Session::Step Session::relay_unnamed_parse(const StatementPtr& statement, std::uint32_t tag) {
  out_.clear();
  append_parse(*statement, "", out_);
  if (relay_->tracker().push(Request::Parse, Disposition::Forward, tag) != Push::Queued) {
    statements_.undo(tag);
    return Step::Done;
  }
  tenancy_->cells->server_parses.add();
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
  if (statements_.pending_before(parse->name, group_.first_tag)) return Step::Later;
  if (group_.decided) inject_begin(*relay_);
  std::uint32_t tag = 0;
  StatementPtr statement;
  if (!group_.parsed.empty()) {
    std::tie(tag, statement) = group_.parsed.front();
    group_.parsed.pop_front();
  } else {
    tag = next_tag_++;
    if (auto error = define_statement(*parse, tag)) return refuse_parse(*parse, *error);
    statement = *statements_.find(parse->name);
  }
  if (!statement->runs.empty() && !refresh_runs(*statement)) {
    statements_.undo(tag);
    return Step::Done;
  }
  if (statement->unnamed) return relay_unnamed_parse(statement, tag);
  // Always parsed anew: the same text may mean other tables since another client prepared it.
  if (!send_parse(*statement, Disposition::Forward, tag)) {
    statements_.undo(tag);
    return Step::Done;
  }
  flights_.push_back({tag, 'P', statement, statement->hash, syncs_sent_ + 1});
  return Step::Done;
}

// The statement behind a name, as of the moment the message came. Null: there is none. resolved() when the message is done with.
StatementPtr Session::resolve(std::string_view name) {
  if (!group_.resolved.empty()) {
    return group_.resolved.front();
  }
  auto* found = statements_.find(name);
  return found ? *found : nullptr;
}

void Session::resolved() {
  if (!group_.resolved.empty()) group_.resolved.pop_front();
}

// Inside a group or block that has its server, every further statement must belong there.
Session::Check Session::check_bind(const protocol::Bind& bind, Statement& statement) {
  if (statement.analysis->statements.size() != 1) return Check::Stay;
  const auto& facts = statement.analysis->statements.front();
  if (facts.kind == routing::StatementKind::Savepoint) savepoint_seen_ = true;
  if (transaction_control(facts)) return Check::Stay;
  if (auto refusal = refuse_pin(*relay_, facts, statement.sql)) return fail_group(*refusal), Check::Failed;
  if (pipelines_freely()) {
    note_bound(statement, facts, nullptr);
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
  note_bound(statement, facts, &*route);
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
  // What holds state of the client's, or is to be looked at, stays until the transaction ends, as in finish_transaction().
  const bool clean = pinned_.empty() && relay_->pinned.empty() && pool_settings().mode != config::PoolMode::Session && !relay_->suspect &&
                     !relay_->listening && !relay_->moved_sequence && !relay_->own_names && relay_->lent_names.empty() &&
                     !relay_->unknown_settings && relay_->server().cancels->in_flight == 0;
  if (clean) {
    relay_->give_back();
    drop_link(relay_);
  }
  relay_ = nullptr;
  group_.relayed = group_.leaving = false;
  return Step::Done;
}

// Of a Bind that cannot be read: its statement is looked for before its values, as PostgreSQL does.
SqlError Session::bind_error(const SqlError& error, const Frame& frame) {
  const auto name = protocol::bound_statement(frame.body());
  return name && !statements_.find(*name) ? protocol::undefined_statement(*name) : error;
}

Session::Step Session::relay_bind(const Frame& frame) {
  auto bind = protocol::decode_bind(frame.body());
  if (bind && undecided(bind->statement)) return Step::Later;
  const StatementPtr held = resolve(bind ? bind->statement : std::string_view());
  if (!bind || !held) {
    fail_group(bind ? protocol::undefined_statement(bind->statement) : bind_error(bind.error(), frame));
    return Step::Done;
  }
  Statement& statement = *held;
  const Check check = group_.leaving ? Check::Elsewhere : group_.awaited != 0 ? Check::Stay : check_bind(*bind, statement);
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
  if (settle_shape(statement) == Step::Later) return Step::Later;
  resolved();
  if (group_.failed) return Step::Done;
  if (executed.size() == 1 && statement.runs.empty()) own_sequences(*relay_, executed.front());
  if (!statement.runs.empty()) own_sequences(*relay_, bound_effects(statement));
  if (executed.size() == 1) note_sequences(*relay_, executed.front(), statement.sql);
  if (relay_->suspect) note_custom_names(*relay_, statement.sql, &bind->parameters);
  if (auto* run = relay_->suspect && !statement.runs.empty() ? statements_.find(statement.runs) : nullptr) note_custom_names(*relay_, (*run)->sql, nullptr);
  const bool alone = !group_.executed && relay_->tracker().outstanding_syncs() == 0;
  in_flight_read_only_ = executed.size() == 1 && executed.front().read_only && !in_block() && (alone || in_flight_read_only_);
  group_.executed = true;
  static const routing::Route kOneShard;
  note_route(&kOneShard, nullptr);
  if (!naming_portals_.empty()) naming_portals_.erase_if([&](const NamingPortal& known) { return known.portal == bind->portal; });
  if (executed.size() == 1 && !statement.from_sql) {
    const auto kind = executed.front().kind;
    if (kind == routing::StatementKind::Deallocate && bind_deallocate(*bind, held, executed.front())) return Step::Done;
    if (kind == routing::StatementKind::Prepare && statement.name_end != 0 && bind_prepare(*bind, held, executed.front())) return Step::Done;
  }
  if (!statement.runs.empty()) {
    if (!refresh_runs(statement)) return Step::Done;
    note_naming_portal({std::string(bind->portal), 'N', {}, held, nullptr});
  }
  if (!statement.shaped && !ensure_on_server(statement)) return Step::Done;
  out_.clear();
  protocol::encode_bind_raw(bind->portal, name_on_server(statement), bind->tail, out_);
  widen_bind();
  if (relay_->tracker().push(Request::Bind, Disposition::Forward, statement.serial) == Push::Queued) relay_->send(out_);
  else bind_sent_ = false;  // the server skips it: the rest of a large one is dropped
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
  if (undecided(describe->name)) return Step::Later;
  const StatementPtr statement = resolve(describe->name);
  if (!statement) {
    fail_group(protocol::undefined_statement(describe->name));
    return Step::Done;
  }
  if (statement->runs.empty() && settle_shape(*statement, true) == Step::Later) return Step::Later;
  resolved();
  if (group_.failed) return Step::Done;
  if (!statement->runs.empty() && !refresh_runs(*statement)) return Step::Done;
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
  if (statements_.pending_before(close->name, group_.first_tag)) return Step::Later;
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
