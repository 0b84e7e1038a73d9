// What all parts of the running proxy share: the current configuration and schema (as immutable snapshots), the pools, and
// the services of the control plane as narrow interfaces. Made by server/, outlives the workers.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "protocol/auth/scram_verifier.h"
#include "protocol/statement_names.h"
#include "proxy/metrics/metrics.h"
#include "proxy/net/memory_budget.h"
#include "proxy/net/tls.h"
#include "proxy/pool/login_services.h"
#include "proxy/pool/pool_manager.h"
#include "proxy/pool/settings.h"
#include "proxy/runtime/client_slots.h"
#include "routing/plan/router.h"

namespace pgweir::runtime {

// Everything a decision depends on; replaced as a whole by a reload or a catalog load. Immutable, thread-safe.
struct Snapshot {
  std::shared_ptr<const config::Config> config;
  std::map<std::string, std::shared_ptr<const routing::ClusterRouting>> clusters;  // by name
  std::shared_ptr<const net::TlsContext> client_tls;                               // null: TLS is off
  std::uint64_t version = 0;

  std::shared_ptr<const routing::ClusterRouting> cluster(const std::string& name) const {
    auto found = clusters.find(name);
    return found == clusters.end() ? nullptr : found->second;
  }
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// What [auth] query told of a user.
struct SecretAnswer {
  bool failed = false;    // it could not be asked; the log says why
  config::Secret secret;  // None: no such user, or one without a valid password
};

// The control plane as sessions see it. Implemented in control/; every member is thread-safe.
class Control {
 public:
  virtual ~Control() = default;
  // Loads the cluster's catalog again and publishes a new snapshot; `done` then runs on `worker` (also after a failure or
  // when the load takes longer than a bound: the old catalog then stays). Requests that come during a load share the next.
  virtual void refresh_catalog(const std::string& cluster, net::Worker& worker, std::function<void()> done) = 0;
  // Whether writes on several shards may run there now: decision table installed and max_prepared_transactions > 0 on each
  // shard of the cluster. nullopt: yes; else the refusal.
  virtual std::optional<protocol::SqlError> distributed_writes_refusal(const std::string& cluster) = 0;
  // A replica of the shard that is up and in recovery, chosen round robin; -1: none is, use the primary.
  virtual int choose_replica(const std::string& cluster, routing::ShardId shard) = 0;
  // A distributed transaction ended with participants whose state is unknown or unfinished: recover soon.
  virtual void recover_soon(const std::string& cluster) = 0;
  // Runs [auth] query for this user on the home shard of `cluster` (where there is none of that name: of the first) or
  // remembers its answer; `done` runs on `worker`, exactly once.
  virtual void look_up_secret(const std::string& cluster, const std::string& user, net::Worker& worker,
                              std::function<void(SecretAnswer)> done) = 0;
  // A login failed with what look_up_secret() gave: the next one asks the server again, within a bound on the rate.
  virtual void distrust_secret(const std::string& cluster, const std::string& user) = 0;
};

// Password verifiers derived from plain passwords, so that PBKDF2 runs once per user and password (the salt is the
// user's: two users of one password must not show the same). Bounded; thread-safe.
class VerifierCache {
 public:
  std::optional<protocol::ScramVerifier> find(const std::string& user, const config::Secret& secret) const;
  void put(const std::string& user, const config::Secret& secret, const protocol::ScramVerifier& verifier);

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, protocol::ScramVerifier> verifiers_;  // by user and password
};

// ParameterStatus as a new session with these settings would get it, by endpoint and user. Bounded; thread-safe.
class WelcomeCache {
 public:
  pool::SettingsPtr find(const pool::PoolKey& key, const pool::SettingsPtr& settings) const;
  void put(const pool::PoolKey& key, const pool::SettingsPtr& settings, const pool::SettingsPtr& parameters);
  void clear();

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<pool::PoolKey, pool::SettingsPtr>, pool::SettingsPtr> entries_;
};

// One row of SHOW CLIENTS; collected on the session's worker.
struct ClientInfo {
  std::uint64_t id = 0;
  std::string user, database, state, address, application_name, pinned;
  unsigned worker = 0;
  bool tls = false;
  std::int64_t connected_seconds = 0;
  std::string server;   // label of the attached server, or empty
  std::uint64_t server_id = 0;          // of its connection; 0: none
  std::chrono::microseconds waited{0};  // for a server, up to now
  std::size_t prepared_statements = 0;
  std::string replication = "none";     // or "logical", "physical"
  unsigned servers = 0; // different server connections it has run on, counted up to a bound
};

class Runtime {
 public:
  // The workers have not started. ~Runtime: they have ended.
  Runtime(std::vector<net::Worker*> workers, SnapshotPtr first);
  ~Runtime();

  SnapshotPtr snapshot() const;
  // Grows with every publish(): workers compare it before they take the lock of snapshot().
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void publish(SnapshotPtr next);

  // The pool for one endpoint of a cluster and one client user, made on first use from the snapshot.
  pool::Pool& pool_for(const Snapshot& callers, const config::Cluster& cluster, pool::EndpointId endpoint, const std::string& user);
  // Target and limits of a pool under this configuration; nullopt when the cluster, endpoint or user is gone.
  static std::optional<std::pair<std::shared_ptr<const pool::ServerTarget>, pool::PoolLimits>> pool_settings(
      const config::Config& config, const pool::PoolKey& key);

  // Bounds the buffers of all workers; they are bound to it as long as the runtime lives.
  net::MemoryBudget memory;
  std::vector<net::Worker*> workers;
  pool::LoginServices login_services;
  pool::PoolManager pools;
  metrics::Registry metrics;
  VerifierCache verifiers;
  WelcomeCache welcomes;
  Control* control = nullptr;                       // set by server/ before the first session
  std::function<std::string()> reload;              // the console's RELOAD: empty string, or what is wrong
  // The console's SHUTDOWN: at once; sessions end at their next transaction boundary; or when the last client has left.
  enum class Shutdown { Now, WaitForServers, WaitForClients };
  std::function<void(Shutdown)> shutdown;
  protocol::StatementHashKey statement_key;         // random per process
  std::string process_secret;                       // 32 random bytes: mock authentication
  std::atomic<unsigned> unauthenticated{0};
  std::atomic<int> clients{0};                      // sessions alive: for metrics and the console
  ClientSlots client_slots;                         // logged-in clients: for the caps
  std::atomic<bool> draining{false};                // SIGTERM came: idle sessions are closed, no new ones
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

 private:
  mutable std::mutex mutex_;
  SnapshotPtr snapshot_;
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace pgweir::runtime
