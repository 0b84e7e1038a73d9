// Warnings: legal, but rarely meant.
#include <algorithm>

#include "config/endpoint.h"
#include "config/rules.h"

namespace pgweir::config {
namespace {

bool reachable_from_outside(const Listen& listen) {
  return std::any_of(listen.addresses.begin(), listen.addresses.end(),
                     [](const Endpoint& address) { return !is_local(address); });
}

void warn_about_trust(const RuleContext& context) {
  if (context.config.auth.method != AuthMethod::Trust) return;
  const bool outside = reachable_from_outside(context.config.listen);
  context.findings.warning(context.document.value_place({"auth", "method"}),
                           outside ? "method = \"trust\" lets everybody in who reaches the address, as any user"
                                   : "method = \"trust\" lets every program of this machine in, as any user",
                           "use scram-sha-256");
}

void warn_about_plain_passwords(const RuleContext& context) {
  const TlsMode mode = context.config.tls_client.mode;
  const bool clear = mode == TlsMode::Disable || mode == TlsMode::Allow;
  if (context.config.auth.method != AuthMethod::Plain || !clear) return;
  context.findings.warning(context.document.value_place({"auth", "method"}),
                           "method = \"plain\" sends passwords in the clear to clients without TLS",
                           "set mode = \"require\" in [tls.client], or use scram-sha-256");
}

void warn_about_unused_certificate(const RuleContext& context) {
  const ClientTls& tls = context.config.tls_client;
  if (tls.mode != TlsMode::Disable || (tls.cert.empty() && tls.key.empty() && tls.ca.empty())) return;
  const char* key = !tls.cert.empty() ? "cert" : !tls.key.empty() ? "key" : "ca";
  context.findings.warning(context.document.value_place({"tls", "client", key}),
                           "\"" + std::string(key) + "\" has no effect with mode = \"disable\": TLS is off",
                           "set mode = \"require\" in [tls.client]");
}

// Only where users must be listed to log in at all.
void warn_about_unknown_admins(const RuleContext& context) {
  const Config& config = context.config;
  const AuthMethod method = config.auth.method;
  const bool listed = method == AuthMethod::Plain || method == AuthMethod::Md5 || method == AuthMethod::ScramSha256;
  if (!listed || !config.auth.query.empty()) return;
  const auto check = [&](const std::vector<std::string>& names, const char* key) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i].empty() || config.find_user(names[i])) continue;
      context.findings.warning(context.document.value_place({"admin", key, i}),
                               "the user \"" + names[i] + "\" has no [[user]] and cannot log in");
    }
  };
  check(config.admin.users, "users");
  check(config.admin.stats_users, "stats_users");
}

void warn_about_query_user(const RuleContext& context) {
  const Config& config = context.config;
  if (config.auth.query_user.empty() || config.find_user(config.auth.query_user)) return;
  context.findings.warning(context.document.value_place({"auth", "query_user"}),
                           "the user \"" + config.auth.query_user +
                               "\" has no [[user]]: it logs in without a password");
}

void warn_about_replica_reads(const RuleContext& context, const Cluster& cluster) {
  const bool replicas = std::any_of(cluster.shards.begin(), cluster.shards.end(),
                                    [](const Shard& shard) { return !shard.replicas.empty(); });
  if (cluster.reads != Reads::Replica || replicas) return;
  context.findings.warning(context.document.value_place({"cluster", cluster.name, "reads"}),
                           "no shard of \"" + cluster.name + "\" has a replica: reads go to the primaries");
}

void warn_about_nothing_routed(const RuleContext& context, const Cluster& cluster) {
  if (cluster.shards.size() < 2 || !cluster.tables.empty() || cluster.unlisted) return;
  context.findings.warning(context.document.key_place({"cluster", cluster.name}),
                           "\"" + cluster.name + "\" has several shards but names no table: every table is refused",
                           "write [[cluster." + cluster.name + ".table]], or set \"unlisted\"");
}

void warn_about_no_recovery_login(const RuleContext& context, const Cluster& cluster) {
  // With errors the missing login may only be a user that could not be read.
  if (!cluster.recovery_user.empty() || context.findings.errors() != 0) return;
  context.findings.warning(context.document.key_place({"cluster", cluster.name}),
                           "no user has a plain password: nobody can watch the servers of \"" + cluster.name + "\"",
                           "set \"recovery_user\" and \"recovery_password\"");
}

}  // namespace

void rule_risks(const RuleContext& context) {
  warn_about_trust(context);
  warn_about_plain_passwords(context);
  warn_about_unused_certificate(context);
  warn_about_unknown_admins(context);
  warn_about_query_user(context);
  for (const Cluster& cluster : context.config.clusters) {
    warn_about_replica_reads(context, cluster);
    warn_about_nothing_routed(context, cluster);
    warn_about_no_recovery_login(context, cluster);
  }
}

}  // namespace pgweir::config
