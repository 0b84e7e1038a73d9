#include "routing/copy/line_fields.h"

#include <cstring>

namespace pgweir::routing {
namespace {

bool is_octal(char c) { return c >= '0' && c <= '7'; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// What stands behind a backslash in the text format, `at` on its first byte.
char unescape(const char*& at, const char* end) {
  const char c = *at++;
  switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    case 'x': {
      if (at == end || hex_value(*at) < 0) return 'x';
      int value = hex_value(*at++);
      if (at != end && hex_value(*at) >= 0) value = value << 4 | hex_value(*at++);
      return static_cast<char>(value);
    }
    default: break;
  }
  if (!is_octal(c)) return c;
  int value = c - '0';
  for (int i = 0; i < 2 && at != end && is_octal(*at); ++i) value = value << 3 | (*at++ - '0');
  return static_cast<char>(value);
}

}  // namespace

LineFields::Status LineFields::skip() {
  if (options_.format == CopyFormat::Csv) return skip_csv();
  if (done_) return Status::NoMoreFields;
  ++seen_;
  while (at_ != end_) {
    const char c = *at_++;
    if (c == options_.delimiter) return Status::Field;
    if (c == '\\' && at_ != end_) ++at_;
  }
  done_ = true;
  return Status::Field;
}

LineFields::Status LineFields::skip_csv() {
  if (done_) return Status::NoMoreFields;
  ++seen_;
  bool in_quote = false;
  while (at_ != end_) {
    const char c = *at_++;
    if (!in_quote) {
      if (c == options_.delimiter) return Status::Field;
      in_quote = c == options_.quote;
      continue;
    }
    if (c == options_.escape && at_ != end_ && (*at_ == options_.escape || *at_ == options_.quote)) {
      ++at_;
      continue;
    }
    if (c == options_.quote) in_quote = false;
  }
  done_ = true;
  return in_quote ? Status::UnterminatedQuote : Status::Field;
}

LineFields::Status LineFields::read(std::string& scratch, std::string_view& value, bool& null) {
  if (done_) return Status::NoMoreFields;
  return options_.format == CopyFormat::Csv ? read_csv(scratch, value, null) : read_text(scratch, value, null);
}

LineFields::Status LineFields::read_text(std::string& scratch, std::string_view& value, bool& null) {
  const char* const begin = at_;
  const char* content_end = end_;
  bool escaped = false;
  const Status status = [&] {
    ++seen_;
    while (at_ != end_) {
      const char c = *at_++;
      if (c == options_.delimiter) {
        content_end = at_ - 1;
        return Status::Field;
      }
      if (c == '\\') {
        escaped = true;
        if (at_ != end_) ++at_;
      }
    }
    done_ = true;
    return Status::Field;
  }();
  const std::string_view raw(begin, static_cast<std::size_t>(content_end - begin));
  null = raw == options_.null_string;  // compared before escapes are undone
  value = raw;
  if (null || !escaped) return status;
  scratch.clear();
  for (const char* at = begin; at != content_end;) {
    if (*at != '\\') {
      scratch.push_back(*at++);
      continue;
    }
    if (++at == content_end) break;  // a backslash that ends the line stands for nothing
    scratch.push_back(unescape(at, content_end));
  }
  value = scratch;
  return status;
}

LineFields::Status LineFields::read_csv(std::string& scratch, std::string_view& value, bool& null) {
  const char* const begin = at_;
  const char* content_end = end_;
  const std::size_t column = seen_++;
  bool in_quote = false, quoted = false;
  scratch.clear();
  bool ended = true;  // by the end of the row
  while (at_ != end_) {
    const char c = *at_++;
    if (!in_quote && c == options_.delimiter) {
      content_end = at_ - 1;
      ended = false;
      break;
    }
    if (in_quote && c == options_.escape && at_ != end_ && (*at_ == options_.escape || *at_ == options_.quote)) {
      scratch.push_back(*at_++);
      continue;
    }
    if (c == options_.quote) {
      in_quote = !in_quote;
      quoted = true;
      continue;
    }
    if (quoted) scratch.push_back(c);
    else if (at_ != end_ && *at_ == options_.quote) scratch.assign(begin, at_);  // data in front of the first quote
  }
  done_ = ended;
  if (in_quote) return Status::UnterminatedQuote;
  value = quoted ? std::string_view(scratch) : std::string_view(begin, static_cast<std::size_t>(content_end - begin));
  const bool is_null_string = value == options_.null_string;
  const auto forced = [&](const std::vector<bool>& columns) { return column < columns.size() && columns[column]; };
  null = is_null_string && (quoted ? forced(options_.force_null) : !forced(options_.force_not_null));
  return Status::Field;
}

}  // namespace pgweir::routing
