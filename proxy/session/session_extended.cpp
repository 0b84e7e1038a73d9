// Session: the extended protocol. A group (everything up to a Sync) waits until its server is known, then is relayed; or
// it is kept whole and answered by a virtual group.
#include <algorithm>

#include "proxy/session/session.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Request;
using protocol::SqlError;
using routing::Route;
using Push = protocol::ReplyTracker::Push;

namespace {

constexpr std::size_t kMaxFlights = 65'536;  // a batch may be long, but not without end

}  // namespace

Session::Step Session::on_extended(const Frame& frame) {
  if (relay_ && relay_->open() && relay_->tracker().in_copy_in()) {  // out of place: the server says so, and ends
    relay_->send(frame.bytes);
    return Step::Done;
  }
  if (flights_.size() >= kMaxFlights) {
    if (!group_.open) return Step::Later;
    if (!group_.failed) fail_group({"54000", "too many requests about prepared statements without a Sync", {}, {}, {}, {}});
    return Step::Done;
  }
  if (!group_.open) {
    if (relay_ && relay_->open() && !relay_->quiet() && (!pipelines_freely() || barrier_)) return Step::Later;
    barrier_ = listens();
    light_ = false;
    if (!in_block() && links_.empty()) refresh_routing();
    if (ends_now()) return Step::Done;
    group_.open = true;
    group_.first_tag = next_tag_;
  }
  if (group_.relayed) return relay_rest() == Step::Later ? Step::Later : relay_extended(frame);
  if (frame.type == 'E' && !virtual_portals_.empty()) {
    // More rows of a portal that the proxy answers.
    auto execute = protocol::decode_execute(frame.body());
    if (execute && find_virtual_portal(execute->portal)) group_.is_virtual = true;
  }
  if (group_.is_virtual) return pend(frame);
  const bool bound = participants() == 1 && !local_failed_ && !lost_participant();
  if (pipelines_freely() || bound) {
    if (bound) {
      for (auto& link : links_)
        if (link->open() && link->in_transaction) relay_ = link.get();
    } else {
      Route route;
      route.shards = routing::ShardSet::single(routing::ShardId{0});
      Step step = Step::Done;
      if (auto error = acquire_one(route, step)) {
        fail_group(*error);
        return Step::Done;
      }
      if (step == Step::Later) return step;
    }
    group_.relayed = true;
    return relay_extended(frame);
  }
  return pend(frame);
}

VirtualPortal* Session::find_virtual_portal(std::string_view name) {
  for (auto& portal : virtual_portals_)
    if (portal.name == name) return &portal;
  return nullptr;
}

// Keeps a message until the group's server is known.
Session::Step Session::pend(const Frame& frame) {
  if (group_.pending.size() + frame.bytes.size() > snapshot_->config->listen.max_statement_size) {
    fail_group({"54000", "the messages of one batch exceed listen.max_statement_size before their shard is known", {}, {}, {}, {}});
    return Step::Done;
  }
  if (frame.type == 'P') {
    auto parse = protocol::decode_parse(frame.body());
    if (!parse) {
      fail_group(parse.error());
      return Step::Done;
    }
    const auto tag = next_tag_++;
    if (auto error = define_statement(*parse, tag)) {
      if (!group_.is_virtual) return fail_behind_pending(*error);
      group_.parsed.emplace_back(0, nullptr);  // said when its turn comes: until then the name may become free
    } else {
      group_.last_parsed = *statements_.find(parse->name);
      group_.parsed.emplace_back(tag, group_.last_parsed);
    }
  } else if (frame.type == 'B' && !group_.is_virtual) {
    return decide_by_bind(frame);
  } else if (frame.type == 'D') {
    auto describe = protocol::decode_describe(frame.body());
    if (describe && describe->kind == 'S') {
      auto* found = statements_.find(describe->name);
      if (found) group_.last_parsed = *found;
      group_.resolved.push_back(found ? *found : nullptr);
    }
  } else if (frame.type == 'B') {
    auto bind = protocol::decode_bind(frame.body());
    auto* found = bind ? statements_.find(bind->statement) : nullptr;
    group_.resolved.push_back(found ? *found : nullptr);
  }
  group_.pending.append(frame.bytes);
  return Step::Done;
}

Session::Step Session::decide_by_bind(const Frame& frame) {
  auto bind = protocol::decode_bind(frame.body());
  auto* found = bind ? statements_.find(bind->statement) : nullptr;
  if (!found) return fail_behind_pending(bind ? protocol::undefined_statement(bind->statement) : bind_error(bind.error(), frame));
  Statement& statement = **found;
  group_.last_parsed = *found;
  if (participants() > 1) {  // what it holds may end the block, which is the same on all its servers
    group_.is_virtual = true;
    group_.pending.append(frame.bytes);
    group_.resolved.push_back(*found);
    return Step::Done;
  }
  const auto& facts = statement.analysis->statements;
  if (facts.size() == 1 && (transaction_control(facts.front()) || local_failed_)) {
    group_.pending.append(frame.bytes);  // goes wherever the rest of the group goes
    group_.resolved.push_back(*found);
    if (local_failed_) group_.is_virtual = true;
    return Step::Done;
  }
  Route route;
  if (facts.size() != 1) {  // empty, or several statements: the server says what is to be said
    route.shards = routing::ShardSet::all(routing_->cluster->shards.size());
    route.any_shard = true;
  } else {
    auto routed = route_bind(*bind, statement);
    if (!routed) {
      group_.is_virtual = true;  // refused there, unless PostgreSQL itself rejects it
      group_.pending.append(frame.bytes);
      group_.resolved.push_back(*found);
      return Step::Done;
    }
    route = std::move(*routed);
  }
  wants_sequences_ = facts.size() == 1 && may_use_sequences(facts.front());
  if (route.kind != Route::Kind::OneShard || !route.pushed_sql.empty()) {
    group_.is_virtual = true;
    group_.pending.append(frame.bytes);
    group_.resolved.push_back(*found);
    return Step::Done;
  }
  Step step = Step::Done;
  if (auto error = acquire_one(route, step)) {
    fail_group(*error);
    return Step::Done;
  }
  if (step == Step::Later) return step;
  group_.decided = !route.any_shard;  // BEGIN may go in front of the group's Parses
  if (relay_pending() == Step::Later) return Step::Later;
  return group_.failed ? Step::Done : relay_extended(frame);
}

// No Bind has decided: a statement is only parsed or described. Any server that can run it will do.
Session::Step Session::decide_by_default() {
  Route route;
  if (group_.last_parsed && group_.last_parsed->analysis->statements.size() == 1 &&
      !transaction_control(group_.last_parsed->analysis->statements.front())) {
    routing::RouteContext context = route_context();
    context.parameters_known = false;
    auto routed = context_.router.route(*routing_, *group_.last_parsed->analysis, 0, {}, context);
    // What will be refused can still be described; a wrong statement gets PostgreSQL's own error.
    if (routed && !routed->shards.empty()) route.shards = routing::ShardSet::single(routed->shards.front());
  }
  if (route.shards.empty()) {
    route.shards = routing::ShardSet::all(routing_->cluster->shards.size());
    route.any_shard = route.prefer_home = true;
  }
  Step step = Step::Done;
  if (auto error = acquire_one(route, step)) {
    fail_group(*error);
    return Step::Done;
  }
  return step == Step::Done ? relay_pending() : step;
}

Session::Step Session::relay_pending() {
  if (!relay_) {
    fail_group({"08006", "the server connection was lost", {}, {}, {}, {}});
    return Step::Done;
  }
  group_.relayed = true;
  const std::string pending = std::move(group_.pending);
  group_.pending.clear();
  std::string_view rest = pending;
  protocol::FrameReader reader(protocol::frontend_limits(0x3fffffff));
  while (!rest.empty() && !group_.failed) {
    const Frame frame = reader.next(rest);
    if (frame.kind != Frame::Kind::Message) break;
    if (relay_extended(frame) == Step::Done) continue;
    group_.pending.assign(frame.bytes).append(rest);
    return Step::Later;
  }
  return Step::Done;
}

// What a message of the group's beginning that had to wait has kept from being relayed.
Session::Step Session::relay_rest() { return group_.pending.empty() || group_.failed ? Step::Done : relay_pending(); }

std::optional<SqlError> Session::define_statement(const protocol::Parse& parse, std::uint32_t tag) {
  auto statement = std::make_shared<Statement>();
  statement->sql = std::string(parse.query);
  statement->unnamed = parse.name.empty();
  for (std::size_t i = 0; i < parse.parameter_types.size(); ++i) statement->types.push_back(parse.parameter_types[i]);
  statement->analysis = analyze(statement->sql);
  statement->serial = tag;
  statement->version.stamp = next_stamp();
  statement->shaped = has_shape(*statement->analysis);
  if (const auto& facts = statement->analysis->statements; routing_->plain && facts.size() == 1 && facts.front().prepared.end != 0) {
    statement->name_begin = facts.front().prepared.begin;
    statement->name_end = facts.front().prepared.end;
    statement->runs = facts.front().prepared.executes;
  }
  context_.cells.statements_prepared.add();
  const std::size_t weight = sizeof(Statement) + statement->sql.size() + statement->types.size() * 4;
  if (auto refused = refuse_statement(!statement->unnamed, weight)) return refused;
  return statements_.put(parse.name, std::move(statement), weight, tag);
}

protocol::Result<Route> Session::route_bind(const protocol::Bind& bind, Statement& statement) {
  parameters_.clear();
  std::size_t i = 0;
  const auto& known = statement.described ? statement.described->parameter_types : statement.known_types;
  for (const auto value : bind.parameters) {
    routing::Parameter parameter;
    if (i < statement.types.size()) parameter.type = statement.types[i];
    if (parameter.type == 0 && i < known.size()) parameter.type = known[i];
    parameter.binary = bind.parameter_formats.of(i) == 1;
    parameter.null = !value;
    if (value) parameter.value = *value;
    parameters_.push_back(parameter);
    ++i;
  }
  return context_.router.route(*routing_, *statement.analysis, 0, parameters_, route_context());
}

Session::Step Session::on_sync(const Frame& frame) {
  if (!group_.relayed && !group_.failed && group_.pending.empty() && relay_ && relay_->open() &&
      relay_->tracker().outstanding_syncs() == 0 && !relay_->tracker().idle())
    group_.relayed = true;  // COPY FROM STDIN took the batch's own Sync, or the block goes on
  if (virtual_) return Step::Done;  // COPY FROM STDIN of several shards: ignored, as in PostgreSQL
  if (group_.relayed && relay_rest() == Step::Later) return Step::Later;
  if (group_.relayed) {
    if (relay_ && relay_->open()) {
      const auto push = relay_->tracker().push(Request::Sync, Disposition::Forward);
      if (push == Push::Full) return Step::Later;
      if (push == Push::Queued) {
        relay_->send(frame.bytes);
        ++syncs_sent_;
      }
      if (push == Push::Ignored) return Step::Done;
    } else {
      answer_ready();
    }
    group_ = Group{};
    return Step::Done;
  }
  if (group_.failed) {
    group_ = Group{};
    answer_ready();
    if (!in_block() && !links_.empty()) finish_transaction();
    return Step::Done;
  }
  if (group_.pending.empty()) {
    if (relay_ && relay_->open() && !relay_->quiet()) return Step::Later;
    const bool ends = std::exchange(group_, Group{}).is_virtual;  // its part in front of a Flush has run
    answer_ready();
    if (ends && !in_block() && !links_.empty()) finish_transaction();
    return Step::Done;
  }
  const bool executes = group_.pending.find('E') != std::string::npos && [&] {
    std::string_view rest = group_.pending;
    protocol::FrameReader reader(protocol::frontend_limits(0x3fffffff));
    while (!rest.empty()) {
      const Frame f = reader.next(rest);
      if (f.kind != Frame::Kind::Message) break;
      if (f.type == 'E') return true;
    }
    return false;
  }();
  if (group_.is_virtual || executes || local_failed_) {
    group_.pending.append(frame.bytes);
    return start_virtual_group();
  }
  if (decide_by_default() == Step::Later) return Step::Later;
  return on_sync(frame);
}

Session::Step Session::on_flush(const Frame& frame) {
  if (group_.failed) return Step::Done;
  if (group_.relayed) {
    if (relay_rest() == Step::Later) return Step::Later;
    if (relay_ && relay_->open() && relay_->tracker().push_flush() == Push::Queued) relay_->send(frame.bytes);
    return Step::Done;
  }
  if (group_.pending.empty()) return Step::Done;
  if (group_.is_virtual || local_failed_) return start_virtual_group();
  if (decide_by_default() == Step::Later) return Step::Later;
  return on_flush(frame);
}

// An error of our own inside a group. Where a server has part of the group, its transaction is made to fail there, and
// the error goes out in its place among the replies.
void Session::fail_group(const SqlError& error) {
  group_.failed = true;
  if (group_.relayed && relay_ && relay_->open()) {
    const auto tag = next_tag_++;
    out_.clear();
    protocol::encode_parse("", "pgweir refuses", {}, out_);
    if (relay_->tracker().push(Request::Parse, Disposition::Swallow, tag) != Push::Queued) return;  // it has failed already
    poisons_.push_back({tag, error});
    relay_->server().unnamed.reset();
    relay_->send(out_);
    return;
  }
  drop_pending();
  send_error(error);
  if (in_block()) fail_block();
}

// What stands in front of the bad message in its batch has happened all the same (a Parse keeps its name).
Session::Step Session::fail_behind_pending(const SqlError& error) {
  if (!group_.pending.empty() && !local_failed_ && decide_by_default() == Step::Later) return Step::Later;
  if (!group_.failed) fail_group(error);
  return Step::Done;
}

void Session::drop_pending() {
  group_.pending.clear();
  group_.resolved.clear();
  for (const auto& [tag, statement] : group_.parsed) statements_.undo(tag);
  group_.parsed.clear();
}

Session::Step Session::start_virtual_group() {
  virtual_ = std::make_unique<VirtualGroup>(*this, std::move(group_.pending), std::move(group_.parsed), std::move(group_.resolved));
  group_.resolved.clear();
  group_.pending.clear();
  group_.parsed.clear();
  mode_ = Mode::Virtual;
  meter_.request_begins(context_.worker.now());
  virtual_->start();
  return Step::Done;
}

void Session::start_virtual_query(std::string_view sql, const std::shared_ptr<const routing::Analysis>& analysis) {
  virtual_ = std::make_unique<VirtualGroup>(*this, sql, analysis);
  mode_ = Mode::Virtual;
  meter_.request_begins(context_.worker.now());
  virtual_->start();
}

}  // namespace pgweir::session
