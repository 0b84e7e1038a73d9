// COPY TO STDOUT of several shards as one: takes the header line (text, csv) or the binary header away from every
// shard's data but the first's, and the binary trailer from every one's but the last's. One CopyOutFilter per shard,
// fed in the order in which the shards are concatenated; holds no data, but for an incomplete header or count. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "routing/copy/copy_plan.h"

namespace pgweir::routing {

// Takes the bytes to forward; valid during the call only.
class CopyOutSink {
 public:
  virtual ~CopyOutSink() = default;
  virtual void bytes(std::string_view bytes) = 0;
};

class CopyOutFilter {
 public:
  // `first`: this shard's header goes to the client; `last`: so does its trailer. Only format, header and the csv
  // characters of `options` matter.
  CopyOutFilter(const CopyOptions& options, bool first, bool last);

  // The shard's data, cut anywhere. An error (XX000) when binary data are not what PostgreSQL sends.
  [[nodiscard]] std::optional<SqlError> feed(std::string_view bytes, CopyOutSink& sink);

 private:
  enum class State : std::uint8_t { Pass, HeaderLine, Signature, Extension, Count, FieldLength, FieldData, Trailer };
  // The chunk being fed: [keep, at) has been looked at and goes to the client.
  struct Chunk {
    const char* keep;
    const char* at;
    const char* end;
    CopyOutSink& sink;
    void flush();                   // forwards [keep, at)
    void drop(std::size_t bytes);   // forwards what was kept, then steps over bytes that the client does not get
  };
  std::optional<SqlError> step(Chunk& chunk);
  std::optional<SqlError> signature(Chunk& chunk);
  void extension(Chunk& chunk);
  std::optional<SqlError> count(Chunk& chunk);
  std::optional<SqlError> field_length(Chunk& chunk);
  void header_line(Chunk& chunk);
  void next_field();

  bool csv_, first_, last_;
  char quote_, escape_;
  State state_ = State::Pass;
  bool in_quote_ = false, last_was_escape_ = false;
  char word_[19] = {};              // the header or a count while it is incomplete
  std::size_t word_size_ = 0;
  std::uint32_t left_ = 0;          // bytes of the extension or field still to come; a length while it is read
  std::uint16_t fields_left_ = 0;
};

}  // namespace pgweir::routing
