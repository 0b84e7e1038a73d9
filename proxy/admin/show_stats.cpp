// SHOW STATS, STATS_TOTALS, STATS_AVERAGES and TOTALS, with PgBouncer's columns. Workers count for all clusters together, so
// there is one row, under the only cluster's name or "*" when there are several. Averages are those of the last full
// minute (PgBouncer's stats_period). What is not measured is 0: the time in transactions and queries, statements prepared
// on servers, and binds.
#include <array>

#include "proxy/admin/command.h"
#include "proxy/admin/stats_period.h"

namespace pgweir::admin {
namespace {

constexpr std::array<std::string_view, 11> kTotals{
    "total_server_assignment_count", "total_xact_count", "total_query_count", "total_received", "total_sent",
    "total_xact_time", "total_query_time", "total_wait_time", "total_client_parse_count", "total_server_parse_count",
    "total_bind_count"};
constexpr std::array<std::string_view, 11> kAverages{
    "avg_server_assignment_count", "avg_xact_count", "avg_query_count", "avg_recv", "avg_sent", "avg_xact_time",
    "avg_query_time", "avg_wait_time", "avg_client_parse_count", "avg_server_parse_count", "avg_bind_count"};
using Values = std::array<std::uint64_t, 11>;

Values totals(const StatsSums& sums) {
  return {sums.assignments, sums.transactions, sums.queries, sums.received, sums.sent, 0, 0,
          sums.wait_microseconds, sums.parsed, 0, 0};
}

Values averages(const StatsPeriod& period) {
  const StatsSums from = period.begin, to = period.end;
  const auto rate = [&](std::uint64_t StatsSums::* count) {
    return period.seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(to.*count - from.*count) / period.seconds) : 0;
  };
  const std::uint64_t assignments = to.assignments - from.assignments;
  return {rate(&StatsSums::assignments), rate(&StatsSums::transactions), rate(&StatsSums::queries), rate(&StatsSums::received),
          rate(&StatsSums::sent), 0, 0,
          assignments == 0 ? 0 : (to.wait_microseconds - from.wait_microseconds) / assignments,
          rate(&StatsSums::parsed), 0, 0};
}

std::string database(const runtime::Runtime& runtime) {
  const auto snapshot = runtime.snapshot();
  return snapshot->config->clusters.size() == 1 ? snapshot->config->clusters.front().name : "*";
}

void show(const Invocation& invocation, const Done& done, bool with_totals, bool with_averages) {
  Table table{{{"database"}}};
  std::vector<Value> row{cell(database(invocation.runtime))};
  const StatsSums now = stats_sums(invocation.runtime.metrics);
  const auto put = [&](const auto& names, const Values& values) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      table.columns.push_back({names[i], ColumnType::Numeric});
      row.push_back(cell(values[i]));
    }
  };
  if (with_totals) put(kTotals, totals(now));
  if (with_averages) put(kAverages, averages(last_stats_period(invocation.runtime.metrics)));
  if (with_totals) {
    table.columns.push_back({"total_error_count", ColumnType::Numeric});
    row.push_back(cell(now.errors));
  }
  table.rows.push_back(std::move(row));
  done(std::move(table));
}

}  // namespace

void show_stats(const Invocation& invocation, Done done) { show(invocation, done, true, true); }
void show_stats_totals(const Invocation& invocation, Done done) { show(invocation, done, true, false); }
void show_stats_averages(const Invocation& invocation, Done done) { show(invocation, done, false, true); }

void show_totals(const Invocation& invocation, Done done) {
  Table table{{{"name"}, {"value", ColumnType::Numeric}}};
  const Values sums = totals(stats_sums(invocation.runtime.metrics));
  for (std::size_t i = 0; i < kTotals.size(); ++i) table.add(kTotals[i].substr(6), sums[i]);
  const Values rates = averages(last_stats_period(invocation.runtime.metrics));
  for (std::size_t i = 0; i < kAverages.size(); ++i) table.add(kAverages[i], rates[i]);
  done(std::move(table));
}

}  // namespace pgweir::admin
