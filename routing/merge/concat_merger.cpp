#include "routing/merge/concat_merger.h"

#include <algorithm>

#include "routing/merge/row_errors.h"
#include "routing/merge/wire.h"

namespace pgweir::routing {

ConcatMerger::ConcatMerger(const MergePlan& plan, std::size_t columns, std::size_t shards, bool first_only)
    : columns_(columns),
      visible_(columns - plan.hidden),
      first_only_(first_only),
      limit_(plan.limit),
      skip_(std::max<std::int64_t>(plan.offset, 0)),
      finished_(shards, false),
      running_(shards) {}

Result<Unit> ConcatMerger::push(std::size_t stream, std::string_view body, std::string& out) {
  if (stream >= finished_.size() || finished_[stream]) return unexpected_row();
  if (done() || (first_only_ && stream != 0)) return Unit{};
  wire::RowCursor cursor(body);
  if (cursor.count() != static_cast<int>(columns_)) return malformed_row();
  if (skip_ > 0) {
    --skip_;
    return Unit{};
  }
  if (visible_ != columns_) {
    wire::Field field;
    for (std::size_t i = 0; i < visible_; ++i)
      if (!cursor.next(field)) return malformed_row();
    body = body.substr(0, static_cast<std::size_t>(cursor.position() - body.data()));
  }
  out.push_back('D');
  wire::append<std::uint32_t>(out, static_cast<std::uint32_t>(body.size() + 4));
  auto at = out.size();
  out.append(body);
  if (visible_ != columns_) wire::store<std::uint16_t>(out.data() + at, static_cast<std::uint16_t>(visible_));
  ++rows_;
  return Unit{};
}

Result<Unit> ConcatMerger::finish(std::size_t stream, std::string& /*out*/) {
  if (stream >= finished_.size()) return unexpected_row();
  if (!finished_[stream]) --running_;
  finished_[stream] = true;
  return Unit{};
}

bool ConcatMerger::wants(std::size_t stream) const {
  return stream < finished_.size() && !finished_[stream] && !done();
}

bool ConcatMerger::drain(std::string& /*out*/, std::size_t /*max_bytes*/) { return false; }

bool ConcatMerger::done() const {
  if (limit_ >= 0 && rows_ >= static_cast<std::uint64_t>(limit_)) return true;
  return running_ == 0 || (first_only_ && finished_[0]);
}

}  // namespace pgweir::routing
