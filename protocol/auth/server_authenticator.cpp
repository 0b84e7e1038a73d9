#include "protocol/auth/server_authenticator.h"

#include "protocol/auth/authentication_messages.h"
#include "protocol/auth/md5.h"

namespace pgweir::protocol {
namespace {

std::string method_name(AuthenticationType type) {
  switch (type) {
    case AuthenticationType::KerberosV5: return "Kerberos V5";
    case AuthenticationType::ScmCredential: return "SCM credential";
    case AuthenticationType::Gss:
    case AuthenticationType::GssContinue: return "GSSAPI";
    case AuthenticationType::Sspi: return "SSPI";
    default: return "method number " + std::to_string(static_cast<std::uint32_t>(type));
  }
}

SqlError out_of_order() { return {"08P01", "the server sent an authentication message that was not expected"}; }

}  // namespace

ServerAuthenticator::ServerAuthenticator(ServerAuthenticatorOptions options) : options_(std::move(options)) {}

ServerAuthenticator::~ServerAuthenticator() { cleanse(options_.secret.value); }

AuthStep ServerAuthenticator::on_message(std::string_view body) {
  if (state_ == State::AwaitKeys || state_ == State::Finished) return fail(out_of_order());
  const auto decoded = decode_authentication_request(body);
  if (!decoded) return fail(decoded.error());
  const bool ok = decoded->type == AuthenticationType::Ok;
  switch (state_) {
    case State::AwaitRequest: return on_request(*decoded);
    case State::AwaitOk: return ok ? done() : fail(out_of_order());
    case State::AwaitContinue:
      if (decoded->type == AuthenticationType::SaslContinue) return on_sasl_continue(*decoded);
      break;
    case State::AwaitFinal:
      if (decoded->type == AuthenticationType::SaslFinal) return on_sasl_final(*decoded);
      break;
    case State::AwaitKeys:
    case State::Finished: break;
  }
  if (ok) return refuse("the server ended SCRAM authentication without proving that it knows the password");
  return fail(out_of_order());
}

AuthStep ServerAuthenticator::on_request(const AuthenticationRequest& request) {
  const bool sasl = request.type == AuthenticationType::Sasl;
  if (options_.require_channel_binding && !sasl) {
    return refuse("channel binding is required, but the server did not ask for SCRAM authentication");
  }
  switch (request.type) {
    case AuthenticationType::Ok:
      if (!options_.allow_trust) return refuse("the server asked for no authentication, which is not allowed");
      return done();
    case AuthenticationType::CleartextPassword: return on_cleartext();
    case AuthenticationType::Md5Password: return on_md5(request);
    case AuthenticationType::Sasl: return on_sasl(request);
    case AuthenticationType::SaslContinue:
    case AuthenticationType::SaslFinal: return fail(out_of_order());
    default: break;
  }
  return refuse("the server asks for an authentication method that is not supported: " + method_name(request.type),
                "Use scram-sha-256, md5, password or trust for this user in the server's pg_hba.conf.");
}

AuthStep ServerAuthenticator::on_cleartext() {
  if (!options_.allow_cleartext) return refuse("the server asks for the password in clear, which is not allowed");
  if (options_.secret.kind != SecretKind::Plain || options_.secret.value.find('\0') != std::string::npos) {
    return refuse("the server asks for the password in clear, and no plain password is known");
  }
  state_ = State::AwaitOk;
  return AuthSend{encode_password_message(options_.secret.value)};
}

AuthStep ServerAuthenticator::on_md5(const AuthenticationRequest& request) {
  if (!options_.allow_md5) return refuse("the server asks for md5 authentication, which is not allowed");
  std::optional<std::string> secret;
  if (options_.secret.kind == SecretKind::Plain) secret = md5_secret(options_.secret.value, options_.user);
  if (options_.secret.kind == SecretKind::Md5) secret = options_.secret.value;
  const auto response = secret ? md5_response(*secret, request.salt) : std::nullopt;
  if (secret) cleanse(*secret);
  if (!response) {
    return refuse("the server asks for md5 authentication, and neither a password nor its md5 hash is known");
  }
  state_ = State::AwaitOk;
  return AuthSend{encode_password_message(*response)};
}

AuthStep ServerAuthenticator::on_sasl(const AuthenticationRequest& request) {
  if (options_.secret.kind != SecretKind::Plain && !options_.keys) {
    return refuse("the server asks for SCRAM authentication, and neither a password nor a client's keys are known",
                  "A stored SCRAM verifier or md5 hash cannot log in to a server: give the password.");
  }
  scram_.emplace(ScramClientOptions{options_.channel_binding_data, options_.require_channel_binding, options_.random});
  const auto first = scram_->start(request.mechanisms);
  if (!first) return fail(first.error());
  state_ = State::AwaitContinue;
  return AuthSend{encode_sasl_initial_response(first->mechanism, first->message)};
}

AuthStep ServerAuthenticator::on_sasl_continue(const AuthenticationRequest& request) {
  auto challenge = scram_->on_server_first(request.data);
  if (!challenge) return fail(challenge.error());
  // A client's keys hold for the one verifier they were proved against; its salt is the server's to know.
  if (options_.secret.kind != SecretKind::Plain) return send_final(*options_.keys);
  auto& cached = options_.cached_keys;
  if (cached && cached->salt == challenge->salt && cached->iterations == challenge->iterations) {
    return send_final(cached->keys);
  }
  state_ = State::AwaitKeys;
  cached = DerivedKeys{std::move(challenge->salt), challenge->iterations, {}};
  return AuthNeedsKeys{DeriveKeysRequest(options_.secret.value, cached->salt, cached->iterations)};
}

AuthStep ServerAuthenticator::resume(const std::optional<ScramKeys>& keys) {
  if (state_ != State::AwaitKeys) return fail({"XX000", "no keys were asked for"});
  if (!keys) return fail({"XX000", "key derivation for the login to the server failed"});
  options_.cached_keys->keys = *keys;
  return send_final(*keys);
}

AuthStep ServerAuthenticator::send_final(const ScramKeys& keys) {
  const auto message = scram_->client_final(keys);
  if (!message) return fail(message.error());
  state_ = State::AwaitFinal;
  return AuthSend{encode_sasl_response(*message)};
}

AuthStep ServerAuthenticator::on_sasl_final(const AuthenticationRequest& request) {
  const auto verified = scram_->on_server_final(request.data);
  if (!verified) return fail(verified.error());
  state_ = State::AwaitOk;
  return AuthSend{};
}

AuthStep ServerAuthenticator::done() {
  state_ = State::Finished;
  // Handed out only where they were used: this login went by SCRAM.
  if (!scram_) options_.cached_keys.reset();
  scram_.reset();
  return AuthDone{};
}

AuthStep ServerAuthenticator::fail(SqlError error) {
  state_ = State::Finished;
  options_.cached_keys.reset();  // perhaps the keys of a wrong password
  scram_.reset();
  return AuthFail{std::move(error), {}};
}

AuthStep ServerAuthenticator::refuse(std::string message, std::string hint) {
  return fail({"28000", std::move(message), "", std::move(hint)});
}

}  // namespace pgweir::protocol
