// Sections of the whole process: listen, peers, TLS, console, metrics, log, authentication.
#include <algorithm>
#include <filesystem>

#include "config/hba_read.h"
#include "config/read.h"
#include "config/secret.h"

namespace pgweir::config {
namespace {

constexpr unsigned kMaxNodeId = 1023;  // ten bits of a cancel key
constexpr std::uint16_t kDefaultPort = 6432;

Section section_at(const ReadContext& context, std::initializer_list<Step> path, std::string label) {
  return Section(table_or_empty(context.document.find(path)), std::move(label), context.findings);
}

// A unix socket is named after the port of the first address that has one.
void fill_socket_ports(const ReadContext& context, std::vector<Endpoint>& addresses) {
  std::uint16_t port = kDefaultPort;
  for (const Endpoint& address : addresses) {
    if (address.port == 0) continue;
    port = address.port;
    break;
  }
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    Endpoint& address = addresses[i];
    if (!address.unix_socket) continue;
    if (address.port == 0) address.port = port;
    resolve_socket(context, context.document.value_place({"listen", "address", i}), address);
  }
}

void read_peers(const ReadContext& context, Config& config) {
  for (const Node* table : tables_of(context.document.find({"peer"}))) {
    const Section section(*table, "[[peer]]", context.findings);
    Peer& peer = config.peers.emplace_back();
    section.require("node_id");
    section.require("address");
    section.read("node_id", peer.node_id, 0, kMaxNodeId);
    section.read("address", peer.address, EndpointRules{.unix_port_required = true});
    resolve_socket(context, section.value_place("address"), peer.address);
  }
}

void read_socket_mode(const Section& section, unsigned& mode) {
  std::string digits;
  section.read("unix_socket_mode", digits);
  if (!section.has("unix_socket_mode")) return;
  if (!digits.empty() && digits.size() <= 4 && digits.find_first_not_of("01234567") == std::string::npos && std::stoul(digits, nullptr, 8) <= 0777)
    mode = static_cast<unsigned>(std::stoul(digits, nullptr, 8));
  else
    section.findings().error(section.value_place("unix_socket_mode"), "\"unix_socket_mode\" in [listen] must be octal digits up to 777", "for example \"0770\"");
}

}  // namespace

void read_listen(const ReadContext& context, Config& config) {
  const Section section = section_at(context, {"listen"}, "[listen]");
  Listen& listen = config.listen;
  section.read("address", listen.addresses, EndpointRules{.any_port = true}, true);
  if (!section.has("address")) listen.addresses = {Endpoint{.host = "127.0.0.1", .port = kDefaultPort}};
  fill_socket_ports(context, listen.addresses);
  section.read("workers", listen.workers, 0, 1024);
  section.read("max_clients", listen.max_clients, 1, 1'000'000);
  section.read("max_server_connections", listen.max_server_connections, 0, 1'000'000);
  section.read("reuse_port", listen.reuse_port);
  read_socket_mode(section, listen.unix_socket_mode);
  section.read("node_id", listen.node_id, 0, kMaxNodeId);
  section.read("client_login_timeout", listen.client_login_timeout);
  section.read("client_message_timeout", listen.client_message_timeout);
  section.read("max_unauthenticated", listen.max_unauthenticated, 1, 1'000'000);
  section.read_bytes("max_statement_size", listen.max_statement_size, 1u << 10, 1u << 30);
  section.read("max_client_statements", listen.max_client_statements, 1, 1'000'000);
  section.read_bytes("max_client_statement_bytes", listen.max_client_statement_bytes, 1u << 10, 1u << 30);
  section.read_bytes("memory_budget", listen.memory_budget, 16u << 20, 1ull << 50);
  read_peers(context, config);
}

void read_tls(const ReadContext& context, Config& config) {
  const Section client = section_at(context, {"tls", "client"}, "[tls.client]");
  client.read("mode", config.tls_client.mode);
  read_file_name(context, client, "cert", config.tls_client.cert);
  read_file_name(context, client, "key", config.tls_client.key);
  read_file_name(context, client, "ca", config.tls_client.ca);
  const Section server = section_at(context, {"tls", "server"}, "[tls.server]");
  server.read("mode", config.tls_server.mode);
  read_file_name(context, server, "ca", config.tls_server.ca);
  read_file_name(context, server, "cert", config.tls_server.cert);
  read_file_name(context, server, "key", config.tls_server.key);
}

void read_services(const ReadContext& context, Config& config) {
  const Section admin = section_at(context, {"admin"}, "[admin]");
  admin.read("database", config.admin.database);
  admin.read("users", config.admin.users);
  admin.read("stats_users", config.admin.stats_users);
  const Section metrics = section_at(context, {"metrics"}, "[metrics]");
  metrics.read("address", config.metrics.address, EndpointRules{.any_port = true, .unix_allowed = false});
  const Section log = section_at(context, {"log"}, "[log]");
  log.read("level", config.log.level);
  log.read("format", config.log.format);
}

void read_auth(const ReadContext& context, Config& config) {
  const Section section = section_at(context, {"auth"}, "[auth]");
  section.read("method", config.auth.method);
  read_file_name(context, section, "hba_file", config.auth.hba_file);
  std::error_code failed;  // a missing file is rule_files_are_readable's finding
  if (config.auth.method == AuthMethod::Hba && std::filesystem::is_regular_file(config.auth.hba_file, failed))
    config.auth.hba = read_hba(config.auth.hba_file, section.value_place("hba_file"), context.findings);
  section.read("query", config.auth.query);
  section.read("query_user", config.auth.query_user);
  section.read("query_database", config.auth.query_database);
}

const Node& table_or_empty(const Node* node) {
  static const Node empty;
  return node && node->is_table() ? *node : empty;
}

std::vector<const Node*> tables_of(const Node* node) {
  std::vector<const Node*> tables;
  if (!node || !node->is_array()) return tables;
  for (const Node& item : node->items) tables.push_back(&table_or_empty(&item));
  return tables;
}

void read_file_name(const ReadContext& context, const Section& section, std::string_view key, std::string& out) {
  std::string name;
  section.read(key, name);
  if (!name.empty()) out = (context.folder / name).lexically_normal().string();
}

Secret read_password(const ReadContext& context, const Section& section, std::string_view key) {
  const Node* node = section.node(key);
  std::string text;
  section.read(key, text);
  if (!node || !node->is_string()) return {};
  return read_secret(text, context.folder, node->place, context.findings);
}

void resolve_socket(const ReadContext& context, Place place, Endpoint& endpoint) {
  if (!endpoint.unix_socket) return;
  endpoint.host = (context.folder / endpoint.host).lexically_normal().string();
  if (socket_path_length(endpoint) > kMaxSocketPath) {
    context.findings.error(place, "the unix socket's path would be longer than " + std::to_string(kMaxSocketPath) +
                                      " bytes", "choose a shorter directory");
  }
}

void read_server_address(const ReadContext& context, const Section& section, std::string_view key, Endpoint& out) {
  section.read(key, out, EndpointRules{.unix_port_required = true});
  resolve_socket(context, section.value_place(key), out);
}

}  // namespace pgweir::config
