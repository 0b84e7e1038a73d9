// SHOW STATS: counters since the start with PgBouncer's names where the data exist. Workers count for all clusters
// together, so there is one row, under the only cluster's name or "*" when there are several. Times other than waiting
// are not measured: Prometheus has the rates.
#include "proxy/admin/command.h"

namespace pgweir::admin {

void show_stats(const Invocation& invocation, Done done) {
  std::uint64_t transactions = 0, queries = 0, received = 0, sent = 0, waited = 0, checkouts = 0, errors = 0,
                prepared = 0;
  for (const metrics::WorkerCells& cells : invocation.runtime.metrics.all()) {
    transactions += cells.transactions.get();
    for (const metrics::Cell& count : cells.queries) queries += count.get();
    received += cells.bytes_from_clients.get();
    sent += cells.bytes_to_clients.get();
    waited += cells.wait_microseconds.get();
    for (const metrics::Cell& count : cells.waits) checkouts += count.get();
    for (const metrics::Cell& count : cells.errors_by_class) errors += count.get();
    prepared += cells.statements_prepared.get();
  }
  constexpr ColumnType kInt8 = ColumnType::Int8;
  Table table{{{"database"}, {"total_server_assignment_count", kInt8}, {"total_xact_count", kInt8},
               {"total_query_count", kInt8}, {"total_received", kInt8}, {"total_sent", kInt8},
               {"total_wait_time", kInt8}, {"total_client_parse_count", kInt8}, {"total_error_count", kInt8},
               {"avg_wait_time", kInt8}}};
  const auto& clusters = invocation.runtime.snapshot()->config->clusters;
  table.add(clusters.size() == 1 ? clusters.front().name : std::string("*"), checkouts, transactions, queries, received,
            sent, waited, prepared, errors, checkouts == 0 ? 0 : waited / checkouts);
  done(std::move(table));
}

}  // namespace pgweir::admin
