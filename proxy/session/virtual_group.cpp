#include "proxy/session/virtual_group.h"

#include <algorithm>

#include "protocol/frontend_codec.h"
#include "routing/merge/command_tag.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;
using protocol::TransactionStatus;
using routing::Route;
using routing::StatementKind;

VirtualGroup::VirtualGroup(Session& session, std::string_view sql, std::shared_ptr<const routing::Analysis> analysis)
    : session_(session),
      simple_(true),
      sql_(sql),
      analysis_(std::move(analysis)),
      reader_(protocol::frontend_limits(0x3fffffff)),
      fanout_(session.context_.worker) {}

VirtualGroup::VirtualGroup(Session& session, std::string messages, protocol::Fifo<std::pair<std::uint32_t, StatementPtr>> parsed,
                           protocol::Fifo<StatementPtr> resolved)
    : session_(session),
      messages_(std::move(messages)),
      rest_(messages_),
      reader_(protocol::frontend_limits(0x3fffffff)),
      parsed_(std::move(parsed)),
      resolved_(std::move(resolved)),
      fanout_(session.context_.worker) {}

VirtualGroup::~VirtualGroup() { *alive_ = false; }

// Deferred: the session's own handler returns first.
void VirtualGroup::start() {
  session_.context_.worker.defer([this, alive = alive_] {
    if (*alive) step();
  });
}

void VirtualGroup::step() {
  if (finished_) return;
  if (session_.client_gone()) return finish();  // what has not begun is not wanted any more
  if (simple_) {
    if (executed_++ == 0 && !execute_simple()) return;
    return finish();
  }
  while (!rest_.empty()) {
    const std::string_view before = rest_;
    const Frame frame = reader_.next(rest_);
    if (frame.kind != Frame::Kind::Message) break;
    if (!failed_ && pending() && !goes_on(frame)) {
      rest_ = before;
      if (!check_pending()) return;
      continue;
    }
    if (frame.type == 'S') {
      synced_ = true;
      break;
    }
    if (failed_) {
      if (frame.type == 'P' && !parsed_.empty()) {
        session_.statements_.undo(parsed_.front().first);
        parsed_.pop_front();
      }
      continue;
    }
    if (!step_message(frame)) return;
  }
  if (!failed_ && pending() && !check_pending()) return;
  finish();
}

bool VirtualGroup::step_message(const Frame& frame) {
  std::string answer;
  switch (frame.type) {
    case 'P': return parse(frame);
    case 'B': return bind(frame);
    case 'D': return describe(frame);
    case 'E': return execute(frame);
    case 'C':
      if (auto close = protocol::decode_close(frame.body())) {
        if (close->kind == 'S') {
          const auto tag = session_.next_tag_++;
          session_.statements_.erase(close->name, tag);
          session_.statements_.confirm(tag);
        } else {
          session_.virtual_portals_.erase_if([&](const Portal& p) { return p.name == close->name; });
        }
      }
      protocol::encode_close_complete(answer);
      break;
    default: return true;
  }
  reply(answer);
  return true;
}

VirtualGroup::Portal* VirtualGroup::find_portal(std::string_view name) { return session_.find_virtual_portal(name); }

// Checkout and settings are done, or it is the first try.
void VirtualGroup::on_links_ready() {
  std::vector<Session::Wanted> wanted;
  const routing::ShardSet shards = running_ ? running_->shards : routing::ShardSet{};
  const auto role = running_ ? running_->role : routing::Role::Primary;
  for (auto shard : shards) wanted.push_back({shard, role});
  if (describing_ && wanted.size() > 1) wanted.resize(1);
  auto step_result = Session::Step::Done;
  if (auto error = session_.acquire(wanted, step_result)) {
    session_.context_.worker.defer([this, alive = alive_, failure = std::make_shared<SqlError>(std::move(*error))] {
      if (!*alive) return;
      statement_failed(*failure);
      step();
    });
    return;
  }
  if (step_result == Session::Step::Later) return;  // the session calls again
  session_.mode_ = Session::Mode::Virtual;
  if (auto then = std::exchange(links_ready_, nullptr)) return (this->*then)();
  if (describing_) return described();
  begin_route();
}

std::vector<Link*> VirtualGroup::links_for(const routing::ShardSet& shards, routing::Role role) {
  std::vector<Link*> links;
  for (auto shard : shards)
    if (Link* link = session_.find_link(shard, role)) links.push_back(link);
  return links;
}

std::vector<Link*> VirtualGroup::participants() {
  std::vector<Link*> links;
  for (auto& link : session_.links_)
    if (link->open() && link->in_transaction) links.push_back(link.get());
  std::sort(links.begin(), links.end(), [](Link* a, Link* b) { return a->shard() < b->shard(); });
  return links;
}

void VirtualGroup::begin_route() {
  session_.arm_query_timeout();
  running_links_ = links_for(running_->shards, running_->role);
  if (running_links_.size() != running_->shards.size()) {
    statement_failed({"08006", "a server connection was lost", {}, {}, {}, {}});
    return step();
  }
  const bool multi_write = running_->write && running_links_.size() > 1 && !running_->no_transaction_block;
  const bool in_block = session_.in_block();
  if (multi_write && session_.context_.runtime.control) {
    if (auto refusal = session_.context_.runtime.control->distributed_writes_refusal(session_.identity_.database)) {
      statement_failed(*refusal);
      return step();
    }
  }
  implicit_block_ = !in_block && multi_write;
  std::vector<std::pair<Link*, std::string>> begins;
  for (auto* link : running_links_)
    if (!link->in_transaction && (implicit_block_ || (in_block && !session_.deferred_begin_.empty())))
      begins.emplace_back(link, in_block ? session_.deferred_begin_ : "BEGIN");
  if (begins.empty()) return lock_next(0);
  fanout_.run(std::move(begins), [this](std::vector<Fanout::Outcome>& outcomes) {
    for (auto& outcome : outcomes) {
      outcome.link->in_transaction = true;
      if (outcome.error) {
        gathered({outcome.error, {}, false, false, {}});
        return;
      }
    }
    lock_next(0);
  });
}

// Reference tables are written under an advisory lock per table, taken shard by shard in one order for everybody: two
// writers whose COMMIT PREPAREDs interleave would leave different copies.
void VirtualGroup::lock_next(std::size_t index) {
  if (running_->reference_locks.empty() || index == running_links_.size()) return gather();
  std::string sql;
  for (const auto& table : running_->reference_locks)
    sql += "SELECT pg_catalog.pg_advisory_xact_lock(1885826921, pg_catalog.hashtext(" + pool::quote_literal(table) + "));";
  fanout_.run({{running_links_[index], sql}}, [this, index](std::vector<Fanout::Outcome>& outcomes) {
    if (outcomes.front().error) return gathered({outcomes.front().error, {}, false, false, {}});
    lock_next(index + 1);
  });
}

void VirtualGroup::gather() {
  for (auto* link : running_links_) {
    session_.note_effects(*link, running_facts_);
    session_.own_sequences(*link, running_facts_);
    if (link->suspect) session_.note_custom_names(*link, running_sql_, &request_.parameters);
    if (running_->write && running_->kind != Route::Kind::CopyIn) link->wrote = true;
    if (running_->ddl) session_.ddl_seen_ = true;
  }
  request_.on_described = [this] { parsed(); };
  request_.on_bound = [this] { bound(); };
  gather_ = std::make_unique<Gather>(session_, std::move(request_), running_links_, [this](const Gather::Result& result) { gathered(result); });
  gather_->start();
}

void VirtualGroup::gathered(const Gather::Result& result) {
  gather_.reset();
  session_.disarm_query_timeout();  // what ends the transaction is not to be cancelled
  take_back_links();
  if (std::exchange(checking_, false)) {
    running_.reset();
    if (result.error)
      statement_failed(*result.error);
    else
      bound();
    return step();
  }
  if (running_->write) wrote_ = true;
  if (!simple_ && result.took_copy_data && rest_.substr(0, 1) == "S") rest_ = {};  // the COPY has read the Sync behind it
  if (result.error) {
    if (!implicit_block_) {
      statement_failed(*result.error);
      return step();
    }
    commit_ = std::make_unique<DistributedCommit>(session_.context_, session_.identity_.database, *session_.routing_->cluster, running_links_);
    commit_->rollback([this, error = *result.error](const DistributedCommit::Result&) {
      statement_failed(error);
      step();
    });
    return;
  }
  if (Portal* portal = !simple_ && result.returned_rows && !result.error ? find_portal(running_portal_) : nullptr) {
    portal->executed = true;  // a further Execute gives what is left, or nothing
    portal->rows = result.rows;
    portal->tag = result.tag;
  }
  if (!implicit_block_) {
    statement_done(result.tag);
    return step();
  }
  commit_ = std::make_unique<DistributedCommit>(session_.context_, session_.identity_.database, *session_.routing_->cluster, running_links_);
  commit_->commit([this, tag = result.tag](const DistributedCommit::Result& outcome) {
    session_.late_.add(outcome.late);
    if (outcome.warning) session_.send_warning(*outcome.warning);
    if (outcome.error)
      statement_failed(*outcome.error);
    else
      statement_done(tag);
    step();
  });
}

void VirtualGroup::statement_done(const std::string& tag) {
  bound();
  names_.reset();
  running_.reset();
  implicit_block_ = false;
  Portal* limited = row_limit_ > 0 ? find_portal(running_portal_) : nullptr;
  const std::int32_t limit = std::exchange(row_limit_, 0);
  if (limited && limited->executed) return give_rows(*limited, limit);
  std::string reply;
  protocol::encode_command_complete(tag, reply);
  session_.to_client(reply);
}

void VirtualGroup::statement_failed(const SqlError& error) {
  running_.reset();
  describing_.reset();
  refusal_.reset();
  implicit_block_ = checking_ = hide_parameters_ = false;
  links_ready_ = nullptr;
  names_.reset();
  describe_begin_ = 0;
  failed_ = true;
  drop_held();
  session_.send_error(error);
  if (session_.in_block()) session_.fail_block();
}

void VirtualGroup::take_back_links() {
  for (auto& link : session_.links_) link->set_sink(session_);
}

void VirtualGroup::finish() {
  if (finished_) return;
  finished_ = true;
  take_back_links();
  Session& session = session_;
  const bool ready = simple_ || synced_;
  if (ready && !session.in_block()) {
    for (auto* link : participants())
      if (!link->idle()) link->in_transaction = false;
  }
  // The session destroys this object.
  session.virtual_finished(ready, failed_ && !ready);
}

void VirtualGroup::on_client_drained() {
  if (gather_) gather_->on_client_drained();
}

void VirtualGroup::on_client_gone() {
  if (gather_) gather_->on_client_gone();
}

void VirtualGroup::on_copy_message(const Frame& frame) {
  if (gather_) gather_->on_copy_message(frame);
}

}  // namespace pgweir::session
