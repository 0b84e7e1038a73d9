// Turns the workers' cells, the pools' counters and the health monitor's view into samples of the declared families, at
// each scrape. Private to metrics/ (prometheus-cpp shows here). Thread-safe.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "proxy/metrics/health_source.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::metrics {

class Collector : public prometheus::Collectable {
 public:
  // The runtime outlives the collector. `health` may be empty.
  Collector(const runtime::Runtime& runtime, HealthSource health) : runtime_(runtime), health_(std::move(health)) {}

  // Every family of families.h, in that order, also one without a sample.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const runtime::Runtime& runtime_;
  const HealthSource health_;
};

}  // namespace pgweir::metrics
