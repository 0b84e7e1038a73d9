#include "proxy/admin/table.h"

#include <cassert>
#include <charconv>

#include "protocol/backend_codec.h"

namespace pgweir::admin {
namespace {

// OIDs and lengths from PostgreSQL's pg_type.dat.
protocol::ColumnDescription describe(const Column& column) {
  protocol::ColumnDescription description;
  description.name = column.name;
  switch (column.type) {
    case ColumnType::Text: description.type_oid = 25; description.typlen = -1; break;
    case ColumnType::Int4: description.type_oid = 23; description.typlen = 4; break;
    case ColumnType::Int8: description.type_oid = 20; description.typlen = 8; break;
    case ColumnType::Bool: description.type_oid = 16; description.typlen = 1; break;
    case ColumnType::Numeric: description.type_oid = 1700; description.typlen = -1; break;
  }
  return description;
}

void put(std::uint64_t value, unsigned bytes, std::string& out) {
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes));
}

// numeric_send(): how many digits of base 10000, weight of the first, sign, scale, the digits. Whole numbers only.
std::string binary_numeric(std::int64_t value) {
  std::uint64_t rest = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::vector<unsigned> digits;  // the last one first
  for (; rest != 0; rest /= 10'000) digits.push_back(static_cast<unsigned>(rest % 10'000));
  std::string out;
  put(digits.size(), 2, out);
  put(digits.empty() ? 0 : digits.size() - 1, 2, out);
  put(value < 0 ? 0x4000 : 0, 2, out);
  put(0, 2, out);
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) put(*digit, 2, out);
  return out;
}

std::string binary(ColumnType type, const std::string& text) {
  if (type == ColumnType::Text) return text;
  if (type == ColumnType::Bool) return std::string(1, text == "t" ? '\1' : '\0');
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  if (type == ColumnType::Numeric) return binary_numeric(value);
  std::string out;
  put(static_cast<std::uint64_t>(value), type == ColumnType::Int4 ? 4 : 8, out);
  return out;
}

}  // namespace

void encode_columns(const Table& table, protocol::FormatCodes formats, std::string& out) {
  if (table.columns.empty()) return protocol::encode_no_data(out);
  std::vector<protocol::ColumnDescription> descriptions;
  for (const Column& column : table.columns) {
    auto& description = descriptions.emplace_back(describe(column));
    description.format = formats.of(descriptions.size() - 1);
  }
  protocol::encode_row_description(descriptions, out);
}

void encode_rows(const Table& table, protocol::FormatCodes formats, std::size_t first, std::size_t count,
                 std::string& out) {
  for (std::size_t at = first; at < first + count; ++at) {
    const auto& row = table.rows[at];
    assert(row.size() == table.columns.size());
    protocol::DataRowWriter writer(out);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!row[i])
        writer.null();
      else if (formats.of(i) == 1)
        writer.value(binary(table.columns[i].type, *row[i]));
      else
        writer.value(*row[i]);
    }
    writer.finish();
  }
}

void encode_table(const Table& table, std::string& out) {
  if (!table.columns.empty()) encode_columns(table, {}, out);
  encode_rows(table, {}, 0, table.rows.size(), out);
  protocol::encode_command_complete(table.tag, out);
}

}  // namespace pgweir::admin
