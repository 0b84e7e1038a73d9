// When the request and the transaction that run on servers have begun, of one session: for SHOW STATS. Times are those of the
// worker's wake-ups (net::Worker::now()), so that nothing is read from a clock for a message. Values; of the session's worker.
#pragma once

#include <chrono>
#include <cstdint>

#include "proxy/metrics/metrics.h"

namespace pgweir::session {

class Meter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void block_begins(Time now) { begin(transaction_, now); }   // before a server knows of it
  void request_begins(Time now) {
    begin(request_, now);
    begin(transaction_, now);
  }
  void request_ends(metrics::ClusterCells& cells, Time now) { end(request_, cells.query_microseconds, now); }
  void transaction_ends(metrics::ClusterCells& cells, Time now) {
    cells.transactions.add();
    end(transaction_, cells.transaction_microseconds, now);
  }

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
};

}  // namespace pgweir::session
