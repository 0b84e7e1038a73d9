// What a worker does so that clients at rest cost little: sessions that have been silent for a moment give back the memory
// that only work needs, and their prepared statements become one object with the equal ones of other clients.
// On the worker's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "proxy/net/timer.h"
#include "proxy/net/worker.h"
#include "proxy/session/statement.h"

namespace pgweir::session {

class WorkerContext;

// One object for all statements at rest that are equal. What is on it is not changed: whoever uses a statement takes a copy
// (StatementMap::find).
class StatementShelf {
 public:
  // The one that stands for `statement`, which nobody but the caller holds.
  StatementPtr put(const StatementPtr& statement);
  std::size_t size() const { return shelf_.size(); }

 private:
  void sweep();
  // By a hash of the text. Those that clients have, and fewer others than that.
  std::unordered_multimap<std::size_t, StatementPtr> shelf_;
  std::size_t sweep_at_ = 256;
};

// Looks at the sessions that have been at work, until they rest.
class RestSweep {
 public:
  explicit RestSweep(WorkerContext& context) : context_(context) { timer_.set<&RestSweep::look>(this); }
  // A session has begun to work; once until it rests.
  void awake(std::uint64_t session);

 private:
  static constexpr net::Duration kEvery{500};
  void look();

  WorkerContext& context_;
  std::vector<std::uint64_t> awake_, looked_at_;   // session ids
  net::Timer timer_;
};

}  // namespace pgweir::session
