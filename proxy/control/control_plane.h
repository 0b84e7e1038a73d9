// The control plane: one thread of its own that watches the servers, loads schemas, installs the decision table and
// finishes distributed transactions that lost their coordinator. It speaks to servers through libpq, asynchronously,
// each step under a deadline, so that one stopped shard delays no other. Implements what sessions need
// (runtime::Control).
//
// Members are thread-safe unless said otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/metrics/health_source.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::control {

class ControlPlane final : public runtime::Control {
 public:
  // The runtime outlives it. Nothing runs before start().
  explicit ControlPlane(runtime::Runtime& runtime);
  ~ControlPlane() override;  // stops
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  void start();
  // Ends the thread; refreshes that are under way are dropped without their `done`. Idempotent.
  void stop();
  // Waits until each cluster's catalog was loaded once, or `bound` has passed. Not on the control thread.
  bool wait_for_catalogs(std::chrono::milliseconds bound);
  // After a snapshot with another configuration was published: clusters that changed are watched anew.
  void reconfigure();

  void refresh_catalog(const std::string& cluster, net::Worker& worker, std::function<void()> done) override;
  std::optional<protocol::SqlError> distributed_writes_refusal(const std::string& cluster) override;
  int choose_replica(const std::string& cluster, routing::ShardId shard) override;
  void recover_soon(const std::string& cluster) override;
  void look_up_secret(const std::string& cluster, const std::string& user, net::Worker& worker,
                      std::function<void(runtime::SecretAnswer)> done) override;
  void distrust_secret(const std::string& cluster, const std::string& user) override;

  // Of every endpoint, in the order of the configuration.
  std::vector<metrics::EndpointState> health() const;
  // Prepared transactions of ours older than two seconds, over all shards, at the last look.
  std::uint64_t old_prepared_transactions() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pgweir::control
