#include "proxy/session/login.h"

#include "protocol/backend_codec.h"
#include "proxy/session/accept.h"
#include "proxy/session/admin_session.h"
#include "proxy/session/cancel.h"
#include "proxy/session/peer_cancel.h"
#include "proxy/session/replication.h"
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::Frame;
using protocol::SqlError;
using Kind = protocol::StartupAction::Kind;

Login::Login(WorkerContext& context, std::unique_ptr<net::Stream> stream, std::uint64_t id, const net::SocketAddress& peer)
    : context_(context),
      stream_(std::move(stream)),
      id_(id),
      peer_(peer),
      snapshot_(context.snapshot()),
      negotiation_({.tls_available = snapshot_->client_tls != nullptr && !peer.is_unix()}),
      frames_(protocol::frontend_limits(protocol::kSmallMessageLimit * 8)),
      checkout_(*this) {
  identity_.id = id;
  identity_.address = peer.is_unix() ? "unix" : peer.to_string();
  context_.runtime.unauthenticated.fetch_add(1, std::memory_order_relaxed);
  timer_.set<&Login::on_timeout>(this);
}

Login::~Login() {
  *alive_ = false;
  if (counted_) context_.runtime.unauthenticated.fetch_sub(1, std::memory_order_relaxed);
}

void Login::start() {
  if (const auto bound = snapshot_->config->listen.client_login_timeout; bound.count() > 0) timer_.arm(context_.worker, bound);
  stream_->set_handler(this);
  stream_->resume();
}

void Login::on_timeout() {
  const auto bound = snapshot_->config->listen.client_login_timeout;
  fail({"08P01", "the login took too long", "listen.client_login_timeout is " + std::to_string(bound.count()) + " ms.", {}, {}, {}});
}

void Login::on_closed(const net::StreamError&) { end(); }

std::size_t Login::on_bytes(std::string_view bytes) {
  switch (state_) {
    case State::Startup: return on_startup_bytes(bytes);
    case State::Authentication: return on_authentication_bytes(bytes);
    default: return 0;  // the client's first requests wait for the welcome
  }
}

std::size_t Login::on_startup_bytes(std::string_view bytes) {
  std::string_view rest = bytes;
  while (true) {
    const auto action = negotiation_.next(rest);
    const std::size_t used = bytes.size() - rest.size();
    switch (action.kind) {
      case Kind::NeedMore: stream_->want(action.needed); return used;
      case Kind::Send: stream_->send(std::string_view(&action.answer, 1)); continue;
      case Kind::StartTls:
        state_ = State::Tls;
        stream_->flush_now();
        context_.worker.defer([this, alive = alive_] {
          if (*alive && stream_) start_tls();
        });
        return used;
      case Kind::DirectTls:
        state_ = State::Tls;
        start_tls();
        return used;
      case Kind::Cancel: on_cancel(action.cancel_pid, action.cancel_key); return bytes.size();
      case Kind::Startup: on_startup(); return used;
      case Kind::Fail:
        if (negotiation_.reply()) {
          fail(negotiation_.error());
        } else {
          end();
        }
        return bytes.size();
    }
  }
}

void Login::start_tls() {
  stream_->start_tls_server(snapshot_->client_tls, [this] {
    negotiation_.tls_established(stream_->tls_info().alpn == "postgresql");
    state_ = State::Startup;
  });
}

// The answer to a cancel request is the end of its connection, when the server has been told: as with PostgreSQL, nothing
// that the client sends after it is hit.
void Login::on_cancel(std::int32_t pid, std::string_view key) {
  state_ = State::Cancel;
  auto target = cancel_registry().find(pid, key);
  if (const auto from_peer = forwarded_key(key); !target && !from_peer.empty()) {
    target = cancel_registry().find(pid, from_peer);
  } else if (!target) {
    forward_cancel(context_, pid, key);
  }
  if (!target) return end();
  context_.cells.cancels_received.add();
  auto& runtime = context_.runtime;
  const std::shared_ptr<void> told(nullptr, [&runtime, &here = context_.worker, id = id_](void*) {
    here.post([&runtime, &here, id] {
      auto& context = WorkerContext::of(runtime, here);
      if (auto found = context.logins.find(id); found != context.logins.end()) found->second->end();
    });
  });
  net::Worker& there = *runtime.workers[target->worker];
  there.post([&runtime, &there, told, session = target->session] {
    auto& context = WorkerContext::of(runtime, there);
    if (auto found = context.sessions.find(session); found != context.sessions.end()) found->second->cancel(told);
    if (auto found = context.replications.find(session); found != context.replications.end()) found->second->cancel();
  });
}

void Login::on_startup() {
  auto& request = negotiation_.startup();
  identity_.user = request.user;
  identity_.database = request.database;
  identity_.protocol = request.version;
  identity_.tls = negotiation_.tls();
  if (request.negotiate) {
    std::string message;
    protocol::encode_negotiate_protocol_version(request.version, request.unknown_protocol_options, message);
    stream_->send(message);
  }
  pool::Settings::Map settings;
  for (auto& [name, value] : request.settings) {
    if (name == "application_name") {
      application_name_ = value;
    } else if (name == "pgweir.shard") {
      hint_shard_ = value;
    } else if (name == "pgweir.sharding_key") {
      hint_key_ = value;
    } else if (name == "pgweir.role") {
      hint_role_ = value;
    } else {
      settings[name] = value;
    }
  }
  keyed_settings_ = pool::Settings::intern(settings);
  if (!application_name_.empty()) settings["application_name"] = application_name_;
  identity_.startup = pool::Settings::intern(std::move(settings));
  if (request.replication != protocol::Replication::None) {
    auto place = replication_place(*snapshot_->config, request.replication, identity_.database, hint_shard_);
    identity_.database = std::move(place.cluster);
    hint_shard_ = std::move(place.shard);
  }
  if (context_.runtime.draining) return fail({"57P03", "the proxy is shutting down", {}, {}, {}, {}});
  if (!is_console() && context_.runtime.pools.holds().disabled(identity_.database))
    return fail({"55000", "database \"" + identity_.database + "\" is not currently accepting connections", "It is disabled on the console.", {}, {}, {}});
  // Early, to spare the authentication; exactly in take_slot().
  if (const auto most = snapshot_->config->listen.max_clients; context_.runtime.client_slots.all() >= most && !is_console())
    return fail(runtime::too_many_clients(most));
  start_authentication();
}

bool Login::is_console() const {
  return identity_.database == snapshot_->config->admin.database || (identity_.database == "pgbouncer" && !snapshot_->config->find_cluster("pgbouncer"));
}

void Login::start_replication() {
  timer_.cancel();
  state_ = State::Done;
  stream_->set_handler(nullptr);
  Replication::start(context_, std::move(stream_), std::move(identity_), *snapshot_, negotiation_.startup().replication, hint_shard_);
  end();
}

// The parameters that a session with these settings starts with: known, or asked of a server of the home shard.
void Login::welcome() {
  const auto& cluster = *snapshot_->config->find_cluster(identity_.database);
  routing::ShardId home{0};
  for (std::size_t i = 0; i < cluster.shards.size(); ++i)
    if (cluster.shards[i].name == cluster.home) home.value = static_cast<std::uint16_t>(i);
  pool_key_ = pool::PoolKey{cluster.name, {home, -1}, identity_.user};
  if (auto known = context_.runtime.welcomes.find(*pool_key_, keyed_settings_)) return finish_welcome(known);
  pool::Pool* pools[] = {&context_.runtime.pool_for(*snapshot_, cluster, pool_key_->endpoint, identity_.user)};
  const auto limits = config::effective_pool(cluster, snapshot_->config->find_user(identity_.user));
  auto leases = checkout_.start(context_.worker, pools, limits.checkout_timeout);
  if (!leases.empty()) on_checkout(std::move(leases));
}

void Login::on_checkout(std::vector<pool::Lease> leases) {
  link_ = std::make_unique<Link>(std::move(leases.front()), pool_key_->endpoint.shard, routing::Role::Primary, *this, context_.cells);
  // Its custom settings stay: RESET would leave '' behind and nobody would know.
  auto values = keyed_settings_->values();
  for (const auto& [name, value] : link_->server().settings->values())
    if (name.find('.') != std::string::npos) values.emplace(name, value);
  applied_ = pool::Settings::intern(std::move(values));
  const std::string sql = pool::settings_difference_sql(*link_->server().settings, *applied_);
  if (sql.empty()) {
    Injected nothing;
    return on_applied(*link_, nothing);
  }
  link_->inject(sql, [this](Link& link, Injected& result) { on_applied(link, result); });
}

void Login::on_applied(Link& link, Injected& result) {
  if (result.error) {
    const SqlError error = *result.error;
    link.discard();
    // Of the server and not of the client's settings: see Session::prepared().
    if (error.sqlstate == "57014" || error.sqlstate == "42602") return try_another(error);
    return fail(error);
  }
  link.server().settings = applied_;
  auto parameters = link.server().parameters();
  context_.runtime.welcomes.put(*pool_key_, keyed_settings_, parameters);
  link.give_back();
  finish_welcome(std::move(parameters));
}

void Login::on_checkout_failed(const SqlError& error) { fail(error); }
void Login::on_link_closed(Link&, const SqlError& error) { try_another(error); }

// The server that was to tell the parameters cannot: the next one, at most as often as a pool has idle ones.
void Login::try_another(const SqlError& error) {
  const auto& cluster = *snapshot_->config->find_cluster(identity_.database);
  if (lost_servers_++ >= config::effective_pool(cluster, snapshot_->config->find_user(identity_.user)).size) return fail(error);
  context_.worker.dispose(std::move(link_));
  welcome();
}

void Login::finish_welcome(pool::SettingsPtr parameters) {
  auto values = parameters->values();
  values["application_name"] = application_name_;
  values.erase("in_hot_standby");
  identity_.parameters = pool::Settings::intern(values);
  if (parameters->find("in_hot_standby")) values["in_hot_standby"] = "off";
  const bool long_key = identity_.protocol >= protocol::kProtocol32;
  const auto key = cancel_registry().make(snapshot_->config->listen.node_id, long_key, context_.worker.index(), id_);
  identity_.cancel_pid = key.pid;
  identity_.cancel_key = key.secret;
  std::string message;
  for (const auto& [name, value] : values) protocol::encode_parameter_status(name, value, message);
  protocol::encode_backend_key_data(key.pid, key.secret, message);
  protocol::encode_ready_for_query(protocol::TransactionStatus::Idle, message);
  stream_->send(message);
  timer_.cancel();
  state_ = State::Done;
  stream_->set_handler(nullptr);
  auto* session = new Session(context_, std::move(stream_), std::move(identity_));  // owns itself
  session->set_hints({hint_shard_, hint_key_, hint_role_});
  end();
}

void Login::fail(const SqlError& error) {
  if (state_ == State::Done) return;
  context_.cells.count_error(error.sqlstate);
  if (stream_) {
    std::string message;
    protocol::encode_error(error, protocol::Severity::Fatal, message);
    stream_->send(message);
  }
  end();
}

void Login::end() {
  timer_.cancel();
  checkout_.cancel();
  const bool handed_on = state_ == State::Done;
  state_ = State::Done;
  if (stream_) {
    stream_->set_handler(nullptr);
    net::Stream::finish(std::move(stream_));
  }
  if (link_) context_.worker.dispose(std::move(link_));
  if (!handed_on) context_.worker.add_load(-1);
  auto found = context_.logins.find(id_);
  if (found == context_.logins.end()) return;
  context_.worker.dispose(std::move(found->second));
  context_.logins.erase(found);
}

}  // namespace pgweir::session
