// Clusters with their shards, tables and functions.
#include "config/identifier.h"
#include "config/read.h"

namespace pgweir::config {
namespace {

void read_shards(const ReadContext& context, const Node& table, const std::string& label, Cluster& cluster) {
  const Member* member = table.find("shard");
  for (const Node* node : tables_of(member ? &member->value : nullptr)) {
    const Section section(*node, label + ".shard]]", context.findings);
    Shard& shard = cluster.shards.emplace_back();
    section.require("name");
    section.require("primary");
    section.read("name", shard.name);
    section.read("region", shard.region);
    section.read("tier", shard.tier);
    read_server_address(context, section, "primary", shard.primary);
    section.read("replicas", shard.replicas, EndpointRules{.unix_port_required = true});
    const Node* replicas = section.node("replicas");
    for (std::size_t i = 0; i < shard.replicas.size(); ++i) {
      resolve_socket(context, replicas->items[i].place, shard.replicas[i]);
    }
  }
}

void read_placements(const ReadContext& context, const Node& table, const std::string& label, Cluster& cluster) {
  const Member* member = table.find("placement");
  if (!member) return;
  for (const Member& named : table_or_empty(&member->value).members) {
    if (!named.value.is_table()) continue;
    Placement& placement = cluster.placements.emplace_back();
    placement.name = named.key;
    read_placement(Section(named.value, label + ".placement." + named.key + "]", context.findings), placement);
  }
}

template <typename Item>
void read_items(const ReadContext& context, const Node& table, const char* key, const std::string& label,
                void (*read_item)(const Section&, Item&), std::vector<Item>& items) {
  const Member* member = table.find(key);
  for (const Node* node : tables_of(member ? &member->value : nullptr)) {
    read_item(Section(*node, label, context.findings), items.emplace_back());
  }
}

void read_recovery(const ReadContext& context, const Section& section, const Config& config, Cluster& cluster) {
  section.read("recovery_user", cluster.recovery_user);
  cluster.recovery_user_configured = !cluster.recovery_user.empty();
  if (section.has("recovery_password")) {
    cluster.recovery_password = read_password(context, section, "recovery_password");
    return;
  }
  const User* chosen = cluster.recovery_user_configured ? config.find_user(cluster.recovery_user) : nullptr;
  if (cluster.recovery_user_configured) {
    if (chosen) cluster.recovery_password = chosen->server_password;
    return;
  }
  for (const Secret::Kind kind : {Secret::Kind::Plain, Secret::Kind::None}) {
    for (const User& user : config.users) {
      if (!chosen && user.server_password.kind == kind) chosen = &user;
    }
  }
  if (!chosen) return;
  cluster.recovery_user = chosen->server_user;
  cluster.recovery_password = chosen->server_password;
}

void read_cluster(const ReadContext& context, const Member& member, const Config& config, Cluster& cluster) {
  const Node& table = table_or_empty(&member.value);
  const std::string label = "[cluster." + member.key;
  const Section section(table, label + "]", context.findings);
  cluster.name = cluster.database = member.key;
  section.read("database", cluster.database);
  read_shards(context, table, "[" + label, cluster);
  section.read("unlisted", cluster.unlisted);
  if (cluster.unlisted) cluster.home = *cluster.unlisted;
  if (!cluster.unlisted && !cluster.shards.empty()) cluster.home = cluster.shards.front().name;
  section.read("home", cluster.home);
  cluster.catalog_shard = cluster.home;
  section.read("catalog_shard", cluster.catalog_shard);
  section.read("reads", cluster.reads);
  section.read("max_client_connections", cluster.max_client_connections, 0, 1'000'000);
  section.read("max_server_connections", cluster.max_server_connections, 0, 1'000'000);
  read_recovery(context, section, config, cluster);
  cluster.pool = config.pool;
  if (const Member* pool = table.find("pool")) {
    read_pool(Section(table_or_empty(&pool->value), label + ".pool]", context.findings), cluster.pool);
  }
  read_placements(context, table, label, cluster);
  read_items(context, table, "table", "[" + label + ".table]]", read_table, cluster.tables);
  read_items(context, table, "function", "[" + label + ".function]]", read_function, cluster.functions);
}

// "schema.name", or "name" in public.
void read_sql_name(const Section& section, std::string& schema, std::string& name) {
  std::string text;
  section.read("name", text);
  const Node* node = section.node("name");
  if (!section.require("name") || !node->is_string()) return;
  std::vector<std::string> parts;
  if (const std::string problem = parse_identifier(text, 2, parts); !problem.empty()) {
    section.findings().error(node->place, "\"name\" in " + section.label() + ": " + problem,
                             "\"schema.name\" as in SQL, e.g. 'public.\"Odd Name\"'");
    return;
  }
  schema = parts.size() == 2 ? parts[0] : "public";
  name = parts.back();
}

}  // namespace

void read_table(const Section& section, Table& table) {
  read_sql_name(section, table.schema, table.name);
  section.read("kind", table.kind);
  section.read("placement", table.placement);
  section.read("shard", table.shard);
  section.read("local_constraints", table.local_constraints);
  std::string triggers;
  section.read("triggers", triggers);
  table.local_triggers = triggers == "shard";
  section.read("ids", table.ids);
  std::vector<std::string> columns;
  section.read("key", columns);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::vector<std::string> parts;
    const Node& item = section.node("key")->items[i];
    const std::string problem = item.is_string() ? parse_identifier(columns[i], 1, parts) : std::string();
    if (!problem.empty()) {
      section.findings().error(item.place, "\"key\" in " + section.label() + ": " + problem);
    }
    table.key.push_back(parts.empty() ? std::string() : parts.front());
  }
}

void read_function(const Section& section, Function& function) {
  read_sql_name(section, function.schema, function.name);
  section.read("reads", function.reads);
}

void read_clusters(const ReadContext& context, Config& config) {
  for (const Member& member : table_or_empty(context.document.find({"cluster"})).members) {
    if (!member.value.is_table()) continue;
    Cluster cluster;
    read_cluster(context, member, config, cluster);
    config.clusters.push_back(std::move(cluster));
  }
}

void read_config(const ReadContext& context, Config& config) {
  read_listen(context, config);
  read_tls(context, config);
  read_services(context, config);
  read_auth(context, config);
  read_users(context, config);
  read_pool(Section(table_or_empty(context.document.find({"pool"})), "[pool]", context.findings), config.pool);
  read_clusters(context, config);
}

}  // namespace pgweir::config
