// Rows for merge tests: building DataRow bodies and reading the merger's output back.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "routing/merge/merger.h"
#include "routing/merge/type_oids.h"
#include "routing/merge/wire.h"

namespace pgweir::routing::merge_test {

using Value = std::optional<std::string>;
using Row = std::vector<Value>;
inline const Value kNull = std::nullopt;

inline std::string body(const Row& row) {
  std::string out;
  wire::append<std::uint16_t>(out, static_cast<std::uint16_t>(row.size()));
  for (const auto& value : row) wire::append_field(out, value ? wire::Field{*value, false} : wire::Field{});
  return out;
}

template <class T>
std::string big(T value) {
  std::string out;
  wire::append<T>(out, value);
  return out;
}
inline std::string int8(std::int64_t value) { return big(static_cast<std::uint64_t>(value)); }
inline std::string int4(std::int32_t value) { return big(static_cast<std::uint32_t>(value)); }
inline std::string float8(double value) { return big(std::bit_cast<std::uint64_t>(value)); }
inline std::string float4(float value) { return big(std::bit_cast<std::uint32_t>(value)); }
// A numeric below 10000 in magnitude, with four decimals of which `scale` are shown.
inline std::string numeric(int whole, int fraction = 0, int scale = 0) {
  auto sign = whole < 0 ? 0x4000 : 0;
  std::string out;
  for (auto part : {2, 0, sign, scale, whole < 0 ? -whole : whole, fraction})
    wire::append<std::uint16_t>(out, static_cast<std::uint16_t>(part));
  return out;
}

inline std::string unhex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return out;
}

// All messages must be complete DataRows.
inline std::vector<Row> rows_of(std::string_view out) {
  std::vector<Row> rows;
  while (!out.empty()) {
    if (out.size() < 7 || out[0] != 'D') {
      ADD_FAILURE() << "not a DataRow";
      break;
    }
    auto length = wire::load<std::uint32_t>(out.data() + 1);
    if (length + 1 > out.size()) {
      ADD_FAILURE() << "incomplete DataRow";
      break;
    }
    wire::RowCursor cursor(out.substr(5, length - 4));
    Row row(static_cast<std::size_t>(std::max(cursor.count(), 0)));
    for (auto& value : row) {
      wire::Field field;
      EXPECT_TRUE(cursor.next(field));
      if (!field.null) value = std::string(field.bytes);
    }
    EXPECT_TRUE(cursor.at_end());
    rows.push_back(std::move(row));
    out.remove_prefix(length + 1);
  }
  return rows;
}

inline std::unique_ptr<Merger> make(const MergePlan& plan, const std::vector<MergeColumn>& columns,
                                    const std::vector<MergeColumn>& outputs, std::size_t shards,
                                    MergeLimits limits = {}, const MergeTypes& types = MergeTypes{}) {
  auto merger = Merger::create(plan, columns, outputs, shards, limits, types);
  if (merger) return std::move(*merger);
  ADD_FAILURE() << merger.error().message;
  return nullptr;
}

// Gives all streams one after the other and returns the rows; an error is returned through `error` and ends the run.
inline std::vector<Row> merge(Merger& merger, const std::vector<std::vector<Row>>& streams,
                              std::optional<SqlError>* error = nullptr) {
  std::string out;
  auto failed = [&](const Result<Unit>& result) {
    if (result) return false;
    if (error == nullptr)
      ADD_FAILURE() << result.error().message;
    else
      *error = result.error();
    return true;
  };
  for (std::size_t i = 0; i < streams.size(); ++i) {
    for (const auto& row : streams[i])
      if (failed(merger.push(i, body(row), out))) return rows_of(out);
    if (failed(merger.finish(i, out))) return rows_of(out);
    while (merger.drain(out, 64)) {
    }
  }
  while (merger.drain(out, 64)) {
  }  // for no stream at all
  EXPECT_TRUE(merger.done());
  auto rows = rows_of(out);
  EXPECT_EQ(merger.rows(), rows.size());
  return rows;
}

// Lines of a checked-in vector file, split at '|', without comments.
inline std::vector<std::vector<std::string>> vectors(const std::string& file) {
  std::ifstream in(file.front() == '/' ? file : std::string(PGWEIR_SOURCE_DIR "/tests/unit/routing/") + file);
  EXPECT_TRUE(in) << file;
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> parts(1);
    for (char c : line) {
      if (c == '|')
        parts.emplace_back();
      else
        parts.back().push_back(c);
    }
    lines.push_back(std::move(parts));
  }
  return lines;
}

}  // namespace pgweir::routing::merge_test
