#include "config/names.h"
#include "config/rules.h"

namespace pgweir::config {
namespace {

void check_password(const RuleContext& context, std::size_t index) {
  const User& user = context.config.users[index];
  const AuthMethod method = context.config.auth.method;
  const Place place = context.document.value_place({"user", index, "password"});
  if (method == AuthMethod::ScramSha256 && user.password.kind == Secret::Kind::Md5) {
    context.findings.error(place, "an md5 verifier cannot answer scram-sha-256: this user could never log in",
                           "give a SCRAM-SHA-256 verifier or the plain password");
  }
  const bool needed =
      method == AuthMethod::ScramSha256 || method == AuthMethod::Md5 || method == AuthMethod::Plain;
  if (needed && !context.document.find({"user", index, "password"}) && context.config.auth.query.empty()) {
    context.findings.warning(place, "the user \"" + user.name + "\" has no password and cannot log in");
  }
}

void check_min_size(const RuleContext& context, const Pool& pool, Place place) {
  if (pool.min_size <= pool.size) return;
  context.findings.error(place, "\"min_size\" (" + std::to_string(pool.min_size) + ") is larger than \"size\" (" +
                                    std::to_string(pool.size) + ")");
}

}  // namespace

void rule_user_names_differ(const RuleContext& context) {
  const std::vector<User>& users = context.config.users;
  for (std::size_t i = 0; i < users.size(); ++i) {
    const Node* node = context.document.find({"user", i, "name"});
    if (!node || !node->is_string()) continue;
    if (users[i].name.empty()) context.findings.error(node->place, "a user name is empty");
    const User* first = context.config.find_user(users[i].name);
    if (!users[i].name.empty() && first != &users[i]) {
      context.findings.error(node->place, "the user \"" + users[i].name + "\" stands twice");
    }
  }
}

void rule_passwords_fit_the_method(const RuleContext& context) {
  for (std::size_t i = 0; i < context.config.users.size(); ++i) check_password(context, i);
}

void rule_pool_sizes(const RuleContext& context) {
  const std::size_t before = context.findings.errors();
  check_min_size(context, context.config.pool, context.document.value_place({"pool", "min_size"}));
  for (const Cluster& cluster : context.config.clusters) {
    if (!context.document.find({"cluster", cluster.name, "pool"})) continue;
    check_min_size(context, cluster.pool, context.document.value_place({"cluster", cluster.name, "pool", "min_size"}));
  }
  // A user's values meet those of each cluster; told once, and not on top of a pool that is wrong already.
  for (std::size_t i = 0; i < context.config.users.size() && context.findings.errors() == before; ++i) {
    const User& user = context.config.users[i];
    if (!user.pool.size && !user.pool.min_size) continue;
    const char* key = user.pool.min_size ? "pool_min_size" : "pool_size";
    for (const Cluster& cluster : context.config.clusters) {
      const Pool pool = effective_pool(cluster, &user);
      if (pool.min_size <= pool.size) continue;
      check_min_size(context, pool, context.document.value_place({"user", i, key}));
      break;
    }
  }
}

}  // namespace pgweir::config
