#include "proxy/metrics/metrics.h"

#include <algorithm>

namespace pgweir::metrics {
namespace {

// The classes of PostgreSQL's errcodes table (appendix "PostgreSQL Error Codes"), ascending. The slot of a class is its
// place here; everything else is counted in the last slot.
constexpr std::array<std::string_view, 43> kClasses = {
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "20", "21", "22",
    "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F",
    "40", "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX"};
constexpr std::size_t kOtherSlot = 99;
static_assert(kClasses.size() <= kOtherSlot);
static_assert(std::ranges::is_sorted(kClasses));

constexpr std::array<std::string_view, static_cast<std::size_t>(RouteKind::kCount)> kRouteKindNames = {
    "one_shard", "scatter", "broadcast", "split", "copy_in", "copy_out", "local", "refused"};

}  // namespace

std::string_view route_kind_name(RouteKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < kRouteKindNames.size() ? kRouteKindNames[index] : std::string_view("unknown");
}

std::size_t error_slot(std::string_view sqlstate) {
  if (sqlstate.size() < 2) return kOtherSlot;
  const std::string_view wanted = sqlstate.substr(0, 2);
  const auto* found = std::ranges::lower_bound(kClasses, wanted);
  if (found == kClasses.end() || *found != wanted) return kOtherSlot;
  return static_cast<std::size_t>(found - kClasses.begin());
}

std::string error_slot_name(std::size_t slot) {
  if (slot < kClasses.size()) return std::string(kClasses[slot]);
  return slot == kOtherSlot ? "other" : "";
}

void WorkerCells::count_wait(std::chrono::microseconds waited) {
  const auto micros = waited.count() < 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(waited.count());
  const auto* bucket = std::ranges::lower_bound(kWaitBuckets, micros);
  waits[static_cast<std::size_t>(bucket - kWaitBuckets.begin())].add();
  wait_microseconds.add(micros);
}

void WorkerCells::count_servers(std::size_t servers) {
  const auto* bucket = std::ranges::lower_bound(kServerBuckets, std::uint64_t{servers});
  session_servers[static_cast<std::size_t>(bucket - kServerBuckets.begin())].add();
  servers_of_sessions.add(servers);
}

void WorkerCells::count_error(std::string_view sqlstate) { errors_by_class[error_slot(sqlstate)].add(); }

ClusterCells& Registry::cluster(unsigned worker, const std::string& name) {
  const std::lock_guard lock(mutex_);
  return clusters_.try_emplace(name, cells_.size()).first->second[worker];
}

}  // namespace pgweir::metrics
