// Settings that are read, but that nothing enforces yet: whoever writes one is told. When one is built, its warning goes.
#include "config/rules.h"

namespace pgweir::config {

void rule_settings_without_effect(const RuleContext& context) {
  if (context.findings.errors() != 0) return;  // first things first: the value may be what is wrong
  const auto warn = [&](Place place, const std::string& key, std::string hint) {
    context.findings.warning(place, "\"" + key + "\" has no effect yet", std::move(hint));
  };
  const char* pools = "\"size\" bounds the connections to each server";
  if (context.config.pool.max_connections != 0 && context.document.find({"pool", "max_connections"}))
    warn(context.document.key_place({"pool", "max_connections"}), "max_connections", pools);
  for (const Cluster& cluster : context.config.clusters) {
    if (cluster.pool.max_connections != 0 && context.document.find({"cluster", cluster.name, "pool", "max_connections"}))
      warn(context.document.key_place({"cluster", cluster.name, "pool", "max_connections"}), "max_connections", pools);
  }
  for (std::size_t i = 0; i < context.config.users.size(); ++i) {
    if (context.config.users[i].pool.max_connections.value_or(0) != 0)
      warn(context.document.key_place({"user", i, "max_connections"}), "max_connections", pools);
  }
  if (context.config.tls_server.mode == TlsMode::Allow)
    context.findings.warning(context.document.value_place({"tls", "server", "mode"}),
                             "mode = \"allow\" never uses TLS for pooled connections yet",
                             "a server that demands TLS refuses them; use \"prefer\" or stronger");
}

}  // namespace pgweir::config
