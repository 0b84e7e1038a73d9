// The rows of a COPY FROM STDIN, each to its shard: bytes in as they come, views of whole rows out. Holds at most one
// incomplete row (bounded) and a bounded map of line numbers. One per running COPY; not thread-safe.
//
// Rows are split as PostgreSQL 15's COPY does it (text: backslash escapes, "\." ends the data, one newline style;
// csv: quotes span lines; binary: header, tuples, trailer). What the shards get is what the client wrote, byte by
// byte, but for the header line, "\." and the binary header and trailer (see copy_prologue, copy_epilogue).
//
// Errors are PostgreSQL's own where the key cannot be found or read (22P04, 22P02, 22003, 22007, 23502); whatever else is
// wrong with a row is found by its shard. The context says "COPY table, line N". After an error the router takes nothing
// any more: every further call gives the same error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "routing/copy/binary_tuples.h"
#include "routing/copy/copy_plan.h"
#include "routing/copy/line_splitter.h"
#include "routing/placement/key_value.h"

namespace pgweir::routing {

// Takes the rows. `rows` is one or more whole rows that stood side by side in the input; valid during the call only.
class CopySink {
 public:
  virtual ~CopySink() = default;
  virtual void rows(ShardId shard, std::string_view rows) = 0;
};

// What a shard gets before its first and after its last row: binary header and trailer, nothing for text and csv. A
// shard that takes part without getting a row needs both, too.
std::string_view copy_prologue(CopyFormat format);
std::string_view copy_epilogue(CopyFormat format);

struct CopyLimits {
  std::size_t row_bytes = 16u << 20;     // longest row; beyond it 54000
  std::size_t line_map_runs = 16'384;    // runs of rows remembered per shard, for input_line()
};

class CopyRouter {
 public:
  // `literals` are copied: how the key columns' text is read (the session's settings, see key_value.h).
  CopyRouter(std::shared_ptr<const CopyPlan> plan, const LiteralContext& literals, CopyLimits limits = {});
  CopyRouter(const CopyRouter&) = delete;
  CopyRouter& operator=(const CopyRouter&) = delete;

  // The next bytes of the input, cut anywhere. Empty result: taken.
  [[nodiscard]] std::optional<SqlError> feed(std::string_view bytes, CopySink& sink);
  // The input has ended (CopyDone): a last row without newline is handed out. Call once.
  [[nodiscard]] std::optional<SqlError> finish(CopySink& sink);

  std::uint64_t rows() const { return rows_; }            // handed out so far
  std::size_t held_bytes() const { return held_.size(); } // of the incomplete row
  // The input line of a shard's own line (as in the CONTEXT of its error); nullopt when it was too long ago.
  std::optional<std::uint64_t> input_line(ShardId shard, std::uint64_t shard_line) const;

 private:
  // From a row that ends in this line of its shard's data, and of the input, on both count alike.
  struct LineRun { std::uint64_t shard_line, input_line; };
  struct ShardLines { std::uint64_t lines = 0; std::deque<LineRun> runs; };
  struct Run { const char* begin = nullptr; const char* end = nullptr; ShardId shard; };

  std::optional<SqlError> feed_held(std::string_view& bytes, CopySink& sink);
  std::optional<SqlError> feed_direct(std::string_view& bytes, CopySink& sink);
  SplitStatus split(const char* begin, const char* end, bool at_end);
  std::optional<SqlError> take(const char* begin, CopySink& sink);
  std::optional<SqlError> take_header(std::string_view row);
  std::optional<SqlError> read_keys(std::string_view row);
  std::optional<SqlError> read_key(std::size_t level, std::string_view value, bool null);
  void flush(CopySink& sink);
  void remember(ShardId shard);
  SqlError fail(SqlError error);
  SqlError null_key(const SqlError& unplaced) const;
  SqlError split_error();
  std::optional<SqlError> check_length(std::size_t bytes);
  bool binary() const { return plan_->options.format == CopyFormat::Binary; }

  std::shared_ptr<const CopyPlan> plan_;
  std::string timezone_, datestyle_;
  LiteralContext literals_;
  CopyLimits limits_;
  LineSplitter lines_;
  BinaryTuples tuples_;
  std::vector<std::size_t> key_order_;   // levels in ascending position, for one pass over a row
  std::vector<KeyValue> key_;            // of the current row
  std::string field_;                    // unescaped field
  std::string held_;                     // the incomplete row
  Run run_;
  std::vector<ShardLines> shard_lines_;
  std::uint64_t rows_ = 0;
  bool header_pending_ = false;
  bool ended_ = false;                   // end marker or trailer seen
  std::optional<SqlError> failed_;
};

}  // namespace pgweir::routing
