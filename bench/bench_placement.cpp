// Placing keys and routing COPY: nanoseconds per key, bytes per second of input.
#include <benchmark/benchmark.h>

#include <random>

#include "routing/copy/copy_router.h"
#include "routing/placement/placement.h"

namespace {

using namespace pgweir;
using namespace pgweir::routing;

std::shared_ptr<const Placement> placement(config::KeyType type, config::HashKind hash) {
  config::Cluster cluster;
  config::Placement p;
  p.name = "p";
  p.key_type = type;
  p.hash = hash;
  for (unsigned i = 0; i < 4; ++i) {
    config::Shard shard;
    shard.name = "s" + std::to_string(i);
    p.bucket_map.push_back({i * 256, i * 256 + 255, {shard.name, ""}});
    cluster.shards.push_back(shard);
  }
  cluster.placements = {p};
  return *Placement::compile(cluster, "p");
}

std::string key_text(config::KeyType type, unsigned i) {
  if (type != config::KeyType::Uuid) return std::to_string(i * 7919u % 1000003u);
  char text[40];
  std::snprintf(text, sizeof(text), "%08x-0000-4000-8000-%012x", i * 2654435761u, i);
  return text;
}

void ShardFor(benchmark::State& state, config::KeyType type, config::HashKind hash) {
  const auto p = placement(type, hash);
  std::vector<KeyValue> keys;
  for (unsigned i = 0; i < 1024; ++i) keys.push_back(*key_from_text(type, key_text(type, i), LiteralContext{}));
  unsigned i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(p->shard_for({&keys[i++ % 1024], 1}));
}
BENCHMARK_CAPTURE(ShardFor, bigint, config::KeyType::BigInt, config::HashKind::Postgres);
BENCHMARK_CAPTURE(ShardFor, bigint_xxh64, config::KeyType::BigInt, config::HashKind::Xxh64);
BENCHMARK_CAPTURE(ShardFor, uuid, config::KeyType::Uuid, config::HashKind::Postgres);
BENCHMARK_CAPTURE(ShardFor, text, config::KeyType::Text, config::HashKind::Postgres);
BENCHMARK_CAPTURE(ShardFor, numeric, config::KeyType::Numeric, config::HashKind::Postgres);

void ReadKey(benchmark::State& state, config::KeyType type, const char* text) {
  KeyValue key;
  for (auto _ : state) benchmark::DoNotOptimize(read_key_text(type, text, LiteralContext{}, key));
}
BENCHMARK_CAPTURE(ReadKey, bigint, config::KeyType::BigInt, "1234567890");
BENCHMARK_CAPTURE(ReadKey, uuid, config::KeyType::Uuid, "0b9c1c1e-0000-4000-8000-000000000001");
BENCHMARK_CAPTURE(ReadKey, timestamptz, config::KeyType::TimestampTz, "2024-06-01 12:34:56.789+02");

struct Discard : CopySink {
  std::size_t bursts = 0;
  void rows(ShardId, std::string_view rows) override {
    ++bursts;
    benchmark::DoNotOptimize(rows.data());
  }
};

// Rows of about `width` bytes in chunks of 64 KiB; the key is the second of four columns. `run` rows of one key in a
// row.
void Copy(benchmark::State& state, CopyOptions options, config::KeyType type) {
  const auto width = static_cast<std::size_t>(state.range(0));
  const auto run = static_cast<unsigned>(state.range(1));
  auto plan = std::make_shared<CopyPlan>();
  plan->table = "t";
  plan->columns = {"id", "k", "body", "n"};
  plan->options = options;
  plan->key = {{1, 0, -1}};
  plan->placement = placement(type, config::HashKind::Postgres);
  std::string input;
  for (unsigned i = 0; input.size() < (8u << 20); ++i) {
    const std::string d(1, options.delimiter);
    input += std::to_string(i) + d + key_text(type, i / run) + d + std::string(width, 'x') + d + "42\n";
  }
  for (auto _ : state) {
    CopyRouter router(plan, LiteralContext{});
    Discard sink;
    for (std::size_t at = 0; at < input.size(); at += 65536) {
      if (router.feed(std::string_view(input).substr(at, 65536), sink)) state.SkipWithError("refused");
    }
    if (router.finish(sink)) state.SkipWithError("refused");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * input.size()));
}
BENCHMARK_CAPTURE(Copy, text_bigint, CopyOptions::text(), config::KeyType::BigInt)->Args({60, 1})->Args({60, 100})
    ->Args({1000, 1});
BENCHMARK_CAPTURE(Copy, text_uuid, CopyOptions::text(), config::KeyType::Uuid)->Args({60, 1})->Args({60, 100})
    ->Args({1000, 1});
BENCHMARK_CAPTURE(Copy, csv_uuid, CopyOptions::csv(), config::KeyType::Uuid)->Args({60, 1})->Args({1000, 1});

}  // namespace
