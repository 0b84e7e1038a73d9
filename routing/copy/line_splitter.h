// Finds the ends of rows in COPY's text and csv formats by the rules of PostgreSQL 15: newline style (LF, CRLF or CR,
// fixed by the first line), backslash escapes (text), quotes (csv) and the end marker "\." Works on contiguous memory
// that starts at the row's first byte; when the row is incomplete, scan again with more bytes behind it: what was
// seen is not read twice. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "routing/copy/copy_plan.h"

namespace pgweir::routing {

enum class SplitStatus : std::uint8_t {
  NeedMore,  // the row is not complete
  Row,       // a row: content_bytes() of data, row_bytes() with the newline
  LastRow,   // a row that the end marker or the end of the input closed; nothing follows
  End,       // no further row
  Error      // error() says what
};

enum class SplitError : std::uint8_t {
  None, LiteralCarriageReturn, LiteralNewline, EndMarkerCorrupt, EndMarkerNewlineStyle,
  // binary only
  Signature, OidsFlag, CriticalFlags, HeaderLength, HeaderNoFlags, HeaderNoLength, FieldCount, FieldSize, UnexpectedEnd,
  DataAfterTrailer
};

class LineSplitter {
 public:
  explicit LineSplitter(const CopyOptions& options);

  // `row` is the first byte of the current row, `end` the end of what there is, `at_end` whether nothing can follow.
  SplitStatus scan(const char* row, const char* end, bool at_end);
  // After Row or LastRow.
  std::size_t content_bytes() const { return content_; }
  std::size_t row_bytes() const { return total_; }
  SplitError error() const { return error_; }
  // Number of the row that was found last, or that is being read (1-based; lines inside quotes count, as in
  // PostgreSQL).
  std::uint64_t line() const { return line_; }
  // Carriage returns inside the quotes of the row found last: what a server counts as lines that has not met a
  // newline yet.
  std::uint64_t returns_inside() const { return returns_; }
  std::uint64_t lines_inside() const { return inside_; }  // of the row found last: lines inside its quotes

 private:
  enum class Newline : std::uint8_t { Unknown, Lf, Cr, CrLf };
  SplitStatus scan_text(const char* row, const char* end, bool at_end);
  SplitStatus scan_csv(const char* row, const char* end, bool at_end);
  // A newline byte at `at`, outside quotes.
  SplitStatus line_feed(const char* row, const char* at);
  SplitStatus carriage_return(const char* row, const char* at, const char* end, bool at_end);
  // "\." at `at`. Row with nothing found: not an end marker (csv).
  SplitStatus end_marker(const char* row, const char* at, const char* end, bool at_end);
  SplitStatus found(std::size_t content, std::size_t total, SplitStatus status);
  SplitStatus fail(SplitError error);
  SplitStatus wait(const char* row, const char* at) {
    resume_ = static_cast<std::size_t>(at - row);
    return SplitStatus::NeedMore;
  }
  SplitStatus at_input_end(const char* row, const char* end);

  bool csv_;
  char quote_, escape_;       // escape_ is '\0' where it is the quote itself
  Newline newline_ = Newline::Unknown;
  bool in_quote_ = false, last_was_escape_ = false, in_row_ = false;
  std::size_t resume_ = 0;    // offset in the row from which to go on
  std::size_t content_ = 0, total_ = 0;
  std::uint64_t line_ = 0, inside_ = 0, returns_ = 0;
  SplitError error_ = SplitError::None;
  bool special_[256] = {};    // bytes that the scan has to look at
};

}  // namespace pgweir::routing
