// Everything the control thread does for one cluster: a probe per server, the schema loop, the recovery loop. Private
// to control/. Made and stopped on the control thread; the queries marked so are thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "proxy/control/catalog_loader.h"
#include "proxy/control/health.h"
#include "proxy/control/recovery.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::control {

// Somebody who waits for a schema that is not older than the question. Completed once, by whoever is first.
class RefreshRequest {
 public:
  RefreshRequest(net::Worker& worker, std::function<void()> done) : worker_(worker), done_(std::move(done)) {}
  void complete() {
    if (done_) worker_.post(net::Task(std::exchange(done_, nullptr)));
  }

 private:
  net::Worker& worker_;
  std::function<void()> done_;
};

class ClusterWatch : public std::enable_shared_from_this<ClusterWatch> {
 public:
  // `publish` is called on the control thread with each new catalog.
  using Publish =
      std::function<void(const std::string& cluster, const config::Cluster&, std::shared_ptr<const routing::Catalog>)>;
  ClusterWatch(asio::io_context& context, net::Resolver& resolver, std::shared_ptr<const config::Config> config,
               const config::Cluster& cluster, Publish publish, std::function<void()> progressed);

  // Before start(): takes over what `old` knows about the same servers, so that a reload does not forget it.
  void inherit(const ClusterWatch& old);
  void start();
  void stop();  // its coroutines end at their next step; waiting requests are completed
  const config::Cluster& cluster() const { return cluster_; }
  const std::shared_ptr<const config::Config>& config() const { return config_; }
  void refresh(std::shared_ptr<RefreshRequest> request);
  void recover_soon();

  // Thread-safe.
  void append_health(std::vector<metrics::EndpointState>& to) const;
  std::optional<protocol::SqlError> writes_refusal() const;
  int choose_replica(routing::ShardId shard) const;
  std::uint64_t old_prepared() const { return old_prepared_.load(std::memory_order_relaxed); }
  // The first schema is loaded and the first look at the decision tables is over.
  bool settled() const { return catalog_settled_.load() && writes_settled_.load(); }

 private:
  struct Endpoint {
    std::size_t shard = 0;
    int replica = -1;
    metrics::EndpointState state;
    bool seen = false;
  };
  Async<void> watch_endpoint(std::size_t index);
  void record(std::size_t index, Probe probe);
  Async<void> keep_catalog();
  Async<void> keep_transactions();
  Async<void> limit(std::shared_ptr<RefreshRequest> request);

  asio::io_context& context_;
  net::Resolver& resolver_;
  const std::shared_ptr<const config::Config> config_;
  const config::Cluster& cluster_;
  const Publish publish_;
  const std::function<void()> progressed_;
  bool stopped_ = false;
  Event catalog_wanted_, recovery_wanted_;
  std::vector<std::shared_ptr<RefreshRequest>> waiting_;
  Clock::time_point hurry_until_{};  // recovery looks often until then

  mutable std::mutex mutex_;  // guards endpoints_ and refusal_
  std::vector<Endpoint> endpoints_;
  std::optional<protocol::SqlError> refusal_;
  mutable std::atomic<unsigned> turn_{0};
  std::atomic<std::uint64_t> old_prepared_{0};
  std::atomic<bool> catalog_settled_{false}, writes_settled_{false};
};

}  // namespace pgweir::control
