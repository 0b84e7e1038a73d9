// Statements that nobody has thought of, over the oracle's tables: made from a seed, the same for the same seed.
// What they are after: keys in every spelling (casts, lists, arrays, rows, NULL, out of range), under AND, OR and NOT;
// joins of all kinds; groups, aggregates and orders over each type; WITH, UNION, sub-selects, windows; writes whose
// rows lie on one shard or several.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/oracle/case_file.h"

namespace pgweir::oracle {

struct RandomColumn {
  std::string name;
  enum class Type { Number, Float, Text, Bytes, Time, Interval, Bool, Uuid } type;
  std::vector<std::string> literals;  // spellings of values, most of them in the table
  bool distinct_spellings = false;    // equal values may be written differently (1.0, 1.00): not to be grouped by
};

struct RandomTable {
  std::string name, placement;  // empty: every shard has it, or one
  std::size_t keys;             // the first columns
  std::vector<RandomColumn> columns;
  std::string identity;  // expressions that make ORDER BY total
  bool writable = false;
};

class RandomSql {
 public:
  explicit RandomSql(std::uint64_t seed) : random_(seed) {}

  // One case of one statement, with the tags that its comparison needs; "several": an INSERT of several rows.
  Case next();

 private:
  struct Scope {
    const RandomTable* table;
    std::string alias;  // with the dot; or empty
  };
  using Scopes = std::vector<Scope>;

  bool chance(int percent) { return below(100) < static_cast<std::size_t>(percent); }
  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }
  template <class List>
  const auto& any(const List& list) {
    return list[below(list.size())];
  }
  std::string either(std::initializer_list<const char*> texts) { return texts.begin()[below(texts.size())]; }

  const RandomTable& table();
  std::string literal(const RandomColumn& column);
  std::string comparison(const RandomColumn& column, const std::string& name);
  std::string key_equal(const Scope& scope);
  std::string rows(const Scope& scope);
  std::string sublink(const Scope& scope);
  std::string condition(const Scopes& scopes, int depth = 0);
  std::string from(Scopes& scopes);
  std::string where(const Scopes& scopes);
  std::string column(const Scopes& scopes, bool for_grouping = false);
  std::string aggregate(const Scopes& scopes, bool& approximate);
  std::string value(const Scopes& scopes);

  std::string rows_query();
  std::string group_query(bool& approximate);
  std::string distinct_query();
  std::string other_query();
  std::string change();
  std::string insert();
  std::string setting();

  std::mt19937_64 random_;
  int number_ = 0;
  bool parameters_ = false;
  bool several_ = false;  // rows that may go to several shards
  support::Row values_;  // of the statement's parameters
};

}  // namespace pgweir::oracle
