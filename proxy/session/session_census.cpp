// Session: what a transaction may have left behind on its server, read back from the server itself.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "proxy/control/custom_code.h"
#include "proxy/session/session.h"

namespace pgweir::session {
namespace {

// kind, name, value: s setting, t temp relation, T a schema for such, o another temporary object (functions, types, operators, ...: all depend
// on their schema), c holdable cursor, l advisory lock, n channel, p SQL-level prepared statement that is not ours. Everything is
// qualified: search_path is the client's.
constexpr std::string_view kCensusState =
    " UNION ALL SELECT 't', c.relname::pg_catalog.text, '' FROM pg_catalog.pg_class c"
    " WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() AND c.relkind IN ('r','v','S','m','f','p')"
    " UNION ALL SELECT 'o', d.classid::pg_catalog.text, '' FROM pg_catalog.pg_depend d"
    " WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass"
    " AND d.refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()"
    " AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_class'::pg_catalog.regclass"
    " UNION ALL SELECT 'T', '', '' WHERE pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid"
    " UNION ALL SELECT 'c', name, '' FROM pg_catalog.pg_cursors WHERE is_holdable"
    " UNION ALL SELECT 'l', locktype, '' FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"
    " UNION ALL SELECT 'n', c, '' FROM pg_catalog.pg_listening_channels() c"
    " UNION ALL SELECT 'p', name, '' FROM pg_catalog.pg_prepared_statements WHERE from_sql"
    " AND pg_catalog.left(name, 7) OPERATOR(pg_catalog.<>) 'pgweir_'";

// Code may have dropped what servers keep for clients: kind 'P', how many there are.
constexpr std::string_view kCensusStatements =
    " UNION ALL SELECT 'P', pg_catalog.count(*)::pg_catalog.text, '' FROM pg_catalog.pg_prepared_statements"
    " WHERE pg_catalog.left(name, 7) OPERATOR(pg_catalog.=) 'pgweir_' AND pg_catalog.length(name) OPERATOR(pg_catalog.=) 39"
    " AND pg_catalog.left(name, 15) OPERATOR(pg_catalog.<>) 'pgweir_stand_in'";

void forget_lost(protocol::ServerStatements& known, const std::string& count) {
  if (std::strtoul(count.c_str(), nullptr, 10) < known.size()) known.clear();
}

bool dotted(std::string_view name) { return name.find('.') != std::string_view::npos; }

// Functions that are newer than what the catalog says of them, and the session's temporary ones: kind 'f', then as
// custom_code_query().
std::string new_code(const std::string& horizon) {
  if (horizon.empty()) return control::custom_code_query("true");
  const std::string since = "pg_catalog.age('" + horizon + "'::pg_catalog.xid)";
  return control::custom_code_query("pg_catalog.age(x.row_xmin) OPERATOR(pg_catalog.<=) " + since + " OR " + since +
                                    " OPERATOR(pg_catalog.<) 0 OR x.schema OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()");
}

// In front of a census that a statement_timeout has ended, as a query of its own: merely reading the text of a long one may take
// longer. Both statements or none have an effect.
constexpr std::string_view kGuard =
    "SELECT pg_catalog.current_setting('statement_timeout'); SET statement_timeout = 0";
constexpr unsigned kMaxCensusTries = 20;

std::string census_sql(const std::set<std::string>& custom_names, const std::string& login) {
  std::string sql =
      // What SET gives these outside a block ends with its own statement, though the source goes on to say 'session'.
      "SELECT 's', name, setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'"
      " AND name OPERATOR(pg_catalog.<>) ALL ('{transaction_isolation,transaction_read_only,transaction_deferrable}'::pg_catalog.text[])"
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

// What the session or its servers are known to have, and where code of users has run, what that code may set.
std::set<std::string> Session::census_names(Link& link) const {
  std::set<std::string> names(custom_.or_default().names.begin(), custom_.or_default().names.end());
  for (const auto* known : {settings_.get(), link.server().settings.get()})
    for (const auto& [name, value] : known->values())
      if (dotted(name)) names.insert(name);
  if (link.ran_code && routing_->catalog) names.insert(routing_->catalog->custom_settings.names.begin(), routing_->catalog->custom_settings.names.end());
  return names;
}

void Session::census(Link& link) {
  context_.cells.injected_commands.add();
  std::string sql = census_sql(census_names(link), link.server().target().user);
  if (link.ran_code) {
    sql += kCensusStatements;
    const auto* catalog = routing_->catalog.get();
    const auto shard = link.shard().value;
    sql += " UNION ALL SELECT 'f', code.kind, code.text FROM (" +
           new_code(catalog && shard < catalog->code_horizon.size() ? catalog->code_horizon[shard] : std::string()) + ") code (kind, text)";
    link.unknown_settings = link.unknown_settings || (catalog && catalog->custom_settings.unknown);
  }
  link.inject(sql, [this](Link& counted, Injected& result) { on_census(counted, result); });
}

// Code that the catalog does not know yet. True: it names settings that this census has not asked for.
bool Session::read_new_code(Link& link, const Injected& result) {
  routing::CustomSettings found;
  for (const auto& row : result.rows) {
    if (row.size() != 3 || row[0] != "f" || !row[1] || !row[2]) continue;
    if (*row[1] == control::kNameOfSetting) found.add(*row[2]);
    else routing::find_custom_settings(*row[2], found);
  }
  const auto asked = census_names(link);
  bool more = false;
  for (const auto& name : found.names) more |= add_custom_name(name) && !asked.contains(name);
  link.unknown_settings = link.unknown_settings || found.unknown || !found.parameters.empty() || custom_.or_default().unknown;
  return more;
}

// True: another census has been sent, for what this one could not tell.
bool Session::census_again(Link& link, const Injected& result) {
  if (!result.error) {
    if (result.rows.size() >= Link::kMaxInjectedRows || !read_new_code(link, result)) return false;
    census(link);
    return true;
  }
  if (result.error->sqlstate == "57014" && ++link.census_tries <= kMaxCensusTries) {
    link.inject(std::string(kGuard), [this](Link& counted, Injected& guard) {
      if (guard.error && guard.error->sqlstate != "57014") return on_census(counted, guard);
      if (!guard.error && !counted.own_timeout && !guard.rows.empty()) counted.own_timeout = guard.rows[0].at(0);
      census(counted);
    });
    return true;
  }
  // Reading code beside concurrent DDL may fail ("could not open relation"): what it sets is not known, the rest is.
  if (!std::exchange(link.ran_code, false)) return false;
  link.unknown_settings = true;
  census(link);
  return true;
}

void Session::on_census(Link& link, Injected& result) {
  if (census_again(link, result)) return;
  --settling_, --link.settling;
  link.census_tries = 0;
  if (result.error || result.rows.size() >= Link::kMaxInjectedRows) {
    // Not provably clean, and what the session has set there it must not lose without a word.
    discard_link(link);
    if (!client_gone()) return fatal({"08006", "the server connection with this session's state had to be closed", result.error ? result.error->message : "", {}, {}, {}});
    return settled();
  }
  pool::Settings::Map values;
  std::string_view pinned;
  std::set<std::string> channels;
  link.temp_tables.clear();
  for (const auto& row : result.rows) {
    if (row.size() != 3 || !row[0] || !row[1]) continue;
    switch (row[0]->front()) {
      case 's':
        values[*row[1]] = row[2].value_or("");
        add_custom_name(*row[1]);  // asked for again, whoever has run
        break;
      case 't': link.temp_tables.push_back(*row[1]); pinned = "temp_tables"; break;
      case 'T': link.server().temporary_schema = true; break;
      case 'o': pinned = "temp_objects"; break;
      case 'c': pinned = "holdable_cursor"; break;
      case 'l': pinned = "advisory_lock"; break;
      case 'n': channels.insert(*row[1]); break;
      case 'p': pinned = "sql_prepare"; break;
      case 'P': forget_lost(link.server().statements, *row[1]); break;
    }
  }
  link.listening = !channels.empty() || link.mirrored;
  link.adopted = link.listening && adopts_channels(link, !pinned.empty());
  if (link.listening && !link.adopted) pinned = "listen";
  link.channels = std::move(channels);
  link.server().settings = pool::Settings::intern(values);
  if (link.own_timeout) values["statement_timeout"] = *std::exchange(link.own_timeout, std::nullopt);  // the server has 0: see kGuard
  // RESET and DISCARD bring back what the session started with; on the server that is the server's default.
  for (const auto& [name, value] : identity_.startup->values()) {
    const bool known = std::any_of(values.begin(), values.end(), [&name = name](const auto& entry) { return pool::same_setting(entry.first, name); });
    if (!known) values[name] = value;
  }
  settings_ = pool::Settings::intern(std::move(values));
  if (!client_gone() && (settings_->find("idle_session_timeout") || settings_->find("idle_in_transaction_session_timeout")))
    idle_timer_.arm(context_.worker, std::chrono::milliseconds(10));
  // Nobody can say what it would have to be given elsewhere.
  if (pinned.empty() && link.unknown_settings) pinned = "custom_setting";
  if (pinned.empty() && link.loaded) pinned = "library";  // nothing unloads one
  if (pinned.empty()) link.pin.drop();
  link.pinned = pinned;
  temp_tables_.clear();
  for (const auto& each : links_)
    if (each->open()) temp_tables_.append(each->temp_tables.begin(), each->temp_tables.end());
  for (const auto& other : links_)
    if (pinned.empty() && other->open()) pinned = other->pinned;
  pinned_ = pinned;
  settled();
}

}  // namespace pgweir::session
