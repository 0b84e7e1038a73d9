// Changes to the shared snapshot by several writers (reload, catalog loads), one after the other. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proxy/runtime/runtime.h"

namespace pgweir::control {

// Copies the current snapshot, lets `change` edit the copy, and publishes it with the next version. `change` returns
// false to publish nothing. Returns whether it was published.
bool update_snapshot(runtime::Runtime& runtime, const std::function<bool(runtime::Snapshot&)>& change);

// A number that no ClusterRouting of this process has had.
std::uint64_t next_routing_version();

// What a cluster is routed by under `config`: with the catalog that `before` has where that still describes the same
// servers, else with one that is not loaded.
routing::Result<std::shared_ptr<const routing::ClusterRouting>> make_routing(
    std::shared_ptr<const config::Config> config, const config::Cluster& cluster,
    const routing::ClusterRouting* before);

// The first snapshot, or that after a reload (`before` null or not): everything but the TLS context, which stays.
routing::Result<runtime::SnapshotPtr> make_snapshot(std::shared_ptr<const config::Config> config,
                                                    const runtime::Snapshot* before);

}  // namespace pgweir::control
