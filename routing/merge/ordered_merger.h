// k-way merge of sorted streams: MergePlan::Kind::Ordered. Holds one bounded window of rows per stream, so memory does
// not grow with the result.
//
// A loser tree picks the next row: after a row goes out only its stream's head changes, so one path of log2(shards)
// comparisons is replayed, and the same code serves 2 streams (one comparison a row) and 64 (six). A linear scan is as
// fast up to about 4 streams only. Ties go to the lower stream.
#pragma once

#include <string>
#include <vector>

#include "routing/merge/comparator.h"
#include "routing/merge/merger.h"
#include "routing/merge/wire.h"

namespace pgweir::routing {

// The rows of one stream that wait for their turn, each with its sort key, as complete DataRow messages. A row's bytes
// stay where they are until the next append().
class RowWindow {
 public:
  bool empty() const { return head_ == bytes_.size(); }
  std::size_t size() const { return bytes_.size() - head_; }
  // `visible` is a DataRow body of which `columns` columns are kept.
  void append(std::string_view key, std::string_view visible, std::size_t columns);
  // Precondition of the following: !empty().
  std::string_view key() const;
  std::string_view message() const;
  void pop();
  void release();

 private:
  std::string bytes_;  // records of: uint32 key size, uint32 message size, key, message
  std::size_t head_ = 0;
};

class OrderedMerger final : public Merger {
 public:
  struct Key {
    std::size_t column;  // of the whole row
    KeyType type;
    KeyOrder order;
  };
  OrderedMerger(const MergePlan& plan, std::vector<Key> keys, std::size_t columns, std::size_t shards,
                MergeLimits limits);

  Result<Unit> push(std::size_t stream, std::string_view body, std::string& out) override;
  Result<Unit> finish(std::size_t stream, std::string& out) override;
  bool wants(std::size_t stream) const override;
  bool drain(std::string& out, std::size_t max_bytes) override;
  bool done() const override { return done_; }
  std::uint64_t rows() const override { return rows_; }
  std::size_t held_bytes() const override;

 private:
  // The first 16 bytes of a key, zero-padded, as two numbers: most comparisons end here.
  struct Prefix {
    std::uint64_t high = 0, low = 0;
    bool whole = true;  // the key is no longer than the prefix
    static Prefix of(std::string_view key);
  };
  struct Stream {
    RowWindow window;
    Prefix head;  // of the window's first row, once the tree has taken it in
    Prefix last;  // of the last row that came
    std::string last_key;
    bool any = false;  // a row came
    bool finished = false;
    bool exhausted = false;  // finished, and its last row is out: sorts after everything
  };

  // Reads the row into fields_ and its sort key into key_; returns the end of the visible columns.
  Result<std::size_t> read(std::string_view body);
  bool less(std::size_t left, std::size_t right) const;
  bool load_head(std::size_t stream);  // false: it must be waited for
  void build();
  std::size_t play(std::size_t node);
  void replay(std::size_t stream);
  bool ready();
  void end();

  const std::vector<Key> keys_;
  const std::size_t columns_, visible_, window_bytes_;
  const std::int64_t limit_;
  std::int64_t skip_;
  std::vector<Stream> streams_;
  std::vector<std::size_t> losers_;  // of inner node 1..streams-1; leaves follow
  std::vector<wire::Field> fields_;
  std::string key_;
  std::size_t winner_ = 0;
  bool built_ = false, stale_ = false;  // stale_: the winner's head went out, the next is not in the tree yet
  bool done_ = false;
  std::uint64_t rows_ = 0;
};

}  // namespace pgweir::routing
