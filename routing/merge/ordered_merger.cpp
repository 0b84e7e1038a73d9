#include "routing/merge/ordered_merger.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "routing/merge/row_errors.h"

namespace pgweir::routing {

using wire::load;

void RowWindow::append(std::string_view key, std::string_view visible, std::size_t columns) {
  // Space of rows that went out is reclaimed when it is at least as large as what is left: every byte moves at most
  // once.
  if (head_ > 0 && head_ >= size()) {
    bytes_.erase(0, head_);
    head_ = 0;
  }
  const auto message = visible.size() + 5;
  const auto at = bytes_.size();
  bytes_.resize(at + 8 + key.size() + message);
  auto* to = bytes_.data() + at;
  const auto sizes = std::array{static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(message)};
  std::memcpy(to, sizes.data(), 8);
  if (!key.empty()) std::memcpy(to + 8, key.data(), key.size());
  to += 8 + key.size();
  to[0] = 'D';
  wire::store<std::uint32_t>(to + 1, static_cast<std::uint32_t>(message - 1));
  std::memcpy(to + 5, visible.data(), visible.size());
  wire::store<std::uint16_t>(to + 5, static_cast<std::uint16_t>(columns));
}

std::string_view RowWindow::key() const {
  std::uint32_t size = 0;
  std::memcpy(&size, bytes_.data() + head_, 4);
  return {bytes_.data() + head_ + 8, size};
}

std::string_view RowWindow::message() const {
  std::uint32_t sizes[2];
  std::memcpy(sizes, bytes_.data() + head_, 8);
  return {bytes_.data() + head_ + 8 + sizes[0], sizes[1]};
}

void RowWindow::pop() {
  std::uint32_t sizes[2];
  std::memcpy(sizes, bytes_.data() + head_, 8);
  head_ += std::size_t{8} + sizes[0] + sizes[1];
}

void RowWindow::release() {
  std::string().swap(bytes_);
  head_ = 0;
}

OrderedMerger::Prefix OrderedMerger::Prefix::of(std::string_view key) {
  char bytes[16] = {};
  if (!key.empty()) std::memcpy(bytes, key.data(), std::min<std::size_t>(key.size(), 16));
  return {load<std::uint64_t>(bytes), load<std::uint64_t>(bytes + 8), key.size() <= 16};
}

OrderedMerger::OrderedMerger(const MergePlan& plan, std::vector<Key> keys, std::size_t columns, std::size_t shards,
                             MergeLimits limits)
    : keys_(std::move(keys)),
      columns_(columns),
      visible_(columns - plan.hidden),
      window_bytes_(limits.window_bytes),
      limit_(plan.limit),
      skip_(std::max<std::int64_t>(plan.offset, 0)),
      streams_(shards),
      losers_(shards),
      fields_(columns),
      done_(shards == 0 || plan.limit == 0) {}

Result<std::size_t> OrderedMerger::read(std::string_view body) {
  wire::RowCursor cursor(body);
  if (cursor.count() != static_cast<int>(columns_)) return malformed_row();
  for (std::size_t i = 0; i < visible_; ++i)
    if (!cursor.next(fields_[i])) return malformed_row();
  const auto end = static_cast<std::size_t>(cursor.position() - body.data());
  for (auto i = visible_; i < columns_; ++i)
    if (!cursor.next(fields_[i])) return malformed_row();
  if (!cursor.at_end()) return malformed_row();
  key_.clear();
  for (const auto& key : keys_) {
    const auto& field = fields_[key.column];
    if (!append_component(key.type, key.order, field.bytes, field.null, key_)) return malformed_key();
  }
  return end;
}

Result<Unit> OrderedMerger::push(std::size_t stream, std::string_view body, std::string& /*out*/) {
  if (stream >= streams_.size() || streams_[stream].finished) return unexpected_row();
  if (done_) return Unit{};
  auto visible_end = read(body);
  if (!visible_end) return visible_end.error();
  auto& from = streams_[stream];
  auto prefix = Prefix::of(key_);
  if (from.any) {
    bool before = prefix.high != from.last.high ? prefix.high < from.last.high
                  : prefix.low != from.last.low ? prefix.low < from.last.low
                                                : !(prefix.whole && from.last.whole) && key_ < from.last_key;
    if (before) return out_of_order(stream);
  }
  from.window.append(key_, body.substr(0, *visible_end), visible_);
  from.any = true;
  from.last = prefix;
  from.last_key.swap(key_);
  return Unit{};
}

Result<Unit> OrderedMerger::finish(std::size_t stream, std::string& /*out*/) {
  if (stream >= streams_.size()) return unexpected_row();
  streams_[stream].finished = true;
  if (!done_) ready();  // so that done() is true at once if this was the last one and nothing is held
  return Unit{};
}

std::size_t OrderedMerger::held_bytes() const {
  std::size_t bytes = 0;
  for (const Stream& stream : streams_) bytes += stream.window.size();
  return bytes;
}

bool OrderedMerger::wants(std::size_t stream) const {
  return !done_ && stream < streams_.size() && !streams_[stream].finished &&
         streams_[stream].window.size() < window_bytes_;
}

bool OrderedMerger::less(std::size_t left, std::size_t right) const {
  const auto& a = streams_[left];
  const auto& b = streams_[right];
  if (a.exhausted || b.exhausted) return a.exhausted == b.exhausted ? left < right : b.exhausted;
  if (a.head.high != b.head.high) return a.head.high < b.head.high;
  if (a.head.low != b.head.low) return a.head.low < b.head.low;
  if (a.head.whole && b.head.whole) return left < right;
  auto order = a.window.key().compare(b.window.key());
  return order != 0 ? order < 0 : left < right;
}

bool OrderedMerger::load_head(std::size_t stream) {
  auto& from = streams_[stream];
  if (from.window.empty()) {
    from.exhausted = from.finished;
    return from.finished;
  }
  from.head = Prefix::of(from.window.key());
  return true;
}

// Node n has the children 2n and 2n+1; node streams + i is the leaf of stream i.
std::size_t OrderedMerger::play(std::size_t node) {
  if (node >= streams_.size()) return node - streams_.size();
  auto left = play(2 * node), right = play(2 * node + 1);
  bool left_wins = less(left, right);
  losers_[node] = left_wins ? right : left;
  return left_wins ? left : right;
}

void OrderedMerger::build() {
  winner_ = streams_.size() == 1 ? 0 : play(1);
  built_ = true;
}

void OrderedMerger::replay(std::size_t stream) {
  winner_ = stream;
  for (auto node = (stream + streams_.size()) / 2; node > 0; node /= 2) {
    if (less(losers_[node], winner_)) std::swap(losers_[node], winner_);
  }
}

// Whether the winner's head is the next row.
bool OrderedMerger::ready() {
  if (!built_) {
    for (std::size_t i = 0; i < streams_.size(); ++i)
      if (!load_head(i)) return false;
    build();
  }
  if (stale_) {
    if (!load_head(winner_)) return false;
    stale_ = false;
    replay(winner_);
  }
  if (streams_[winner_].exhausted) end();
  return !done_;
}

void OrderedMerger::end() {
  done_ = true;
  for (auto& stream : streams_) stream.window.release();
}

bool OrderedMerger::drain(std::string& out, std::size_t max_bytes) {
  if (done_) return false;
  const auto start = out.size();
  while (ready()) {
    if (out.size() - start >= max_bytes && out.size() != start) return true;
    auto& from = streams_[winner_].window;
    if (skip_ > 0) {
      --skip_;
    } else {
      out.append(from.message());
      ++rows_;
    }
    from.pop();
    stale_ = true;
    if (limit_ >= 0 && rows_ >= static_cast<std::uint64_t>(limit_)) end();
    if (done_) return false;
  }
  return false;
}

}  // namespace pgweir::routing
