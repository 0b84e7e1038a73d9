// The per-message cost of walking headers and of tracking replies: what every query pays in both directions.
#include <benchmark/benchmark.h>

#include "protocol/backend_codec.h"
#include "protocol/frame_reader.h"
#include "protocol/frontend_codec.h"
#include "protocol/reply_tracker.h"
#include "protocol/statement_names.h"

namespace {

using namespace pgweir::protocol;

// The reply of a SELECT of `rows` rows with `width` bytes in each.
std::string reply(std::int64_t rows, std::int64_t width) {
  std::string out;
  encode_row_description(std::vector<ColumnDescription>{{"value", 0, 0, 25, -1, -1, 0}}, out);
  for (std::int64_t i = 0; i < rows; ++i) {
    DataRowWriter row(out);
    row.value(std::string(static_cast<std::size_t>(width), 'x'));
    row.finish();
  }
  encode_command_complete("SELECT " + std::to_string(rows), out);
  encode_ready_for_query(TransactionStatus::Idle, out);
  return out;
}

void walk_frames(benchmark::State& state) {
  const std::string stream = reply(state.range(0), state.range(1));
  FrameReader reader(backend_limits(16u << 20));
  std::size_t frames = 0;
  for (auto _ : state) {
    std::string_view input = stream;
    while (reader.next(input).kind == Frame::Kind::Message) ++frames;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(frames));
  state.SetBytesProcessed(static_cast<std::int64_t>(stream.size()) * state.iterations());
}
BENCHMARK(walk_frames)->Args({1, 20})->Args({1000, 20})->Args({1000, 1000});

void walk_and_track(benchmark::State& state) {
  const std::string stream = reply(state.range(0), 20);
  FrameReader reader(backend_limits(16u << 20));
  ReplyTracker tracker;
  std::size_t frames = 0;
  for (auto _ : state) {
    tracker.push(Request::Query, Disposition::Forward);
    std::string_view input = stream;
    for (Frame frame = reader.next(input); frame.kind == Frame::Kind::Message; frame = reader.next(input)) {
      const char status = frame.type == 'Z' ? frame.body()[0] : '\0';
      benchmark::DoNotOptimize(tracker.on_message(static_cast<BackendMessage>(frame.type), status));
      ++frames;
    }
  }
  if (!tracker.idle()) state.SkipWithError("the tracker lost count");
  state.SetItemsProcessed(static_cast<std::int64_t>(frames));
}
BENCHMARK(walk_and_track)->Arg(1)->Arg(1000);

// One prepared execution: five requests, five replies.
void track_extended_batch(benchmark::State& state) {
  ReplyTracker tracker;
  std::string simulated, parse_complete;
  encode_parse_complete(parse_complete);
  for (auto _ : state) {
    tracker.push_simulated(parse_complete);
    tracker.push(Request::Bind, Disposition::Forward);
    tracker.push(Request::DescribePortal, Disposition::Forward);
    tracker.push(Request::Execute, Disposition::Forward);
    tracker.push(Request::Sync, Disposition::Forward);
    tracker.take_simulated(simulated);
    for (const char type : std::string_view("2TDC")) tracker.on_message(static_cast<BackendMessage>(type));
    tracker.on_message(BackendMessage::ReadyForQuery, 'I');
    simulated.clear();
  }
  if (!tracker.idle()) state.SkipWithError("the tracker lost count");
}
BENCHMARK(track_extended_batch);

void rename_a_bind(benchmark::State& state) {
  std::string bind, out;
  const std::string value(static_cast<std::size_t>(state.range(0)), 'v');
  encode_bind("", "stmt", {}, std::vector<std::optional<std::string_view>>{value}, {}, bind);
  const std::string name = server_name({1, 2});
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(rename_bind(std::string_view(bind).substr(kHeaderSize), name, out));
  }
}
BENCHMARK(rename_a_bind)->Arg(20)->Arg(4096);

void hash_a_statement(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 's');
  const std::vector<Oid> types{23, 25};
  for (auto _ : state) benchmark::DoNotOptimize(hash_statement({1, 2}, text, types, 3));
  state.SetBytesProcessed(state.range(0) * state.iterations());
}
BENCHMARK(hash_a_statement)->Arg(64)->Arg(4096);

}  // namespace
