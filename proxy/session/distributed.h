// Ends a transaction on several servers: all of it or nothing. Written on one server: plain COMMITs. Written on two or
// more: a decision row on one of them, PREPARE TRANSACTION on the others, COMMIT there (the decision), COMMIT PREPARED.
// The protocol and its recovery are described in docs/architecture.md; control/ finishes what a crash leaves.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/session/fanout.h"
#include "proxy/session/late_parts.h"
#include "proxy/session/worker_context.h"

namespace pgweir::session {

class DistributedCommit {
 public:
  struct Result {
    std::optional<protocol::SqlError> error;     // nothing was committed, or (40003) nobody knows
    std::optional<protocol::SqlError> warning;   // committed, but a participant has not finished
    std::vector<LatePart> late;                  // ... these
  };
  using Done = std::function<void(const Result&)>;

  // `links` are in a transaction each; Link::wrote tells which were written. They outlive this.
  DistributedCommit(WorkerContext& context, std::string cluster, const config::Cluster& config, std::vector<Link*> links);

  void commit(Done done);
  void rollback(Done done);

 private:
  void decide();
  void prepare();
  void commit_decision();
  void commit_prepared();
  void commit_plain();
  void undo(protocol::SqlError error);
  void finish(Result result);
  std::string gid(std::size_t participant) const { return gid_ + ":" + std::to_string(participant); }

  WorkerContext& context_;
  std::string cluster_;
  const config::Cluster& config_;
  std::vector<Link*> links_, writers_, readers_;
  std::vector<bool> prepared_;        // parallel to writers_
  std::string gid_;
  Fanout fanout_;
  Done done_;
  Result result_;
};

}  // namespace pgweir::session
