// What a console command answers with, and its encoding. Value types.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/frontend_codec.h"
#include "protocol/result.h"

namespace pgweir::admin {

// As PgBouncer types its columns; Numeric holds whole numbers. Values are kept in their text format.
enum class ColumnType : std::uint8_t { Text, Int4, Int8, Bool, Numeric };

struct Column {
  std::string_view name;  // of static storage
  ColumnType type = ColumnType::Text;
};

using Value = std::optional<std::string>;  // none: NULL

// A value as a cell: text as it is, integers in decimal, bool as t or f.
template <class T>
Value cell(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return std::string(value ? "t" : "f");
  } else if constexpr (std::integral<T>) {
    return std::to_string(value);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    return std::string(std::string_view(value));
  } else {
    return value;
  }
}

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<Value>> rows;  // each as long as columns
  std::string tag = "SHOW";              // of CommandComplete

  template <class... Values>
  void add(const Values&... values) {
    rows.push_back({cell(values)...});
  }
};

// A command without rows answers with a Table without columns: CommandComplete alone.
inline Table completed(std::string tag) { return Table{{}, {}, std::move(tag)}; }

// Appends RowDescription (or NoData), and `count` DataRows from row `first` on, each column in the format asked for.
void encode_columns(const Table& table, protocol::FormatCodes formats, std::string& out);
void encode_rows(const Table& table, protocol::FormatCodes formats, std::size_t first, std::size_t count, std::string& out);

// Appends RowDescription and DataRows (when there are columns) and CommandComplete.
void encode_table(const Table& table, std::string& out);

}  // namespace pgweir::admin
