#include "proxy/admin/table.h"

#include <cassert>

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
  }
  return description;
}

}  // namespace

void encode_table(const Table& table, std::string& out) {
  if (!table.columns.empty()) {
    std::vector<protocol::ColumnDescription> descriptions;
    for (const Column& column : table.columns) descriptions.push_back(describe(column));
    protocol::encode_row_description(descriptions, out);
  }
  for (const auto& row : table.rows) {
    assert(row.size() == table.columns.size());
    protocol::DataRowWriter writer(out);
    for (const Value& value : row) value ? writer.value(*value) : writer.null();
    writer.finish();
  }
  protocol::encode_command_complete(table.tag, out);
}

}  // namespace pgweir::admin
