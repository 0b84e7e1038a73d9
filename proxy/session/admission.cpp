#include "proxy/session/admission.h"

#include "proxy/log/log.h"
#include "proxy/net/interfaces.h"

namespace pgweir::session {
namespace {

using config::HbaClientCert;
using protocol::AuthMethod;
using protocol::Result;
using protocol::SqlError;

SqlError refusal(std::string message, std::string hint = {}) {
  return {"28000", std::move(message), {}, std::move(hint), {}, {}};
}

bool names_user(const Newcomer& client) {
  return client.tls && !client.user.empty() && client.tls->peer_cn == client.user;
}

SqlError wrong_certificate(const Newcomer& client) {
  return refusal("certificate authentication failed for user \"" + client.user + "\"");
}

// As auth_failed() and ClientAuthentication() of PostgreSQL's auth.c put it.
SqlError hba_refusal(const char* begin, const Newcomer& client) {
  const std::string host = client.peer.is_unix() ? "[local]" : client.peer.host();
  return refusal(std::string(begin) + " for host \"" + host + "\", user \"" + client.user + "\", database \"" +
                 client.database + "\", " + (client.tls ? "SSL encryption" : "no encryption"));
}

Result<AuthMethod> admit_by_hba(const config::Hba& hba, const Newcomer& client) {
  config::HbaRequest request;
  request.local = client.peer.is_unix();
  request.tls = client.tls.has_value();
  request.user = client.user;
  request.database = client.database;
  request.replication = client.replication;
  if (const auto address = net::ip_of(client.peer)) request.address = *address;
  std::vector<config::IpNetwork> own;
  if (hba.uses_own_networks()) own = net::own_networks();
  request.own_networks = own;

  const config::HbaLine* line = config::match_hba(hba, request);
  if (line == nullptr) return hba_refusal("no pg_hba.conf entry", client);
  log::debug("{}:{} decides about user \"{}\" and database \"{}\"", line->file, line->line, client.user,
             client.database);
  if (line->client_cert != HbaClientCert::None) {
    const bool valid = client.tls && (!client.tls->peer_cn.empty() || !client.tls->peer_subject.empty());
    if (!valid) return refusal("connection requires a valid client certificate");
    if (line->client_cert == HbaClientCert::VerifyFull && !names_user(client)) return wrong_certificate(client);
  }
  switch (line->method) {
    case config::HbaMethod::Trust: return AuthMethod::Trust;
    case config::HbaMethod::Md5: return AuthMethod::Md5;
    case config::HbaMethod::ScramSha256: return AuthMethod::ScramSha256;
    case config::HbaMethod::Password: return AuthMethod::Plain;
    case config::HbaMethod::Cert: return AuthMethod::Cert;
    case config::HbaMethod::Reject: break;
  }
  return hba_refusal("pg_hba.conf rejects connection", client);
}

}  // namespace

Result<AuthMethod> admit(const config::Config& config, const Newcomer& client) {
  using config::TlsMode;
  const TlsMode mode = config.tls_client.mode;
  const bool tls_only = mode == TlsMode::Require || mode == TlsMode::VerifyCa || mode == TlsMode::VerifyFull;
  if (!client.tls && !client.peer.is_unix() && tls_only)
    return refusal("this proxy accepts TLS connections only", "Connect with sslmode=require or stronger.");
  if (client.tls && mode == TlsMode::VerifyFull && !names_user(client)) return wrong_certificate(client);
  switch (config.auth.method) {
    case config::AuthMethod::Trust: return AuthMethod::Trust;
    case config::AuthMethod::Plain: return AuthMethod::Plain;
    case config::AuthMethod::Md5: return AuthMethod::Md5;
    case config::AuthMethod::ScramSha256: return AuthMethod::ScramSha256;
    case config::AuthMethod::Cert: return AuthMethod::Cert;
    case config::AuthMethod::Hba: break;
  }
  return admit_by_hba(config.auth.hba, client);
}

}  // namespace pgweir::session
