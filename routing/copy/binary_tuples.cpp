#include "routing/copy/binary_tuples.h"

namespace pgweir::routing {
namespace {

constexpr std::string_view kHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kTrailer("\377\377", 2);
constexpr std::size_t kSignatureBytes = 11;
constexpr std::size_t kHeaderBytes = 19;
constexpr std::uint32_t kOidsFlag = 1u << 16;      // bits 16-31 are critical: an unknown one must not be ignored
constexpr std::uint32_t kCriticalFlags = 0xffff0000u;

std::uint32_t word32(const char* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}

int word16(const char* at) {
  return static_cast<std::int16_t>(static_cast<unsigned char>(at[0]) << 8 | static_cast<unsigned char>(at[1]));
}

}  // namespace

std::string_view binary_copy_header() { return kHeader; }
std::string_view binary_copy_trailer() { return kTrailer; }

BinaryTuples::BinaryTuples(std::size_t columns, const std::vector<CopyKeyColumn>& key)
    : columns_(columns), key_(key.size()) {
  for (const auto& column : key) positions_.push_back(column.position);
}

SplitStatus BinaryTuples::scan(const char* piece, const char* end, bool at_end) {
  const auto size = static_cast<std::size_t>(end - piece);
  if (in_header_) return scan_header(piece, size, at_end);
  if (ended_) {
    if (size > 0) return fail(SplitError::DataAfterTrailer);
    return at_end ? SplitStatus::End : SplitStatus::NeedMore;
  }
  return scan_tuple(piece, size, at_end);
}

SplitStatus BinaryTuples::scan_header(const char* piece, std::size_t size, bool at_end) {
  const std::size_t seen = size < kSignatureBytes ? size : kSignatureBytes;
  if (std::string_view(piece, seen) != kHeader.substr(0, seen)) return fail(SplitError::Signature);
  if (size < kHeaderBytes && !at_end) return SplitStatus::NeedMore;
  if (size < kSignatureBytes) return fail(SplitError::Signature);
  if (size < kSignatureBytes + 4) return fail(SplitError::HeaderNoFlags);
  const std::uint32_t flags = word32(piece + kSignatureBytes);
  if (flags & kOidsFlag) return fail(SplitError::OidsFlag);
  if (flags & kCriticalFlags) return fail(SplitError::CriticalFlags);
  if (size < kHeaderBytes) return fail(SplitError::HeaderNoLength);
  const std::uint32_t extension = word32(piece + kSignatureBytes + 4);
  if (extension > INT32_MAX) return fail(SplitError::HeaderNoLength);
  if (size - kHeaderBytes < extension) return at_end ? fail(SplitError::HeaderLength) : SplitStatus::NeedMore;
  total_ = kHeaderBytes + extension;
  in_header_ = false;
  was_header_ = true;
  return SplitStatus::Row;
}

SplitStatus BinaryTuples::scan_tuple(const char* piece, std::size_t size, bool at_end) {
  if (resume_ == 0) {
    // PostgreSQL takes the end of the data for the trailer, even in the middle of the count.
    if (size < 2) return at_end ? SplitStatus::End : SplitStatus::NeedMore;
    ++line_;
    was_header_ = false;
    count_ = word16(piece);
    if (count_ == -1) {
      ended_ = true;
      total_ = 2;
      return SplitStatus::End;
    }
    if (count_ < 0 || static_cast<std::size_t>(count_) != columns_) return fail(SplitError::FieldCount);
    resume_ = 2;
    field_ = 0;
  }
  while (field_ < columns_) {
    if (size - resume_ < 4) return at_end ? fail(SplitError::UnexpectedEnd) : SplitStatus::NeedMore;
    const std::uint32_t length = word32(piece + resume_);
    const bool null = length == UINT32_MAX;
    if (!null && length > INT32_MAX) return fail(SplitError::FieldSize);
    const std::size_t bytes = null ? 0 : length;
    if (size - resume_ - 4 < bytes) return at_end ? fail(SplitError::UnexpectedEnd) : SplitStatus::NeedMore;
    for (std::size_t level = 0; level < positions_.size(); ++level) {
      if (positions_[level] == field_) key_[level] = Field{resume_ + 4, bytes, null};
    }
    resume_ += 4 + bytes;
    ++field_;
  }
  total_ = resume_;
  resume_ = 0;
  return SplitStatus::Row;
}

}  // namespace pgweir::routing
