#include "proxy/control/login.h"

namespace pgweir::control {
namespace {

std::string plain(const config::Secret& secret) {
  return secret.kind == config::Secret::Kind::Plain ? secret.value : std::string();
}

const char* sslmode(config::TlsMode mode) {
  switch (mode) {
    case config::TlsMode::Disable:
      return "disable";
    case config::TlsMode::Allow:
      return "allow";
    case config::TlsMode::Prefer:
      return "prefer";
    case config::TlsMode::Require:
      return "require";
    case config::TlsMode::VerifyCa:
      return "verify-ca";
    case config::TlsMode::VerifyFull:
      break;
  }
  return "verify-full";
}

// What would change how PostgreSQL prints a definition, and thereby the comparison of shards.
constexpr char kOptions[] =
    "-c search_path=pg_catalog -c TimeZone=UTC -c DateStyle=ISO,YMD -c IntervalStyle=postgres -c extra_float_digits=1 "
    "-c bytea_output=hex -c standard_conforming_strings=on -c quote_all_identifiers=off -c synchronous_commit=on "
    "-c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off -c statement_timeout=0 "
    "-c idle_in_transaction_session_timeout=0 -c client_min_messages=warning "
    // Reading definitions takes locks; below deadlock_timeout (1 s), so that no client's DDL is what gives way.
    "-c lock_timeout=500ms "
    // Long queries over small catalogs: compiling them takes a hundred times as long as running them.
    "-c jit=off";

}  // namespace

Login recovery_login(const config::Config& config, const config::Cluster& cluster, const config::Endpoint& endpoint) {
  return Login{endpoint, cluster.database, cluster.recovery_user, plain(cluster.recovery_password), config.tls_server};
}

Login owner_login(const config::Config& config, const config::Cluster& cluster, const config::Endpoint& endpoint,
                  const std::string& role) {
  Login login = recovery_login(config, cluster, endpoint);
  if (cluster.recovery_user_configured) return login;
  for (const config::User& user : config.users) {
    const std::string& name = user.server_user.empty() ? user.name : user.server_user;
    const config::Secret& secret =
        user.server_password.kind != config::Secret::Kind::None ? user.server_password : user.password;
    if (name != role || (secret.kind != config::Secret::Kind::Plain && secret.kind != config::Secret::Kind::None))
      continue;
    login.user = name;
    login.password = plain(secret);
    break;
  }
  return login;
}

std::vector<std::pair<std::string, std::string>> connection_parameters(const Login& login, const std::string& address) {
  std::vector<std::pair<std::string, std::string>> parameters{
      {"host", login.endpoint.host},
      {"port", std::to_string(login.endpoint.port)},
      {"dbname", login.database},
      {"user", login.user},
      {"application_name", "pgweir"},
      {"client_encoding", "UTF8"},
      {"options", kOptions},
      {"gssencmode", "disable"},
      {"passfile", "/dev/null"},
      {"target_session_attrs", "any"},
      {"sslmode", login.endpoint.unix_socket ? "disable" : sslmode(login.tls.mode)},
  };
  if (!address.empty()) parameters.emplace_back("hostaddr", address);
  if (!login.password.empty()) parameters.emplace_back("password", login.password);
  const bool verify = login.tls.mode == config::TlsMode::VerifyCa || login.tls.mode == config::TlsMode::VerifyFull;
  const bool checked = verify || login.tls.mode == config::TlsMode::Require;  // which is verify-ca with a root certificate
  if (checked && !login.tls.ca.empty()) parameters.emplace_back("sslrootcert", login.tls.ca);
  if (!login.tls.cert.empty()) parameters.emplace_back("sslcert", login.tls.cert);
  if (!login.tls.key.empty()) parameters.emplace_back("sslkey", login.tls.key);
  return parameters;
}

}  // namespace pgweir::control
