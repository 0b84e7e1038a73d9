// Gather: rows of the shards on their way to the client.
#include <algorithm>

#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace pgweir::session {

using protocol::SqlError;

namespace {

// Rows of a portal with a row limit, which wait here for the next Execute.
constexpr std::size_t kMaxKeptRows = 64u << 20;
// Who holds less goes on when memory is short: it is others who hold much.
constexpr std::size_t kHeldAlways = 1u << 20;
// Of shards that are ahead of others, which have not taken the Bind.
constexpr std::size_t kHeldEarly = 64u << 10;

}  // namespace

// Charges what is held. A statement that holds much when the budget is exhausted fails.
void Gather::hold_memory() {
  std::size_t held = kept_rows_.size() + out_.size() + ordered_bytes_ + (merger_ ? merger_->held_bytes() : 0) +
                     (copy_router_ ? copy_router_->held_bytes() : 0);
  for (const auto& stream : streams_) held += stream.large_row.size() + stream.held.size();
  memory_.set(held);
  if (!error_ && held > kHeldAlways && session_.context_.worker.memory().exhausted()) fail(session_.memory_error());
}

void Gather::on_row(Stream& stream, std::string_view body) {
  if (!merger_ || error_ || keep_in_values_order(stream, body)) return;
  const auto index = static_cast<std::size_t>(&stream - streams_.data());
  if (auto pushed = merger_->push(index, body, out_); !pushed) return fail(pushed.error());
  if (out_.size() >= 64 * 1024) flush_rows();
}

// INSERT ... VALUES ... RETURNING: each shard returns its rows in their order; row k of a shard is a known row of the list.
bool Gather::keep_in_values_order(Stream& stream, std::string_view body) {
  if (!request_.route.returning_in_values_order) return false;
  for (const auto& statement : request_.route.statements) {
    if (statement.shard != stream.link->shard() || stream.rows >= statement.row_numbers.size()) continue;
    const std::size_t row = statement.row_numbers[stream.rows++];
    if (ordered_rows_.size() <= row) ordered_rows_.resize(row + 1);
    protocol::ByteWriter writer(ordered_rows_[row]);
    writer.begin_message('D');
    writer.bytes(body);
    writer.end_message();
    ordered_bytes_ += body.size();
    return true;
  }
  return false;
}

void Gather::give(std::string& rows) {
  if (!request_.keep_rows) {
    session_.to_client(rows);
  } else if (kept_rows_.size() + rows.size() > kMaxKeptRows) {
    rows.clear();
    return fail({"53200", "the rows of this portal exceed 64 MiB and its statement runs on several shards", {}, "Fetch without a row limit: such results are streamed.", {}, {}});
  } else {
    kept_rows_ += rows;
  }
  rows.clear();
}

void Gather::flush_rows() {
  if (!merger_ || error_) return;
  if (!bound_) return update_reading();
  for (std::size_t i = 0; i < streams_.size(); ++i)
    if (streams_[i].ready && !streams_[i].finished) {
      streams_[i].finished = true;
      if (auto done = merger_->finish(i, out_); !done) return fail(done.error());
    }
  while (!(session_.stream_ && session_.stream_->above_high_water())) {
    const bool more = merger_->drain(out_, 64 * 1024);
    if (!out_.empty()) give(out_);
    if (error_ || !more) break;
  }
  update_reading();
}

void Gather::update_reading() {
  const bool client_full = session_.stream_ && session_.stream_->above_high_water();
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Link& link = *streams_[i].link;
    if (!link.open() || streams_[i].ready) continue;
    const bool early = !bound_ && streams_[i].bound && out_.size() + early_.size() >= kHeldEarly;
    const bool wanted = error_ || !merger_ || (!early && (merger_->wants(i) || merger_->done()) && !client_full);
    if (wanted && link.server().stream().paused()) link.resume();
    if (!wanted && !link.server().stream().paused()) link.pause();
  }
}

}  // namespace pgweir::session
