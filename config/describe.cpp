#include "config/describe.h"

#include "config/identifier.h"
#include "config/names.h"
#include "config/units.h"

namespace pgweir::config {
namespace {

std::string show(const std::string& value) { return value; }
std::string show(bool value) { return value ? "true" : "false"; }
std::string show(unsigned value) { return std::to_string(value); }
std::string show(Duration value) { return format_duration(value); }
std::string show(Bytes value) { return format_bytes(value); }
std::string show(const Endpoint& value) { return value.to_string(); }
std::string show(const Secret& value) { return value.kind == Secret::Kind::None ? "" : "***"; }
std::string show(const Branch& value) {
  return value.placement.empty() ? value.shard : "{ placement = \"" + value.placement + "\" }";
}

template <typename Enum>
  requires std::is_enum_v<Enum>
std::string show(Enum value) {
  return std::string(to_word(value));
}

template <typename Item>
std::string show(const std::vector<Item>& items) {
  std::string text;
  for (const Item& item : items) {
    if (&item != &items.front()) text += ", ";
    text += show(item);
  }
  return text;
}

std::string octal(unsigned value) {
  std::string digits;
  for (; value != 0 || digits.size() < 4; value /= 8) digits.insert(digits.begin(), static_cast<char>('0' + value % 8));
  return digits;
}

// Collects the settings of one section: put("size", 20) becomes "pool.size" = "20".
class Sheet {
 public:
  explicit Sheet(std::vector<Setting>& out, std::string prefix = {}) : out_(out), prefix_(std::move(prefix)) {}

  Sheet in(const std::string& name) const { return Sheet(out_, prefix_ + name + "."); }

  template <typename Value>
  void put(const std::string& key, const Value& value) const {
    out_.push_back({prefix_ + key, show(value)});
  }
  template <typename Value>
  void put(const std::string& key, const std::optional<Value>& value) const {
    if (value) put(key, *value);
  }

 private:
  std::vector<Setting>& out_;
  std::string prefix_;
};

void describe_process(const Sheet& root, const Config& config) {
  const Sheet listen = root.in("listen");
  listen.put("address", config.listen.addresses);
  listen.put("workers", config.listen.workers);
  listen.put("max_clients", config.listen.max_clients);
  listen.put("max_server_connections", config.listen.max_server_connections);
  listen.put("reuse_port", config.listen.reuse_port);
  listen.put("unix_socket_mode", octal(config.listen.unix_socket_mode));
  listen.put("node_id", config.listen.node_id);
  listen.put("client_login_timeout", config.listen.client_login_timeout);
  listen.put("client_message_timeout", config.listen.client_message_timeout);
  listen.put("max_unauthenticated", config.listen.max_unauthenticated);
  listen.put("max_statement_size", config.listen.max_statement_size);
  listen.put("max_client_statements", config.listen.max_client_statements);
  listen.put("max_client_statement_bytes", config.listen.max_client_statement_bytes);
  listen.put("memory_budget", config.listen.memory_budget);
  for (const Peer& peer : config.peers) {
    const Sheet sheet = root.in("peer").in(std::to_string(peer.node_id));
    sheet.put("node_id", peer.node_id);
    sheet.put("address", peer.address);
  }
  const Sheet client = root.in("tls").in("client");
  client.put("mode", config.tls_client.mode);
  client.put("cert", config.tls_client.cert);
  client.put("key", config.tls_client.key);
  client.put("ca", config.tls_client.ca);
  const Sheet server = root.in("tls").in("server");
  server.put("mode", config.tls_server.mode);
  server.put("ca", config.tls_server.ca);
  server.put("cert", config.tls_server.cert);
  server.put("key", config.tls_server.key);
}

void describe_services(const Sheet& root, const Config& config) {
  const Sheet admin = root.in("admin");
  admin.put("database", config.admin.database);
  admin.put("users", config.admin.users);
  admin.put("stats_users", config.admin.stats_users);
  root.in("metrics").put("address", config.metrics.address ? show(*config.metrics.address) : std::string());
  root.in("log").put("level", config.log.level);
  root.in("log").put("format", config.log.format);
  const Sheet auth = root.in("auth");
  auth.put("method", config.auth.method);
  auth.put("hba_file", config.auth.hba_file);
  auth.put("query", config.auth.query);
  auth.put("query_user", config.auth.query_user);
  auth.put("query_database", config.auth.query_database);
}

void describe_user(const Sheet& sheet, const User& user) {
  sheet.put("name", user.name);
  sheet.put("password", user.password);
  sheet.put("server_user", user.server_user);
  sheet.put("server_password", user.server_password);
  sheet.put("pool_mode", user.pool.mode);
  sheet.put("pool_size", user.pool.size);
  sheet.put("pool_min_size", user.pool.min_size);
  sheet.put("pool_reserve_size", user.pool.reserve_size);
  sheet.put("max_connections", user.pool.max_connections);
  sheet.put("checkout_timeout", user.pool.checkout_timeout);
  sheet.put("query_timeout", user.pool.query_timeout);
  sheet.put("idle_in_transaction_timeout", user.pool.idle_in_transaction_timeout);
  sheet.put("max_client_connections", user.max_client_connections);
}

void describe_pool(const Sheet& sheet, const Pool& pool) {
  sheet.put("mode", pool.mode);
  sheet.put("size", pool.size);
  sheet.put("min_size", pool.min_size);
  sheet.put("reserve_size", pool.reserve_size);
  sheet.put("reserve_delay", pool.reserve_delay);
  sheet.put("max_connections", pool.max_connections);
  sheet.put("checkout_timeout", pool.checkout_timeout);
  sheet.put("server_connect_timeout", pool.server_connect_timeout);
  sheet.put("server_idle_timeout", pool.server_idle_timeout);
  sheet.put("server_lifetime", pool.server_lifetime);
  sheet.put("checkout_notice", pool.checkout_notice);
  sheet.put("begin_defer_max", pool.begin_defer_max);
  sheet.put("query_timeout", pool.query_timeout);
  sheet.put("transaction_timeout", pool.transaction_timeout);
  sheet.put("idle_in_transaction_timeout", pool.idle_in_transaction_timeout);
  sheet.put("client_idle_timeout", pool.client_idle_timeout);
  sheet.put("max_prepared_statements", pool.max_prepared_statements);
  sheet.put("max_pinned", pool.max_pinned);
  sheet.put("cancel_on_disconnect", pool.cancel_on_disconnect);
  sheet.put("server_round_robin", pool.server_round_robin);
}

void describe_placement(const Sheet& sheet, const Placement& placement) {
  sheet.put("type", placement.type);
  sheet.put("key_type", placement.key_type);
  if (placement.type == PlacementType::Hash) {
    sheet.put("hash", placement.hash);
    sheet.put("buckets", placement.buckets);
  }
  for (const BucketRange& range : placement.bucket_map) {
    sheet.in("map").put(std::to_string(range.first) + "-" + std::to_string(range.last), range.branch);
  }
  for (const ListEntry& pin : placement.pins) sheet.in("pins").put(pin.value, pin.branch);
  for (const ListEntry& entry : placement.entries) sheet.in("map").put(entry.value, entry.branch);
  sheet.put("default", placement.default_branch);
  for (std::size_t i = 0; i < placement.ranges.size(); ++i) {
    const Sheet range = sheet.in("ranges").in(std::to_string(i));
    range.put("from", placement.ranges[i].from);
    range.put("to", placement.ranges[i].to);
    range.put("branch", placement.ranges[i].branch);
  }
}

void describe_table(const Sheet& sheet, const Table& table) {
  sheet.put("kind", table.kind);
  if (table.kind == TableKind::Sharded) {
    sheet.put("placement", table.placement);
    sheet.put("key", table.key);
    sheet.put("local_constraints", table.local_constraints);
    sheet.put("ids", table.ids);
  }
  if (table.kind == TableKind::Local) sheet.put("shard", table.shard);
  sheet.put("triggers", std::string(table.local_triggers ? "shard" : ""));
}

void describe_cluster(const Sheet& sheet, const Cluster& cluster) {
  sheet.put("database", cluster.database);
  sheet.put("home", cluster.home);
  sheet.put("unlisted", cluster.unlisted.value_or(""));
  sheet.put("catalog_shard", cluster.catalog_shard);
  sheet.put("reads", cluster.reads);
  sheet.put("max_client_connections", cluster.max_client_connections);
  sheet.put("max_server_connections", cluster.max_server_connections);
  sheet.put("recovery_user", cluster.recovery_user);
  sheet.put("recovery_password", cluster.recovery_password);
  describe_pool(sheet.in("pool"), cluster.pool);
  for (const Shard& shard : cluster.shards) {
    const Sheet inner = sheet.in("shard").in(shard.name);
    inner.put("region", shard.region);
    inner.put("tier", shard.tier);
    inner.put("primary", shard.primary);
    inner.put("replicas", shard.replicas);
  }
  for (const Placement& placement : cluster.placements) {
    describe_placement(sheet.in("placement").in(placement.name), placement);
  }
  for (const Table& table : cluster.tables) {
    describe_table(sheet.in("table").in(format_identifier(table.schema, table.name)), table);
  }
  for (const Function& function : cluster.functions) {
    sheet.in("function").in(format_identifier(function.schema, function.name)).put("reads", function.reads);
  }
}

}  // namespace

std::vector<Setting> describe(const Config& config) {
  std::vector<Setting> settings;
  const Sheet root(settings);
  describe_process(root, config);
  describe_services(root, config);
  for (const User& user : config.users) describe_user(root.in("user").in(user.name), user);
  describe_pool(root.in("pool"), config.pool);
  for (const Cluster& cluster : config.clusters) describe_cluster(root.in("cluster").in(cluster.name), cluster);
  return settings;
}

}  // namespace pgweir::config
