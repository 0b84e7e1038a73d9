// How the control plane logs in to a server, as libpq connection parameters. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/config.h"

namespace pgweir::control {

struct Login {
  config::Endpoint endpoint;
  std::string database, user;
  std::string password;  // plain; empty: none
  config::ServerTls tls;
  bool operator==(const Login&) const = default;
};

// As the cluster's recovery_user.
Login recovery_login(const config::Config& config, const config::Cluster& cluster, const config::Endpoint& endpoint);
// As `role` itself when some user of the configuration logs in to servers under that name with a plain password; else
// as recovery_login. What finishes a prepared transaction of that owner.
Login owner_login(const config::Config& config, const config::Cluster& cluster, const config::Endpoint& endpoint,
                  const std::string& role);

// Keywords and values for PQconnectStartParams. `address` is the resolved IP, empty for unix sockets: libpq itself then
// never looks up a name. Every keyword that the environment could set otherwise is given.
std::vector<std::pair<std::string, std::string>> connection_parameters(const Login& login, const std::string& address);

}  // namespace pgweir::control
