// What servers send: encoding (towards clients) and decoding to views (from servers). A decode_x takes a message's body
// whole; views point into it and live as long. Decoding errors are 08P01 and mean that the server cannot be used any
// more. Encoders append whole messages to `out`. No state.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/byte_io.h"
#include "protocol/frontend_codec.h"
#include "protocol/message_type.h"
#include "protocol/result.h"
#include "protocol/transaction_status.h"

namespace pgweir::protocol {

// ---- ErrorResponse and NoticeResponse

enum class Severity : std::uint8_t { Panic, Fatal, Error, Warning, Notice, Info, Log, Debug };
std::string_view severity_name(Severity severity);

// Fields S, V, C, M, D, H, P, R. A refusal's reason code is shown as detail "reason: <code>" when it has no detail of
// its own, so that every client shows it. position: 1-based character of the query, 0 for none (or what error.fields says).
// A missing SQLSTATE is sent as XX000.
void encode_error(const SqlError& error, Severity severity, std::string& out, int position = 0);   // 'E'
void encode_notice(const SqlError& error, Severity severity, std::string& out, int position = 0);  // 'N'

// Empty when the field was not sent. A server that sends no SQLSTATE (or one not of five characters) gets "XX000".
struct ErrorFields {
  std::string_view severity;            // S, perhaps localised
  std::string_view severity_unlocalized;  // V, else S
  std::string_view sqlstate, message, detail, hint, position, internal_position, internal_query, where, schema, table,
      column, data_type, constraint, file, line, routine;
  bool fatal() const { return severity_unlocalized == "FATAL" || severity_unlocalized == "PANIC"; }
};
Result<ErrorFields> decode_error(std::string_view body);  // E and N
SqlError to_sql_error(const ErrorFields& fields);  // all fields but the severity
// For an error whose statement was sent as a part of the client's text, `moved_by` characters into it, or (nullopt) as
// another text: the position is corrected or taken out. Errors without one stay as they are.
void move_position(SqlError& error, std::optional<std::size_t> moved_by);
void drop_context(SqlError& error);  // field W

// ---- the query cycle

struct ColumnDescription {
  std::string name;
  Oid table_oid = 0;
  std::int16_t attnum = 0;
  Oid type_oid = 0;
  std::int16_t typlen = -1;
  std::int32_t typmod = -1;
  std::int16_t format = 0;
  bool operator==(const ColumnDescription&) const = default;
};

void encode_ready_for_query(TransactionStatus status, std::string& out);
void encode_command_complete(std::string_view tag, std::string& out);
void encode_row_description(std::span<const ColumnDescription> columns, std::string& out);
void encode_parse_complete(std::string& out);
void encode_bind_complete(std::string& out);
void encode_close_complete(std::string& out);
void encode_no_data(std::string& out);
void encode_empty_query_response(std::string& out);
void encode_portal_suspended(std::string& out);
void encode_parameter_description(std::span<const Oid> types, std::string& out);
void encode_copy_in_response(Format overall, std::span<const std::int16_t> column_formats, std::string& out);
void encode_copy_out_response(Format overall, std::span<const std::int16_t> column_formats, std::string& out);
void encode_notification(std::int32_t pid, std::string_view channel, std::string_view payload, std::string& out);

// Builds one DataRow: construct, value()/null() per column, finish(). At most 65,535 columns (PostgreSQL: 1,664).
class DataRowWriter {
 public:
  explicit DataRowWriter(std::string& out);
  void value(std::string_view bytes);  // text or binary as the RowDescription says
  void null();
  void column(const std::optional<std::string_view>& bytes) { bytes ? value(*bytes) : null(); }
  void finish();

 private:
  ByteWriter writer_;
  std::size_t count_at_;
  std::uint16_t count_ = 0;
};

// ---- startup

void encode_parameter_status(std::string_view name, std::string_view value, std::string& out);
// key: kMinCancelKey..kMaxCancelKey bytes; 4 towards a 3.0 client.
void encode_backend_key_data(std::int32_t pid, std::string_view key, std::string& out);
// version: the one that is spoken from here on (whole number, e.g. kProtocol32), not above what the client asked for.
void encode_negotiate_protocol_version(std::uint32_t version, std::span<const std::string> unknown_options,
                                       std::string& out);

// ---- decoding

Result<TransactionStatus> decode_ready_for_query(std::string_view body);
Result<std::string_view> decode_command_complete(std::string_view body);  // the tag

// "INSERT 0 5" -> {"INSERT", 5}; "CREATE TABLE" -> {"CREATE TABLE", none}. rows is none unless the tag ends in a
// number.
struct CommandTag {
  std::string_view verb;
  std::optional<std::uint64_t> rows;
  bool operator==(const CommandTag&) const = default;
};
CommandTag split_command_tag(std::string_view tag);

// Allocates; RowDescriptions are opened once per described statement, not per row.
Result<std::vector<ColumnDescription>> decode_row_description(std::string_view body);
Result<OidList> decode_parameter_description(std::string_view body);

struct ParameterStatus {
  std::string_view name, value;
};
Result<ParameterStatus> decode_parameter_status(std::string_view body);

struct BackendKeyData {
  std::int32_t pid = 0;
  std::string_view key;
};
Result<BackendKeyData> decode_backend_key_data(std::string_view body);

struct CopyResponse {  // CopyInResponse, CopyOutResponse, CopyBothResponse
  std::int8_t overall_format = 0;
  FormatCodes column_formats;
};
Result<CopyResponse> decode_copy_response(std::string_view body);

struct Notification {
  std::int32_t pid = 0;
  std::string_view channel, payload;
};
Result<Notification> decode_notification(std::string_view body);

Result<ValueList> decode_data_row(std::string_view body);
// The same into a vector that is reused from row to row: random access without allocation in steady state.
[[nodiscard]] std::optional<SqlError> decode_data_row(std::string_view body,
                                                      std::vector<std::optional<std::string_view>>& columns);

// 'R' is decoded by protocol/auth/authentication_messages.h.

struct NegotiateProtocolVersion {
  std::uint32_t version = 0;
  std::vector<std::string_view> unknown_options;
};
Result<NegotiateProtocolVersion> decode_negotiate_protocol_version(std::string_view body);

// ---- OIDs of one server told as another's

using OidMapper = std::function<Oid(Oid)>;
// The same RowDescription / ParameterDescription with every type OID (and table OID) mapped. On an error nothing is
// appended.
[[nodiscard]] std::optional<SqlError> map_row_description(std::string_view body, const OidMapper& map_type,
                                                          const OidMapper& map_table, std::string& out);
[[nodiscard]] std::optional<SqlError> map_parameter_description(std::string_view body, const OidMapper& map_type,
                                                                std::string& out);

}  // namespace pgweir::protocol
