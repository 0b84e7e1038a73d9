#include "routing/copy/copy_out.h"

#include <algorithm>

#include "routing/copy/binary_tuples.h"

namespace pgweir::routing {
namespace {

constexpr std::size_t kFlagsEnd = 15;  // signature and flags; the extension's length follows

SqlError malformed(const char* what) {
  return SqlError{"XX000", std::string("malformed binary COPY data from a shard: ") + what, {}, {}, {}, {}};
}

}  // namespace

void CopyOutFilter::Chunk::flush() {
  if (at != keep) sink.bytes({keep, static_cast<std::size_t>(at - keep)});
  keep = at;
}

void CopyOutFilter::Chunk::drop(std::size_t bytes) {
  flush();
  at += bytes;
  keep = at;
}

CopyOutFilter::CopyOutFilter(const CopyOptions& options, bool first, bool last)
    : csv_(options.format == CopyFormat::Csv),
      first_(first),
      last_(last),
      quote_(options.quote),
      escape_(options.escape == options.quote ? '\0' : options.escape) {
  if (options.format == CopyFormat::Binary) state_ = State::Signature;
  else if (options.header != CopyHeader::None && !first) state_ = State::HeaderLine;
}

std::optional<SqlError> CopyOutFilter::feed(std::string_view bytes, CopyOutSink& sink) {
  Chunk chunk{bytes.data(), bytes.data(), bytes.data() + bytes.size(), sink};
  while (chunk.at != chunk.end) {
    if (auto error = step(chunk)) return error;
  }
  chunk.flush();
  return std::nullopt;
}

std::optional<SqlError> CopyOutFilter::step(Chunk& chunk) {
  switch (state_) {
    case State::Pass: chunk.at = chunk.end; break;
    case State::HeaderLine: header_line(chunk); break;
    case State::Signature: return signature(chunk);
    case State::Extension: extension(chunk); break;
    case State::Count: return count(chunk);
    case State::FieldLength: return field_length(chunk);
    case State::FieldData: {
      const auto bytes = std::min<std::size_t>(left_, static_cast<std::size_t>(chunk.end - chunk.at));
      chunk.at += bytes;
      left_ -= static_cast<std::uint32_t>(bytes);
      if (left_ == 0) next_field();
      break;
    }
    case State::Trailer: return malformed("bytes behind the trailer");
  }
  return std::nullopt;
}

void CopyOutFilter::header_line(Chunk& chunk) {
  const char* at = chunk.at;
  bool ended = false;
  while (at != chunk.end && !ended) {
    const char c = *at++;
    if (csv_) {
      if (in_quote_ && escape_ != '\0' && c == escape_) last_was_escape_ = !last_was_escape_;
      if (c == quote_ && !last_was_escape_) in_quote_ = !in_quote_;
      if (c != escape_ || escape_ == '\0') last_was_escape_ = false;
    }
    ended = c == '\n' && !in_quote_;  // a server writes LF; inside a text column name it is escaped
  }
  chunk.drop(static_cast<std::size_t>(at - chunk.at));
  if (ended) state_ = State::Pass;
}

std::optional<SqlError> CopyOutFilter::signature(Chunk& chunk) {
  const std::string_view header = binary_copy_header();
  while (word_size_ < header.size() && chunk.at != chunk.end) {
    word_[word_size_] = *chunk.at;
    if (word_size_ < kFlagsEnd && word_[word_size_] != header[word_size_]) return malformed("unknown header");
    ++word_size_;
    chunk.drop(1);
  }
  if (word_size_ < header.size()) return std::nullopt;
  left_ = 0;
  for (std::size_t i = kFlagsEnd; i < header.size(); ++i) left_ = left_ << 8 | static_cast<unsigned char>(word_[i]);
  if (left_ > INT32_MAX) return malformed("header length");
  if (first_) chunk.sink.bytes({word_, word_size_});
  word_size_ = 0;
  state_ = left_ == 0 ? State::Count : State::Extension;
  return std::nullopt;
}

void CopyOutFilter::extension(Chunk& chunk) {
  const auto bytes = std::min<std::size_t>(left_, static_cast<std::size_t>(chunk.end - chunk.at));
  left_ -= static_cast<std::uint32_t>(bytes);
  if (first_) chunk.at += bytes;
  else chunk.drop(bytes);
  if (left_ == 0) state_ = State::Count;
}

// A tuple's number of fields, or the trailer. Until both bytes are there nobody knows which.
std::optional<SqlError> CopyOutFilter::count(Chunk& chunk) {
  const bool whole = word_size_ == 0 && chunk.end - chunk.at >= 2;
  if (whole) {
    word_[0] = chunk.at[0];
    word_[1] = chunk.at[1];
  } else {
    word_[word_size_++] = *chunk.at;
    chunk.drop(1);
    if (word_size_ < 2) return std::nullopt;
    word_size_ = 0;
  }
  const std::string_view bytes(word_, 2);
  if (bytes == binary_copy_trailer()) {
    if (whole) chunk.drop(2);
    if (last_) chunk.sink.bytes(bytes);
    state_ = State::Trailer;
    return std::nullopt;
  }
  if (whole) chunk.at += 2;
  else chunk.sink.bytes(bytes);
  const unsigned high = static_cast<unsigned char>(bytes[0]), low = static_cast<unsigned char>(bytes[1]);
  const unsigned fields = high << 8 | low;
  if (fields > INT16_MAX) return malformed("field count");
  fields_left_ = static_cast<std::uint16_t>(fields + 1);
  next_field();
  return std::nullopt;
}

std::optional<SqlError> CopyOutFilter::field_length(Chunk& chunk) {
  left_ = left_ << 8 | static_cast<unsigned char>(*chunk.at++);
  if (++word_size_ < 4) return std::nullopt;
  word_size_ = 0;
  if (left_ == 0 || left_ == UINT32_MAX) {  // empty or NULL
    next_field();
    return std::nullopt;
  }
  if (left_ > INT32_MAX) return malformed("field length");
  state_ = State::FieldData;
  return std::nullopt;
}

void CopyOutFilter::next_field() {
  left_ = 0;
  state_ = --fields_left_ == 0 ? State::Count : State::FieldLength;
}

}  // namespace pgweir::routing
