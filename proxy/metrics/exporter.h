// Serves GET /metrics in Prometheus's text format over HTTP, on two threads of its own (CivetWeb, which prometheus-cpp
// uses). Not thread-safe; a scrape reads atomics and takes each pool's short mutex, so it never blocks a worker.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include "config/config.h"
#include "proxy/metrics/health_source.h"
#include "proxy/net/error.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::metrics {

class Exporter {
 public:
  // The runtime outlives the exporter; `health` may be empty.
  explicit Exporter(runtime::Runtime& runtime, HealthSource health = {});
  ~Exporter();  // stops
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  // Binds and serves; started already: moves to the new address, and when that fails nothing is served. Port 0: the
  // system chooses, see port(). Errors: a unix socket (HTTP needs a TCP address), or an address that cannot be bound.
  net::Result<std::monostate> start(const config::Endpoint& address);
  // Waits for scrapes that are under way, some milliseconds without any. Idempotent.
  void stop();
  // The bound port; 0 when not started.
  std::uint16_t port() const;

 private:
  struct Server;
  runtime::Runtime& runtime_;
  HealthSource health_;
  std::unique_ptr<Server> server_;
};

}  // namespace pgweir::metrics
