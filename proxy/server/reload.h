// A new configuration in a running process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/runtime/runtime.h"

namespace pgweir::server {

// `wanted` with what cannot change while the process runs taken from `running`; `kept` names those settings.
std::shared_ptr<const config::Config> keep_fixed_settings(const config::Config& running, const config::Config& wanted,
                                                          std::vector<std::string>& kept);

// Why `wanted` cannot follow `running` in this process; empty: it can. Server connections, pools and prepared transactions are known by
// the place of their shard: a shard keeps its place while the process runs, and no other comes to it.
std::string moved_shard(const config::Config& running, const config::Config& wanted);

// Puts `wanted` in force: snapshot, TLS files, pools, cached welcomes, log. Returns what is wrong; then nothing
// changed. The caller tells the control plane. One call at a time.
std::string apply_config(runtime::Runtime& runtime, const std::shared_ptr<const config::Config>& wanted);

}  // namespace pgweir::server
