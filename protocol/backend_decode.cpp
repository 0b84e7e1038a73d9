// The decoders and rewriters of backend_codec.h.
#include <charconv>

#include "protocol/backend_codec.h"

namespace pgweir::protocol {
namespace {

SqlError malformed(const char* message) {
  return SqlError{"08P01", std::string("the server sent a malformed ") + message, {}, {}, {}, {}};
}

// Where a field of ErrorResponse goes; nullptr for one that we do not know (the protocol says: ignore).
std::string_view* error_field(ErrorFields& fields, char code) {
  switch (code) {
    case 'S': return &fields.severity;
    case 'V': return &fields.severity_unlocalized;
    case 'C': return &fields.sqlstate;
    case 'M': return &fields.message;
    case 'D': return &fields.detail;
    case 'H': return &fields.hint;
    case 'P': return &fields.position;
    case 'p': return &fields.internal_position;
    case 'q': return &fields.internal_query;
    case 'W': return &fields.where;
    case 's': return &fields.schema;
    case 't': return &fields.table;
    case 'c': return &fields.column;
    case 'd': return &fields.data_type;
    case 'n': return &fields.constraint;
    case 'F': return &fields.file;
    case 'L': return &fields.line;
    case 'R': return &fields.routine;
    default: return nullptr;
  }
}

void append_field(std::string& fields, char code, std::string_view value) {
  fields += code;
  fields += value;
  fields += '\0';
}

// `fields`: SqlError::fields. Where the field with this code begins, npos when there is none.
std::size_t find_field(std::string_view fields, char code) {
  for (std::size_t at = 0; at < fields.size(); at = fields.find('\0', at) + 1)
    if (fields[at] == code) return at;
  return std::string_view::npos;
}

std::string_view field_value(std::string_view fields, char code) {
  const std::size_t at = find_field(fields, code);
  return at == std::string_view::npos ? std::string_view() : fields.substr(at + 1, fields.find('\0', at) - at - 1);
}

std::string without_field(std::string fields, char code) {
  const std::size_t at = find_field(fields, code);
  if (at != std::string::npos) fields.erase(at, fields.find('\0', at) + 1 - at);
  return fields;
}

// One field of a RowDescription is a name and these bytes.
constexpr std::size_t kColumnTail = 18;

}  // namespace

Result<ErrorFields> decode_error(std::string_view body) {
  ByteReader reader(body);
  ErrorFields fields;
  while (true) {
    const char code = reader.character();
    if (!reader.ok()) return malformed("ErrorResponse");
    if (code == '\0') break;
    const std::string_view text = reader.cstring();
    if (std::string_view* field = error_field(fields, code)) *field = text;
  }
  if (!reader.done()) return malformed("ErrorResponse");
  if (fields.severity_unlocalized.empty()) fields.severity_unlocalized = fields.severity;
  if (fields.sqlstate.size() != 5) fields.sqlstate = "XX000";
  return fields;
}

SqlError to_sql_error(const ErrorFields& fields) {
  SqlError error{std::string(fields.sqlstate), std::string(fields.message), std::string(fields.detail),
                 std::string(fields.hint), std::string(fields.routine), {}};
  const std::pair<char, std::string_view> others[] = {
      {'P', fields.position}, {'p', fields.internal_position}, {'q', fields.internal_query}, {'W', fields.where},
      {'s', fields.schema},   {'t', fields.table},             {'c', fields.column},         {'d', fields.data_type},
      {'n', fields.constraint}, {'F', fields.file},            {'L', fields.line}};
  for (const auto& [code, value] : others)
    if (!value.empty()) append_field(error.fields, code, value);
  return error;
}

void move_position(SqlError& error, std::optional<std::size_t> moved_by) {
  const std::string_view value = field_value(error.fields, 'P');
  std::size_t position = 0;
  std::from_chars(value.data(), value.data() + value.size(), position);
  std::string rest = without_field(error.fields, 'P');
  error.fields.clear();
  if (moved_by && position > 0) append_field(error.fields, 'P', std::to_string(position + *moved_by));
  error.fields += rest;
}

void drop_context(SqlError& error) { error.fields = without_field(error.fields, 'W'); }

Result<TransactionStatus> decode_ready_for_query(std::string_view body) {
  if (body.size() != 1 || !is_transaction_status(body[0])) return malformed("ReadyForQuery");
  return static_cast<TransactionStatus>(body[0]);
}

Result<std::string_view> decode_command_complete(std::string_view body) {
  ByteReader reader(body);
  const std::string_view tag = reader.cstring();
  if (!reader.done()) return malformed("CommandComplete");
  return tag;
}

CommandTag split_command_tag(std::string_view tag) {
  const std::size_t space = tag.rfind(' ');
  if (space == std::string_view::npos) return CommandTag{tag, std::nullopt};
  const std::string_view digits = tag.substr(space + 1);
  std::uint64_t rows = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), rows);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) return CommandTag{tag, std::nullopt};
  std::string_view verb = tag.substr(0, space);
  // INSERT carries an OID that is always 0 since version 12.
  if (verb.starts_with("INSERT ")) verb = verb.substr(0, 6);
  return CommandTag{verb, rows};
}

Result<std::vector<ColumnDescription>> decode_row_description(std::string_view body) {
  ByteReader reader(body);
  const std::uint16_t count = reader.u16();
  // A column takes at least kColumnTail + 1 bytes: nothing is reserved for a count that the body cannot hold.
  if (!reader.ok() || reader.remaining() / (kColumnTail + 1) < count) return malformed("RowDescription");
  std::vector<ColumnDescription> columns;
  columns.reserve(count);
  for (std::uint16_t i = 0; i < count && reader.ok(); ++i) {
    ColumnDescription column;
    column.name = reader.cstring();
    column.table_oid = reader.u32();
    column.attnum = reader.i16();
    column.type_oid = reader.u32();
    column.typlen = reader.i16();
    column.typmod = reader.i32();
    column.format = reader.i16();
    columns.push_back(std::move(column));
  }
  if (!reader.done()) return malformed("RowDescription");
  return columns;
}

Result<OidList> decode_parameter_description(std::string_view body) {
  ByteReader reader(body);
  const std::uint16_t count = reader.u16();
  const OidList types(reader.bytes(std::size_t{count} * 4));
  if (!reader.done()) return malformed("ParameterDescription");
  return types;
}

Result<ParameterStatus> decode_parameter_status(std::string_view body) {
  ByteReader reader(body);
  ParameterStatus status;
  status.name = reader.cstring();
  status.value = reader.cstring();
  if (!reader.done()) return malformed("ParameterStatus");
  return status;
}

Result<BackendKeyData> decode_backend_key_data(std::string_view body) {
  ByteReader reader(body);
  BackendKeyData data;
  data.pid = reader.i32();
  data.key = reader.rest();
  if (!reader.ok() || data.key.size() < kMinCancelKey || data.key.size() > kMaxCancelKey)
    return malformed("BackendKeyData");
  return data;
}

Result<CopyResponse> decode_copy_response(std::string_view body) {
  ByteReader reader(body);
  CopyResponse response;
  response.overall_format = static_cast<std::int8_t>(reader.u8());
  const std::uint16_t count = reader.u16();
  response.column_formats = FormatCodes(reader.bytes(std::size_t{count} * 2));
  if (!reader.done()) return malformed("CopyResponse");
  return response;
}

Result<Notification> decode_notification(std::string_view body) {
  ByteReader reader(body);
  Notification notification;
  notification.pid = reader.i32();
  notification.channel = reader.cstring();
  notification.payload = reader.cstring();
  if (!reader.done()) return malformed("NotificationResponse");
  return notification;
}

Result<ValueList> decode_data_row(std::string_view body) {
  ByteReader reader(body);
  const std::uint16_t count = reader.u16();
  const std::string_view raw = reader.rest();
  for (std::uint16_t i = 0; i < count && reader.ok(); ++i) {
    const std::int32_t length = reader.i32();
    if (length != -1) reader.bytes(static_cast<std::uint32_t>(length));
  }
  if (!reader.done()) return malformed("DataRow");
  return ValueList(raw, count);
}

std::optional<SqlError> decode_data_row(std::string_view body, std::vector<std::optional<std::string_view>>& columns) {
  columns.clear();
  ByteReader reader(body);
  const std::uint16_t count = reader.u16();
  for (std::uint16_t i = 0; i < count && reader.ok(); ++i) {
    const std::int32_t length = reader.i32();
    if (length == -1)
      columns.emplace_back(std::nullopt);
    else
      columns.emplace_back(reader.bytes(static_cast<std::uint32_t>(length)));
  }
  if (reader.done()) return std::nullopt;
  columns.clear();
  return malformed("DataRow");
}

Result<NegotiateProtocolVersion> decode_negotiate_protocol_version(std::string_view body) {
  ByteReader reader(body);
  NegotiateProtocolVersion negotiation;
  negotiation.version = reader.u32();
  const std::uint32_t count = reader.u32();
  if (!reader.ok() || count > reader.remaining()) return malformed("NegotiateProtocolVersion");
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) negotiation.unknown_options.push_back(reader.cstring());
  if (!reader.done()) return malformed("NegotiateProtocolVersion");
  return negotiation;
}

std::optional<SqlError> map_row_description(std::string_view body, const OidMapper& map_type,
                                            const OidMapper& map_table, std::string& out) {
  ByteReader reader(body);
  const std::size_t start = out.size();
  ByteWriter writer(out);
  writer.begin_message('T');
  const std::uint16_t count = reader.u16();
  writer.u16(count);
  for (std::uint16_t i = 0; i < count && reader.ok(); ++i) {
    writer.cstring(reader.cstring());
    const Oid table = reader.u32();
    const std::string_view attnum = reader.bytes(2);
    const Oid type = reader.u32();
    const std::string_view tail = reader.bytes(8);
    if (!reader.ok()) break;
    writer.u32(table == 0 ? 0 : map_table(table));
    writer.bytes(attnum);
    writer.u32(map_type(type));
    writer.bytes(tail);
  }
  if (!reader.done()) {
    out.resize(start);
    return malformed("RowDescription");
  }
  writer.end_message();
  return std::nullopt;
}

std::optional<SqlError> map_parameter_description(std::string_view body, const OidMapper& map_type, std::string& out) {
  const auto types = decode_parameter_description(body);
  if (!types) return types.error();
  ByteWriter writer(out);
  writer.begin_message('t');
  writer.u16(static_cast<std::uint16_t>(types->size()));
  for (std::size_t i = 0; i < types->size(); ++i) writer.u32(map_type((*types)[i]));
  writer.end_message();
  return std::nullopt;
}

}  // namespace pgweir::protocol
