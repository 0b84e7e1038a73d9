// The encoders of backend_codec.h.
#include <cassert>

#include "protocol/backend_codec.h"

namespace pgweir::protocol {
namespace {

void encode_empty(BackendMessage type, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message(static_cast<char>(type));
  writer.end_message();
}

void field(ByteWriter& writer, char code, std::string_view text) {
  if (text.empty()) return;
  writer.character(code);
  writer.cstring(text);
}

void encode_report(char type, const SqlError& error, Severity severity, int position, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message(type);
  field(writer, 'S', severity_name(severity));
  field(writer, 'V', severity_name(severity));
  field(writer, 'C', error.sqlstate.size() == 5 ? std::string_view(error.sqlstate) : std::string_view("XX000"));
  // Clients insist on a message: libpq prints an empty line without one.
  field(writer, 'M', error.message.empty() ? std::string_view("unknown error") : std::string_view(error.message));
  if (!error.detail.empty())
    field(writer, 'D', error.detail);
  else if (!error.reason.empty())
    field(writer, 'D', "reason: " + error.reason);
  field(writer, 'H', error.hint);
  if (position > 0) field(writer, 'P', std::to_string(position));
  writer.bytes(error.fields);
  field(writer, 'R', error.routine);
  writer.u8(0);
  writer.end_message();
}

void encode_copy_response(BackendMessage type, Format overall, std::span<const std::int16_t> column_formats,
                          std::string& out) {
  ByteWriter writer(out);
  writer.begin_message(static_cast<char>(type));
  writer.u8(static_cast<std::uint8_t>(overall));
  writer.u16(static_cast<std::uint16_t>(column_formats.size()));
  for (const std::int16_t format : column_formats) writer.i16(format);
  writer.end_message();
}

}  // namespace

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::Panic: return "PANIC";
    case Severity::Fatal: return "FATAL";
    case Severity::Error: return "ERROR";
    case Severity::Warning: return "WARNING";
    case Severity::Notice: return "NOTICE";
    case Severity::Info: return "INFO";
    case Severity::Log: return "LOG";
    case Severity::Debug: return "DEBUG";
  }
  return "ERROR";
}

void encode_error(const SqlError& error, Severity severity, std::string& out, int position) {
  encode_report('E', error, severity, position, out);
}

void encode_notice(const SqlError& error, Severity severity, std::string& out, int position) {
  encode_report('N', error, severity, position, out);
}

void encode_ready_for_query(TransactionStatus status, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('Z');
  writer.character(static_cast<char>(status));
  writer.end_message();
}

void encode_command_complete(std::string_view tag, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('C');
  writer.cstring(tag);
  writer.end_message();
}

void encode_row_description(std::span<const ColumnDescription> columns, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('T');
  writer.u16(static_cast<std::uint16_t>(columns.size()));
  for (const ColumnDescription& column : columns) {
    writer.cstring(column.name);
    writer.u32(column.table_oid);
    writer.i16(column.attnum);
    writer.u32(column.type_oid);
    writer.i16(column.typlen);
    writer.i32(column.typmod);
    writer.i16(column.format);
  }
  writer.end_message();
}

void encode_parse_complete(std::string& out) { encode_empty(BackendMessage::ParseComplete, out); }
void encode_bind_complete(std::string& out) { encode_empty(BackendMessage::BindComplete, out); }
void encode_close_complete(std::string& out) { encode_empty(BackendMessage::CloseComplete, out); }
void encode_no_data(std::string& out) { encode_empty(BackendMessage::NoData, out); }
void encode_empty_query_response(std::string& out) { encode_empty(BackendMessage::EmptyQueryResponse, out); }
void encode_portal_suspended(std::string& out) { encode_empty(BackendMessage::PortalSuspended, out); }

void encode_parameter_description(std::span<const Oid> types, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('t');
  writer.u16(static_cast<std::uint16_t>(types.size()));
  for (const Oid type : types) writer.u32(type);
  writer.end_message();
}

void encode_copy_in_response(Format overall, std::span<const std::int16_t> column_formats, std::string& out) {
  encode_copy_response(BackendMessage::CopyInResponse, overall, column_formats, out);
}

void encode_copy_out_response(Format overall, std::span<const std::int16_t> column_formats, std::string& out) {
  encode_copy_response(BackendMessage::CopyOutResponse, overall, column_formats, out);
}

void encode_notification(std::int32_t pid, std::string_view channel, std::string_view payload, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('A');
  writer.i32(pid);
  writer.cstring(channel);
  writer.cstring(payload);
  writer.end_message();
}

DataRowWriter::DataRowWriter(std::string& out) : writer_(out) {
  writer_.begin_message('D');
  count_at_ = writer_.position();
  writer_.i16(0);
}

void DataRowWriter::value(std::string_view bytes) {
  writer_.i32(static_cast<std::int32_t>(bytes.size()));
  writer_.bytes(bytes);
  ++count_;
}

void DataRowWriter::null() {
  writer_.i32(-1);
  ++count_;
}

void DataRowWriter::finish() {
  writer_.patch_i16(count_at_, static_cast<std::int16_t>(count_));
  writer_.end_message();
}

void encode_parameter_status(std::string_view name, std::string_view value, std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('S');
  writer.cstring(name);
  writer.cstring(value);
  writer.end_message();
}

void encode_backend_key_data(std::int32_t pid, std::string_view key, std::string& out) {
  assert(key.size() >= kMinCancelKey && key.size() <= kMaxCancelKey);
  ByteWriter writer(out);
  writer.begin_message('K');
  writer.i32(pid);
  writer.bytes(key);
  writer.end_message();
}

void encode_negotiate_protocol_version(std::uint32_t version, std::span<const std::string> unknown_options,
                                       std::string& out) {
  ByteWriter writer(out);
  writer.begin_message('v');
  writer.u32(version);
  writer.i32(static_cast<std::int32_t>(unknown_options.size()));
  for (const std::string& option : unknown_options) writer.cstring(option);
  writer.end_message();
}

}  // namespace pgweir::protocol
