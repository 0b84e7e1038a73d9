// ServerConnection: connecting and logging in.
#include "protocol/backend_codec.h"
#include "protocol/frontend_codec.h"
#include "proxy/pool/login_services.h"
#include "proxy/pool/pool_manager.h"
#include "proxy/pool/server_connection.h"

namespace pgweir::pool {
namespace {

using protocol::SqlError;

protocol::Secret to_secret(const config::Secret& secret) {
  switch (secret.kind) {
    case config::Secret::Kind::Plain: return {protocol::SecretKind::Plain, secret.value};
    case config::Secret::Kind::Md5: return {protocol::SecretKind::Md5, secret.value};
    case config::Secret::Kind::Scram: return {protocol::SecretKind::Scram, secret.value};
    case config::Secret::Kind::None: break;
  }
  return {};
}

}  // namespace

void ServerConnection::open(net::Worker& worker, Pool& pool, std::shared_ptr<const ServerTarget> target,
                            const PoolLimits& limits, LoginServices& services, Opened done) {
  std::unique_ptr<ServerConnection> made(new ServerConnection(worker, pool, std::move(target), limits, services));
  ServerConnection& connection = *made;
  connection.done_ = std::move(done);
  pool.manager().keep_opening(worker.index(), std::move(made));
  if (limits.connect_timeout.count() > 0) connection.login_timer_.arm(worker, limits.connect_timeout);
  connection.start();
}

void ServerConnection::start() {
  if (auto known = services_.resolver().try_resolve(target_->endpoint); known && !known->empty())
    return addresses_ = std::move(*known), next_address_ = 0, connect_to_next();
  services_.resolver().resolve(target_->endpoint, std::chrono::milliseconds(5000), *worker_,
                               [this, alive = alive_](net::Result<net::Resolver::Addresses> result) {
                                 if (!*alive || state_ != State::Resolving) return;
                                 if (!result)
                                   return fail({"08001", "could not resolve " + target_->endpoint.to_string() + ": " + result.error().text, {}, {}, {}, {}});
                                 addresses_ = std::move(*result);
                                 next_address_ = 0;
                                 connect_to_next();
                               });
}

// As libpq, all addresses of a name are tried: "localhost" is often ::1 first. Each but the last gets its part of the time.
void ServerConnection::connect_to_next() {
  state_ = State::Connecting;
  if (stream_) worker_->dispose(std::move(stream_));
  const auto& address = addresses_[next_address_++];
  const bool last = next_address_ == addresses_.size();
  const auto bound = last ? std::chrono::milliseconds(0) : connect_timeout_ / static_cast<int>(addresses_.size());
  facts_->address.store(address_hash(address), std::memory_order_relaxed);
  stream_ = net::Stream::connect(*worker_, address, bound, this);
}

void ServerConnection::on_connected() {
  addresses_ = {};
  stream_->set_retain_limit(65u << 20);
  stream_->set_keepalive(60, 10, 3);
  const bool want_tls = !target_->endpoint.unix_socket && target_->tls.mode != config::TlsMode::Disable &&
                        target_->tls.mode != config::TlsMode::Allow;
  if (!want_tls) return send_startup();
  state_ = State::AwaitTlsAnswer;
  std::string request;
  protocol::encode_ssl_request(request);
  stream_->send(request);
}

std::size_t ServerConnection::on_tls_answer(std::string_view bytes) {
  if (bytes.size() > 1) {  // plaintext behind the answer would be taken for TLS's (CVE-2021-23222)
    fail({"08P01", "server " + target_->label + " sent unencrypted bytes behind its answer to an SSLRequest", {}, {}, {}, {}});
    return bytes.size();
  }
  const char answer = bytes.front();
  if (answer == 'S') {
    auto context = services_.tls(target_->tls);
    if (!context) {
      fail({"08001", context.error().text, {}, {}, {}, {}});
      return 1;
    }
    state_ = State::AwaitTls;
    // Starting inside on_bytes would offer the answer byte to TLS, so it starts when this wake-up's callbacks are done.
    worker_->defer([this, alive = alive_, made = *context] {
      if (!*alive || state_ != State::AwaitTls || !stream_) return;
      stream_->start_tls_client(made, target_->endpoint.host, [this] { send_startup(); });
    });
    return 1;
  }
  if (answer == 'N' && target_->tls.mode == config::TlsMode::Prefer) {
    send_startup();
    return 1;
  }
  if (answer == 'N')
    fail({"08001", "server " + target_->label + " does not support TLS, but tls.server.mode requires it", {}, {}, {}, {}});
  else
    fail({"08P01", "server " + target_->label + " gave an invalid answer to an SSLRequest", {}, {}, {}, {}});
  return 1;
}

void ServerConnection::send_startup() {
  state_ = State::Login;
  protocol::ServerAuthenticatorOptions options;
  options.user = target_->user;
  authenticated_ = false;
  const PoolKey& key = pool_.key();
  // A user of the configuration has its password there; another's is what [auth] query said at its login.
  const bool own_name = target_->password.kind == config::Secret::Kind::None && target_->user == key.user;
  options.secret = to_secret(own_name ? services_.found_secret(key.cluster, key.user) : target_->password);
  options.keys = services_.client_keys(key.cluster, target_->user);
  options.cached_keys = services_.cached_keys(target_->endpoint.to_string(), target_->user);
  options.allow_cleartext = stream_->tls_active() || target_->endpoint.unix_socket;
  if (stream_->tls_active()) options.channel_binding_data = stream_->tls_info().server_end_point;
  authenticator_ = std::make_unique<protocol::ServerAuthenticator>(std::move(options));
  std::vector<std::pair<std::string_view, std::string_view>> parameters = {{"user", target_->user}, {"database", target_->database}};
  for (const auto& [name, value] : target_->startup) parameters.emplace_back(name, value);
  std::string startup;
  protocol::encode_startup(protocol_, parameters, startup);
  stream_->send(startup);
}

std::size_t ServerConnection::on_login_bytes(std::string_view bytes) {
  std::string_view rest = bytes;
  while (state_ == State::Login) {
    const auto frame = frames.next(rest);
    if (frame.kind == protocol::Frame::Kind::NeedMore) break;
    if (frame.kind != protocol::Frame::Kind::Message) {
      fail({"08P01", "server " + target_->label + " does not speak PostgreSQL's protocol", {}, {}, {}, {}});
      return bytes.size();
    }
    if (!on_login_frame(frame)) {
      // Nobody's: it must not be taken for the answer to the first request.
      if (state_ == State::Ready && (!take_unasked(rest) || !rest.empty())) broken_ = true;
      return bytes.size();
    }
    server_answered_ = true;
  }
  return bytes.size() - rest.size();
}

// False when the connection is gone or logged in.
bool ServerConnection::on_login_frame(const protocol::Frame& frame) {
  // A login that leaves the authentication out, or ends amid it, is none: SCRAM is also the server's own proof.
  const bool of_a_session = frame.type == 'S' || frame.type == 'K' || frame.type == 'Z';
  if (of_a_session && !authenticated_) {
    fail({"08P01", "server " + target_->label + " began a session before the authentication was complete", {}, {}, {}, {}});
    return false;
  }
  switch (frame.type) {
    case 'R':
      on_auth_step(authenticator_->on_message(frame.body()));
      return state_ == State::Login;
    case 'S': on_parameter_status(frame.body()); return true;
    case 'K':
      if (auto key = protocol::decode_backend_key_data(frame.body())) {
        backend_pid_ = key->pid;
        cancel_key_ = std::string(key->key);
      }
      return true;
    case 'N': return true;
    case 'v': return on_negotiation(frame.body());
    case 'E': {
      auto fields = protocol::decode_error(frame.body());
      last_error_ = fields ? protocol::to_sql_error(*fields) : fields.error();
      if (asked_too_much()) return begin_again(), false;
      fail(last_error_);
      return false;
    }
    case 'Z':
      if (frame.body() == "I") on_ready();
      else fail({"08P01", "server " + target_->label + " ended the login with an invalid ReadyForQuery", {}, {}, {}, {}});
      return false;
    default: fail({"08P01", "server " + target_->label + " sent an unexpected message during login", {}, {}, {}, {}}); return false;
  }
}

// The server speaks an older minor version than it was asked for. No option was asked for, so it can name none.
bool ServerConnection::on_negotiation(std::string_view body) {
  const auto answer = protocol::decode_negotiate_protocol_version(body);
  if (!answer || answer->version < protocol::kProtocol30 || answer->version >= protocol_ || !answer->unknown_options.empty()) {
    fail({"08P01", "server " + target_->label + " sent an invalid answer to the protocol version it was asked for", {}, {}, {}, {}});
    return false;
  }
  protocol_ = protocol::kProtocol30;
  return true;
}

// Servers from before the negotiation, and some poolers, refuse the packet: nothing but this error has come.
bool ServerConnection::asked_too_much() const {
  const bool refused = last_error_.sqlstate == "0A000" || last_error_.sqlstate == "08P01";
  return refused && protocol_ != protocol::kProtocol30 && !server_answered_;
}

void ServerConnection::begin_again() {
  protocol_ = protocol::kProtocol30;
  last_error_ = {};
  state_ = State::Resolving;
  stream_->close();
  worker_->defer([this, alive = alive_] {
    if (*alive && state_ == State::Resolving) start();
  });
}

void ServerConnection::on_auth_step(protocol::AuthStep step) {
  if (auto* out = std::get_if<protocol::AuthSend>(&step)) {
    if (!out->bytes.empty()) stream_->send(out->bytes);
  } else if (auto* keys = std::get_if<protocol::AuthNeedsKeys>(&step)) {
    services_.derive(std::move(keys->request), *worker_, [this, alive = alive_](std::optional<protocol::ScramKeys> derived) {
      if (*alive && state_ == State::Login) on_auth_step(authenticator_->resume(derived));
    });
  } else if (std::get_if<protocol::AuthDone>(&step)) {
    authenticated_ = true;
    if (const auto& derived = authenticator_->derived_keys())
      services_.cache_keys(target_->endpoint.to_string(), target_->user, *derived);
  } else if (auto* failed = std::get_if<protocol::AuthFail>(&step)) {
    fail(failed->error);
  }
}

void ServerConnection::on_ready() {
  if (target_->primary && login_parameters_.contains("in_hot_standby") && login_parameters_["in_hot_standby"] == "on")
    return fail({"57P03", "server " + target_->label + " is in recovery, but is configured as a primary", {},
                 "Point the shard's primary at the server that accepts writes.", {}, {}});
  parameters_ = Settings::intern(std::move(login_parameters_));
  login_parameters_.clear();
  authenticator_.reset();
  login_timer_.cancel();
  state_ = State::Ready;
  stream_->pause();  // until it has a holder or is idle: see below
  auto done = std::move(done_);
  // The callback may hand the connection on at once; this object's own callback must have returned by then.
  worker_->defer([this, alive = alive_, done = std::make_shared<Opened>(std::move(done))] {
    if (!*alive) return;
    if (stream_) stream_->resume();
    auto self = pool_.manager().take_opening(worker_->index(), this);
    if (broken_) {
      (*done)(nullptr, last_error_.sqlstate.empty() ? SqlError{"08006", "server closed the connection after login", {}, {}, {}, {}} : last_error_);
      return;
    }
    (*done)(std::move(self), {});
  });
}

void ServerConnection::on_login_timeout() {
  fail({"08001", "server " + target_->label + " (" + target_->endpoint.to_string() + ") did not complete the login within " +
                     std::to_string(connect_timeout_.count()) + " ms", {},
        "See pool.server_connect_timeout.", {}, {}});
}

void ServerConnection::fail(protocol::SqlError error) {
  if (state_ == State::Closed || !done_) return;
  state_ = State::Closed;
  broken_ = true;
  login_timer_.cancel();
  if (error.sqlstate.empty()) error.sqlstate = "08006";
  if (error.message.empty()) error.message = "server " + target_->label + " refused the login and gave no reason";
  if (stream_) stream_->close();
  worker_->defer([this, alive = alive_, done = std::make_shared<Opened>(std::move(done_)), error = std::make_shared<SqlError>(std::move(error))] {
    if (!*alive) return;
    auto self = pool_.manager().take_opening(worker_->index(), this);
    (*done)(nullptr, *error);
  });
}

}  // namespace pgweir::pool
