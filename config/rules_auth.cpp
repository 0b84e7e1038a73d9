// How clients authenticate, and what that asks of the other sections.
#include "config/rules.h"

namespace pgweir::config {
namespace {

bool verifies(TlsMode mode) { return mode == TlsMode::VerifyCa || mode == TlsMode::VerifyFull; }

void check_query(const RuleContext& context) {
  const Auth& auth = context.config.auth;
  const auto place = [&](const char* key) { return context.document.value_place({"auth", key}); };
  if (!auth.query.empty() && auth.query_user.empty())
    context.findings.error(place("query"), "\"query_user\" is missing: who runs it?");
  if (!auth.query.empty() && auth.query.find("$1") == std::string::npos)
    context.findings.error(place("query"), "\"query\" does not use $1, the user's name");
  if (!auth.query.empty() && auth.method == AuthMethod::Cert)
    context.findings.warning(place("query"), "\"query\" has no effect with method = \"cert\"",
                             "a certificate is proof enough");
  if (auth.query.empty() && !auth.query_user.empty())
    context.findings.error(place("query_user"), "there is no \"query\" for this user");
  if (auth.query.empty() && !auth.query_database.empty())
    context.findings.error(place("query_database"), "there is no \"query\" for this database");
}

// The query's connection is made before anybody has shown a password.
void check_query_password(const RuleContext& context) {
  const Auth& auth = context.config.auth;
  const User* user = context.config.find_user(auth.query_user);
  if (auth.query.empty() || user == nullptr) return;
  const bool usable = user->server_password.kind == Secret::Kind::Plain || user->server_password.kind == Secret::Kind::None;
  if (usable) return;
  context.findings.error(context.document.value_place({"auth", "query_user"}),
                         "the user \"" + auth.query_user + "\" has only a verifier: it cannot log in to run \"query\"",
                         "give its plain password, perhaps as \"file:PATH\"");
}

}  // namespace

void rule_auth_is_complete(const RuleContext& context) {
  const Auth& auth = context.config.auth;
  const Place method = context.document.value_place({"auth", "method"});
  if (auth.method == AuthMethod::Hba && auth.hba_file.empty())
    context.findings.error(method, "\"hba_file\" is missing: method = \"hba\" needs it");
  if (auth.method != AuthMethod::Hba && !auth.hba_file.empty())
    context.findings.warning(context.document.value_place({"auth", "hba_file"}),
                             "\"hba_file\" has no effect without method = \"hba\"");
  if (auth.method == AuthMethod::Cert && !verifies(context.config.tls_client.mode)) {
    context.findings.error(method, "method = \"cert\" needs certificates that are checked",
                           "set mode = \"verify-ca\" or \"verify-full\" in [tls.client]");
  }
  check_query(context);
  check_query_password(context);
}

void rule_hba_fits_tls(const RuleContext& context) {
  const ClientTls& tls = context.config.tls_client;
  for (const HbaLine& line : context.config.auth.hba.lines) {
    const Place place{line.line, 0};
    const bool certificate = line.client_cert != HbaClientCert::None;
    if (certificate && (tls.mode == TlsMode::Disable || tls.ca.empty())) {
      context.findings.error_in(line.file, place, "certificates are not asked for",
                                "set \"mode\" and \"ca\" in [tls.client]");
    } else if (line.connection == HbaConnection::HostSsl && tls.mode == TlsMode::Disable) {
      context.findings.warning_in(line.file, place, "this line matches nobody: TLS is off",
                                  "set \"mode\" in [tls.client]");
    }
  }
}

}  // namespace pgweir::config
