#include "routing/copy/copy_errors.h"

namespace pgweir::routing {
namespace {

constexpr std::size_t kShownValueBytes = 100;  // as much of a value as PostgreSQL's error context shows

using config::KeyType;

const char* type_name(KeyType type) {
  switch (type) {
    case KeyType::SmallInt: return "smallint";
    case KeyType::Int: return "integer";
    case KeyType::BigInt: return "bigint";
    case KeyType::Uuid: return "uuid";
    case KeyType::Text: return "text";
    case KeyType::Bytea: return "bytea";
    case KeyType::Numeric: return "numeric";
    case KeyType::Date: return "date";
    case KeyType::Timestamp: return "timestamp";
    case KeyType::TimestampTz: return "timestamp with time zone";
    case KeyType::Bool: return "boolean";
  }
  return "";
}

bool datetime(KeyType type) {
  return type == KeyType::Date || type == KeyType::Timestamp || type == KeyType::TimestampTz;
}

SqlError sql_error(const char* sqlstate, std::string message, std::string hint = {}) {
  return SqlError{sqlstate, std::move(message), {}, std::move(hint), {}, {}};
}

const char* split_message(SplitError error, bool csv) {
  switch (error) {
    case SplitError::LiteralCarriageReturn:
      return csv ? "unquoted carriage return found in data" : "literal carriage return found in data";
    case SplitError::LiteralNewline: return csv ? "unquoted newline found in data" : "literal newline found in data";
    case SplitError::EndMarkerCorrupt: return "end-of-copy marker corrupt";
    case SplitError::EndMarkerNewlineStyle: return "end-of-copy marker does not match previous newline style";
    case SplitError::Signature: return "COPY file signature not recognized";
    case SplitError::OidsFlag: return "invalid COPY file header (WITH OIDS)";
    case SplitError::CriticalFlags: return "unrecognized critical flags in COPY file header";
    case SplitError::HeaderLength: return "invalid COPY file header (wrong length)";
    case SplitError::HeaderNoFlags: return "invalid COPY file header (missing flags)";
    case SplitError::HeaderNoLength: return "invalid COPY file header (missing length)";
    case SplitError::FieldSize: return "invalid field size";
    case SplitError::UnexpectedEnd: return "unexpected EOF in COPY data";
    case SplitError::DataAfterTrailer: return "received copy data after EOF marker";
    case SplitError::None: case SplitError::FieldCount: break;
  }
  return "invalid COPY data";
}

std::string quoted(std::string_view value) {
  if (value.size() <= kShownValueBytes) return "\"" + std::string(value) + "\"";
  std::size_t cut = kShownValueBytes;
  while (cut > 0 && (static_cast<unsigned char>(value[cut]) & 0xC0) == 0x80) --cut;  // not inside a UTF-8 character
  return "\"" + std::string(value.substr(0, cut)) + "...\"";
}

}  // namespace

SqlError split_failure(SplitError error, CopyFormat format, int fields, std::size_t expected) {
  const bool csv = format == CopyFormat::Csv;
  if (error == SplitError::FieldCount) {
    return sql_error(kBadCopyFileFormat,
                     "row field count is " + std::to_string(fields) + ", expected " + std::to_string(expected));
  }
  const char* hint = "";
  if (error == SplitError::LiteralCarriageReturn) {
    hint = csv ? "Use quoted CSV field to represent carriage return." : "Use \"\\r\" to represent carriage return.";
  } else if (error == SplitError::LiteralNewline) {
    hint = csv ? "Use quoted CSV field to represent newline." : "Use \"\\n\" to represent newline.";
  }
  return sql_error(kBadCopyFileFormat, split_message(error, csv), hint);
}

SqlError key_failure(KeyError error, KeyType type, const std::string& column, std::string_view value, bool binary) {
  if (error == KeyError::Undecidable) {
    return refuse("key_undecidable", "the value of key column \"" + column + "\" cannot be read without the server",
                  "Write dates and times in ISO format, times with a UTC offset where TimeZone is not UTC.");
  }
  if (binary) return sql_error("22P03", "incorrect binary data format in column \"" + column + "\"");
  const std::string name = type_name(type);
  if (error == KeyError::OutOfRange && value.find_first_of(".eE") == std::string_view::npos) {
    return sql_error("22003", "value " + quoted(value) + " is out of range for type " + name);
  }
  return sql_error(datetime(type) ? "22007" : "22P02", "invalid input syntax for type " + name + ": " + quoted(value));
}

SqlError null_failure(const std::string& column, const std::string& table) {
  return refuse("key_null", "null value in column \"" + column + "\" of relation \"" + table +
                                "\" violates not-null constraint",
                "Every row needs its key.", "23502");
}

SqlError at_copy_line(SqlError error, const std::string& table, std::uint64_t line) {
  error.fields += "WCOPY " + table + ", line " + std::to_string(line) + '\0';
  return error;
}

}  // namespace pgweir::routing
