#include "routing/copy/line_splitter.h"

#include <cstring>

namespace pgweir::routing {

LineSplitter::LineSplitter(const CopyOptions& options)
    : csv_(options.format == CopyFormat::Csv),
      quote_(options.quote),
      escape_(options.escape == options.quote ? '\0' : options.escape) {
  for (const char c : {'\n', '\r', '\\'}) special_[static_cast<unsigned char>(c)] = true;
  if (csv_) {
    special_[static_cast<unsigned char>(quote_)] = true;
    special_[static_cast<unsigned char>(escape_)] = true;
  }
}

SplitStatus LineSplitter::scan(const char* row, const char* end, bool at_end) {
  if (!in_row_) {
    if (row == end) return at_end ? SplitStatus::End : SplitStatus::NeedMore;
    in_row_ = true;
    in_quote_ = last_was_escape_ = false;
    resume_ = 0;
    inside_ = returns_ = 0;
    ++line_;
  }
  return csv_ ? scan_csv(row, end, at_end) : scan_text(row, end, at_end);
}

SplitStatus LineSplitter::scan_text(const char* row, const char* end, bool at_end) {
  for (const char* at = row + resume_;;) {
    while (at != end && !special_[static_cast<unsigned char>(*at)]) ++at;
    if (at == end) return at_end ? at_input_end(row, end) : wait(row, at);
    if (*at == '\n') return line_feed(row, at);
    if (*at == '\r') return carriage_return(row, at, end, at_end);
    if (at + 1 == end) return at_end ? at_input_end(row, end) : wait(row, at);
    if (at[1] == '.') return end_marker(row, at, end, at_end);
    at += 2;  // whatever follows a backslash is data, a newline too
  }
}

SplitStatus LineSplitter::scan_csv(const char* row, const char* end, bool at_end) {
  const char newline_inside = newline_ == Newline::Lf ? '\n' : '\r';  // what PostgreSQL counts inside quotes
  for (const char* at = row + resume_;; ++at) {
    if (!last_was_escape_) {
      while (at != end && !special_[static_cast<unsigned char>(*at)]) ++at;
    }
    if (at == end) return at_end ? at_input_end(row, end) : wait(row, at);
    const char c = *at;
    // Look-ahead is settled before the quote state changes: a byte is never counted twice.
    if ((c == '\\' || c == '\r') && at + 1 == end && !at_end) return wait(row, at);
    if (c == '\\' && at == row) {
      const SplitStatus status = end_marker(row, at, end, at_end);
      if (status != SplitStatus::Row) return status;
    }
    // An escape counts only inside quotes, in front of a quote, and not as the second of a pair.
    if (in_quote_ && escape_ != '\0' && c == escape_) last_was_escape_ = !last_was_escape_;
    if (c == quote_ && !last_was_escape_) in_quote_ = !in_quote_;
    if (c != escape_ || escape_ == '\0') last_was_escape_ = false;
    if (in_quote_) {
      returns_ += c == '\r';
      if (c == newline_inside) {
        ++line_;
        ++inside_;
      }
      continue;
    }
    if (c == '\n') return line_feed(row, at);
    if (c == '\r') return carriage_return(row, at, end, at_end);
  }
}

SplitStatus LineSplitter::line_feed(const char* row, const char* at) {
  if (newline_ == Newline::Cr || newline_ == Newline::CrLf) return fail(SplitError::LiteralNewline);
  newline_ = Newline::Lf;
  const auto content = static_cast<std::size_t>(at - row);
  return found(content, content + 1, SplitStatus::Row);
}

SplitStatus LineSplitter::carriage_return(const char* row, const char* at, const char* end, bool at_end) {
  if (newline_ == Newline::Lf) return fail(SplitError::LiteralCarriageReturn);
  const auto content = static_cast<std::size_t>(at - row);
  if (newline_ != Newline::Cr) {
    if (at + 1 == end && !at_end) return wait(row, at);
    if (at + 1 != end && at[1] == '\n') {
      newline_ = Newline::CrLf;
      return found(content, content + 2, SplitStatus::Row);
    }
    if (newline_ == Newline::CrLf) return fail(SplitError::LiteralCarriageReturn);
    newline_ = Newline::Cr;
  }
  return found(content, content + 1, SplitStatus::Row);
}

SplitStatus LineSplitter::end_marker(const char* row, const char* at, const char* end, bool at_end) {
  // In csv "\." is the marker only when nothing else stands on the line; what is not, is data.
  const auto broken = [&](SplitError error) { return csv_ ? SplitStatus::Row : fail(error); };
  const auto byte = [&](std::ptrdiff_t i) { return at + i < end ? at[i] : '\0'; };
  const auto missing = [&](std::ptrdiff_t i) { return at + i >= end && !at_end; };
  if (missing(1)) return wait(row, at);
  if (byte(1) != '.') return SplitStatus::Row;
  std::ptrdiff_t next = 2;
  if (newline_ == Newline::CrLf) {
    if (missing(next)) return wait(row, at);
    const char c = byte(next++);
    if (c == '\n') return broken(SplitError::EndMarkerNewlineStyle);
    if (c != '\r') return broken(SplitError::EndMarkerCorrupt);
  }
  if (missing(next)) return wait(row, at);
  const char c = byte(next);
  if (c != '\r' && c != '\n') return broken(SplitError::EndMarkerCorrupt);
  if ((newline_ == Newline::Cr && c != '\r') || ((newline_ == Newline::Lf || newline_ == Newline::CrLf) && c != '\n')) {
    return fail(SplitError::EndMarkerNewlineStyle);
  }
  const auto content = static_cast<std::size_t>(at - row);
  if (content == 0) {
    in_row_ = false;
    return SplitStatus::End;
  }
  return found(content, content, SplitStatus::LastRow);  // data in front of the marker is a row
}

SplitStatus LineSplitter::at_input_end(const char* row, const char* end) {
  const auto content = static_cast<std::size_t>(end - row);
  return found(content, content, SplitStatus::LastRow);
}

SplitStatus LineSplitter::found(std::size_t content, std::size_t total, SplitStatus status) {
  content_ = content;
  total_ = total;
  in_row_ = false;
  return status;
}

SplitStatus LineSplitter::fail(SplitError error) {
  error_ = error;
  return SplitStatus::Error;
}

}  // namespace pgweir::routing
