#include "protocol/auth/client_authenticator.h"

#include <array>
#include <span>

#include "protocol/auth/authentication_messages.h"

namespace pgweir::protocol {
namespace {

SqlError violation(std::string message) { return {"08P01", std::move(message)}; }

// A secret is what its shape says, so that a hash that reached us as "plain" never becomes a password, and a broken one
// never becomes anything.
Secret checked(Secret secret) {
  if (secret.kind == SecretKind::None) return {};
  Secret by_shape = classify_secret(secret.value);
  if (secret.kind != SecretKind::Plain && by_shape.kind != secret.kind) return {};
  cleanse(secret.value);
  return by_shape;
}

}  // namespace

ClientAuthenticator::ClientAuthenticator(ClientAuthenticatorOptions options) : options_(std::move(options)) {
  options_.secret = checked(std::move(options_.secret));
}

ClientAuthenticator::~ClientAuthenticator() {
  cleanse(options_.secret.value);
  cleanse(options_.process_secret);
}

AuthStep ClientAuthenticator::start() {
  if (state_ != State::Idle) return internal_error("authentication was started twice");
  switch (options_.method) {
    case AuthMethod::Trust: return done();
    case AuthMethod::Cert: return start_cert();
    case AuthMethod::Md5: return start_md5();
    case AuthMethod::ScramSha256: return start_sasl();
    case AuthMethod::Plain: break;
  }
  state_ = State::AwaitPassword;
  return AuthSend{encode_authentication_cleartext_password()};
}

AuthStep ClientAuthenticator::start_cert() {
  if (options_.certificate_name && !options_.user.empty() && *options_.certificate_name == options_.user) return done();
  std::string detail = options_.certificate_name ? "the certificate names \"" + *options_.certificate_name + "\""
                                                 : std::string("no verified client certificate");
  return fail({"28000", "certificate authentication failed for user \"" + options_.user + "\""}, std::move(detail));
}

AuthStep ClientAuthenticator::start_md5() {
  const SecretKind kind = options_.secret.kind == SecretKind::None ? options_.mock_kind : options_.secret.kind;
  if (kind == SecretKind::Scram) return start_sasl();
  if (!options_.random || !options_.random(salt_)) return internal_error("no random numbers");
  state_ = State::AwaitMd5;
  return AuthSend{encode_authentication_md5_password(salt_)};
}

AuthStep ClientAuthenticator::start_sasl() {
  mock_ = options_.secret.kind != SecretKind::Plain && options_.secret.kind != SecretKind::Scram;
  static constexpr std::array<std::string_view, 2> kMechanisms = {kScramSha256Plus, kScramSha256};
  const std::span<const std::string_view> all(kMechanisms);
  state_ = State::AwaitSaslInitial;
  return AuthSend{encode_authentication_sasl(options_.channel_binding_data.empty() ? all.subspan(1) : all)};
}

AuthStep ClientAuthenticator::on_message(std::string_view body) {
  switch (state_) {
    case State::AwaitPassword: return on_password(body);
    case State::AwaitMd5: return on_md5(body);
    case State::AwaitSaslInitial: return on_sasl_initial(body);
    case State::AwaitSaslFirst: return on_sasl_first(body);
    case State::AwaitSaslFinal: return on_sasl_final(body);
    case State::Idle:
    case State::AwaitPasswordKeys:
    case State::AwaitVerifier:
    case State::Finished: break;
  }
  return fail(violation("unexpected password message"));
}

AuthStep ClientAuthenticator::on_unexpected_message(char type) {
  return fail(violation("expected password response, got message type " +
                        std::to_string(static_cast<int>(static_cast<unsigned char>(type)))));
}

AuthStep ClientAuthenticator::resume(const std::optional<ScramKeys>& keys) {
  if (state_ != State::AwaitPasswordKeys && state_ != State::AwaitVerifier) {
    return internal_error("no keys were asked for");
  }
  if (!keys) return internal_error("key derivation failed");
  if (state_ == State::AwaitPasswordKeys) return on_password_keys(*keys);

  const auto salt = process_salt(options_.process_secret, options_.user);
  if (salt) options_.derived_verifier = make_verifier(*keys, *salt, options_.iterations);
  if (!options_.derived_verifier) return internal_error("key derivation failed");
  return run_scram(pending_first_);
}

AuthStep ClientAuthenticator::on_password(std::string_view body) {
  const auto password = decode_password_message(body);
  if (!password) return fail(password.error());
  if (password->empty()) return fail({"28P01", "empty password returned by client"});

  const bool unknown = options_.secret.kind == SecretKind::None;
  switch (unknown ? options_.mock_kind : options_.secret.kind) {
    case SecretKind::Scram:
      verifier_ = unknown ? mock_verifier(options_.process_secret, options_.user, options_.iterations, options_.random)
                          : parse_scram_verifier(options_.secret.value);
      if (!verifier_) return internal_error("no verifier");
      mock_ = unknown;
      state_ = State::AwaitPasswordKeys;
      return AuthNeedsKeys{DeriveKeysRequest(*password, verifier_->salt, verifier_->iterations)};
    case SecretKind::Md5: {
      const std::string nobody = "md5" + std::string(32, '0');
      const bool right = verify_password_md5(unknown ? nobody : options_.secret.value, options_.user, *password);
      if (!unknown && right) return done();
      break;
    }
    case SecretKind::Plain:
      if (!unknown && constant_time_equal(options_.secret.value, *password)) return done();
      break;
    case SecretKind::None: break;
  }
  return wrong_password(unknown ? "no such user, or no valid password" : "wrong password");
}

AuthStep ClientAuthenticator::on_password_keys(const ScramKeys& keys) {
  const bool right = keys_match(*verifier_, keys);
  if (mock_) return wrong_password("no such user, or no valid password");
  if (!right) return wrong_password("wrong password");
  return done({}, keys);
}

AuthStep ClientAuthenticator::on_md5(std::string_view body) {
  const auto response = decode_password_message(body);
  if (!response) return fail(response.error());
  if (response->empty()) return fail({"28P01", "empty password returned by client"});

  // Whatever the kind, the same two hashes are computed.
  const bool unknown = options_.secret.kind == SecretKind::None;
  auto secret = md5_secret(options_.secret.value, options_.user);
  if (!secret) return internal_error("no MD5 in this build of OpenSSL");
  if (options_.secret.kind == SecretKind::Md5) secret = options_.secret.value;
  const bool right = verify_md5_response(*secret, salt_, *response);
  cleanse(*secret);
  // For an unknown user the hash above is that of an empty password: never right.
  if (unknown) return wrong_password("no such user, or no valid password");
  return right ? done() : wrong_password("wrong password");
}

AuthStep ClientAuthenticator::on_sasl_initial(std::string_view body) {
  const auto initial = decode_sasl_initial_response(body);
  if (!initial) return fail(initial.error());
  const bool plus_offered = !options_.channel_binding_data.empty();
  if (initial->mechanism != kScramSha256 && !(plus_offered && initial->mechanism == kScramSha256Plus)) {
    return fail(violation("client selected an invalid SASL authentication mechanism"));
  }
  mechanism_ = initial->mechanism;
  if (initial->response) return on_sasl_first(*initial->response);
  state_ = State::AwaitSaslFirst;
  return AuthSend{encode_authentication_sasl_continue("")};
}

AuthStep ClientAuthenticator::on_sasl_first(std::string_view message) {
  if (options_.secret.kind != SecretKind::Plain || options_.derived_verifier) return run_scram(message);
  if (message.size() > kMaxClientSaslMessage) return fail(violation("malformed SCRAM message"));
  // The salt is the one an unknown user of this name would be shown.
  const auto salt = process_salt(options_.process_secret, options_.user);
  if (!salt) return internal_error("no salt");
  pending_first_ = message;
  state_ = State::AwaitVerifier;
  return AuthNeedsKeys{DeriveKeysRequest(options_.secret.value, *salt, options_.iterations)};
}

AuthStep ClientAuthenticator::run_scram(std::string_view client_first) {
  std::optional<ScramVerifier> verifier;
  if (mock_) {
    verifier = mock_verifier(options_.process_secret, options_.user, options_.iterations, options_.random);
  } else if (options_.secret.kind == SecretKind::Scram) {
    verifier = parse_scram_verifier(options_.secret.value);
  } else {
    verifier = options_.derived_verifier;
  }
  if (!verifier) return internal_error("no verifier");

  scram_.emplace(ScramServerOptions{options_.user, std::move(*verifier), mock_, options_.channel_binding_data,
                                    options_.random});
  const auto server_first = scram_->on_client_first(mechanism_, client_first);
  if (!server_first) return fail(server_first.error());
  state_ = State::AwaitSaslFinal;
  return AuthSend{encode_authentication_sasl_continue(*server_first)};
}

AuthStep ClientAuthenticator::on_sasl_final(std::string_view message) {
  const auto server_final = scram_->on_client_final(message);
  if (!server_final) {
    std::string detail;
    if (server_final.error().sqlstate == "28P01") {
      if (!mock_) {
        detail = "wrong password";
      } else if (options_.secret.kind == SecretKind::Md5) {
        detail = "the user's secret is an md5 hash, which cannot serve SCRAM";
      } else {
        detail = "no such user, or no valid password";
      }
    }
    return fail(server_final.error(), std::move(detail));
  }
  // Keys of a Plain secret belong to our own salt: no server knows them.
  std::optional<ScramKeys> keys;
  if (options_.secret.kind == SecretKind::Scram) keys = scram_->recovered_keys();
  return done(encode_authentication_sasl_final(*server_final), std::move(keys));
}

AuthStep ClientAuthenticator::done(std::string bytes, std::optional<ScramKeys> keys) {
  state_ = State::Finished;
  scram_.reset();
  bytes.append(encode_authentication_ok());
  return AuthDone{std::move(bytes), std::move(keys)};
}

AuthStep ClientAuthenticator::fail(SqlError error, std::string log_detail) {
  state_ = State::Finished;
  scram_.reset();
  return AuthFail{std::move(error), std::move(log_detail)};
}

AuthStep ClientAuthenticator::wrong_password(std::string log_detail) {
  return fail(password_authentication_failed(options_.user), std::move(log_detail));
}

AuthStep ClientAuthenticator::internal_error(std::string log_detail) {
  return fail({"XX000", "could not authenticate user \"" + options_.user + "\""}, std::move(log_detail));
}

}  // namespace pgweir::protocol
