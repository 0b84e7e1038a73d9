// The fields of one row in COPY's text and csv formats, one after the other: a cursor that skips cheaply and unescapes
// only what is asked for. Views live as long as the row; not thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "routing/copy/copy_plan.h"

namespace pgweir::routing {

class LineFields {
 public:
  // `row` without its newline; outlives the cursor.
  LineFields(const CopyOptions& options, std::string_view row)
      : options_(options), at_(row.data()), end_(at_ + row.size()) {}

  enum class Status : std::uint8_t { Field, NoMoreFields, UnterminatedQuote };
  // Steps over one field.
  Status skip();
  // Reads one field: `value` is a view of the row, or of `scratch` where escapes had to be undone.
  Status read(std::string& scratch, std::string_view& value, bool& null);
  std::size_t fields_seen() const { return seen_; }  // fields stepped over or read

 private:
  Status read_text(std::string& scratch, std::string_view& value, bool& null);
  Status read_csv(std::string& scratch, std::string_view& value, bool& null);
  Status skip_csv();

  const CopyOptions& options_;
  const char* at_;
  const char* end_;
  std::size_t seen_ = 0;
  bool done_ = false;
};

}  // namespace pgweir::routing
