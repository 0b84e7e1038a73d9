// What server logins share: name resolution, TLS contexts, derived SCRAM keys, and one thread for password derivation so
// that no I/O thread ever runs PBKDF2. Thread-safe; outlives the workers.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tuple>

#include "config/config.h"
#include "protocol/auth/server_authenticator.h"
#include "proxy/net/resolver.h"
#include "proxy/net/task.h"
#include "proxy/net/tls.h"
#include "proxy/net/worker.h"

namespace pgweir::pool {

class LoginServices {
 public:
  LoginServices();
  explicit LoginServices(const net::Resolver::Options& options, net::Resolver::Lookup lookup);
  ~LoginServices();

  net::Resolver& resolver() { return resolver_; }

  // The context for these settings, made on first use. An error names the file.
  net::Result<std::shared_ptr<const net::TlsContext>> tls(const config::ServerTls& settings);

  // Runs derive_keys() on the derivation thread, then `done` on `worker`. At most kMaxWaiting requests wait; beyond
  // that `done` gets nullopt at once (posted).
  void derive(protocol::DeriveKeysRequest request, net::Worker& worker,
              std::function<void(std::optional<protocol::ScramKeys>)> done);

  // Keys derived for a server login, kept by endpoint and user.
  std::optional<protocol::DerivedKeys> cached_keys(const std::string& endpoint, const std::string& user) const;
  void cache_keys(const std::string& endpoint, const std::string& user, const protocol::DerivedKeys& keys);
  // What logins of clients left for logins to servers, by cluster and user (its name there); the latest counts:
  //  - keys recovered from a client's SCRAM proof: they log in to servers that hold the same verifier;
  //  - the secret that [auth] query gave, once it has let somebody in.
  std::optional<protocol::ScramKeys> client_keys(const std::string& cluster, const std::string& user) const;
  void remember_client_keys(const std::string& cluster, const std::string& user, const protocol::ScramKeys& keys);
  config::Secret found_secret(const std::string& cluster, const std::string& user) const;  // None: there is none
  void remember_secret(const std::string& cluster, const std::string& user, const config::Secret& secret);

  // Of each kind; users that came in are roles of the servers, so that this is hardly ever reached.
  static constexpr std::size_t kMaxRemembered = 100'000;
  static constexpr std::size_t kMaxWaiting = 10'000;

 private:
  struct Job { protocol::DeriveKeysRequest request; net::Worker* worker; std::function<void(std::optional<protocol::ScramKeys>)> done; };
  void run();

  net::Resolver resolver_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::map<std::tuple<int, std::string, std::string, std::string>, std::shared_ptr<const net::TlsContext>> contexts_;
  std::map<std::pair<std::string, std::string>, protocol::DerivedKeys> derived_;
  std::map<std::pair<std::string, std::string>, protocol::ScramKeys> client_keys_;
  std::map<std::pair<std::string, std::string>, config::Secret> found_secrets_;
  std::thread thread_;
};

}  // namespace pgweir::pool
