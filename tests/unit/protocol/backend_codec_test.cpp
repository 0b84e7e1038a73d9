#include "protocol/backend_codec.h"

#include <gtest/gtest.h>

namespace pgweir::protocol {
namespace {

using namespace std::literals;
using Value = std::optional<std::string_view>;

std::string_view body_of(const std::string& message) { return std::string_view(message).substr(kHeaderSize); }

template <class Decode>
void refuses_every_truncation(const std::string& message, Decode decode) {
  ASSERT_EQ(load_u32(message, 1), message.size() - 1);
  const std::string_view body = body_of(message);
  ASSERT_TRUE(decode(body).ok());
  for (std::size_t size = 0; size < body.size(); ++size) {
    const std::string copy(body.substr(0, size));
    const auto result = decode(copy);
    ASSERT_FALSE(result.ok()) << size;
    EXPECT_EQ(result.error().sqlstate, "08P01");
  }
  const std::string longer = std::string(body) + '\0';
  EXPECT_FALSE(decode(longer).ok());
}

TEST(BackendCodec, ErrorRoundTrip) {
  const SqlError error{"42601", "syntax error", "a detail", "a hint", "scanner_yyerror", {}};
  std::string out;
  encode_error(error, Severity::Fatal, out, 7);
  EXPECT_EQ(out[0], 'E');
  const auto fields = decode_error(body_of(out));
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(fields->severity, "FATAL");
  EXPECT_TRUE(fields->fatal());
  EXPECT_EQ(fields->position, "7");
  SqlError with_position = error;
  with_position.fields = std::string("P7\0", 3);
  EXPECT_EQ(to_sql_error(*fields), with_position);
  refuses_every_truncation(out, decode_error);
}

TEST(BackendCodec, ErrorsKeepTheirOtherFields) {
  const std::string others("P12\0Wa context\0spublic\0tusers\0nusers_pkey\0Fnbtinsert.c\0L666\0", 60);
  SqlError error{"23505", "duplicate key", "a detail", "", "_bt_check_unique", {}, others};
  std::string out;
  encode_error(error, Severity::Error, out);
  const auto fields = decode_error(body_of(out));
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(fields->constraint, "users_pkey");
  EXPECT_EQ(fields->where, "a context");
  EXPECT_EQ(to_sql_error(*fields), error);
  refuses_every_truncation(out, decode_error);

  move_position(error, 8);
  EXPECT_EQ(error.fields, "P20" + others.substr(3));
  drop_context(error);
  move_position(error, std::nullopt);
  EXPECT_EQ(error.fields, others.substr(15));
  move_position(error, 3);
  EXPECT_EQ(error.fields, others.substr(15)) << "there is none to move";
}

TEST(BackendCodec, RefusalShowsItsReason) {
  std::string out;
  encode_error(SqlError{"0A000", "m", "", "", "pgweir_refuse", "cross_shard_join"}, Severity::Error, out);
  EXPECT_EQ(decode_error(body_of(out))->detail, "reason: cross_shard_join");
  out.clear();
  encode_error(SqlError{"0A000", "m", "own detail", "", "pgweir_refuse", "cross_shard_join"}, Severity::Error, out);
  EXPECT_EQ(decode_error(body_of(out))->detail, "own detail");
}

TEST(BackendCodec, ErrorWithoutSqlstateIsTolerated) {
  EXPECT_EQ(decode_error("SERROR\0Mbad\0\0"sv)->sqlstate, "XX000");
  EXPECT_EQ(decode_error("SERROR\0Mbad\0\0"sv)->severity_unlocalized, "ERROR");
  EXPECT_EQ(decode_error("C\0Mbad\0zunknown\0\0"sv)->sqlstate, "XX000");
  EXPECT_EQ(decode_error("\0"sv)->message, "");
  std::string out;
  encode_error(SqlError{"", "", "", "", "", ""}, Severity::Error, out);
  EXPECT_EQ(decode_error(body_of(out))->sqlstate, "XX000");
}

TEST(BackendCodec, RowDescriptionRoundTrip) {
  const std::vector<ColumnDescription> columns{{"id", 16384, 1, 23, 4, -1, 1}, {"", 0, 0, 25, -1, 12, 0}};
  std::string out;
  encode_row_description(columns, out);
  EXPECT_EQ(*decode_row_description(body_of(out)), columns);
  refuses_every_truncation(out, decode_row_description);
  EXPECT_FALSE(decode_row_description("\xff\xff"sv).ok()) << "65,535 columns in no bytes";
}

TEST(BackendCodec, DataRowRoundTrip) {
  std::string out;
  DataRowWriter row(out);
  row.value("one");
  row.null();
  row.column(""sv);
  row.finish();
  const auto values = decode_data_row(body_of(out));
  ASSERT_TRUE(values.ok());
  const std::vector<Value> expected{"one", std::nullopt, ""};
  EXPECT_EQ(std::vector<Value>(values->begin(), values->end()), expected);
  std::vector<Value> columns{"left over"};
  EXPECT_EQ(decode_data_row(body_of(out), columns), std::nullopt);
  EXPECT_EQ(columns, expected);
  EXPECT_TRUE(decode_data_row("\0\x01\x7f\xff\xff\xff"sv, columns).has_value());
  EXPECT_TRUE(columns.empty());
  refuses_every_truncation(out, [](std::string_view body) { return decode_data_row(body); });
}

TEST(BackendCodec, DataRowWithHostileLengths) {
  for (const char* length : {"\x80\0\0\0", "\xff\xff\xff\xfe", "\x7f\xff\xff\xff", "\0\0\0\x02"})
    EXPECT_FALSE(decode_data_row("\0\x01"s + std::string(length, 4) + "x").ok());
}

TEST(BackendCodec, SmallMessagesRoundTrip) {
  std::string out;
  encode_ready_for_query(TransactionStatus::Failed, out);
  EXPECT_EQ(*decode_ready_for_query(body_of(out)), TransactionStatus::Failed);
  refuses_every_truncation(out, decode_ready_for_query);
  EXPECT_FALSE(decode_ready_for_query("X").ok());

  out.clear();
  encode_command_complete("SELECT 5", out);
  EXPECT_EQ(*decode_command_complete(body_of(out)), "SELECT 5");
  refuses_every_truncation(out, decode_command_complete);

  out.clear();
  encode_parameter_description(std::vector<Oid>{23, 70'000}, out);
  EXPECT_EQ((*decode_parameter_description(body_of(out)))[1], 70'000u);
  refuses_every_truncation(out, decode_parameter_description);

  out.clear();
  encode_parameter_status("TimeZone", "UTC", out);
  EXPECT_EQ(decode_parameter_status(body_of(out))->value, "UTC");
  refuses_every_truncation(out, decode_parameter_status);

  out.clear();
  encode_notification(9, "channel", "payload", out);
  EXPECT_EQ(decode_notification(body_of(out))->channel, "channel");
  refuses_every_truncation(out, decode_notification);

  out.clear();
  encode_copy_in_response(Format::Binary, std::vector<std::int16_t>{1, 1}, out);
  EXPECT_EQ(out[0], 'G');
  EXPECT_EQ(decode_copy_response(body_of(out))->overall_format, 1);
  EXPECT_EQ(decode_copy_response(body_of(out))->column_formats.count(), 2u);
  refuses_every_truncation(out, decode_copy_response);

  out.clear();
  encode_negotiate_protocol_version(kProtocol32, std::vector<std::string>{"_pq_.a", "_pq_.b"}, out);
  EXPECT_EQ(decode_negotiate_protocol_version(body_of(out))->version, kProtocol32);
  EXPECT_EQ(decode_negotiate_protocol_version(body_of(out))->unknown_options,
            (std::vector<std::string_view>{"_pq_.a", "_pq_.b"}));
  refuses_every_truncation(out, decode_negotiate_protocol_version);
  EXPECT_FALSE(decode_negotiate_protocol_version("\0\x03\0\0\xff\xff\xff\xff"sv).ok());
}

TEST(BackendCodec, BackendKeyDataBounds) {
  std::string out;
  encode_backend_key_data(123, std::string(32, 'k'), out);
  EXPECT_EQ(decode_backend_key_data(body_of(out))->pid, 123);
  EXPECT_EQ(decode_backend_key_data(body_of(out))->key.size(), 32u);
  EXPECT_FALSE(decode_backend_key_data("\0\0\0\x01"
                                       "abc"sv).ok());
  EXPECT_TRUE(decode_backend_key_data(std::string(4 + 256, 'k')).ok());
  EXPECT_FALSE(decode_backend_key_data(std::string(4 + 257, 'k')).ok());
  EXPECT_FALSE(decode_backend_key_data("abc").ok());
}

TEST(BackendCodec, CommandTags) {
  EXPECT_EQ(split_command_tag("INSERT 0 5"), (CommandTag{"INSERT", 5}));
  EXPECT_EQ(split_command_tag("SELECT 12"), (CommandTag{"SELECT", 12}));
  EXPECT_EQ(split_command_tag("CREATE TABLE"), (CommandTag{"CREATE TABLE", std::nullopt}));
  EXPECT_EQ(split_command_tag("BEGIN"), (CommandTag{"BEGIN", std::nullopt}));
  EXPECT_EQ(split_command_tag(""), (CommandTag{"", std::nullopt}));
  const std::string_view absurd = "COPY 99999999999999999999999";
  EXPECT_EQ(split_command_tag(absurd), (CommandTag{absurd, std::nullopt}));
}

TEST(BackendCodec, OidsAreMappedAndNothingElse) {
  const std::vector<ColumnDescription> columns{{"a", 500, 1, 70'001, 4, -1, 1}, {"b", 0, 0, 25, -1, 12, 0}};
  std::vector<ColumnDescription> expected = columns;
  expected[0].table_oid = 501;
  expected[0].type_oid = 80'001;
  const auto map_type = [](Oid oid) { return oid > 16'384 ? oid + 10'000 : oid; };
  const auto map_table = [](Oid oid) { return oid + 1; };
  std::string in, out = "kept";
  encode_row_description(columns, in);
  ASSERT_EQ(map_row_description(body_of(in), map_type, map_table, out), std::nullopt);
  EXPECT_EQ(*decode_row_description(std::string_view(out).substr(4 + kHeaderSize)), expected);
  EXPECT_EQ(load_u32(out, 5), out.size() - 5);
  for (std::size_t size = 0; size < in.size() - kHeaderSize; ++size) {
    out = "kept";
    EXPECT_TRUE(map_row_description(body_of(in).substr(0, size), map_type, map_table, out).has_value());
    EXPECT_EQ(out, "kept");
  }
  std::string types, mapped;
  encode_parameter_description(std::vector<Oid>{23, 70'001}, types);
  ASSERT_EQ(map_parameter_description(body_of(types), map_type, mapped), std::nullopt);
  EXPECT_EQ((*decode_parameter_description(body_of(mapped)))[1], 80'001u);
  EXPECT_TRUE(map_parameter_description("\0\x01"sv, map_type, mapped).has_value());
}

}  // namespace
}  // namespace pgweir::protocol
