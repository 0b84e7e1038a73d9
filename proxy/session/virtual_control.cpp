// VirtualGroup: transaction control, the proxy's own settings, and descriptions.
#include <algorithm>

#include "proxy/session/refusals.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;
using protocol::TransactionStatus;
using routing::StatementKind;

bool VirtualGroup::run_control(const routing::StatementFacts& facts, std::string_view text) {
  if (auto local = session_.control_locally(facts, text)) {
    if (local->error) {
      statement_failed(*local->error);
      return true;
    }
    if (local->warning) session_.send_warning(*local->warning);
    statement_done(local->tag);
    return true;
  }
  const bool failed = session_.local_failed_;
  if (facts.kind == StatementKind::Commit || facts.kind == StatementKind::Rollback)
    return end_block(facts.kind == StatementKind::Commit && !failed, facts.chain);
  // SAVEPOINT and its relatives: the same on every server of the block.
  return run_everywhere(facts, text);
}

bool VirtualGroup::run_everywhere(const routing::StatementFacts& facts, std::string_view text) {
  if (facts.kind == StatementKind::Savepoint) session_.savepoint_seen_ = true;
  if (session_.lost_participant()) {
    statement_failed(Session::lost_participant_error());
    return true;
  }
  std::vector<std::pair<Link*, std::string>> commands;
  for (auto* link : participants()) commands.emplace_back(link, std::string(text.substr(facts.begin, facts.end - facts.begin)));
  if (commands.empty()) {
    statement_failed(session_.in_block()
                         ? routing::refuse("savepoint_first", "a savepoint needs a statement before it, so that the transaction has a shard",
                                           "Run a statement with a shard key first.")
                         : SqlError{"25P01", "SAVEPOINT can only be used in transaction blocks", {}, {}, {}, {}});
    return true;
  }
  if (facts.kind == routing::StatementKind::Set || facts.kind == routing::StatementKind::SetLocal) session_.add_custom_name(facts.name);
  fanout_.run(std::move(commands), [this, changes = facts.may_change_session](std::vector<Fanout::Outcome>& outcomes) {
    std::string tag;
    for (auto& outcome : outcomes) {
      if (outcome.error) {
        statement_failed(*outcome.error);
        return step();
      }
      tag = outcome.result.tag;
      if (changes && outcome.link->open()) outcome.link->make_suspect();
    }
    if (outcomes.front().link->open()) session_.tell_parameters(*outcomes.front().link);  // ROLLBACK TO takes settings back
    if (session_.in_block()) session_.tx_ = TransactionStatus::InTransaction;  // also after ROLLBACK TO of a failed one
    statement_done(tag);
    step();
  });
  return false;
}

bool VirtualGroup::end_block(bool commit, bool chain) {
  const bool lost = commit && session_.lost_participant();
  commit = commit && !lost;
  commit_ = std::make_unique<DistributedCommit>(session_.context_, session_.identity_.database, *session_.routing_->cluster, participants());
  auto ended = [this, commit, chain, lost](const DistributedCommit::Result& outcome) {
    take_back_links();
    const std::string begin = session_.deferred_begin_.empty() ? "BEGIN" : session_.deferred_begin_;
    session_.tx_ = TransactionStatus::Idle;
    session_.local_failed_ = false;
    session_.deferred_begin_.clear();
    if (!chain) session_.read_only_block_ = session_.isolated_block_ = false;
    tell_end(outcome);
    if (outcome.error) {
      statement_failed(*outcome.error);
    } else if (lost) {
      statement_failed(Session::lost_participant_error());
    } else {
      statement_done(commit ? "COMMIT" : "ROLLBACK");
      if (chain) {
        session_.deferred_begin_ = begin;
        session_.tx_ = TransactionStatus::InTransaction;
      }
    }
    step();
  };
  if (commit)
    commit_->commit(ended);
  else
    commit_->rollback(ended);
  return false;
}

// What the end of a block brings besides its tag: settings that are as they were before.
void VirtualGroup::tell_end(const DistributedCommit::Result& outcome) {
  session_.late_.add(outcome.late);
  if (outcome.warning) session_.send_warning(*outcome.warning);
  for (auto& link : session_.links_)
    if (link->open() && link->idle()) return session_.tell_parameters(*link);
}

bool VirtualGroup::run_local(const routing::LocalAction& action, bool simple) {
  using Kind = routing::LocalAction::Kind;
  if (action.kind == Kind::SetHint || action.kind == Kind::ResetHint) {
    Hints& hints = session_.hints_.made();
    std::string& hint = action.name == "shard" ? hints.now.shard : action.name == "role" ? hints.now.role : hints.now.key;
    if (action.transaction_local && !hints.before_local) hints.before_local = hints.now;
    hint = action.kind == Kind::SetHint ? action.value : std::string();
    statement_done(action.kind == Kind::SetHint ? "SET" : "RESET");
    return true;
  }
  std::string reply;
  const bool show = action.kind == Kind::ShowHint;
  const RoutingHints& hints = session_.hints_.or_default().now;
  const std::string& shown = action.name == "shard" ? hints.shard : action.name == "role" ? hints.role : hints.key;
  if (simple) {
    const std::vector<protocol::ColumnDescription> columns{{show ? "pgweir." + action.name : "QUERY PLAN", 0, 0, 25, -1, -1, 0}};
    protocol::encode_row_description(columns, reply);
  }
  std::string text = show ? shown : session_.explain(action.value);
  std::size_t start = 0;
  while (start <= text.size()) {
    const auto end = std::min(text.find('\n', start), text.size());
    protocol::DataRowWriter row(reply);
    row.value(std::string_view(text).substr(start, end - start));
    row.finish();
    start = end + 1;
    if (show) break;
  }
  session_.to_client(reply);
  statement_done(show ? "SHOW" : "EXPLAIN");
  return true;
}

bool VirtualGroup::describe(const Frame& frame) {
  auto decoded = protocol::decode_describe(frame.body());
  if (!decoded) {
    statement_failed(decoded.error());
    return true;
  }
  StatementPtr statement;
  describe_kind_ = decoded->kind;
  describe_portal_.clear();
  if (decoded->kind == 'S') {
    statement = resolve(decoded->name);
  } else if (Portal* portal = find_portal(decoded->name)) {
    statement = portal->statement;
    describe_portal_ = portal->name;
  }
  if (!statement) {
    statement_failed(decoded->kind == 'S' ? protocol::undefined_statement(decoded->name)
                                          : SqlError{"34000", "portal \"" + std::string(decoded->name) + "\" does not exist", {}, {}, {}, {}});
    return true;
  }
  if (refused_in_failed_block(*statement->analysis)) {
    statement_failed(failed_block_error());
    return true;
  }
  if (const auto& all = statement->analysis->statements; all.size() == 1 && all.front().kind == StatementKind::Execute && of_names(all.front())) {
    auto target = look_up(all.front().prepared.executes);
    if (!target) {
      statement_failed(protocol::undefined_statement(all.front().prepared.executes));
      return true;
    }
    statement = target;
    hide_parameters_ = true;
  }
  const auto& facts = statement->analysis->statements;
  if (!statement->described && (facts.empty() || session_.transaction_control(facts.front()))) statement->described.emplace();
  describing_ = statement;
  if (statement->described) {
    describing_.reset();
    send_description(*statement);
    return true;
  }
  describe_statement(statement);
  return false;
}

// Asks one server that can run it: the original text, so that names, types and errors are what one PostgreSQL gives.
void VirtualGroup::describe_statement(const StatementPtr& statement) {
  routing::RouteContext context = session_.route_context();
  context.parameters_known = false;
  auto route = session_.context_.router.route(*session_.routing_, *statement->analysis, 0, {}, context);
  if (!route && describe_kind_ == 'P')
    if (Portal* portal = find_portal(describe_portal_))
      if (auto bind = protocol::decode_bind(portal->bind)) route = session_.route_bind(*bind, *statement);
  if (!route) {  // what will be refused can still be described, at home
    routing::Route home;
    home.shards = routing::ShardSet::single(home_shard());
    route = home;
  }
  if (route->kind == routing::Route::Kind::Local) {
    statement->described.emplace();
    if (route->local.kind == routing::LocalAction::Kind::ShowHint || route->local.kind == routing::LocalAction::Kind::ExplainRoute)
      statement->described->columns.push_back({"QUERY PLAN", 0, 0, 25, -1, -1, 0});
    send_description(*statement);
    describing_.reset();
    session_.context_.worker.defer([this, alive = alive_] { if (*alive) step(); });
    return;
  }
  running_ = *route;
  // Where a block has its servers already, one of them describes.
  const auto bound = participants();
  running_->shards = routing::ShardSet::single(bound.empty() ? route->shards.front() : bound.front()->shard());
  if (!bound.empty()) running_->role = bound.front()->role();
  on_links_ready();
}

routing::ShardId VirtualGroup::home_shard() const {
  const auto& cluster = *session_.routing_->cluster;
  for (std::size_t i = 0; i < cluster.shards.size(); ++i)
    if (cluster.shards[i].name == cluster.home) return routing::ShardId{static_cast<std::uint16_t>(i)};
  return {};
}

// One PostgreSQL would reject a wrong statement before anything else: it is asked, on one server, before a refusal is
// given. True: the statement has failed already.
bool VirtualGroup::refuse_after_check(const SqlError& refusal, const std::string& sql, const Statement* statement) {
  const bool servers_word = refusal.sqlstate == "0A000" || refusal.sqlstate == "42601";
  if (refusal.routine != "pgweir_refuse" || !servers_word || describing_) {
    if (statement && statement->analysis->parse_error.empty()) parsed();
    statement_failed(refusal);
    return true;
  }
  refusal_ = refusal;
  describing_ = std::make_shared<Statement>();
  describing_->sql = sql;
  if (statement) describing_->types = statement->types;
  const auto bound = participants();
  running_.emplace();
  running_->shards = routing::ShardSet::single(bound.empty() ? home_shard() : bound.front()->shard());
  if (!bound.empty()) running_->role = bound.front()->role();
  on_links_ready();
  return false;
}

void VirtualGroup::described() {
  Link* link = session_.find_link(running_->shards.front(), running_->role);
  if (!link) {
    statement_failed({"08006", "a server connection was lost", {}, {}, {}, {}});
    return step();
  }
  GatherRequest request;
  request.route.shards = running_->shards;
  request.sql = describing_->sql;
  request.types = describing_->types;
  request.sql_begin = std::exchange(describe_begin_, 0);
  gather_ = std::make_unique<Gather>(session_, std::move(request), std::vector<Link*>{link}, nullptr);
  gather_->start_describe([this](std::optional<SqlError> error, std::vector<protocol::Oid> types, std::vector<protocol::ColumnDescription> columns) {
    auto finished = std::move(gather_);
    session_.context_.worker.defer([kept = std::shared_ptr<Gather>(std::move(finished))] {});
    running_.reset();
    if (error || refusal_) {
      const SqlError told = error ? *error : unfit_bind(types.size()).value_or(*refusal_);
      if (!error) parsed();
      statement_failed(told);
      return step();
    }
    parsed();
    const StatementPtr statement = std::move(describing_);
    describing_.reset();
    statement->described = Described{std::move(types), std::move(columns)};
    if (names_) return names_described();
    if (!std::exchange(checking_, false)) send_description(*statement);
    step();
  });
}

void VirtualGroup::send_description(const Statement& statement) {
  const Portal* portal = describe_kind_ == 'P' ? find_portal(describe_portal_) : nullptr;
  std::string answer;
  const bool hidden = std::exchange(hide_parameters_, false);
  if (!portal) protocol::encode_parameter_description(hidden ? std::vector<protocol::Oid>() : statement.described->parameter_types, answer);
  auto columns = statement.described->columns;
  if (portal)
    if (auto bind = protocol::decode_bind(portal->bind))
      for (std::size_t i = 0; i < columns.size(); ++i) columns[i].format = bind->result_formats.of(i);
  if (columns.empty())
    protocol::encode_no_data(answer);
  else
    protocol::encode_row_description(columns, answer);
  reply(answer);
}

}  // namespace pgweir::session
