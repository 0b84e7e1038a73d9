// The effective configuration as flat settings, for the console's SHOW CONFIG and for `pgweir check`.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace pgweir::config {

struct Setting {
  std::string key;    // "listen.max_clients", "user.app.password", "cluster.fediflow.shard.eu1.primary"
  std::string value;  // as it would stand in the file, without quotes; lists joined by ", "
  bool operator==(const Setting&) const = default;
};

// Every setting in the order of docs/configuration.md, defaults included. Secrets that are set read "***", also
// verifiers; secrets that are not set are empty. Named things (users, clusters, shards, placements) stand by name,
// the others (peers, bucket ranges, range entries) by their value or 0-based position.
std::vector<Setting> describe(const Config& config);

}  // namespace pgweir::config
