// Session: getting server connections, making them the client's (settings), and giving them back clean.
#include <algorithm>

#include "proxy/session/cancel.h"
#include "proxy/session/session.h"
#include "proxy/session/virtual_group.h"

namespace pgweir::session {

using protocol::SqlError;
using protocol::TransactionStatus;

namespace {

// Settings that differ between a primary and its replicas or exist for the proxy's own doing: not the client's business.
bool told_to_clients(std::string_view name) { return name != "in_hot_standby" && name != "default_transaction_read_only"; }

bool has_custom_setting_beyond(const pool::Settings& have, const pool::Settings& want) {
  return std::any_of(have.values().begin(), have.values().end(), [&](const auto& entry) {
    return entry.first.find('.') != std::string::npos && !want.find(entry.first);
  });
}

// PREPARE TRANSACTION fails where its transaction makes the temporary schema, which it must not find made by another client.
bool has_path_to_temporary(const pool::Settings& settings) {
  const auto* path = settings.find("search_path");
  return path && path->find("pg_temp") != std::string::npos;
}

}  // namespace

Link* Session::find_link(routing::ShardId shard, routing::Role role) {
  for (auto& link : links_)
    if (link->open() && link->shard() == shard && link->role() == role) return link.get();
  return nullptr;
}

// Whether the link is part of what must end together: an open block or an unfinished batch.
bool Session::participates(const Link& link) const { return link.in_transaction || (&link == relay_ && group_.relayed); }

std::optional<SqlError> Session::acquire(const std::vector<Wanted>& wanted, Step& step) {
  if (acquire_error_) {
    auto error = std::move(*acquire_error_);
    acquire_error_.reset();
    return error;
  }
  // A connection that turns out to be unusable for this client is closed in prepare(): the next one is tried, at most as
  // often as a pool can hold idle ones.
  for (unsigned attempt = 0; attempt <= pool_settings().size + 1; ++attempt) {
    step = Step::Done;
    wanted_.clear();
    for (const auto& w : wanted)
      if (!find_link(w.shard, w.role)) wanted_.push_back(w);
    if (wanted_.empty()) return std::nullopt;
    if (auto refusal = refuse_widening()) return refusal;
    const Mode before = mode_;
    mode_ = Mode::Checkout;
    if (!checkout_) checkout_ = std::make_unique<pool::Checkout>(*this);
    auto leases = checkout_->start(context_.worker, wanted_pools(), pool_settings().checkout_timeout, wants_sequences_ ? sequence_server_ : 0,
                                    pool_settings().checkout_notice);
    if (leases.empty()) {
      step = Step::Later;
      return std::nullopt;
    }
    count_assignment(std::chrono::microseconds(0));
    mode_ = before;
    add_links(std::move(leases));
    if (preparing_ == 0) continue;
    mode_ = Mode::Prepare;
    step = Step::Later;
    return std::nullopt;
  }
  return SqlError{"53300", "no usable server connection was found", {}, {}, {}, {}};
}

std::optional<SqlError> Session::refuse_widening() const {
  const bool bound = std::any_of(links_.begin(), links_.end(), [&](const auto& l) { return l->open() && participates(*l); });
  if (!bound) return std::nullopt;
  const auto& shards = routing_->cluster->shards;
  return routing::refuse("cross_shard_transaction",
                         "this transaction runs on another shard than \"" + shards[wanted_.front().shard.value].name + "\"",
                         "Run the statement in a transaction of its own, or begin the transaction with a statement on all shards it needs.");
}

std::vector<pool::Pool*> Session::wanted_pools() {
  std::vector<pool::Pool*> pools;
  for (const auto& w : wanted_) {
    pool::EndpointId endpoint{w.shard, -1};
    if (w.role == routing::Role::Replica && context_.runtime.control)
      endpoint.replica = static_cast<std::int16_t>(context_.runtime.control->choose_replica(identity_.database, w.shard));
    pools.push_back(&pool_for(endpoint));
  }
  return pools;
}

std::optional<SqlError> Session::acquire_one(const routing::Route& route, Step& step) {
  step = Step::Done;
  routing::ShardId shard = route.shards.front();
  if (route.any_shard && route.shards.size() > 1) {
    auto held = std::find_if(links_.begin(), links_.end(), [&](const auto& l) {
      return l->open() && (l->role() == route.role || participates(*l)) && route.shards.contains(l->shard());
    });
    if (held != links_.end()) {
      shard = (*held)->shard();
    } else if (route.prefer_home || in_block()) {
      for (auto candidate : route.shards)
        if (routing_->cluster->shards[candidate.value].name == routing_->cluster->home) shard = candidate;
    } else {
      auto at = route.shards.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(identity_.id % route.shards.size()));
      shard = *at;
    }
  }
  auto role = route.role;
  // Inside a block every statement stays where the block began.
  for (auto& link : links_)
    if (link->open() && link->shard() == shard && participates(*link)) role = link->role();
  auto error = acquire({{shard, role}}, step);
  if (!error && step == Step::Done) relay_ = find_link(shard, role);
  if (relay_ && !error && step == Step::Done && overdue_ && relay_->quiet() && relay_->server().cancels->in_flight != 0) {
    // query_timeout has sent a cancel that came too late: it is not for what comes now.
    step = Step::Later;
    when_cancels_ended(relay_->server(), [&context = context_, id = identity_.id] {
      if (const auto found = context.sessions.find(id); found != context.sessions.end()) found->second->wake_if_waiting();
    });
  }
  return error;
}

void Session::on_checkout(std::vector<pool::Lease> leases) {
  count_assignment(checkout_->waited());
  add_links(std::move(leases));
  if (preparing_ != 0) {
    mode_ = Mode::Prepare;
    return;
  }
  if (virtual_) {
    mode_ = Mode::Virtual;
    return virtual_->on_links_ready();
  }
  wake();
}

void Session::on_checkout_failed(const SqlError& error) {
  acquire_error_ = error;
  if (virtual_) {
    mode_ = Mode::Virtual;
    return virtual_->on_links_ready();
  }
  wake();
}

void Session::add_links(std::vector<pool::Lease> leases) {
  for (std::size_t i = 0; i < leases.size(); ++i) {
    links_.push_back(std::make_unique<Link>(std::move(leases[i]), wanted_[i].shard, wanted_[i].role, *this, context_.cells));
    tally_.ran_on(links_.back()->server().id());
    auto& link = *links_.back();
    if (link.server().temporary_schema && has_path_to_temporary(*settings_)) link.discard();
    else prepare(link);
  }
}

// The client's settings on this server. Equal maps are one object, so the usual case is one comparison.
void Session::prepare(Link& link) {
  auto& server = link.server();
  const std::string channels = mirror_sql(link);
  if (server.settings == settings_ && channels.empty()) return made_ready(link);
  if (has_custom_setting_beyond(*server.settings, *settings_)) {
    // A custom setting cannot be taken back: RESET leaves '' where a fresh session has nothing. The server is closed and
    // a new one is made in its place.
    link.discard();
    return;
  }
  const std::string sql = pool::settings_difference_sql(*server.settings, *settings_) + channels;
  if (sql.empty()) return made_ready(link);
  ++preparing_;
  ++link.preparing;
  context_.cells.injected_commands.add();
  link.inject(sql, [this](Link& prepared_link, Injected& result) { prepared(prepared_link, result); });
}

void Session::prepared(Link& link, Injected& result) {
  --preparing_;
  --link.preparing;
  if (result.error) {
    // 42602: a library that has been loaded there reserves the name of a custom setting. 57014: a statement_timeout that was
    // left there. Neither is on every server.
    const bool timed_out = result.error->sqlstate == "57014", kept = !link.pinned.empty() || pool_settings().mode == config::PoolMode::Session;
    const bool again = (timed_out || (!kept && result.error->sqlstate == "42602")) && ++lost_in_prepare_ <= pool_settings().size;
    if (!again) acquire_error_ = *result.error;
    if (again && kept) prepare(link);
    else discard_link(link);
  } else {
    lost_in_prepare_ = 0;
    link.server().settings = settings_;
    made_ready(link);
  }
  links_prepared();
}

void Session::links_prepared() {
  if (preparing_ != 0) return;
  if (mode_ == Mode::Orphan) return orphan_step();
  if (virtual_) {
    mode_ = Mode::Virtual;
    return virtual_->on_links_ready();
  }
  wake();
}

// What the session waits for on this link will not come any more.
void Session::forget_waits(Link& link) {
  preparing_ -= std::exchange(link.preparing, 0u);
  settling_ -= std::exchange(link.settling, 0u);
}

void Session::discard_link(Link& link) {
  forget_waits(link);
  link.discard();
}

void Session::tell_parameters(Link& link) {
  if (!deferred_begin_.empty() && !link.in_transaction) return;  // what the block has set comes with its BEGIN
  const auto& actual = link.server().parameters();
  if (client_gone() || context_.told.same(actual, told_)) return;
  pool::Settings::Map known = told_->values();
  std::string messages;
  for (const auto& [name, value] : actual->values()) {
    if (!told_to_clients(name)) continue;
    auto& old = known[name];
    if (old == value) continue;
    old = value;
    protocol::encode_parameter_status(name, value, messages);
  }
  if (messages.empty()) return context_.told.note(actual, told_);
  told_ = pool::Settings::intern(std::move(known));
  to_client(messages);
}

void Session::inject_begin(Link& link) {
  if (deferred_begin_.empty() || link.in_transaction) return;
  link.in_transaction = link.begin_sent = true;
  context_.cells.injected_commands.add();
  link.inject(deferred_begin_, [this](Link& begun, Injected& result) { begun_on(begun, result); });
}

// The block has failed by an error that not all of its servers know of. One PostgreSQL would release its locks now; so do
// they, unless the block may be taken back to a savepoint.
void Session::fail_block() {
  local_failed_ = true;
  if (savepoint_seen_) return;
  for (auto& link : links_) {
    if (!link->open() || !link->in_transaction || !link->quiet()) continue;
    link->in_transaction = link->wrote = false;
    context_.cells.injected_commands.add();
    link->inject("ROLLBACK", {});
  }
}

void Session::drop_link(Link* link) {
  if (relay_ == link) relay_ = nullptr;
  auto at = std::find_if(links_.begin(), links_.end(), [&](const auto& l) { return l.get() == link; });
  if (at == links_.end()) return;
  context_.worker.dispose(std::move(*at));
  links_.erase(at);
}

// A transaction has ended on all links: what is suspect is looked at, then everything is given back.
void Session::finish_transaction() {
  if (mode_ == Mode::Closed) return;
  timer_.cancel();
  for (auto& link : links_) {
    link->in_transaction = link->wrote = false;
  }
  virtual_portals_.clear();
  read_only_block_ = isolated_block_ = false;
  deferred_begin_.clear();
  throwaway_ = error_seen_ = in_flight_read_only_ = savepoint_seen_ = false;
  throwaway_setting_.reset();
  local_failed_ = false;
  if (hints_ && hints_->before_local) {
    hints_->now = std::move(*hints_->before_local);
    hints_->before_local.reset();
  }
  restoring_.reset();
  naming_portals_.clear();
  if (std::all_of(links_.begin(), links_.end(), [](const auto& l) { return !l->open() || l->quiet(); })) {
    syncs_done_ = syncs_sent_;  // nothing is undecided
    for (; !flights_.empty(); flights_.pop_front()) statements_.confirm(flights_.front().tag);
  }
  settling_ = 0;
  for (auto& link : links_) link->settling = 0;
  for (auto& link : links_)
    if (link->open() && !link->lent_names.empty() && link->idle()) take_back_names(*link);
  for (auto& link : links_)
    if (link->open() && link->own_names && link->idle()) drop_own_names(*link);
  for (auto& link : links_)
    if (link->open() && !link->suspect && link->injecting()) await_injected(*link);
  for (auto& link : links_)
    if (link->open() && link->suspect) ++settling_, ++link->settling;
  if (ddl_seen_ && context_.runtime.control) {
    ++settling_;
    ddl_seen_ = false;
    context_.runtime.control->refresh_catalog(identity_.database, context_.worker, [&context = context_, id = identity_.id] {
      if (auto found = context.sessions.find(id); found != context.sessions.end()) {
        --found->second->settling_;
        found->second->settled();
      }
    });
  }
  if (settling_ == 0) return settled();
  if (mode_ != Mode::Orphan) mode_ = Mode::Settle;
  for (auto& link : links_)
    if (link->open() && link->suspect) {
      link->suspect = false;
      census(*link);
    }
}

// A command of ours is under way there: the link is given back behind it.
void Session::await_injected(Link& link) {
  ++settling_;
  ++link.settling;
  if (mode_ != Mode::Orphan) mode_ = Mode::Settle;
  link.inject(";", [this](Link& idle, Injected&) {
    --settling_;
    --idle.settling;
    settled();
  });
}

// The client's statements under its own names.
void Session::drop_own_names(Link& link) {
  link.own_names = false;
  link.server().statements.clear();
  ++settling_;
  ++link.settling;
  if (mode_ != Mode::Orphan) mode_ = Mode::Settle;
  link.inject("DEALLOCATE ALL", [this](Link& dropped, Injected& result) {
    --settling_;
    --dropped.settling;
    if (result.error) discard_link(dropped);
    settled();
  });
}

void Session::settled() {
  if (settling_ != 0 || mode_ == Mode::Closed || settle_notifications()) return;
  tell_held_ready();
  end_transaction_on_servers();
  if (mode_ == Mode::Orphan) return orphan_step();
  refresh_routing();
  if (ending_) return fatal({"57P01", "terminating connection due to administrator command", {}, {}, {}, {}});
  // A server that is kept must have the client's settings again: RESET took it to its own defaults.
  for (auto& link : links_)
    if (link->open() && link->idle() && !has_custom_setting_beyond(*link->server().settings, *settings_)) prepare(*link);
  if (preparing_ != 0) {
    mode_ = Mode::Prepare;
    return;
  }
  if (mode_ == Mode::Settle || input_waits_) wake();
  deliver_notices();
}

void Session::release_links() {
  relay_ = nullptr;
  for (auto& link : links_) {
    if (!link->open()) {
      context_.worker.dispose(std::move(link));
      continue;
    }
    if (!link->idle() || link->unknown_settings || link->listening || link->own_names || !link->lent_names.empty()) {
      link->discard();
    } else if (link->server().cancels->in_flight != 0) {
      // A cancel that is under way must not reach the next client's query.
      auto kept = std::make_shared<std::unique_ptr<Link>>(std::move(link));
      (*kept)->detach();
      when_cancels_ended((*kept)->server(), [kept, &worker = context_.worker] {
        if ((*kept)->open() && !(*kept)->idle()) (*kept)->discard();
        (*kept)->give_back();
        worker.dispose(std::move(*kept));
      });
      continue;
    } else {
      link->give_back();
    }
    context_.worker.dispose(std::move(link));
  }
  links_.clear();
}

}  // namespace pgweir::session
