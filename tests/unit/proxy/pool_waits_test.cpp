// Waits that must end.
#include "tests/unit/proxy/pool_support.h"

namespace pgweir::pool {
namespace {

class PoolGroupWaitTest : public PoolTest, public ::testing::WithParamInterface<unsigned> {};

// On one worker what comes back goes to whoever waits before a request for two pools is asked whether it wants it.
TEST_P(PoolGroupWaitTest, IsServedThoughSinglesAlwaysWait) {
  FakeServer first, second;
  start_workers(GetParam());
  Pool& a = make_pool(first, {.size = 1});
  Pool& b = make_pool(second, {.size = 2});
  Tally singles, pairs;
  borrow(16, {&a}, singles);
  borrow(16, {&b}, singles);
  borrow(1, {&a, &b}, pairs);
  EXPECT_TRUE(comes_true([&] { return pairs.served >= 20; })) << pairs.served << " pairs, " << singles.served << " singles served";
  EXPECT_GT(singles.served, pairs.served);
  end_borrowing();
  EXPECT_EQ(pairs.wrong + pairs.failures + singles.wrong + singles.failures, 0u);
}

INSTANTIATE_TEST_SUITE_P(Workers, PoolGroupWaitTest, ::testing::Values(1u, 2u));

}  // namespace
}  // namespace pgweir::pool
