// Finds the tuples of COPY's binary format (PostgreSQL documentation, COPY, "Binary Format"). Like LineSplitter it
// works on contiguous memory that starts at the current piece (header, then tuple by tuple) and goes on where it
// stopped. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "routing/copy/copy_plan.h"
#include "routing/copy/line_splitter.h"

namespace pgweir::routing {

class BinaryTuples {
 public:
  // `columns` is the number of fields that every tuple must have.
  BinaryTuples(std::size_t columns, const std::vector<CopyKeyColumn>& key);

  // Row: a tuple of row_bytes(). End: the trailer was read. The header is `skipped_bytes()` in front of the first
  // tuple: as a piece of its own it is found first, as Row with header() true.
  SplitStatus scan(const char* piece, const char* end, bool at_end);
  std::size_t row_bytes() const { return total_; }
  bool header() const { return was_header_; }
  SplitError error() const { return error_; }
  int field_count() const { return count_; }       // for SplitError::FieldCount
  std::uint64_t line() const { return line_; }     // number of the tuple, 1-based

  struct Field { std::size_t offset = 0; std::size_t bytes = 0; bool null = true; };
  // The key's fields of the tuple found last, by level; offsets from the tuple's first byte.
  const std::vector<Field>& key() const { return key_; }

 private:
  SplitStatus scan_header(const char* piece, std::size_t size, bool at_end);
  SplitStatus scan_tuple(const char* piece, std::size_t size, bool at_end);
  SplitStatus fail(SplitError error) { error_ = error; return SplitStatus::Error; }

  std::size_t columns_;
  std::vector<std::size_t> positions_;  // by level
  std::vector<Field> key_;
  bool in_header_ = true, was_header_ = false, ended_ = false;
  std::size_t resume_ = 0, field_ = 0, total_ = 0;
  int count_ = 0;
  std::uint64_t line_ = 0;
  SplitError error_ = SplitError::None;
};

// Signature, flags and extension length without extension: 19 bytes; trailer: 2 bytes.
std::string_view binary_copy_header();
std::string_view binary_copy_trailer();

}  // namespace pgweir::routing
