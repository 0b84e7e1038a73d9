// Where the console gets what it cannot see itself: the health of servers, the sessions of a worker.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proxy/metrics/health_source.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::admin {

// The sessions that live on `worker`; called on that worker's thread only.
using ClientSource = std::function<std::vector<runtime::ClientInfo>(net::Worker& worker)>;

// Ends the clients of `worker` that are meant (session::kill()) and counts them; called on that worker's thread only.
using ClientKiller = std::function<std::size_t(net::Worker& worker, std::uint64_t id, const std::string& cluster)>;

// Each may be empty: the tables that need it then have no rows.
struct ConsoleSources {
  metrics::HealthSource health;
  ClientSource clients;
  ClientKiller kill;
};

// The process's own, set once by server/ before the first session starts; read by any thread afterwards.
ConsoleSources& console_sources();

}  // namespace pgweir::admin
