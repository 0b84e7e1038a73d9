#include <map>

#include "config/rules.h"
#include "config/suggest.h"

namespace pgweir::config {
namespace {

std::vector<std::string> shard_names(const Cluster& cluster) {
  std::vector<std::string> names;
  for (const Shard& shard : cluster.shards) names.push_back(shard.name);
  return names;
}

bool has_shard(const Cluster& cluster, const std::string& name) {
  for (const Shard& shard : cluster.shards) {
    if (shard.name == name) return true;
  }
  return false;
}

// Tells where an endpoint stood first; names of one server under two spellings are not found out here.
class Servers {
 public:
  explicit Servers(const RuleContext& context) : context_(context) {}

  void add(const Endpoint& endpoint, const std::string& what, Place place) {
    if (endpoint.host.empty()) return;
    const auto [earlier, added] = seen_.emplace(endpoint.to_string(), what);
    if (added) return;
    context_.findings.error(place, endpoint.to_string() + " is " + earlier->second + " already",
                            "a server holds the rows of one shard, once");
  }

 private:
  const RuleContext& context_;
  std::map<std::string, std::string> seen_;
};

void check_shard_name(const RuleContext& context, const Cluster& cluster, const char* key) {
  const Node* node = context.document.find({"cluster", cluster.name, key});
  if (!node || !node->is_string() || has_shard(cluster, node->text)) return;
  context.findings.error(node->place, "the cluster \"" + cluster.name + "\" has no shard \"" + node->text + "\"",
                         suggest(node->text, shard_names(cluster)));
}

}  // namespace

void rule_some_cluster(const RuleContext& context) {
  const Node* section = context.document.find({"cluster"});
  if (section && !section->members.empty()) return;
  context.findings.error({}, "there is no cluster", "write [cluster.NAME] with at least one [[cluster.NAME.shard]]");
}

void rule_cluster_names(const RuleContext& context) {
  for (const Cluster& cluster : context.config.clusters) {
    const Place place = context.document.key_place({"cluster", cluster.name});
    if (cluster.name.empty()) context.findings.error(place, "a cluster's name is empty");
    if (cluster.database.empty() && context.document.find({"cluster", cluster.name, "database"})) {
      context.findings.error(context.document.value_place({"cluster", cluster.name, "database"}),
                             "the database's name is empty");
    }
    if (cluster.name == "pgbouncer" || cluster.name == context.config.admin.database) {
      context.findings.error(place, "\"" + cluster.name + "\" is the console's name",
                             "give the cluster another name, or change \"database\" in [admin]");
    }
  }
}

void rule_shards(const RuleContext& context) {
  for (const Cluster& cluster : context.config.clusters) {
    if (cluster.shards.empty()) {
      context.findings.error(context.document.key_place({"cluster", cluster.name}),
                             "the cluster \"" + cluster.name + "\" has no shard",
                             "write [[cluster." + cluster.name + ".shard]] with name and primary");
    }
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < cluster.shards.size(); ++i) {
      const Node* node = context.document.find({"cluster", cluster.name, "shard", i, "name"});
      if (!node || !node->is_string()) continue;
      const std::string& name = cluster.shards[i].name;
      if (name.empty()) {
        context.findings.error(node->place, "a shard's name is empty");
      } else if (!seen.emplace(name, i).second) {
        context.findings.error(node->place, "the shard \"" + name + "\" stands twice");
      }
    }
  }
}

void rule_servers_stand_once(const RuleContext& context) {
  for (const Cluster& cluster : context.config.clusters) {
    Servers servers(context);
    for (std::size_t i = 0; i < cluster.shards.size(); ++i) {
      const Shard& shard = cluster.shards[i];
      servers.add(shard.primary, "the primary of \"" + shard.name + "\"",
                  context.document.value_place({"cluster", cluster.name, "shard", i, "primary"}));
      for (std::size_t j = 0; j < shard.replicas.size(); ++j) {
        servers.add(shard.replicas[j], "a replica of \"" + shard.name + "\"",
                    context.document.value_place({"cluster", cluster.name, "shard", i, "replicas", j}));
      }
    }
  }
}

void rule_named_shards_exist(const RuleContext& context) {
  for (const Cluster& cluster : context.config.clusters) {
    for (const char* key : {"home", "unlisted", "catalog_shard"}) check_shard_name(context, cluster, key);
  }
}

void rule_recovery_login(const RuleContext& context) {
  for (const Cluster& cluster : context.config.clusters) {
    const Node* password = context.document.find({"cluster", cluster.name, "recovery_password"});
    if (password && !cluster.recovery_user_configured) {
      context.findings.error(password->place, "\"recovery_password\" needs \"recovery_user\"");
    }
    if (cluster.recovery_password.kind == Secret::Kind::Md5 || cluster.recovery_password.kind == Secret::Kind::Scram) {
      context.findings.error(context.document.value_place({"cluster", cluster.name, "recovery_password"}),
                             "the recovery user logs in to servers: a verifier cannot do that",
                             "give its plain password as env:NAME or file:PATH");
    }
  }
}

}  // namespace pgweir::config
