// VirtualGroup: Bind and Execute.
#include <algorithm>

#include "protocol/frontend_codec.h"
#include "proxy/session/refusals.h"
#include "proxy/session/virtual_group.h"
#include "routing/merge/command_tag.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;
using routing::Route;

// As Session::resolve: what the name meant when the message came.
StatementPtr VirtualGroup::resolve(std::string_view name) {
  StatementPtr found = meaning(name);
  if (!resolved_.empty()) resolved_.pop_front();
  return found;
}

StatementPtr VirtualGroup::meaning(std::string_view name) const {
  if (!resolved_.empty() && (resolved_.front() || !defined_late_)) return resolved_.front();
  return look_up(name);
}

StatementPtr VirtualGroup::look_up(std::string_view name) const {
  auto* found = session_.statements_.find(name);
  return found ? *found : nullptr;
}

bool VirtualGroup::bind(const Frame& frame) {
  auto decoded = protocol::decode_bind(frame.body());
  const StatementPtr found = resolve(decoded ? decoded->statement : std::string_view());
  if (!decoded || !found) {
    statement_failed(decoded ? protocol::undefined_statement(decoded->statement) : decoded.error());
    return true;
  }
  if (refused_in_failed_block(*found->analysis)) {
    statement_failed(failed_block_error());
    return true;
  }
  session_.virtual_portals_.erase_if([&](const Portal& p) { return p.name == decoded->portal; });
  session_.virtual_portals_.push_back({std::string(decoded->portal), found, std::string(frame.body()), false, {}, 0, {}});
  if (waits_for_shards(*found)) unbound_ = std::string(decoded->portal);
  std::string answer;
  protocol::encode_bind_complete(answer);
  reply(answer);
  return true;
}

bool VirtualGroup::execute_simple() { return run(*analysis_, nullptr, nullptr, true); }

bool VirtualGroup::execute(const Frame& frame) {
  auto message = protocol::decode_execute(frame.body());
  Portal* portal = message ? find_portal(message->portal) : nullptr;
  if (!portal) {
    statement_failed({"34000", "portal \"" + std::string(message ? message->portal : "") + "\" does not exist", {}, {}, {}, {}});
    return true;
  }
  if (portal->executed) {
    give_rows(*portal, message->max_rows);
    return true;
  }
  const StatementPtr statement = portal->statement;
  if (statement->analysis->statements.empty()) {
    std::string answer;
    protocol::encode_empty_query_response(answer);
    reply(answer);
    return true;
  }
  row_limit_ = message->max_rows;
  running_portal_ = portal->name;
  running_bind_ = portal->bind;
  auto bind = protocol::decode_bind(running_bind_);
  return run(*statement->analysis, &*bind, statement.get(), false);
}

// The next rows of a portal that was run with a row limit, as PostgreSQL counts: a portal that has given exactly as many
// rows as were asked for is suspended, not finished.
void VirtualGroup::give_rows(Portal& portal, std::int32_t max_rows) {
  const std::string_view rest = std::string_view(portal.rows).substr(portal.given);
  std::size_t end = 0;
  std::uint64_t count = 0;
  while (end < rest.size() && (max_rows <= 0 || count < static_cast<std::uint64_t>(max_rows))) {
    end += 1 + protocol::load_u32(rest, end + 1);
    ++count;
  }
  std::string reply(rest.substr(0, end));
  portal.given += end;
  if (max_rows > 0 && count == static_cast<std::uint64_t>(max_rows))
    protocol::encode_portal_suspended(reply);
  else
    protocol::encode_command_complete(routing::with_tag_rows(portal.tag, count), reply);
  session_.to_client(reply);
}

// Whether the rest of the batch holds anything that can fail.
bool VirtualGroup::more_work_behind() const {
  std::string_view rest = rest_;
  protocol::FrameReader reader(protocol::frontend_limits(0x3fffffff));
  while (!rest.empty()) {
    const Frame frame = reader.next(rest);
    if (frame.kind != Frame::Kind::Message || frame.type == 'S') return false;
    if (frame.type != 'C' && frame.type != 'H') return true;
  }
  return false;
}

std::optional<SqlError> VirtualGroup::refuse_several_snapshots(const Route& route) const {
  const bool isolated = session_.in_block() ? session_.isolated_block_ : session_.isolated_by_default();
  if (!isolated || route.shards.size() < 2) return std::nullopt;
  return routing::refuse("isolation_level", "REPEATABLE READ and SERIALIZABLE over several shards would need one snapshot of all of them",
                         "Use READ COMMITTED, or restrict the statement to one shard key.");
}

// What the gather will need of the statement; views of Bind point into running_bind_.
void VirtualGroup::prepare_request(Route route, const routing::Analysis& analysis, const protocol::Bind* bind,
                                   const Statement* statement, bool simple) {
  const auto& facts = analysis.statements.front();
  running_ = route;
  running_facts_ = facts;
  running_sql_ = analysis.text.substr(facts.begin, facts.end - facts.begin);
  request_.route = std::move(route);
  request_.sql = running_sql_;
  const std::string_view before = std::string_view(analysis.text).substr(0, facts.begin);
  // Positions count characters of the client's encoding.
  if (std::any_of(before.begin(), before.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    request_.sql_begin.reset();
  else
    request_.sql_begin = before.size();
  request_.send_row_description = simple;
  request_.keep_rows = !simple && row_limit_ > 0;
  if (statement) {
    request_.types = statement->types;
    request_.statement = statement->shared_from_this();
    const auto& known = statement->described ? statement->described->parameter_types : statement->known_types;
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (i >= request_.types.size()) request_.types.push_back(known[i]);
      if (request_.types[i] == 0) request_.types[i] = known[i];
    }
  }
  if (bind) {
    auto kept = protocol::decode_bind(running_bind_);
    request_.parameter_formats = kept->parameter_formats;
    request_.parameters = kept->parameters;
    request_.result_formats = kept->result_formats;
    request_.bound_name = std::string(kept->statement);
    request_.bind_only = checking_;
    if (names_) request_.sql_begin.reset();  // it is not the text that the client has sent now
  }
}

bool VirtualGroup::run(const routing::Analysis& analysis, const protocol::Bind* bind, const Statement* statement, bool simple) {
  if (analysis.statements.size() != 1) {
    statement_failed({"42601", "cannot insert multiple commands into a prepared statement", {}, {}, {}, {}});
    return true;
  }
  const auto& facts = analysis.statements.front();
  if (session_.transaction_control(facts) || session_.local_failed_) return run_control(facts, analysis.text);
  if (of_names(facts)) return run_names(analysis, bind, simple);
  if (session_.for_all_participants(facts)) return run_everywhere(facts, analysis.text);
  auto route = bind ? session_.route_bind(*bind, const_cast<Statement&>(*statement))
                    : session_.context_.router.route(*session_.routing_, analysis, 0, {}, session_.route_context());
  session_.note_route(route ? &*route : nullptr, route ? nullptr : &route.error());
  if (!route) return refuse_after_check(route.error(), std::string(analysis.text), statement);
  if (route->kind == Route::Kind::Local) return run_local(route->local, simple);
  if (auto refusal = session_.refuse_change_on_one(facts, *route)) {
    statement_failed(*refusal);
    return true;
  }
  // Outside a block a batch is one transaction, and a write over several shards is committed when it has run: nothing that
  // could still fail may follow it.
  if (!simple && !checking_ && !session_.in_block() && (wrote_ || (route->write && (executed_ > 0 || more_work_behind())))) {
    statement_failed(routing::refuse("multi_shard_batch", "a batch with a statement on several shards can hold only this one write",
                                     "Send a Sync behind each statement."));
    return true;
  }
  if (auto refusal = refuse_several_snapshots(*route)) {
    statement_failed(*refusal);
    return true;
  }
  if (checking_) {
    route->write = route->ddl = false;
  } else {
    ++executed_;
  }
  request_ = GatherRequest{};
  if (route->kind == Route::Kind::OneShard) {
    // One shard inside a virtual group: a gather over a single stream.
    if (route->any_shard) {  // where the block is, if it has begun
      auto shard = route->shards.front();
      for (const auto* link : participants())
        if (route->shards.contains(link->shard())) shard = link->shard();
      route->shards = routing::ShardSet::single(shard);
    }
    route->any_shard = false;
    route->returning = true;
  }
  prepare_request(std::move(*route), analysis, bind, statement, simple);
  on_links_ready();
  return false;
}

}  // namespace pgweir::session
