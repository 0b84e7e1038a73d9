// Session: copies of the client's statements on its server, and whether one gives what the client's own would: where it is older
// than the client's Parse, or gives other columns, it is made anew, and where that gives other columns too, the client is
// told what its own server would tell it.
#include <atomic>

#include "protocol/statement_shape.h"
#include "proxy/session/refusals.h"
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Disposition;
using protocol::Frame;
using protocol::Oid;
using protocol::Request;
using Push = protocol::ReplyTracker::Push;

namespace {

// Null: types have the same OIDs there as everywhere.
const routing::OidMap* oid_map(const routing::ClusterRouting& routing, routing::ShardId shard) {
  if (!routing.catalog || shard.value >= routing.catalog->oid_maps.size()) return nullptr;
  const auto& map = routing.catalog->oid_maps[shard.value];
  return map.identity ? nullptr : &map;
}

}  // namespace

bool has_shape(const routing::Analysis& analysis) {
  using routing::StatementKind;
  if (analysis.statements.size() != 1) return false;
  switch (analysis.statements.front().kind) {
    case StatementKind::Select:
    case StatementKind::Insert:
    case StatementKind::Update:
    case StatementKind::Delete:
    case StatementKind::Merge:
    case StatementKind::Unparsable: return true;
    default: return false;
  }
}

std::uint64_t next_stamp() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void Session::append_parse(const Statement& statement, std::string_view name, std::string& out) {
  const std::string& sql = statement.server_sql.empty() ? statement.sql : statement.server_sql;
  const auto& types = statement.parameter_types();
  const auto* map = oid_map(*routing_, relay_->shard());
  if (map == nullptr) return protocol::encode_parse(name, sql, types, out);
  auto local = types;
  for (auto& type : local) type = map->local(type);
  protocol::encode_parse(name, sql, local, out);
}

// Parse under the statement's name on servers. A Close goes in front: what the server may have under that name is replaced. A
// Describe behind it tells the shape. False: the server would skip it, or nothing more may be sent.
bool Session::send_parse(Statement& statement, Disposition disposition, std::uint32_t tag) {
  auto& tracker = relay_->tracker();
  if (tracker.skipping_until_sync()) return false;
  const auto hash = statement_hash(statement);
  auto& on_server = relay_->server().statements;
  const bool had = on_server.contains(hash), own = disposition == Disposition::Forward;
  out_.clear();
  on_server.insert(hash, own ? statement.version.stamp : next_stamp());
  while (!making_) {  // what one Query EXECUTEs must be there together
    const auto evicted = on_server.pop_excess();
    if (!evicted || !push_close(*evicted)) break;
  }
  const std::string name = protocol::server_name(hash);
  if (had) {
    push_close(hash);
  } else if (tracker.push(Request::Close, Disposition::Swallow) == Push::Queued) {
    protocol::encode_close('S', name, out_);
  }
  bool sent = false;
  if (statement.from_sql) {
    sent = append_prepare(with_name(statement.sql, statement.name_begin, statement.name_end, name), tag);
  } else {
    append_parse(statement, name, out_);
    sent = tracker.push(Request::Parse, disposition, tag) == Push::Queued;
  }
  if (!sent) {
    on_server.erase(hash);
    return false;
  }
  tenancy_->cells->server_parses.add();
  if (statement.shaped && tracker.push(Request::DescribeStatement, Disposition::Swallow, tag) == Push::Queued)
    protocol::encode_describe('S', name, out_);
  relay_->send(out_);
  return true;
}

// Answers of ours that nothing of the server's stands in front of.
void Session::flush_simulated() {
  std::string due;
  if (relay_->tracker().outstanding() == 0 && relay_->tracker().take_simulated(due)) to_client(due);
}

// As the client parsed it where the server still has it so, else in the present environment. Null: the server has none.
protocol::StatementVersion* Session::copy_for(Statement& statement) {
  auto& on_server = relay_->server().statements;
  auto* copy = on_server.touch(statement_hash(statement));
  if ((copy && serves(*copy, statement.version)) || statement.environment == environment()) return copy;
  statement.environment = Statement::kNoEnvironment;
  return on_server.touch(statement_hash(statement));
}

// Puts the statement on the server. Returns the tag of its Flight; 0: it cannot be sent (the server skips to the next Sync, or
// limits).
std::uint32_t Session::make_copy(Statement& statement) {
  const auto tag = next_tag_++;
  if (!statement.unnamed) {
    if (!send_parse(statement, Disposition::Swallow, tag)) return 0;
    flights_.push_back({tag, 'i', statement.shared_from_this(), statement.hash, syncs_sent_ + 1});
    context_.cells.injected_commands.add();
    return tag;
  }
  auto& tracker = relay_->tracker();
  out_.clear();
  append_parse(statement, "", out_);
  if (tracker.push(Request::Parse, Disposition::Swallow, tag) != Push::Queued) return 0;
  tenancy_->cells->server_parses.add();
  relay_->server().unnamed = statement.shared_from_this();
  const bool described = statement.version.shape != 0 && tracker.push(Request::DescribeStatement, Disposition::Swallow, tag) == Push::Queued;
  if (described) protocol::encode_describe('S', "", out_);
  flights_.push_back({tag, 'u', described ? statement.shared_from_this() : nullptr, {}, syncs_sent_ + 1});
  relay_->send(out_);
  return tag;
}

// Any copy will do. False when it cannot be sent.
bool Session::ensure_on_server(Statement& statement) {
  const bool there = statement.unnamed ? relay_->server().unnamed.get() == &statement : copy_for(statement) != nullptr;
  return there || make_copy(statement) != 0;
}

// In front of a message that uses the statement (a command: what it EXECUTEs): its server gets a copy that gives what the
// client's own would. Later: one is being made, and the message waits for its shape. Done: the copy is there, or the group
// has failed, or the server skips to the Sync. describes: the message is a Describe, whose parameters PostgreSQL tells before
// it looks at the columns.
Session::Step Session::settle_shape(Statement& used, bool describes) {
  StatementPtr* executed = used.shaped || used.runs.empty() ? nullptr : statements_.find(used.runs);
  Statement& statement = executed ? **executed : used;
  if (!statement.shaped) return Step::Done;
  if (group_.awaited != 0) {
    const Flight* made = find_flight(group_.awaited);
    const bool skipped = made == nullptr || relay_->tracker().skipping_until_sync();
    if (!skipped && made->shape == 0) return Step::Later;
    group_.awaited = 0;
    if (skipped || made->shape == statement.version.shape) return Step::Done;
    std::string told;
    if (describes) protocol::encode_parameter_description(statement.parameter_types(), told);
    if (describes && relay_->tracker().push_simulated(told) == Push::Queued) flush_simulated();
    fail_group(changed_result_error());
    return Step::Done;
  }
  if (statement.unnamed) {
    if (relay_->server().unnamed.get() == &statement) return Step::Done;
  } else if (const auto* copy = copy_for(statement); copy && serves(*copy, statement.version)) {
    if (statement.version.shape == 0) statement.version.shape = copy->shape;
    return Step::Done;
  }
  const auto tag = make_copy(statement);
  if (tag == 0 || statement.version.shape == 0) return Step::Done;  // it was never told: what the server has now is its own
  group_.awaited = tag;
  out_.clear();
  protocol::encode_flush(out_);
  relay_->send(out_);
  return Step::Later;
}

// The answer to a Describe of a statement: of the client, or behind a Parse.
void Session::learn_shape(Link& link, const Frame& frame, std::uint32_t tag) {
  Flight* flight = find_flight(tag);
  if (!flight || !flight->statement || !flight->statement->shaped) return;
  Statement& statement = *flight->statement;
  protocol::OidMapper canonical;
  if (const auto* map = oid_map(*routing_, link.shard())) canonical = [map](Oid type) { return map->canonical(type); };
  const auto& key = context_.runtime.statement_key;
  if (frame.type == 't') {
    const auto types = protocol::decode_parameter_description(frame.body());
    if (!types) return;
    flight->parameters = shape_of_parameters(key, *types, canonical);
    bool declared = types->size() == statement.types.size();
    for (std::size_t i = 0; i < types->size() && declared; ++i) declared = statement.types[i] != 0;
    if (declared || !statement.known_types.empty()) return;
    for (std::size_t i = 0; i < types->size(); ++i) statement.known_types.push_back(canonical ? canonical((*types)[i]) : (*types)[i]);
    return;
  }
  if (frame.type != 'T' && frame.type != 'n') return;
  flight->shape = shape_of_columns(key, flight->parameters, frame.type == 'T' ? std::optional(frame.body()) : std::nullopt, canonical);
  if (statement.version.shape == 0) statement.version.shape = flight->shape;
  if (statement.unnamed) return;
  auto* copy = link.server().statements.find(flight->kind == 'D' ? statement.hash : flight->hash);
  if (copy && (flight->kind != 'D' || copy->shape == 0)) copy->shape = flight->shape;
}

// What a Query EXECUTEs. The caller waits for the replies; then changed_target() tells.
void Session::make_target(Statement& statement) {
  auto* copy = copy_for(statement);
  const bool there = copy && (!statement.shaped || serves(*copy, statement.version));
  if (!there) {
    make_copy(statement);
    return;
  }
  if (statement.version.shape == 0) statement.version.shape = copy->shape;
  if (statement.version.shape != 0 || !statement.from_sql) return;
  // A PREPARE tells nothing: it is asked for before the statement is used for the first time.
  const auto tag = next_tag_++;
  if (relay_->tracker().push(Request::DescribeStatement, Disposition::Swallow, tag) != Push::Queued) return;
  flights_.push_back({tag, 'D', statement.shared_from_this(), {}, syncs_sent_ + 1});
  out_.clear();
  protocol::encode_describe('S', protocol::server_name(statement.hash), out_);
  relay_->send(out_);
}

// Whether what the text EXECUTEs gives other columns than when it was prepared. Its RowDescription tells the client; where it
// stands among other statements, that must do.
bool Session::changed_target(const routing::Analysis& analysis) {
  if (analysis.statements.size() != 1 || analysis.statements.front().prepared.executes.empty()) return false;
  auto* found = statements_.find(analysis.statements.front().prepared.executes);
  if (!found || !(*found)->shaped) return false;
  const auto* copy = copy_for(**found);
  return copy && !serves(*copy, (*found)->version);
}

}  // namespace pgweir::session
