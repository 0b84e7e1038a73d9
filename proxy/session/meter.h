// What one session adds to SHOW STATS: its messages, and how long requests and transactions take. Times are those of the worker's
// wake-ups (net::Worker::now()), so that no clock is read for a message. A value; of the session's worker.
#pragma once

#include <chrono>
#include <cstdint>

#include "proxy/metrics/metrics.h"

namespace pgweir::session {

class Meter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // A message of the client is looked at; it may be looked at again until it is taken, and is counted once.
  void meets(metrics::ClusterCells& cells, char type) {
    if (met_) return;
    met_ = true;
    switch (type) {
      case 'Q':
      case 'E':
      case 'F': return cells.queries.add();
      case 'P': return cells.client_parses.add();
      case 'B': return cells.binds.add();
      default: return;
    }
  }
  void taken() { met_ = false; }

  void block_begins(Time now) { begin(transaction_, now); }   // before a server knows of it
  void request_begins(Time now) {
    begin(request_, now);
    begin(transaction_, now);
  }
  void request_ends(metrics::ClusterCells& cells, Time now) { end(request_, cells.query_microseconds, now); }
  // The next request of a pipeline may have begun: the next transaction begins with it.
  void transaction_ends(metrics::ClusterCells& cells, Time now) {
    cells.transactions.add();
    end(transaction_, cells.transaction_microseconds, now);
    transaction_ = request_;
  }
  bool in_transaction() const { return transaction_ != Time{}; }

 private:
  static void begin(Time& since, Time now) {
    if (since == Time{}) since = now;
  }
  static void end(Time& since, metrics::Cell& total, Time now) {
    if (since == Time{}) return;
    if (now > since) total.add(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - since).count()));
    since = {};
  }
  Time request_{}, transaction_{};   // Time{}: none runs
  bool met_ = false;
};

}  // namespace pgweir::session
