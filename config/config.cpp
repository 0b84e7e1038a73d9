#include "config/config.h"

namespace pgweir::config {

std::string Endpoint::to_string() const {
  const std::string suffix = port == 0 && unix_socket ? std::string() : ":" + std::to_string(port);
  if (unix_socket) return "unix:" + host + suffix;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + suffix;
}

const Cluster* Config::find_cluster(const std::string& name) const {
  for (const Cluster& cluster : clusters) {
    if (cluster.name == name) return &cluster;
  }
  return nullptr;
}

const User* Config::find_user(const std::string& name) const {
  for (const User& user : users) {
    if (user.name == name) return &user;
  }
  return nullptr;
}

Pool effective_pool(const Cluster& cluster, const User* user) {
  Pool pool = cluster.pool;
  if (!user) return pool;
  const PoolOverride& own = user->pool;
  pool.mode = own.mode.value_or(pool.mode);
  pool.size = own.size.value_or(pool.size);
  pool.min_size = own.min_size.value_or(pool.min_size);
  pool.reserve_size = own.reserve_size.value_or(pool.reserve_size);
  pool.max_connections = own.max_connections.value_or(pool.max_connections);
  pool.checkout_timeout = own.checkout_timeout.value_or(pool.checkout_timeout);
  pool.query_timeout = own.query_timeout.value_or(pool.query_timeout);
  pool.idle_in_transaction_timeout = own.idle_in_transaction_timeout.value_or(pool.idle_in_transaction_timeout);
  return pool;
}

}  // namespace pgweir::config
