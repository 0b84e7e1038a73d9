// Rows per second of the mergers, over narrow rows (an int8 and a short text). Goals: >= 3 M rows/s for the ordered
// merge,
// >= 2 M rows/s into groups, on one core.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "routing/merge/merger.h"
#include "routing/merge/type_oids.h"
#include "routing/merge/wire.h"

namespace {

using namespace pgweir::routing;

struct Rows {
  std::string bytes;
  std::vector<std::size_t> ends;
  std::string_view at(std::size_t i) const {
    auto from = i == 0 ? 0 : ends[i - 1];
    return std::string_view(bytes).substr(from, ends[i] - from);
  }
};

void append_value(std::string& out, std::string_view value) { wire::append_field(out, wire::Field{value, false}); }

std::string int8(std::int64_t value) {
  std::string out;
  wire::append<std::uint64_t>(out, static_cast<std::uint64_t>(value));
  return out;
}

void append_row(Rows& rows, const std::vector<std::string>& values) {
  wire::append<std::uint16_t>(rows.bytes, static_cast<std::uint16_t>(values.size()));
  for (const auto& value : values) append_value(rows.bytes, value);
  rows.ends.push_back(rows.bytes.size());
}

constexpr std::size_t kRows = 200'000;

void feed(Merger& merger, const std::vector<Rows>& streams, std::string& out) {
  std::vector<std::size_t> next(streams.size(), 0);
  while (!merger.done()) {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (next[i] > streams[i].ends.size()) continue;
      while (next[i] < streams[i].ends.size() && merger.wants(i))
        if (!merger.push(i, streams[i].at(next[i]++), out)) std::abort();
      if (next[i] == streams[i].ends.size()) {
        if (!merger.finish(i, out)) std::abort();
        ++next[i];
      }
    }
    while (merger.drain(out, 64 * 1024)) out.clear();
    if (out.size() > 64 * 1024) out.clear();
  }
}

void run(benchmark::State& state, const MergePlan& plan, const std::vector<MergeColumn>& columns,
         const std::vector<MergeColumn>& outputs, const std::vector<Rows>& streams) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    auto merger = Merger::create(plan, columns, outputs, streams.size());
    if (!merger) std::abort();
    feed(**merger, streams, out);
    benchmark::DoNotOptimize(out.data());
  }
  std::size_t rows = 0;
  for (const auto& stream : streams) rows += stream.ends.size();
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows));
}

// select id, label from t order by id: the key as a hidden binary copy.
void BM_Ordered(benchmark::State& state) {
  auto shards = static_cast<std::size_t>(state.range(0));
  std::vector<Rows> streams(shards);
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < kRows; ++i)
    append_row(streams[random() % shards], {std::to_string(i), "label", int8(static_cast<std::int64_t>(i))});
  MergePlan plan;
  plan.kind = MergePlan::Kind::Ordered;
  plan.hidden = 1;
  plan.order.resize(1);
  run(state, plan, {{type_oid::kInt8}, {type_oid::kText}, {type_oid::kInt8, -1, true}},
      {{type_oid::kInt8}, {type_oid::kText}}, streams);
}
BENCHMARK(BM_Ordered)->Arg(2)->Arg(4)->Arg(16)->Arg(64)->Unit(benchmark::kMillisecond);

// The same by (text, int8 desc): longer keys than the prefix.
void BM_OrderedText(benchmark::State& state) {
  auto shards = static_cast<std::size_t>(state.range(0));
  std::vector<Rows> streams(shards);
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < kRows; ++i) {
    auto name = "customer-name-" + std::to_string(1'000'000 + i);
    append_row(streams[random() % shards], {std::to_string(i), name, int8(static_cast<std::int64_t>(i))});
  }
  MergePlan plan;
  plan.kind = MergePlan::Kind::Ordered;
  plan.hidden = 2;
  plan.order.resize(2);
  plan.order[0].bytewise_text = true;
  plan.order[1].index = 1;
  plan.order[1].descending = true;
  std::vector<MergeColumn> columns{{type_oid::kInt8}, {type_oid::kText, -1, true}, {type_oid::kInt8, -1, true}};
  run(state, plan, columns, {{type_oid::kInt8}}, streams);
}
BENCHMARK(BM_OrderedText)->Arg(4)->Unit(benchmark::kMillisecond);

// select k, count(*), sum(int), avg(int) ... group by k, over range(0) groups and 4 shards.
void BM_Group(benchmark::State& state) {
  auto groups = static_cast<std::size_t>(state.range(0));
  std::vector<Rows> streams(4);
  for (std::size_t i = 0; i < kRows; ++i) {
    auto key = static_cast<std::int64_t>(i % groups);
    append_row(streams[i % 7 % 4], {std::to_string(key), "1", int8(key), int8(3)});
  }
  MergePlan plan;
  plan.kind = MergePlan::Kind::Group;
  plan.hidden = 2;
  plan.group_by = {0};
  plan.aggregates = {{AggregateFunction::Count, 1, 0, 1}};
  run(state, plan, {{type_oid::kInt8}, {type_oid::kInt8}, {type_oid::kInt8, -1, true}, {type_oid::kInt8, -1, true}},
      {{type_oid::kInt8}, {type_oid::kInt8}}, streams);
}
BENCHMARK(BM_Group)->Arg(10)->Arg(1000)->Arg(100'000)->Unit(benchmark::kMillisecond);

void BM_GroupNumericSum(benchmark::State& state) {
  std::vector<Rows> streams(4);
  std::string numeric("\0\2\0\0\0\0\0\2\4\1\7\7", 12);
  for (std::size_t i = 0; i < kRows; ++i) {
    auto key = static_cast<std::int64_t>(i % 1000);
    append_row(streams[i % 7 % 4], {std::to_string(key), "1", int8(key), numeric});
  }
  MergePlan plan;
  plan.kind = MergePlan::Kind::Group;
  plan.hidden = 2;
  plan.group_by = {0};
  plan.aggregates = {{AggregateFunction::Sum, 1, 0, 1}};
  run(state, plan,
      {{type_oid::kInt8}, {type_oid::kNumeric}, {type_oid::kInt8, -1, true}, {type_oid::kNumeric, -1, true}},
      {{type_oid::kInt8}, {type_oid::kNumeric}}, streams);
}
BENCHMARK(BM_GroupNumericSum)->Unit(benchmark::kMillisecond);

void BM_Concat(benchmark::State& state) {
  std::vector<Rows> streams(4);
  for (std::size_t i = 0; i < kRows; ++i) append_row(streams[i % 4], {std::to_string(i), "label"});
  run(state, MergePlan{}, {{type_oid::kInt8}, {type_oid::kText}}, {{type_oid::kInt8}, {type_oid::kText}}, streams);
}
BENCHMARK(BM_Concat)->Unit(benchmark::kMillisecond);

}  // namespace
