#include <algorithm>
#include <filesystem>
#include <fstream>

#include "config/names.h"
#include "config/rules.h"

namespace pgweir::config {
namespace {

bool verifies(TlsMode mode) { return mode == TlsMode::VerifyCa || mode == TlsMode::VerifyFull; }

// A key of a section that its mode makes necessary.
void require_file(const RuleContext& context, const std::string& value, Place place, const std::string& key,
                  const std::string& why) {
  if (value.empty()) context.findings.error(place, "\"" + key + "\" is missing: " + why);
}

void check_file(const RuleContext& context, const std::string& path, Place place, bool secret) {
  if (path.empty()) return;
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (!std::filesystem::exists(status)) {
    context.findings.error(place, "the file \"" + path + "\" does not exist");
  } else if (!std::filesystem::is_regular_file(status) || !std::ifstream(path).good()) {
    context.findings.error(place, "the file \"" + path + "\" cannot be read");
  } else if (secret && (status.permissions() & std::filesystem::perms::others_read) != std::filesystem::perms::none) {
    context.findings.warning(place, "everybody can read the private key \"" + path + "\"", "chmod 600 it");
  }
}

}  // namespace

void rule_listen_addresses_differ(const RuleContext& context) {
  const std::vector<Endpoint>& addresses = context.config.listen.addresses;
  const Node* list = context.document.find({"listen", "address"});
  if (list && list->is_array() && list->items.empty()) {
    context.findings.error(list->place, "\"address\" in [listen] names no address");
  }
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    // Port 0 is another port each time.
    if (addresses[i].port == 0 || addresses[i].host.empty()) continue;
    if (std::find(addresses.begin(), addresses.begin() + static_cast<std::ptrdiff_t>(i), addresses[i]) !=
        addresses.begin() + static_cast<std::ptrdiff_t>(i)) {
      context.findings.error(context.document.value_place({"listen", "address", i}),
                             "the address " + addresses[i].to_string() + " stands twice");
    }
  }
  const auto& metrics = context.config.metrics.address;
  if (metrics && metrics->port != 0 && std::find(addresses.begin(), addresses.end(), *metrics) != addresses.end()) {
    context.findings.error(context.document.value_place({"metrics", "address"}),
                           "[listen] has the address " + metrics->to_string() + " already");
  }
}

void rule_memory_holds_a_statement(const RuleContext& context) {
  const Listen& listen = context.config.listen;
  if (listen.memory_budget >= listen.max_statement_size) return;
  context.findings.error(context.document.value_place({"listen", "memory_budget"}),
                         "\"memory_budget\" is smaller than \"max_statement_size\"");
}

void rule_peers_have_own_ids(const RuleContext& context) {
  const std::vector<Peer>& peers = context.config.peers;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const Node* node = context.document.find({"peer", i, "node_id"});
    if (!node || node->integer != peers[i].node_id || node->kind != Node::Kind::Integer) continue;
    if (peers[i].node_id == context.config.listen.node_id) {
      context.findings.error(node->place, "the peer's node_id " + std::to_string(peers[i].node_id) +
                                              " is that of this process",
                             "set \"node_id\" in [listen]");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (peers[j].node_id != peers[i].node_id) continue;
      context.findings.error(node->place, "two peers have the node_id " + std::to_string(peers[i].node_id));
      break;
    }
  }
}

void rule_tls_client_is_complete(const RuleContext& context) {
  const ClientTls& tls = context.config.tls_client;
  const Place mode = context.document.value_place({"tls", "client", "mode"});
  if (tls.mode == TlsMode::Prefer) {
    context.findings.error(mode, "\"mode\" in [tls.client] cannot be \"prefer\"",
                           "the client prefers, not the server: use \"allow\"");
    return;
  }
  if (tls.mode == TlsMode::Disable) return;
  const std::string why = "mode = \"" + std::string(to_word(tls.mode)) + "\" needs it";
  require_file(context, tls.cert, mode, "cert", why);
  require_file(context, tls.key, mode, "key", why);
  if (verifies(tls.mode)) require_file(context, tls.ca, mode, "ca", why);
}

void rule_tls_server_is_complete(const RuleContext& context) {
  const ServerTls& tls = context.config.tls_server;
  const Place mode = context.document.value_place({"tls", "server", "mode"});
  if (verifies(tls.mode)) {
    require_file(context, tls.ca, mode, "ca", "mode = \"" + std::string(to_word(tls.mode)) + "\" needs it");
  }
  if (!tls.cert.empty()) {
    require_file(context, tls.key, context.document.value_place({"tls", "server", "cert"}), "key", "\"cert\" needs it");
  }
  if (!tls.key.empty()) {
    require_file(context, tls.cert, context.document.value_place({"tls", "server", "key"}), "cert", "\"key\" needs it");
  }
}

void rule_files_are_readable(const RuleContext& context) {
  const auto check = [&](const std::string& path, std::initializer_list<Step> at, bool secret) {
    check_file(context, path, context.document.value_place(at), secret);
  };
  check(context.config.tls_client.cert, {"tls", "client", "cert"}, false);
  check(context.config.tls_client.key, {"tls", "client", "key"}, true);
  check(context.config.tls_client.ca, {"tls", "client", "ca"}, false);
  check(context.config.tls_server.ca, {"tls", "server", "ca"}, false);
  check(context.config.tls_server.cert, {"tls", "server", "cert"}, false);
  check(context.config.tls_server.key, {"tls", "server", "key"}, true);
  check(context.config.auth.hba_file, {"auth", "hba_file"}, false);
}

void rule_admin_names(const RuleContext& context) {
  const Admin& admin = context.config.admin;
  if (admin.database.empty()) {
    context.findings.error(context.document.value_place({"admin", "database"}), "the console needs a name");
  }
  const auto check = [&](const std::vector<std::string>& names, const char* key) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Node* node = context.document.find({"admin", key, i});
      if (node && node->is_string() && names[i].empty()) context.findings.error(node->place, "a user name is empty");
    }
  };
  check(admin.users, "users");
  check(admin.stats_users, "stats_users");
}

}  // namespace pgweir::config
