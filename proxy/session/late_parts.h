// Parts of a session's own transactions that are committed (the decision stands) and not finished on their shard yet: until
// COMMIT PREPARED the session would not see there what it has written. Before it uses that shard again it finishes them
// itself, unless recovery was faster. One session's; bounded.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "routing/types.h"

namespace pgweir::session {

struct LatePart {
  routing::ShardId shard;
  std::string gid;     // of the prepared transaction
  unsigned tries = 0;
};

class LateParts {
 public:
  static constexpr std::size_t kMax = 64;   // beyond it the oldest are left to recovery
  static constexpr unsigned kMaxTries = 200;  // each behind a pause of kPauseSql, while another session finishes it
  static constexpr std::string_view kPauseSql = "SELECT pg_catalog.pg_sleep(0.01)";

  void add(const std::vector<LatePart>& parts) {
    if (parts.empty()) return;
    if (!parts_) parts_ = std::make_unique<std::vector<LatePart>>();
    parts_->insert(parts_->end(), parts.begin(), parts.end());
    if (parts_->size() > kMax) parts_->erase(parts_->begin(), parts_->end() - kMax);
  }
  // The next one to be finished on this shard, or nullptr. Valid until the list changes.
  LatePart* of(routing::ShardId shard) {
    if (!parts_) return nullptr;
    const auto found = std::find_if(parts_->begin(), parts_->end(), [&](const LatePart& part) { return part.shard == shard; });
    return found == parts_->end() ? nullptr : &*found;
  }
  void finished(routing::ShardId shard) {
    if (auto* part = of(shard)) parts_->erase(parts_->begin() + (part - parts_->data()));
    if (parts_ && parts_->empty()) parts_.reset();
  }

 private:
  std::unique_ptr<std::vector<LatePart>> parts_;  // null for nearly every session
};

}  // namespace pgweir::session
