// Rows of one result in text form, independent of the client library. Value type.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgweir::control {

struct RowSet {
  std::size_t columns = 0;
  std::vector<std::string> cells;  // row by row; NULL is empty, see nulls
  std::vector<bool> nulls;
  std::string tag;  // of the command, "SELECT 3"

  std::size_t rows() const { return columns == 0 ? 0 : cells.size() / columns; }
  // Precondition: row < rows(), column < columns.
  const std::string& text(std::size_t row, std::size_t column) const { return cells[row * columns + column]; }
  bool null(std::size_t row, std::size_t column) const { return nulls[row * columns + column]; }
  bool flag(std::size_t row, std::size_t column) const { return text(row, column) == "t"; }
  char letter(std::size_t row, std::size_t column) const {
    return text(row, column).empty() ? '\0' : text(row, column).front();
  }
  // 0 where the cell is NULL or no number that fits.
  template <class Integer>
  Integer number(std::size_t row, std::size_t column) const {
    const std::string& value = text(row, column);
    Integer out{};
    const auto result = std::from_chars(value.data(), value.data() + value.size(), out);
    return result.ec == std::errc{} ? out : Integer{};
  }
};

}  // namespace pgweir::control
