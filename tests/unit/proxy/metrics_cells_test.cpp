#include "proxy/metrics/metrics.h"

#include <gtest/gtest.h>


namespace pgweir::metrics {
namespace {

TEST(MetricsCells, ErrorsAreCountedByClass) {
  EXPECT_EQ(error_slot_name(error_slot("42P01")), "42");
  EXPECT_EQ(error_slot_name(error_slot("0A000")), "0A");
  EXPECT_EQ(error_slot_name(error_slot("XX000")), "XX");
  EXPECT_EQ(error_slot_name(error_slot("00000")), "00");
  for (const char* unknown : {"ZZ000", "", "4", "0a000", "YX001", "\xff\xff"}) {
    EXPECT_EQ(error_slot_name(error_slot(unknown)), "other") << unknown;
  }
  WorkerCells cells;
  cells.count_error("42601");
  cells.count_error("42501");
  cells.count_error("?");
  EXPECT_EQ(cells.errors_by_class[error_slot("42000")].get(), 2u);
  EXPECT_EQ(cells.errors_by_class.back().get(), 1u);
}

TEST(MetricsCells, SlotNamesAndClassesAreOneToOne) {
  for (std::size_t slot = 0; slot + 1 < WorkerCells{}.errors_by_class.size(); ++slot) {
    const std::string name = error_slot_name(slot);
    if (!name.empty()) { EXPECT_EQ(error_slot(name + "000"), slot); }
  }
}

TEST(MetricsCells, AWaitFallsIntoTheFirstBucketThatHoldsIt) {
  WorkerCells cells;
  const auto slot_of = [&](std::int64_t micros) {
    std::vector<std::uint64_t> before;
    for (const Cell& cell : cells.waits) before.push_back(cell.get());
    cells.count_wait(std::chrono::microseconds(micros));
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (cells.waits[i].get() != before[i]) return i;
    }
    return before.size();
  };
  EXPECT_EQ(slot_of(0), 0u);
  EXPECT_EQ(slot_of(10), 0u);   // upper bounds are inclusive, as Prometheus's le
  EXPECT_EQ(slot_of(11), 1u);
  EXPECT_EQ(slot_of(1'000'000), 10u);
  EXPECT_EQ(slot_of(10'000'000), 11u);
  EXPECT_EQ(slot_of(10'000'001), 12u);
  EXPECT_EQ(slot_of(-5), 0u);
  EXPECT_EQ(cells.wait_microseconds.get(), 0u + 10 + 11 + 1'000'000 + 10'000'000 + 10'000'001);
}

TEST(MetricsCells, EveryRouteKindHasAName) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(RouteKind::kCount); ++i) {
    EXPECT_NE(route_kind_name(static_cast<RouteKind>(i)), "unknown");
    EXPECT_FALSE(route_kind_name(static_cast<RouteKind>(i)).empty());
  }
}

}  // namespace
}  // namespace pgweir::metrics
