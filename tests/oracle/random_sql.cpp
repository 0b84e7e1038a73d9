#include "tests/oracle/random_sql.h"

#include "tests/oracle/random_tables.h"

namespace pgweir::oracle {

using Type = RandomColumn::Type;

const RandomTable& RandomSql::table() { return any(random_tables()); }

// Plain values may be parameters.
std::string RandomSql::literal(const RandomColumn& column) {
  const std::string& text = any(column.literals);
  if (!parameters_ || values_.size() > 8 || chance(40)) return text;
  const bool quoted = text.size() >= 2 && text.front() == '\'' && text.back() == '\'' && text.find('\'',
      1) == text.size() - 1;
  const bool number = text.find_first_not_of("-0123456789.") == std::string::npos;
  if (!quoted && !number && text != "NULL") return text;
  if (text == "NULL") {
    values_.emplace_back();
  } else {
    values_.emplace_back(quoted ? text.substr(1, text.size() - 2) : text);
  }
  return "$" + std::to_string(values_.size());
}

// A condition on one column.
std::string RandomSql::comparison(const RandomColumn& column, const std::string& name) {
  const auto value = [&] { return literal(column); };
  if (column.type == Type::Bool && chance(50)) {
    return either({"", "NOT "}) + name + either({"", " IS TRUE", " IS NOT TRUE", " IS NOT FALSE", " IS FALSE",
        " IS UNKNOWN"});
  }
  switch (below(14)) {
    case 0:
    case 1:
    case 2:
      return name + " = " + value();
    case 3:
      return value() + either({" = ", " < ", " >= ", " <> "}) + name;
    case 4:
      return name + either({" < ", " <= ", " > ", " >= ", " <> "}) + value();
    case 5:
      return name + either({" IN (", " NOT IN ("}) + value() + ", " + value() + ", " + value() + ")";
    case 6:
      return name + either({" BETWEEN ", " NOT BETWEEN ", " BETWEEN SYMMETRIC "}) + value() + " AND " + value();
    case 7:
      return name + either({" IS NULL", " IS NOT NULL"});
    case 8:
      return name + either({" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "}) + value();
    case 9:
      return name + either({" = ANY (ARRAY[", " <> ALL (ARRAY[", " < ANY (ARRAY["}) + value() + ", " + value() + "])";
    case 10:
      return "coalesce(" + name + ", " + value() + ") = " + value();
    case 11:
      return "CASE WHEN " + name + " = " + value() + " THEN " + either({"true", "false", "NULL"}) + " ELSE " + name +
          " = " + value() + " END";
    case 12:
      return "(" + name + " = " + value() + ")" + either({" IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NOT FALSE",
          " IS UNKNOWN", " = true", " <> false"});
    default:
      return "(" + name + " = " + value() + " OR " + name + " = " + value() + ")";
  }
}

// All key columns against values.
std::string RandomSql::key_equal(const Scope& scope) {
  std::string text;
  for (std::size_t i = 0; i < scope.table->keys; ++i) {
    const RandomColumn& c = scope.table->columns[i];
    text += (i > 0 ? " AND " : "") + scope.alias + c.name + (chance(85) ? " = " : either({" <= ", " >= ", " < "})) +
        literal(c);
  }
  return text.empty() ? "true" : text;
}

std::string RandomSql::rows(const Scope& scope) {
  const auto& c = scope.table->columns;
  const std::string pair = "(" + scope.alias + c[0].name + ", " + scope.alias + c[1].name + ")";
  const auto value = [&] { return "(" + literal(c[0]) + ", " + literal(c[1]) + ")"; };
  if (chance(60)) return pair + either({" = ", " <> ", " < ", " >= ", " IS NOT DISTINCT FROM "}) + value();
  return pair + either({" IN (", " NOT IN ("}) + value() + ", " + value() + ")";
}

std::string RandomSql::sublink(const Scope& scope) {
  const RandomColumn& key = scope.table->columns[0];
  const std::string inner = scope.table->name + " z";
  switch (below(4)) {
    case 0:
      return either({"EXISTS", "NOT EXISTS"}) + " (SELECT 1 FROM " + inner + " WHERE z." + key.name + " = " +
          scope.alias + key.name +
             " AND " + comparison(scope.table->columns.back(), "z." + scope.table->columns.back().name) + ")";
    case 1:
      return scope.alias + key.name + either({" IN ", " NOT IN "}) + "(SELECT z." + key.name + " FROM " + inner +
          " WHERE " +
             comparison(key, "z." + key.name) + ")";
    case 2:
      return scope.alias + key.name + " = (SELECT max(z." + key.name + ") FROM " + inner + ")";
    default:
      return "(SELECT count(*) FROM " + inner + " WHERE z." + key.name + " = " + scope.alias + key.name + ") > 0";
  }
}

std::string RandomSql::condition(const Scopes& scopes, int depth) {
  if (depth < 3 && chance(35))
    return "(" + condition(scopes, depth + 1) + either({" AND ", " OR "}) + condition(scopes, depth + 1) + ")";
  if (depth < 3 && chance(10)) return "NOT (" + condition(scopes, depth + 1) + ")";
  const Scope& scope = any(scopes);
  if (scope.table->keys > 0 && chance(35)) return key_equal(scope);
  if (chance(6)) return rows(scope);
  if (chance(5)) return sublink(scope);
  const RandomColumn& c = chance(50) ? scope.table->columns[0] : any(scope.table->columns);
  return comparison(c, scope.alias + c.name);
}

std::string RandomSql::where(const Scopes& scopes) { return chance(80) ? " WHERE " + condition(scopes) : ""; }

// One table, or a join of two that are placed alike, or with a reference table.
std::string RandomSql::from(Scopes& scopes) {
  const RandomTable& first = table();
  if (chance(60)) {
    const bool named = chance(30);
    scopes = {{&first, named ? "x." : ""}};
    return first.name + (named ? " x" : "");
  }
  std::vector<const RandomTable*> partners;
  for (const RandomTable& t : random_tables()) {
    if (t.placement == first.placement || t.placement.empty()) partners.push_back(&t);
  }
  const RandomTable& second = *any(partners);
  scopes = {{&first, "x."}, {&second, "y."}};
  if (chance(20)) std::swap(scopes[0], scopes[1]);
  const RandomTable& left = *scopes[0].table;
  const RandomTable& right = *scopes[1].table;
  std::string on;
  const std::size_t shared = left.placement == right.placement ? left.keys : 0;
  for (std::size_t i = 0; i < shared; ++i)
    on += (on.empty() ? "" : " AND ") + scopes[0].alias + left.columns[i].name + " = " + scopes[1].alias +
        right.columns[i].name;
  if (on.empty() || chance(20)) on += (on.empty() ? "" : " AND ") + condition({scopes[below(2)]}, 2);
  const std::string kind = either({" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "});
  const std::string l = left.name + " " + scopes[0].alias.substr(0, 1), r = right.name + " " +
      scopes[1].alias.substr(0, 1);
  if (chance(15)) return l + ", " + r;
  return l + kind + r + " ON " + on;
}

std::string RandomSql::column(const Scopes& scopes, bool for_grouping) {
  for (int i = 0; i < 20; ++i) {
    const Scope& scope = any(scopes);
    const RandomColumn& c = any(scope.table->columns);
    if (!for_grouping || !c.distinct_spellings) return scope.alias + c.name;
  }
  return scopes[0].alias + scopes[0].table->columns[0].name;
}

std::string RandomSql::value(const Scopes& scopes) {
  const std::string c = column(scopes);
  switch (below(10)) {
    case 0:
      return "coalesce(" + c + "::text, '-')";
    case 1:
      return c + " IS NULL";
    case 2:
      return "(" + condition(scopes, 2) + ")";
    case 3:
      return "CASE WHEN " + condition(scopes, 3) + " THEN 1 ELSE 2 END";
    case 4:
      return "md5(" + c + "::text)";
    default:
      return c;
  }
}

std::string RandomSql::aggregate(const Scopes& scopes, bool& approximate) {
  if (chance(15)) return "count(*)";
  for (int i = 0; i < 20; ++i) {
    const Scope& scope = any(scopes);
    const RandomColumn& c = any(scope.table->columns);
    const std::string name = scope.alias + c.name;
    std::string text;
    if (chance(30)) {
      text = "count(" + name + ")";
    } else if (chance(50)) {
      if (c.distinct_spellings || c.type == Type::Bool || c.type == Type::Uuid || c.type == Type::Bytes) continue;
      text = either({"min(", "max("}) + name + ")";
    } else {
      if (c.type != Type::Number && c.type != Type::Float && c.type != Type::Interval) continue;
      approximate |= c.type == Type::Float;
      text = either({"sum(", "avg("}) + name + ")";
    }
    if (chance(5)) text = either({"count(DISTINCT ", "array_agg(", "bool_or("}) + name + (text.empty() ? "" : ")");
    if (chance(15)) text += " FILTER (WHERE " + condition(scopes, 2) + ")";
    return text;
  }
  return "count(*)";
}

std::string RandomSql::rows_query() {
  Scopes scopes;
  const std::string tables = from(scopes);
  std::string list;
  for (std::size_t i = 0, n = 1 + below(3); i < n; ++i) list += (i > 0 ? ", " : "") + value(scopes);
  std::string text = "SELECT " + list + " FROM " + tables + where(scopes);
  if (scopes.size() > 1 || chance(40)) return text;
  std::string order;
  if (chance(60)) {
    const RandomColumn& c = any(scopes[0].table->columns);
    const std::string collate = c.type == Type::Text ? " COLLATE \"C\"" : "";
    order = scopes[0].alias + c.name + collate + either({"", " DESC", " ASC"}) + either({"", " NULLS FIRST",
        " NULLS LAST"}) + ", ";
  }
  std::string identity = scopes[0].table->identity;
  if (!scopes[0].alias.empty()) {
    std::string qualified;
    for (std::size_t at = 0; at <= identity.size();) {
      const auto comma = std::min(identity.find(", ", at), identity.size());
      qualified += (qualified.empty() ? "" : ", ") + scopes[0].alias + identity.substr(at, comma - at);
      at = comma + 2;
    }
    identity = qualified;
  }
  text += " ORDER BY " + order + identity;
  if (chance(40)) text += " LIMIT " + either({"0", "1", "3", "10", "NULL", "ALL", "2::bigint"});
  if (chance(25)) text += " OFFSET " + either({"0", "1", "4", "100", "'2'::int"});
  return text;
}

std::string RandomSql::group_query(bool& approximate) {
  Scopes scopes;
  const std::string tables = from(scopes);
  std::string keys, list;
  for (std::size_t i = 0, n = below(3); i < n; ++i) keys += (i > 0 ? ", " : "") + column(scopes, true);
  for (std::size_t i = 0, n = 1 + below(3); i < n; ++i) list += (i > 0 ? ", " : "") + aggregate(scopes, approximate);
  if (keys.empty()) return "SELECT " + list + " FROM " + tables + where(scopes);
  std::string text = "SELECT " + keys + ", " + list + " FROM " + tables + where(scopes) + " GROUP BY " + keys;
  if (chance(10)) text += " HAVING count(*) > 1";
  return text;
}

std::string RandomSql::distinct_query() {
  Scopes scopes;
  const std::string tables = from(scopes);
  std::string list = column(scopes, true);
  if (chance(50)) list += ", " + column(scopes, true);
  return "SELECT DISTINCT " + list + " FROM " + tables + where(scopes);
}

std::string RandomSql::other_query() {
  Scopes scopes, others;
  const std::string tables = from(scopes);
  const Scope& s = scopes[0];
  const std::string key = s.alias + s.table->columns[0].name;
  const std::string filter = " WHERE " + key_equal(s) + (chance(40) ? either({" AND ", " OR "}) + condition(scopes,
      2) : "");
  switch (below(5)) {
    case 0:
      return "WITH w AS (SELECT " + key + " AS a FROM " + tables + filter +
          ") SELECT count(*), min(a::text COLLATE \"C\") FROM w";
    case 1:
      return "SELECT " + key + " FROM " + tables + filter + either({" UNION ", " UNION ALL ", " EXCEPT ",
          " INTERSECT "}) + "SELECT " + key +
             " FROM " + tables + filter;
    case 2:
      return "SELECT count(*), min(a::text COLLATE \"C\") FROM (SELECT " + key + " AS a FROM " + tables + filter +
          ") q";
    case 3:
      return "SELECT " + key + ", count(*) OVER (PARTITION BY " + key + ") FROM " + tables + (chance(50) ? filter : "");
    default:
      return "SELECT " + key + ", (SELECT count(*) FROM tenants r WHERE r.seats > 3) FROM " + tables + filter;
  }
}

std::string RandomSql::change() {
  const RandomTable* t = &table();
  while (!t->writable) t = &table();
  const Scopes scopes{{t, ""}};
  const RandomColumn& last = t->columns.back();
  const std::string filter = " WHERE " + (chance(60) ? key_equal(scopes[0]) + " AND " : std::string()) +
      condition(scopes, 1);
  const std::string returning = chance(40) ? " RETURNING " + t->columns[0].name + ", " + last.name : "";
  if (chance(30)) return "DELETE FROM " + t->name + filter + returning;
  return "UPDATE " + t->name + " SET " + last.name + " = " + literal(last) + filter + returning;
}

std::string RandomSql::insert() {
  const RandomTable* t = &table();
  while (!t->writable) t = &table();
  std::string names, text;
  for (const RandomColumn& c : t->columns) names += (names.empty() ? "" : ", ") + c.name;
  const std::string head = "INSERT INTO " + t->name + (chance(50) ? " (" + names + ")" : "");
  const std::size_t more = chance(40) ? 0 : below(3);
  several_ = more > 0;
  const auto row = [&] {
    std::string values;
    for (const RandomColumn& c : t->columns) {
      values += (values.empty() ? "" : ", ") + literal(c);
    }
    return values;
  };
  if (chance(20)) {
    text = head + " SELECT " + row() + (chance(50) ? " WHERE " + either({"true", "false", "NULL"}) : "");
  } else {
    text = head + " VALUES (" + row() + ")";
    for (std::size_t i = 0; i < more; ++i) text += ", (" + row() + ")";
  }
  if (chance(40)) text += " ON CONFLICT DO NOTHING";
  if (chance(40)) text += " RETURNING " + t->columns[0].name + ", " + t->columns.back().name;
  return text;
}

std::string RandomSql::setting() {
  return "SET " + either({"datestyle = 'SQL, DMY'", "datestyle = 'German'", "datestyle = 'ISO, MDY'",
      "timezone = 'UTC'",
                          "timezone = 'America/New_York'", "timezone = 'Asia/Kolkata'", "extra_float_digits = 0",
                          "extra_float_digits = 1", "extra_float_digits = -3", "bytea_output = 'escape'",
                          "bytea_output = 'hex'", "intervalstyle = 'iso_8601'", "intervalstyle = 'postgres'"});
}

Case RandomSql::next() {
  Case made;
  made.name = "random_" + std::to_string(++number_);
  made.file = "random";
  bool approximate = false;
  Statement statement;
  parameters_ = chance(40);
  several_ = false;
  values_.clear();
  const std::size_t kind = below(100);
  statement.sql = number_ % 40 == 0 ? setting()
                  : kind < 35 ? rows_query()
                  : kind < 60 ? group_query(approximate)
                  : kind < 67 ? distinct_query()
                  : kind < 75 ? other_query()
                  : kind < 88 ? change()
                              : insert();
  if (approximate) made.tags["approx"] = "";
  if (several_) made.tags["several"] = "";
  if (!values_.empty()) statement.parameters.push_back(values_);
  made.statements.push_back(std::move(statement));
  return made;
}

}  // namespace pgweir::oracle
