// Mergers for MergePlan::Kind::Concat and First: rows go straight to the output, none is held.
#pragma once

#include <vector>

#include "routing/merge/merger.h"

namespace pgweir::routing {

class ConcatMerger final : public Merger {
 public:
  // columns: number of columns of a shard's row. first_only: only stream 0's rows count.
  ConcatMerger(const MergePlan& plan, std::size_t columns, std::size_t shards, bool first_only);

  Result<Unit> push(std::size_t stream, std::string_view body, std::string& out) override;
  Result<Unit> finish(std::size_t stream, std::string& out) override;
  bool wants(std::size_t stream) const override;
  bool drain(std::string& out, std::size_t max_bytes) override;
  bool done() const override;
  std::uint64_t rows() const override { return rows_; }

 private:
  const std::size_t columns_, visible_;
  const bool first_only_;
  const std::int64_t limit_;  // -1: none
  std::int64_t skip_;         // rows of the offset still to drop
  std::vector<bool> finished_;
  std::size_t running_;
  std::uint64_t rows_ = 0;
};

}  // namespace pgweir::routing
