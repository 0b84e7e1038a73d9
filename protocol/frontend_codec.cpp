#include "protocol/frontend_codec.h"

#include <cassert>

namespace pgweir::protocol {
namespace {

SqlError violation(std::string message) { return SqlError{"08P01", std::move(message), {}, {}, {}, {}}; }

// The error of a reader that failed or has bytes left, in PostgreSQL's words (pqformat.c).
SqlError malformed(const ByteReader& reader) {
  return violation(reader.ok() ? "invalid message format" : "insufficient data left in message");
}

// A counted list of int16 codes. Counts are unsigned: PostgreSQL takes up to 65,535 parameters.
FormatCodes read_formats(ByteReader& reader) {
  const std::uint16_t count = reader.u16();
  return FormatCodes(reader.bytes(std::size_t{count} * 2));
}

// A counted list of values; checks every length, so that ValueList need not.
ValueList read_values(ByteReader& reader) {
  const std::uint16_t count = reader.u16();
  const std::string_view before = reader.rest();
  for (std::uint16_t i = 0; i < count && reader.ok(); ++i) {
    const std::int32_t length = reader.i32();
    // PostgreSQL knows -1 only; a smaller one is a length that never fits.
    if (length != -1) reader.bytes(static_cast<std::uint32_t>(length));
  }
  if (!reader.ok()) return {};
  return ValueList(before.substr(0, before.size() - reader.remaining()), count);
}

void write_formats(std::span<const std::int16_t> formats, ByteWriter& writer) {
  writer.u16(static_cast<std::uint16_t>(formats.size()));
  for (const std::int16_t format : formats) writer.i16(format);
}

void encode_empty(FrontendMessage type, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message(static_cast<char>(type));
  writer.end_message();
}

template <class Message>
Result<Message> decode_target(std::string_view body, const char* what) {
  ByteReader reader(body);
  Message message;
  message.kind = reader.character();
  message.name = reader.cstring();
  if (!reader.done()) return malformed(reader);
  if (message.kind != 'S' && message.kind != 'P')
    return violation(std::string("invalid ") + what + " message subtype " +
                     std::to_string(static_cast<unsigned char>(message.kind)));
  return message;
}

void encode_target(FrontendMessage type, char kind, std::string_view name, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message(static_cast<char>(type));
  writer.character(kind);
  writer.cstring(name);
  writer.end_message();
}

}  // namespace

std::int16_t FormatCodes::of(std::size_t index) const {
  if (count() == 0) return 0;
  const std::size_t which = count() == 1 ? 0 : index;
  if (which >= count()) return 0;
  return ByteReader(raw_.substr(which * 2)).i16();
}

ValueList::Value ValueList::Iterator::operator*() const {
  const std::uint32_t length = load_u32(rest_, 0);
  if (length == 0xffffffffu) return std::nullopt;
  return rest_.substr(4, length);
}

ValueList::Iterator& ValueList::Iterator::operator++() {
  const std::uint32_t length = load_u32(rest_, 0);
  rest_.remove_prefix(4 + (length == 0xffffffffu ? 0 : length));
  return *this;
}

ValueList::Value ValueList::at(std::size_t index) const {
  Iterator value = begin();
  while (index-- > 0) ++value;
  return *value;
}

// ---- decoding

Result<Query> decode_query(std::string_view body) {
  ByteReader reader(body);
  Query query{reader.cstring()};
  if (!reader.ok()) return violation("invalid string in message");
  if (!reader.done()) return malformed(reader);
  return query;
}

Result<Parse> decode_parse(std::string_view body) {
  ByteReader reader(body);
  Parse parse;
  parse.name = reader.cstring();
  parse.query = reader.cstring();
  if (!reader.ok()) return violation("invalid string in message");
  const std::uint16_t count = reader.u16();
  parse.parameter_types = OidList(reader.bytes(std::size_t{count} * 4));
  if (!reader.done()) return malformed(reader);
  return parse;
}

Result<Bind> decode_bind(std::string_view body) {
  ByteReader reader(body);
  Bind bind;
  bind.portal = reader.cstring();
  bind.statement = reader.cstring();
  if (!reader.ok()) return violation("invalid string in message");
  bind.tail = reader.rest();
  bind.parameter_formats = read_formats(reader);
  bind.parameters = read_values(reader);
  bind.result_formats = read_formats(reader);
  const std::size_t formats = bind.parameter_formats.count();
  if (reader.ok() && formats > 1 && formats != bind.parameters.size())
    return violation("bind message has " + std::to_string(formats) + " parameter formats but " +
                     std::to_string(bind.parameters.size()) + " parameters");
  if (!reader.done()) return malformed(reader);
  return bind;
}

std::optional<std::string_view> bound_statement(std::string_view body) {
  ByteReader reader(body);
  reader.cstring();
  const std::string_view statement = reader.cstring();
  return reader.ok() ? std::optional(statement) : std::nullopt;
}

Result<Describe> decode_describe(std::string_view body) { return decode_target<Describe>(body, "DESCRIBE"); }
Result<Close> decode_close(std::string_view body) { return decode_target<Close>(body, "CLOSE"); }

Result<Execute> decode_execute(std::string_view body) {
  ByteReader reader(body);
  Execute execute;
  execute.portal = reader.cstring();
  execute.max_rows = reader.i32();
  if (!reader.done()) return malformed(reader);
  return execute;
}

Result<FunctionCall> decode_function_call(std::string_view body) {
  ByteReader reader(body);
  FunctionCall call;
  call.function = reader.u32();
  call.argument_formats = read_formats(reader);
  call.arguments = read_values(reader);
  call.result_format = reader.i16();
  const std::size_t formats = call.argument_formats.count();
  if (reader.ok() && formats > 1 && formats != call.arguments.size())
    return violation("function call message contains " + std::to_string(formats) + " argument formats but " +
                     std::to_string(call.arguments.size()) + " arguments");
  if (!reader.done()) return malformed(reader);
  return call;
}

Result<CopyFail> decode_copy_fail(std::string_view body) {
  ByteReader reader(body);
  CopyFail fail{reader.cstring()};
  if (!reader.ok()) return violation("invalid string in message");
  if (!reader.done()) return malformed(reader);
  return fail;
}

// ---- encoding

void encode_query(std::string_view text, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('Q');
  writer.cstring(text);
  writer.end_message();
}

void encode_parse(std::string_view name, std::string_view query, std::span<const Oid> parameter_types,
                  std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('P');
  writer.cstring(name);
  writer.cstring(query);
  writer.u16(static_cast<std::uint16_t>(parameter_types.size()));
  for (const Oid type : parameter_types) writer.u32(type);
  writer.end_message();
}

void encode_bind(std::string_view portal, std::string_view statement, std::span<const std::int16_t> parameter_formats,
                 std::span<const std::optional<std::string_view>> parameters,
                 std::span<const std::int16_t> result_formats, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('B');
  writer.cstring(portal);
  writer.cstring(statement);
  write_formats(parameter_formats, writer);
  writer.u16(static_cast<std::uint16_t>(parameters.size()));
  for (const auto& value : parameters) {
    writer.i32(value ? static_cast<std::int32_t>(value->size()) : -1);
    if (value) writer.bytes(*value);
  }
  write_formats(result_formats, writer);
  writer.end_message();
}

void encode_bind_raw(std::string_view portal, std::string_view statement, std::string_view tail, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('B');
  writer.cstring(portal);
  writer.cstring(statement);
  writer.bytes(tail);
  writer.end_message();
}

void encode_describe(char kind, std::string_view name, std::string& out) {
  encode_target(FrontendMessage::Describe, kind, name, out);
}

void encode_execute(std::string_view portal, std::int32_t max_rows, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('E');
  writer.cstring(portal);
  writer.i32(max_rows);
  writer.end_message();
}

void encode_close(char kind, std::string_view name, std::string& out) {
  encode_target(FrontendMessage::Close, kind, name, out);
}

void encode_sync(std::string& out) { encode_empty(FrontendMessage::Sync, out); }
void encode_flush(std::string& out) { encode_empty(FrontendMessage::Flush, out); }
void encode_terminate(std::string& out) { encode_empty(FrontendMessage::Terminate, out); }
void encode_copy_done(std::string& out) { encode_empty(FrontendMessage::CopyDone, out); }

void encode_copy_data(std::string_view data, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('d');
  writer.bytes(data);
  writer.end_message();
}

void encode_copy_fail(std::string_view message, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('f');
  writer.cstring(message);
  writer.end_message();
}

void encode_startup(std::uint32_t version, std::span<const std::pair<std::string_view, std::string_view>> parameters,
                    std::string& out) {
  ByteWriter writer(out);
  writer.begin_untyped();
  writer.u32(version);
  for (const auto& [name, value] : parameters) {
    writer.cstring(name);
    writer.cstring(value);
  }
  writer.u8(0);
  writer.end_message();
}

void encode_ssl_request(std::string& out) {
  ByteWriter writer(out);
  writer.begin_untyped();
  writer.u32(kSslRequestCode);
  writer.end_message();
}

void encode_cancel_request(std::int32_t pid, std::string_view key, std::string& out) {
  assert(key.size() >= kMinCancelKey && key.size() <= kMaxCancelKey);
  ByteWriter writer(out);
  writer.begin_untyped();
  writer.u32(kCancelRequestCode);
  writer.i32(pid);
  writer.bytes(key);
  writer.end_message();
}

// ---- renaming

std::optional<std::size_t> rename_head(char type, std::uint32_t size, std::string_view body, std::string_view name,
                                       std::string& out) {
  ByteReader reader(body);
  std::string_view before;  // what stands in front of the name: Bind's portal, Describe's and Close's kind
  switch (static_cast<FrontendMessage>(type)) {
    case FrontendMessage::Parse:
      break;
    case FrontendMessage::Bind:
      before = body.substr(0, reader.cstring().size() + 1);
      break;
    case FrontendMessage::Describe:
    case FrontendMessage::Close:
      before = reader.bytes(1);
      break;
    default:
      return std::nullopt;
  }
  const std::string_view old_name = reader.cstring();
  const std::size_t taken = body.size() - reader.remaining();
  if (!reader.ok() || taken + kHeaderSize > size) return std::nullopt;
  ByteWriter writer(out);
  writer.character(type);
  writer.u32(static_cast<std::uint32_t>(size - 1 - old_name.size() + name.size()));
  writer.bytes(before);
  writer.bytes(name);
  writer.u8(0);
  return taken;
}

namespace {

bool rename_whole(char type, std::string_view body, std::string_view name, std::string& out) {
  const auto taken = rename_head(type, static_cast<std::uint32_t>(body.size() + kHeaderSize), body, name, out);
  if (taken) out.append(body.substr(*taken));
  return taken.has_value();
}

}  // namespace

bool rename_parse(std::string_view body, std::string_view name, std::string& out) {
  return rename_whole('P', body, name, out);
}
bool rename_bind(std::string_view body, std::string_view statement, std::string& out) {
  return rename_whole('B', body, statement, out);
}
bool rename_describe(std::string_view body, std::string_view name, std::string& out) {
  return rename_whole('D', body, name, out);
}
bool rename_close(std::string_view body, std::string_view name, std::string& out) {
  return rename_whole('C', body, name, out);
}

}  // namespace pgweir::protocol
