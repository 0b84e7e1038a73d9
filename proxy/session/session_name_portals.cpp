// Session: the same commands by the extended protocol. A command is prepared on the server with the servers' names, as they
// are when it is parsed, described or bound; the client's names change when its portal is executed.
#include <algorithm>

#include "proxy/session/session.h"
#include "proxy/session/statement_aliases.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Request;
using routing::StatementFacts;
using Push = protocol::ReplyTracker::Push;

namespace {

constexpr std::size_t kMaxNamingPortals = 64;

}  // namespace

// A PREPARE of ours in the client's batch. Appends to out_. False: the server skips it.
bool Session::append_prepare(std::string_view text, std::uint32_t tag) {
  auto& tracker = relay_->tracker();
  tracker.push(Request::Close, Disposition::Swallow);
  tracker.push(Request::Parse, Disposition::Swallow, tag);
  tracker.push(Request::Bind, Disposition::Swallow, tag);
  if (tracker.push(Request::Execute, Disposition::Swallow, tag) != Push::Queued) return false;
  tracker.push(Request::Close, Disposition::Swallow);
  tracker.push(Request::Close, Disposition::Swallow);
  protocol::encode_close('S', kMaker, out_);
  protocol::encode_parse(kMaker, text, {}, out_);
  protocol::encode_bind_raw(kMaker, kMaker, std::string_view("\0\0\0\0\0\0", 6), out_);
  protocol::encode_execute(kMaker, 0, out_);
  protocol::encode_close('P', kMaker, out_);
  protocol::encode_close('S', kMaker, out_);
  return true;
}

// What an EXECUTE means now: its text with the server's name, and the statement on the server. False: the server skips it.
bool Session::refresh_runs(Statement& command) {
  auto* found = statements_.find(command.runs);
  const StatementPtr target = found && (*found)->runs.empty() ? *found : nullptr;
  if (target && !ensure_on_server(*target)) return false;
  std::string text;
  if (target) text = with_name(command.sql, command.name_begin, command.name_end, protocol::server_name(statement_hash(*target)));
  else if (is_internal(command.runs)) text = with_name(command.sql, command.name_begin, command.name_end, kMissing);
  if (text == command.server_sql) return true;
  command.server_sql = std::move(text);
  command.environment = Statement::kNoEnvironment;
  if (relay_->server().unnamed.get() == &command) relay_->server().unnamed.reset();
  return true;
}

// What a command that was prepared by protocol does. Precondition: its text names a prepared statement.
StatementFacts Session::bound_effects(const Statement& command) {
  auto* found = command.runs.empty() ? nullptr : statements_.find(command.runs);
  return effects_of(command.analysis->statements.front(), found ? found->get() : nullptr);
}

void Session::note_bound(const Statement& statement, const StatementFacts& facts, const routing::Route* route) {
  if (statement.name_end == 0 || statement.from_sql) return note_statement(*relay_, facts, route);
  note_statement(*relay_, bound_effects(statement), route);
}

void Session::note_naming_portal(NamingPortal portal) {
  if (naming_portals_.size() >= kMaxNamingPortals) naming_portals_.erase(naming_portals_.begin());
  naming_portals_.push_back(std::move(portal));
}

// Binds `text` in the place of the command's own. What out_ holds goes in front.
void Session::bind_command(const protocol::Bind& bind, std::string_view text, NamingPortal portal) {
  auto& tracker = relay_->tracker();
  protocol::encode_parse("", text, {}, out_);
  protocol::encode_bind_raw(bind.portal, "", bind.tail, out_);
  tracker.push(Request::Parse, Disposition::Swallow);
  relay_->server().unnamed.reset();
  if (tracker.push(Request::Bind, Disposition::Forward) != Push::Queued) return;
  relay_->send(out_);
  note_naming_portal(std::move(portal));
}

// DEALLOCATE of a statement that the client has: its copy on the server stays for others, so the server drops another one in
// its place; the client's name goes when the portal is executed. False: the server does it.
bool Session::bind_deallocate(const protocol::Bind& bind, const StatementPtr& command, const StatementFacts& facts) {
  barrier_ = true;
  if (facts.name.empty()) return false;  // ALL: watch_tag() sees it
  const bool known = statements_.find(facts.name) != nullptr;
  if (!known && (!is_internal(facts.name) || command->name_end == 0)) return false;
  out_.clear();
  const std::string name = known ? stand_in(0) : std::string(kMissing);
  if (known) push_stand_in(name);
  const std::string text = command->name_end == 0 ? "DEALLOCATE " + name : with_name(command->sql, command->name_begin, command->name_end, name);
  bind_command(bind, text, {std::string(bind.portal), known ? 'D' : 'N', facts.name, command, nullptr});
  return true;
}

bool Session::bind_prepare(const protocol::Bind& bind, const StatementPtr& command, const StatementFacts& facts) {
  barrier_ = true;
  if (relay_->tracker().skipping_until_sync()) return true;
  out_.clear();
  const bool taken = statements_.find(facts.name) != nullptr;
  StatementPtr made;
  std::string name = stand_in(0);
  if (taken) {
    push_stand_in(name);
  } else {
    while (auto evicted = relay_->server().statements.pop_excess())
      if (!push_close(*evicted)) break;
    made = make_sql_statement(command->sql, facts, true);
    name = protocol::server_name(statement_hash(*made));
    push_way_for(made->hash);
  }
  bind_command(bind, with_name(command->sql, command->name_begin, command->name_end, name),
               {std::string(bind.portal), taken ? 'N' : 'P', facts.name, command, made});
  return true;
}

Session::Step Session::execute_naming_portal(const Frame& frame, std::size_t index) {
  const NamingPortal portal = std::move(naming_portals_[index]);
  naming_portals_.erase(naming_portals_.begin() + static_cast<std::ptrdiff_t>(index));
  const std::uint32_t tag = next_tag_++;
  if (portal.kind == 'P')
    if (auto error = statements_.put(portal.name, portal.made, weight_of(*portal.made), tag)) {
      fail_group(*error);
      return Step::Done;
    }
  if (relay_->tracker().push(Request::Execute, Disposition::Forward, tag) != Push::Queued) {
    statements_.undo(tag);
    return Step::Done;
  }
  relay_->send(frame.bytes);
  if (portal.kind == 'D') statements_.erase(portal.name, tag);
  if (portal.kind == 'P') relay_->server().statements.insert(portal.made->hash, portal.made->version.stamp);
  const char kind = portal.kind == 'D' ? 'C' : portal.kind;
  flights_.push_back({tag, kind, portal.command, portal.made ? portal.made->hash : protocol::StatementHash{}, syncs_sent_ + 1});
  return Step::Done;
}

}  // namespace pgweir::session
