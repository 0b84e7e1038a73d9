// SHOW STATS, STATS_TOTALS, STATS_AVERAGES and TOTALS, with PgBouncer's columns and meanings: a row for each cluster, all of them
// together in TOTALS. Averages are those of the last full minute (PgBouncer's stats_period).
#include <array>
#include <set>
#include <string>

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
  return {sums.assignments, sums.transactions, sums.queries, sums.received, sums.sent, sums.transaction_microseconds,
          sums.query_microseconds, sums.wait_microseconds, sums.client_parses, sums.server_parses, sums.binds};
}

const StatsSums& of(const ClusterStats& all, const std::string& cluster) {
  static const StatsSums kNone;
  const auto found = all.find(cluster);
  return found == all.end() ? kNone : found->second;
}

// Counts a second; bytes a second; microseconds of one transaction, query and assignment.
Values averages(const StatsSums& from, const StatsSums& to, double seconds) {
  const auto rate = [&](std::uint64_t StatsSums::* count) {
    return seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(to.*count - from.*count) / seconds) : 0;
  };
  const auto each = [&](std::uint64_t StatsSums::* time, std::uint64_t StatsSums::* count) {
    const std::uint64_t many = to.*count - from.*count;
    return many == 0 ? 0 : (to.*time - from.*time) / many;
  };
  return {rate(&StatsSums::assignments), rate(&StatsSums::transactions), rate(&StatsSums::queries), rate(&StatsSums::received),
          rate(&StatsSums::sent), each(&StatsSums::transaction_microseconds, &StatsSums::transactions),
          each(&StatsSums::query_microseconds, &StatsSums::queries), each(&StatsSums::wait_microseconds, &StatsSums::assignments),
          rate(&StatsSums::client_parses), rate(&StatsSums::server_parses), rate(&StatsSums::binds)};
}

// Configured, or with clients since the start.
std::set<std::string> clusters(const runtime::Runtime& runtime, const ClusterStats& now) {
  std::set<std::string> names;
  const auto snapshot = runtime.snapshot();
  for (const auto& cluster : snapshot->config->clusters) names.insert(cluster.name);
  for (const auto& [name, sums] : now) names.insert(name);
  return names;
}

void show(const Invocation& invocation, const Done& done, bool with_totals, bool with_averages) {
  Table table{{{"database"}}};
  const auto columns = [&table](const auto& names) {
    for (const auto name : names) table.columns.push_back({name, ColumnType::Numeric});
  };
  if (with_totals) columns(kTotals);
  if (with_averages) columns(kAverages);
  if (with_totals) table.columns.push_back({"total_error_count", ColumnType::Numeric});
  const ClusterStats now = stats_sums(invocation.runtime.metrics);
  const StatsPeriod period = last_stats_period(invocation.runtime.metrics);
  for (const auto& cluster : clusters(invocation.runtime, now)) {
    std::vector<Value> row{cell(cluster)};
    const auto put = [&row](const Values& values) {
      for (const auto value : values) row.push_back(cell(value));
    };
    if (with_totals) put(totals(of(now, cluster)));
    if (with_averages) put(averages(of(period.begin, cluster), of(period.end, cluster), period.seconds));
    if (with_totals) row.push_back(cell(of(now, cluster).errors));
    table.rows.push_back(std::move(row));
  }
  done(std::move(table));
}

StatsSums sum(const ClusterStats& all) {
  StatsSums sums;
  for (const auto& [name, one] : all) {
    for (const auto member : {&StatsSums::assignments, &StatsSums::transactions, &StatsSums::queries, &StatsSums::received, &StatsSums::sent,
                              &StatsSums::transaction_microseconds, &StatsSums::query_microseconds, &StatsSums::wait_microseconds,
                              &StatsSums::client_parses, &StatsSums::server_parses, &StatsSums::binds, &StatsSums::errors})
      sums.*member += one.*member;
  }
  return sums;
}

}  // namespace

void show_stats(const Invocation& invocation, Done done) { show(invocation, done, true, true); }
void show_stats_totals(const Invocation& invocation, Done done) { show(invocation, done, true, false); }
void show_stats_averages(const Invocation& invocation, Done done) { show(invocation, done, false, true); }

void show_totals(const Invocation& invocation, Done done) {
  Table table{{{"name"}, {"value", ColumnType::Numeric}}};
  const Values sums = totals(sum(stats_sums(invocation.runtime.metrics)));
  for (std::size_t i = 0; i < kTotals.size(); ++i) table.add(kTotals[i].substr(6), sums[i]);
  const StatsPeriod period = last_stats_period(invocation.runtime.metrics);
  const Values rates = averages(sum(period.begin), sum(period.end), period.seconds);
  for (std::size_t i = 0; i < kAverages.size(); ++i) table.add(kAverages[i], rates[i]);
  done(std::move(table));
}

}  // namespace pgweir::admin
