#include "tests/oracle/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <sstream>

namespace pgweir::oracle {
namespace {

using support::Cell;
using support::QueryResult;
using support::Row;

constexpr Oid kFirstOwnOid = 16384;  // FirstNormalObjectId, src/include/access/transam.h
constexpr Oid kFloat4 = 700, kFloat8 = 701;
constexpr double kTolerance = 1e-12, kFloat4Tolerance = 1e-4;  // sum(real) adds some thousand rows in real

std::string shown(const Row& row) {
  std::string text = "(";
  for (const Cell& cell : row) {
    if (text.size() > 1) text += ", ";
    if (!cell) {
      text += "NULL";
      continue;
    }
    for (const unsigned char c : cell->substr(0, 120)) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", c);
      text += c < 32 || c == 127 ? std::string(hex) : std::string(1, static_cast<char>(c));
    }
  }
  return text + ")";
}

template <class... Parts>
std::string text_of(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

double number_of(const std::string& cell, Oid type, bool binary) {
  if (!binary) return std::strtod(cell.c_str(), nullptr);
  std::uint64_t bits = 0;
  for (const unsigned char c : cell) bits = bits << 8 | c;
  return type == kFloat4 ? std::bit_cast<float>(static_cast<std::uint32_t>(bits)) : std::bit_cast<double>(bits);
}

class Rows {
 public:
  Rows(const QueryResult& expected, const QueryResult& got, const Comparison& how)
      : expected_(expected.rows), got_(got.rows), how_(how), types_(expected.types) {}

  std::optional<std::string> difference() const {
    if (expected_.size() != got_.size())
      return text_of("expected ", expected_.size(), " rows, got ", got_.size(), first_stray());
    if (how_.order.total) return sequence();
    if (!how_.order.tie_columns.empty()) {
      if (auto found = key_sequence()) return found;
    }
    return how_.unlimited != nullptr ? membership() : multiset(expected_);
  }

 private:
  bool same(const Cell& a, const Cell& b, std::size_t column) const {
    if (a == b) return true;
    if (!a || !b || !how_.approximate || (types_[column] != kFloat4 && types_[column] != kFloat8)) return false;
    const double x = number_of(*a, types_[column], how_.binary), y = number_of(*b, types_[column], how_.binary);
    if (std::isnan(x) && std::isnan(y)) return true;  // its sign bit is the processor's
    const double tolerance = types_[column] == kFloat4 ? kFloat4Tolerance : kTolerance;
    return std::abs(x - y) <= tolerance * std::max(std::abs(x), std::abs(y));
  }
  bool same(const Row& a, const Row& b) const {
    for (std::size_t column = 0; column < a.size(); ++column) {
      if (!same(a[column], b[column], column)) return false;
    }
    return true;
  }

  std::optional<std::string> sequence() const {
    for (std::size_t i = 0; i < got_.size(); ++i) {
      if (!same(expected_[i], got_[i]))
        return text_of("row ", i + 1, " of ", got_.size(), ": expected ", shown(expected_[i]), ", got ",
                       shown(got_[i]));
    }
    return std::nullopt;
  }

  std::optional<std::string> key_sequence() const {
    for (std::size_t i = 0; i < got_.size(); ++i) {
      for (const std::size_t column : how_.order.tie_columns) {
        if (!same(expected_[i].at(column), got_[i].at(column), column))
          return text_of("row ", i + 1, ", column ", column + 1, ": expected the order of ", shown(expected_[i]),
                         ", got ", shown(got_[i]));
      }
    }
    return std::nullopt;
  }

  // Every row got stands in `pool`, no more often than there.
  std::optional<std::string> multiset(const std::vector<Row>& pool) const {
    if (how_.approximate) return approximate_multiset(pool);
    std::vector<Row> there = pool, here = got_;
    std::sort(there.begin(), there.end());
    std::sort(here.begin(), here.end());
    std::vector<Row> strays;
    std::set_difference(here.begin(), here.end(), there.begin(), there.end(), std::back_inserter(strays));
    if (strays.empty()) return std::nullopt;
    return text_of(strays.size(), " of ", got_.size(), " rows are not expected, the first is ", shown(strays[0]),
                   "; an expected one: ", pool.empty() ? "none" : shown(missing_from(there, here)));
  }

  std::optional<std::string> approximate_multiset(const std::vector<Row>& pool) const {
    std::vector<const Row*> left;
    for (const Row& row : pool) left.push_back(&row);
    for (const Row& row : got_) {
      const auto found = std::find_if(left.begin(), left.end(), [&](const Row* other) { return same(*other, row); });
      if (found == left.end()) return "not expected: " + shown(row);
      left.erase(found);
    }
    return std::nullopt;
  }

  std::optional<std::string> membership() const {
    auto found = multiset(how_.unlimited->rows);
    return found ? std::optional("without LIMIT: " + *found) : std::nullopt;
  }

  static Row missing_from(const std::vector<Row>& there, const std::vector<Row>& here) {
    std::vector<Row> missing;
    std::set_difference(there.begin(), there.end(), here.begin(), here.end(), std::back_inserter(missing));
    return missing.empty() ? there[0] : missing[0];
  }

  std::string first_stray() const {
    std::vector<Row> there = expected_, here = got_;
    std::sort(there.begin(), there.end());
    std::sort(here.begin(), here.end());
    const bool more = here.size() > there.size();
    return text_of(more ? "; one too many: " : "; missing: ",
                   shown(more ? missing_from(here, there) : missing_from(there, here)));
  }

  const std::vector<Row>&expected_, &got_;
  const Comparison& how_;
  const std::vector<Oid>& types_;
};

bool same_type(Oid expected, Oid got, const Comparison& how) {
  return expected < kFirstOwnOid ? expected == got : how.expected_type(expected) == how.got_type(got);
}

std::optional<std::string> types_difference(const QueryResult& expected, const QueryResult& got,
                                            const Comparison& how) {
  for (std::size_t i = 0; i < expected.columns.size(); ++i) {
    const Oid wanted = expected.types[i], given = got.types[i];
    if (!same_type(wanted, given, how))
      return text_of("type of column ", i + 1, " (", expected.columns[i], "): expected OID ", wanted, ", got ", given);
    if (expected.modifiers[i] != got.modifiers[i])
      return text_of("type modifier of column ", i + 1, " (", expected.columns[i], "): expected ",
                     expected.modifiers[i], ", got ", got.modifiers[i]);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> difference(const QueryResult& expected, const QueryResult& got, const Comparison& how) {
  if (expected.sqlstate() != got.sqlstate() || expected.ok() != got.ok())
    return text_of("expected ", expected, "\n   got ", got, got.ok() ? "" : " ROUTINE: ",
                   got.ok() ? "" : got.error->routine);
  if (!expected.ok()) return std::nullopt;
  if (expected.status != got.status)
    return text_of("expected ", PQresStatus(expected.status), ", got ", PQresStatus(got.status));
  if (expected.columns != got.columns) {
    QueryResult names_expected = expected, names_got = got;
    names_expected.rows.clear();
    names_got.rows.clear();
    return text_of("column names: expected ", names_expected, ", got ", names_got);
  }
  if (auto found = types_difference(expected, got, how)) return found;
  if (auto found = Rows(expected, got, how).difference()) return found;
  if (expected.tag != got.tag) return text_of("command tag: expected \"", expected.tag, "\", got \"", got.tag, "\"");
  return std::nullopt;
}

std::optional<std::string> difference(const std::vector<Oid>& expected, const std::vector<Oid>& got,
                                      const Comparison& how) {
  if (expected.size() != got.size())
    return text_of("expected ", expected.size(), " parameters described, got ", got.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!same_type(expected[i], got[i], how))
      return text_of("type of $", i + 1, ": expected OID ", expected[i], ", got ", got[i]);
  }
  return std::nullopt;
}

}  // namespace pgweir::oracle
