// Login: authentication.
#include <algorithm>
#include <cstring>

#include "proxy/session/admission.h"
#include "proxy/session/admin_session.h"
#include "proxy/session/login.h"

namespace pgweir::session {

using protocol::AuthMethod;
using protocol::Frame;

namespace {

// What unknown users look like: as the first user that has a password.
protocol::SecretKind usual_secret(const config::Config& config) {
  for (const config::User& user : config.users) {
    if (user.password.kind == config::Secret::Kind::Plain) return protocol::SecretKind::Plain;
    if (user.password.kind == config::Secret::Kind::Md5) return protocol::SecretKind::Md5;
    if (user.password.kind == config::Secret::Kind::Scram) break;
  }
  return protocol::SecretKind::Scram;
}

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

void Login::start_authentication() {
  const auto& config = *snapshot_->config;
  const bool physical = negotiation_.startup().replication == protocol::Replication::Physical;
  Newcomer newcomer{peer_, identity_.user, identity_.database, {}, physical};
  if (stream_->tls_active()) newcomer.tls = stream_->tls_info();
  const auto method = admit(config, newcomer);
  if (!method) {
    context_.cells.logins_failed.add();
    return fail(method.error());
  }
  method_ = *method;
  const config::User* user = config.find_user(identity_.user);
  if (user) secret_ = user->password;
  // A certificate is proof enough; trust asks only whether there is such a user.
  const bool known = method_ == AuthMethod::Trust ? user != nullptr : secret_.kind != config::Secret::Kind::None;
  if (known || method_ == AuthMethod::Cert || config.auth.query.empty()) return ask_for_proof(user != nullptr);
  state_ = State::Lookup;
  looked_up_ = true;
  stream_->pause();
  context_.runtime.control->look_up_secret(
      identity_.database, identity_.user, context_.worker, [this, alive = alive_](runtime::SecretAnswer answer) {
        if (!*alive || state_ != State::Lookup) return;
        if (answer.failed)
          return fail({"57P03", "the password of user \"" + identity_.user + "\" could not be looked up", {},
                       "Try again; the proxy's log says why.", {}, {}});
        secret_ = std::move(answer.secret);
        ask_for_proof(secret_.kind != config::Secret::Kind::None);
        if (*alive && stream_) stream_->resume();
      });
}

void Login::ask_for_proof(bool user_exists) {
  if (method_ == AuthMethod::Trust && !user_exists)
    return fail({"28000", "role \"" + identity_.user + "\" does not exist", {}, {}, {}, {}});
  protocol::ClientAuthenticatorOptions options;
  options.user = identity_.user;
  options.method = method_;
  options.secret = to_secret(secret_);
  if (secret_.kind == config::Secret::Kind::Plain)
    options.derived_verifier = context_.runtime.verifiers.find(identity_.user, secret_);
  options.mock_kind = usual_secret(*snapshot_->config);
  std::memcpy(options.process_secret.data(), context_.runtime.process_secret.data(),
              std::min(options.process_secret.size(), context_.runtime.process_secret.size()));
  if (stream_->tls_active()) {
    const auto info = stream_->tls_info();
    options.channel_binding_data = info.server_end_point;
    if (!info.peer_cn.empty()) options.certificate_name = info.peer_cn;
  }
  authenticator_ = std::make_unique<protocol::ClientAuthenticator>(std::move(options));
  state_ = State::Authentication;
  on_auth_step(authenticator_->start());
}

std::size_t Login::on_authentication_bytes(std::string_view bytes) {
  std::string_view rest = bytes;
  while (state_ == State::Authentication && !rest.empty()) {
    const Frame frame = frames_.next(rest);
    if (frame.kind == Frame::Kind::NeedMore) {
      stream_->want(frame.needed);
      break;
    }
    if (frame.kind == Frame::Kind::Error) {
      fail(frames_.error());
      return bytes.size();
    }
    if (frame.type == 'p' && frame.kind == Frame::Kind::Message)
      on_auth_step(authenticator_->on_message(frame.body()));
    else
      on_auth_step(authenticator_->on_unexpected_message(frame.type));
  }
  return stream_ ? bytes.size() - rest.size() : bytes.size();
}

void Login::on_auth_step(protocol::AuthStep step) {
  if (auto* out = std::get_if<protocol::AuthSend>(&step)) {
    stream_->send(out->bytes);
  } else if (auto* keys = std::get_if<protocol::AuthNeedsKeys>(&step)) {
    state_ = State::Keys;
    stream_->pause();
    context_.runtime.login_services.derive(std::move(keys->request), context_.worker,
                                           [this, alive = alive_](std::optional<protocol::ScramKeys> derived) {
                                             if (!*alive || state_ != State::Keys) return;
                                             state_ = State::Authentication;
                                             on_auth_step(authenticator_->resume(derived));
                                             if (*alive && stream_) stream_->resume();
                                           });
  } else if (auto* done = std::get_if<protocol::AuthDone>(&step)) {
    authenticated(*done);
  } else if (auto* failed = std::get_if<protocol::AuthFail>(&step)) {
    context_.cells.logins_failed.add();
    if (looked_up_) context_.runtime.control->distrust_secret(identity_.database, identity_.user);
    fail(failed->error);
  }
}

void Login::authenticated(const protocol::AuthDone& done) {
  const auto& config = *snapshot_->config;
  auto& services = context_.runtime.login_services;
  if (secret_.kind == config::Secret::Kind::Plain && authenticator_->derived_verifier())
    context_.runtime.verifiers.put(identity_.user, secret_, *authenticator_->derived_verifier());
  if (done.keys) services.remember_client_keys(identity_.database, identity_.user, *done.keys);
  if (looked_up_) services.remember_secret(identity_.database, identity_.user, secret_);
  counted_ = false;
  context_.runtime.unauthenticated.fetch_sub(1, std::memory_order_relaxed);
  stream_->send(done.bytes);
  state_ = State::Welcome;
  stream_->pause();
  if (!take_slot()) return;
  if (is_console()) {
    const bool admin = std::find(config.admin.users.begin(), config.admin.users.end(), identity_.user) != config.admin.users.end();
    const bool stats = std::find(config.admin.stats_users.begin(), config.admin.stats_users.end(), identity_.user) != config.admin.stats_users.end();
    if (!admin && !stats) return fail({"42501", "user \"" + identity_.user + "\" may not use the console", {}, "See admin.users and admin.stats_users.", {}, {}});
    timer_.cancel();
    state_ = State::Done;
    stream_->set_handler(nullptr);
    AdminSession::start(context_, std::move(stream_), identity_, admin);
    return end();
  }
  if (!config.find_cluster(identity_.database))
    return fail({"3D000", "database \"" + identity_.database + "\" does not exist", {}, {}, {}, {}});
  if (negotiation_.startup().replication != protocol::Replication::None) return start_replication();
  welcome();
}

// A place under the caps of the configuration of now, which a reload may have lowered. False: refused.
bool Login::take_slot() {
  const auto& config = *context_.snapshot()->config;
  const config::User* user = config.find_user(identity_.user);
  const config::Cluster* cluster = is_console() ? nullptr : config.find_cluster(identity_.database);
  auto slot = context_.runtime.client_slots.take(
      identity_.user, identity_.database,
      {.all = config.listen.max_clients,
       .user = user ? user->max_client_connections : 0,
       .database = cluster ? cluster->max_client_connections : 0,
       .count_all = !is_console()});
  if (!slot) return fail(slot.error()), false;
  identity_.slot = std::move(*slot);
  return true;
}

}  // namespace pgweir::session
