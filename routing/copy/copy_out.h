// COPY TO STDOUT of several shards as one: takes the header line (text, csv) or the binary header away from every
// shard's data but the first's, and the binary trailer from every one's but the last's. One CopyOutFilter per shard, fed in the order
// in which the shards are concatenated; holds no data, but for one byte of a split length word. Not thread-safe.
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
  std::size_t header_line(std::string_view bytes);
  std::optional<SqlError> step(std::string_view& bytes, CopyOutSink& sink);
  std::optional<SqlError> count_word(std::string_view& bytes, CopyOutSink& sink);
  bool collect(std::string_view& bytes, std::size_t wanted);

  bool binary_, csv_, first_, last_;
  char quote_, escape_;
  State state_ = State::Pass;
  bool in_quote_ = false, last_was_escape_ = false;
  unsigned char word_[20] = {};     // a length word or the header, while it is incomplete
  std::size_t word_size_ = 0;
  std::uint32_t left_ = 0;          // bytes of the extension or field still to come
  std::uint16_t fields_left_ = 0;
};

}  // namespace pgweir::routing
