// Merges the DataRow streams of several shards into the rows of one answer, as a MergePlan says. Sans-I/O: rows in by
// push(), complete DataRow messages out. Not thread-safe; one merger serves one statement.
//
// Use:  for each message of stream i:  DataRow -> push(i, body, out);  CommandComplete -> finish(i, out);
//       after each burst:              while (merger.drain(out, room)) send(out);
//       stop reading stream i while !wants(i); when done() the shards can be stopped and the tag is "SELECT <rows()>".
// `out` receives rows from push() too (Concat and First hand them straight through), so the caller bounds it by sending
// it. After an error the merger must be dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "routing/merge/merge_plan.h"
#include "routing/merge/merge_types.h"
#include "routing/types.h"

namespace pgweir::routing {

using Unit = std::monostate;  // the value of a Result that only succeeds or fails

// One column of a shard's rows, from its RowDescription with OIDs already mapped to canonical ones.
struct MergeColumn {
  Oid type = 0;
  std::int32_t typmod = -1;
  bool binary = false;
};

struct MergeLimits {
  std::size_t window_bytes = 256 * 1024;  // Ordered: rows held per stream, in bytes; one row may go over it
  std::size_t group_bytes = 64u << 20;    // Group: all memory of the group table, sort keys included
  int extra_float_digits = 1;             // the client session's setting, for text of merged float4 and float8 values
};

class Merger {
 public:
  virtual ~Merger() = default;

  // columns: a shard's row, the visible columns and then plan.hidden hidden ones (which must be binary). outputs: the
  // visible columns as the client was told (types and formats of the original statement's RowDescription); an
  // aggregate's result is encoded as its output says. shards: number of streams, 0..shards-1. A refusal with reason
  // "merge_type" or "merge_collation" when a key or an aggregate has no exact merge here; XX000 when plan and columns
  // disagree.
  static Result<std::unique_ptr<Merger>> create(const MergePlan& plan, std::span<const MergeColumn> columns,
                                                std::span<const MergeColumn> outputs, std::size_t shards,
                                                MergeLimits limits = {}, const MergeTypes& types = MergeTypes{});

  // One DataRow body (int16 count, then int32 length and bytes of each column) of a stream. The view is only read
  // during the call. Rows that are not needed any more (done()) are dropped. Errors: XX000 stream out of order, 53200
  // group budget exhausted, 22003 float overflow, 08P01 malformed row.
  virtual Result<Unit> push(std::size_t stream, std::string_view data_row_body, std::string& out) = 0;

  // The stream has no more rows. Idempotent. Errors: 22003 (bigint or numeric result out of range), 53200.
  virtual Result<Unit> finish(std::size_t stream, std::string& out) = 0;

  // False: the stream's window is full (or nothing more is needed from it), stop reading it for now.
  virtual bool wants(std::size_t stream) const = 0;

  // Appends complete DataRow messages that are due to `out`, until about max_bytes are appended (at least one row if
  // one is due); returns whether more is due now.
  virtual bool drain(std::string& out, std::size_t max_bytes) = 0;

  // Nothing more will come: LIMIT reached, or every stream finished and drained.
  virtual bool done() const = 0;

  // Rows given out so far: the count of the SELECT tag.
  virtual std::uint64_t rows() const = 0;

  // Bytes of rows and groups that are held now.
  virtual std::size_t held_bytes() const { return 0; }
};

}  // namespace pgweir::routing
