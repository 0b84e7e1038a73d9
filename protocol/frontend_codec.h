// What clients send: decoding to views, and encoding. A decode_x takes a message's body (Frame::body()) whole; its
// views point into it and live as long. Errors are 08P01 with PostgreSQL's texts. Encoders append whole messages to
// `out`. No state.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/byte_io.h"
#include "protocol/message_type.h"
#include "protocol/result.h"

namespace pgweir::protocol {

enum class Format : std::int16_t { Text = 0, Binary = 1 };

// A list of format codes as it is on the wire.
class FormatCodes {
 public:
  FormatCodes() = default;
  explicit FormatCodes(std::string_view raw) : raw_(raw) {}  // two bytes a code
  std::size_t count() const { return raw_.size() / 2; }
  // The code that applies to a parameter or column: none given means text, one given is for all. Not checked to be 0 or
  // 1 (PostgreSQL answers that itself).
  std::int16_t of(std::size_t index) const;
  // The codes' bytes without the count.
  std::string_view raw() const { return raw_; }

 private:
  std::string_view raw_;
};

// Parameter values or function arguments: iterable, NULL is nullopt. Checked when it was decoded.
class ValueList {
 public:
  using Value = std::optional<std::string_view>;
  class Iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    explicit Iterator(std::string_view rest) : rest_(rest) {}
    Value operator*() const;
    Iterator& operator++();
    Iterator operator++(int) { Iterator before = *this; ++*this; return before; }
    bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

   private:
    std::string_view rest_;
  };

  ValueList() = default;
  // Precondition: `raw` is `count` values of int32 length (-1: NULL) and bytes, and nothing else.
  ValueList(std::string_view raw, std::size_t count) : raw_(raw), count_(count) {}
  std::size_t size() const { return count_; }
  Iterator begin() const { return Iterator(raw_); }
  Iterator end() const { return Iterator(std::string_view{}); }
  Value at(std::size_t index) const;  // Linear in index. Precondition: index < size().
  std::string_view raw() const { return raw_; }

 private:
  std::string_view raw_;
  std::size_t count_ = 0;
};

// A list of type OIDs as it is on the wire.
class OidList {
 public:
  OidList() = default;
  explicit OidList(std::string_view raw) : raw_(raw) {}  // four bytes each
  std::size_t size() const { return raw_.size() / 4; }
  Oid operator[](std::size_t index) const { return load_u32(raw_, index * 4); }  // Precondition: index < size().
  std::string_view raw() const { return raw_; }

 private:
  std::string_view raw_;
};

struct Query {
  std::string_view text;
};
struct Parse {
  std::string_view name, query;
  OidList parameter_types;
};
struct Bind {
  std::string_view portal, statement;
  FormatCodes parameter_formats;
  ValueList parameters;
  FormatCodes result_formats;
  std::string_view tail;  // everything behind the two names, raw
};
struct Describe {
  char kind = 'S';  // 'S'tatement or 'P'ortal
  std::string_view name;
};
struct Close {
  char kind = 'S';
  std::string_view name;
};
struct Execute {
  std::string_view portal;
  std::int32_t max_rows = 0;  // 0 (and below): no limit
};
struct FunctionCall {
  Oid function = 0;
  FormatCodes argument_formats;
  ValueList arguments;
  std::int16_t result_format = 0;
};
struct CopyFail {
  std::string_view message;
};

Result<Query> decode_query(std::string_view body);
Result<Parse> decode_parse(std::string_view body);
Result<Bind> decode_bind(std::string_view body);
// The statement's name in a Bind whose rest may be malformed; nullopt: not even that can be read.
std::optional<std::string_view> bound_statement(std::string_view body);
Result<Describe> decode_describe(std::string_view body);
Result<Close> decode_close(std::string_view body);
Result<Execute> decode_execute(std::string_view body);
Result<FunctionCall> decode_function_call(std::string_view body);
Result<CopyFail> decode_copy_fail(std::string_view body);

void encode_query(std::string_view text, std::string& out);
void encode_parse(std::string_view name, std::string_view query, std::span<const Oid> parameter_types,
                  std::string& out);
void encode_bind(std::string_view portal, std::string_view statement, std::span<const std::int16_t> parameter_formats,
                 std::span<const std::optional<std::string_view>> parameters,
                 std::span<const std::int16_t> result_formats, std::string& out);
// `tail` is everything behind the names: Bind::tail, or pieces of another Bind.
void encode_bind_raw(std::string_view portal, std::string_view statement, std::string_view tail, std::string& out);
void encode_describe(char kind, std::string_view name, std::string& out);
void encode_execute(std::string_view portal, std::int32_t max_rows, std::string& out);
void encode_close(char kind, std::string_view name, std::string& out);
void encode_sync(std::string& out);
void encode_flush(std::string& out);
void encode_terminate(std::string& out);
void encode_copy_data(std::string_view data, std::string& out);
void encode_copy_done(std::string& out);
void encode_copy_fail(std::string_view message, std::string& out);
// version: kProtocol30 or kProtocol32. Parameters in the order given.
void encode_startup(std::uint32_t version, std::span<const std::pair<std::string_view, std::string_view>> parameters,
                    std::string& out);
void encode_ssl_request(std::string& out);
// key: kMinCancelKey..kMaxCancelKey bytes.
void encode_cancel_request(std::int32_t pid, std::string_view key, std::string& out);

// The same message with another statement name, the rest copied raw. They look no further than the names, so that a
// Bind of any size costs one copy. False (nothing appended) when the names are not there. rename_bind keeps the
// portal's name.
[[nodiscard]] bool rename_parse(std::string_view body, std::string_view name, std::string& out);
[[nodiscard]] bool rename_bind(std::string_view body, std::string_view statement, std::string& out);
[[nodiscard]] bool rename_describe(std::string_view body, std::string_view name, std::string& out);  // either kind
[[nodiscard]] bool rename_close(std::string_view body, std::string_view name, std::string& out);     // either kind

// The same for a message that streams: `body` is as much of it as there is, `size` the whole message with its header
// (Frame::size). Appends the new header and names, and returns how many bytes of `body` they stand for; all behind
// them, in this Chunk and the next ones, is forwarded as it is. nullopt when the names are not there yet. Types P, B,
// D, C.
[[nodiscard]] std::optional<std::size_t> rename_head(char type, std::uint32_t size, std::string_view body,
                                                     std::string_view name, std::string& out);

}  // namespace pgweir::protocol
