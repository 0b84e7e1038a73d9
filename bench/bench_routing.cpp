// Cost of a route: from a cached analysis, and from a statement never seen. Goals: docs, 0.3 us and 15 us.
#include <benchmark/benchmark.h>

#include "../tests/unit/routing/plan_fixture.cpp"

namespace {

using namespace pgweir::routing;

constexpr const char* kPoint = "select id, name from users where tenant_id = $1 and id = $2";
constexpr const char* kJoin =
    "select o.id, i.sku, i.qty from orders o join items i on o.k = i.k and o.id = i.order_id where o.k = 4711 and "
    "o.total > 3 order by i.sku limit 20";
constexpr const char* kScatter =
    "select id, count(*), avg(total) from orders where flag group by id order by 2 desc limit 10";

void route_cached(benchmark::State& state, const char* text) {
  const auto cluster = fediflow();
  Router router;
  RouteContext context;
  context.want_explanation = false;
  const Parameter parameters[] = {{2950, false, false, "11111111-1111-4111-8111-111111111111"},
                                  {20, false, false, "7"}};
  for (auto _ : state) {
    const auto analysis = router.analyze(*cluster, text, context);
    benchmark::DoNotOptimize(router.route(*cluster, *analysis, 0, parameters, context));
  }
}

void route_new(benchmark::State& state, const char* text) {
  const auto cluster = fediflow();
  Router router(0);  // keeps nothing
  RouteContext context;
  context.want_explanation = false;
  const Parameter parameters[] = {{2950, false, false, "11111111-1111-4111-8111-111111111111"},
                                  {20, false, false, "7"}};
  for (auto _ : state) {
    const auto analysis = router.analyze(*cluster, text, context);
    benchmark::DoNotOptimize(router.route(*cluster, *analysis, 0, parameters, context));
  }
}

BENCHMARK_CAPTURE(route_cached, point, kPoint);
BENCHMARK_CAPTURE(route_cached, join, kJoin);
BENCHMARK_CAPTURE(route_cached, scatter, kScatter);
BENCHMARK_CAPTURE(route_new, point, kPoint);
BENCHMARK_CAPTURE(route_new, join, kJoin);
BENCHMARK_CAPTURE(route_new, scatter, kScatter);

}  // namespace
