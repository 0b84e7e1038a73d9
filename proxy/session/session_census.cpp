// Session: what a transaction may have left behind on its server, read back from the server itself.
#include <algorithm>

#include "proxy/session/session.h"

namespace pgweir::session {
namespace {

// kind, name, value: s setting, t temp relation, o another temporary object (functions, types, operators, ...: all depend
// on their schema), c holdable cursor, l advisory lock, n channel, p SQL-level prepared statement. Everything is
// qualified: search_path is the client's.
constexpr std::string_view kCensusState =
    " UNION ALL SELECT 't', c.relname::pg_catalog.text, '' FROM pg_catalog.pg_class c"
    " WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() AND c.relkind IN ('r','v','S','m','f','p')"
    " UNION ALL SELECT 'o', d.classid::pg_catalog.text, '' FROM pg_catalog.pg_depend d"
    " WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass"
    " AND d.refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()"
    " AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_class'::pg_catalog.regclass"
    " UNION ALL SELECT 'c', name, '' FROM pg_catalog.pg_cursors WHERE is_holdable"
    " UNION ALL SELECT 'l', locktype, '' FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"
    " UNION ALL SELECT 'n', c, '' FROM pg_catalog.pg_listening_channels() c"
    " UNION ALL SELECT 'p', name, '' FROM pg_catalog.pg_prepared_statements WHERE from_sql";

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string census_sql(const std::vector<std::string>& custom_names, const std::string& login) {
  std::string sql =
      "SELECT 's', name, setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'"
      " UNION ALL SELECT 's', 'role', pg_catalog.current_setting('role') WHERE pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) 'none'"
      " UNION ALL SELECT 's', 'session_authorization', pg_catalog.current_setting('session_authorization')"
      " WHERE pg_catalog.current_setting('session_authorization') OPERATOR(pg_catalog.<>) " + pool::quote_literal(login);
  sql += kCensusState;
  for (const auto& name : custom_names)
    sql += " UNION ALL SELECT 's', " + pool::quote_literal(name) + ", pg_catalog.current_setting(" + pool::quote_literal(name) +
           ", true) WHERE pg_catalog.current_setting(" + pool::quote_literal(name) + ", true) IS NOT NULL";
  return sql;
}

}  // namespace

void Session::census(Link& link) {
  context_.cells.injected_commands.add();
  link.inject(census_sql(custom_names_, link.server().target().user), [this](Link& counted, Injected& result) { on_census(counted, result); });
}

void Session::on_census(Link& link, Injected& result) {
  --settling_;
  --link.settling;
  if (result.error) {
    discard_link(link);  // not provably clean
    return settled();
  }
  pool::Settings::Map values;
  std::string pinned;
  temp_tables_.clear();
  for (const auto& row : result.rows) {
    if (row.size() != 3 || !row[0] || !row[1]) continue;
    switch (row[0]->front()) {
      case 's': values[*row[1]] = row[2].value_or(""); break;
      case 't': temp_tables_.push_back(*row[1]); pinned = "temp_tables"; break;
      case 'o': pinned = "temp_objects"; break;
      case 'c': pinned = "holdable_cursor"; break;
      case 'l': pinned = "advisory_lock"; break;
      case 'n': pinned = "listen"; break;
      case 'p': pinned = "sql_prepare"; break;
      default: break;
    }
  }
  link.server().settings = pool::Settings::intern(values);
  // RESET and DISCARD bring back what the session started with; on the server that is the server's default.
  for (const auto& [name, value] : identity_.startup->values()) {
    const bool known = std::any_of(values.begin(), values.end(), [&](const auto& entry) { return equal_ignoring_case(entry.first, name); });
    if (!known) values[name] = value;
  }
  settings_ = pool::Settings::intern(std::move(values));
  if (!pinned.empty() && pinned_.empty()) context_.cells.pinned.add();
  pinned_ = std::move(pinned);
  settled();
}

}  // namespace pgweir::session
