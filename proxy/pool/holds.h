// Which clusters an administrator has paused or closed to new clients. Kept apart from the configuration: a reload does
// not change it, a restart forgets it. Thread-safe.
#pragma once

#include <mutex>
#include <set>
#include <string>

namespace pgweir::pool {

class Holds {
 public:
  // Of one cluster, or ("") of all; the two are independent, as in PgBouncer: RESUME of all leaves a cluster paused that
  // was paused by name. false: it is so already.
  bool pause(const std::string& cluster);
  bool resume(const std::string& cluster);
  bool paused(const std::string& cluster) const;  // by itself or with all
  bool all_paused() const;

  // New clients of the cluster are refused; those that are there stay.
  void disable(const std::string& cluster, bool disabled);
  bool disabled(const std::string& cluster) const;

 private:
  mutable std::mutex mutex_;
  std::set<std::string> paused_, disabled_;  // "" in paused_: all
};

}  // namespace pgweir::pool
