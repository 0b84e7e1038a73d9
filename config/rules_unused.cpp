// Settings that are read, but that nothing enforces yet: whoever writes one is told. When one is built, its warning goes.
#include "config/rules.h"

namespace pgweir::config {

void rule_settings_without_effect(const RuleContext& context) {
  if (context.findings.errors() != 0) return;  // first things first: the value may be what is wrong
  if (context.config.tls_server.mode == TlsMode::Allow)
    context.findings.warning(context.document.value_place({"tls", "server", "mode"}),
                             "mode = \"allow\" never uses TLS for pooled connections yet",
                             "a server that demands TLS refuses them; use \"prefer\" or stronger");
}

}  // namespace pgweir::config
