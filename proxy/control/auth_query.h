// [auth] query: asks a server for a user's password verifier, one connection per cluster, as query_user and with no
// client's settings. Private to control/; on the control thread only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "proxy/control/pg_connection.h"
#include "proxy/control/secret_cache.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::control {

// What the rows say of `user`: its secret (None: no such user, or no valid password), or what is wrong with the query.
// The first column is the name, the second the verifier; more than one row, another name and a damaged verifier are
// nobody's (`doubt` says why). Pure.
std::variant<config::Secret, std::string> read_secret_rows(const RowSet& rows, const std::string& user,
                                                           std::string& doubt);

class AuthQuery {
 public:
  using Answer = std::function<void(runtime::SecretAnswer)>;
  AuthQuery(asio::io_context& context, net::Resolver& resolver) : context_(context), resolver_(resolver) {}

  // From now on asks under this configuration; what is cached is forgotten. Questions under way are answered.
  void adopt(std::shared_ptr<const config::Config> config);
  // Calls `answer` exactly once, perhaps at once. Questions for one user share an answer.
  void look_up(const std::string& cluster, const std::string& user, Answer answer);
  void distrust(const std::string& cluster, const std::string& user) {
    cache_.distrust({cluster, user}, Clock::now());
  }

  static constexpr std::size_t kMaxWaiting = 10'000;  // questions per cluster; more fail at once

 private:
  struct Place;
  Async<void> run(std::shared_ptr<Place> place);
  Async<runtime::SecretAnswer> ask(std::shared_ptr<Place> place, std::string user);
  std::shared_ptr<Place> place_for(const config::Cluster& cluster);

  asio::io_context& context_;
  net::Resolver& resolver_;
  std::shared_ptr<const config::Config> config_;
  SecretCache cache_;
  std::map<std::string, std::shared_ptr<Place>> places_;  // by cluster
};

// As whom and where the query runs.
Login query_login(const config::Config& config, const config::Cluster& cluster);

}  // namespace pgweir::control
