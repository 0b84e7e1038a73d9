#include "proxy/pool/settings.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <unordered_map>

namespace pgweir::pool {
namespace {

// Settings that leave parsing and planning alone: a statement prepared under one value gives the same results under another.
constexpr std::array<std::string_view, 12> kHarmless = {
    "application_name", "client_connection_check_interval", "deadlock_timeout", "idle_in_transaction_session_timeout",
    "idle_session_timeout", "lock_timeout", "log_duration", "log_min_duration_statement", "log_statement",
    "statement_timeout", "tcp_user_timeout", "client_min_messages"};

bool harmless(std::string_view name) {
  for (auto known : kHarmless)
    if (known == name) return true;
  return false;
}

constexpr std::string_view kTimeout = "statement_timeout";

bool is_role(std::string_view name) { return name == "role" || name == "session_authorization"; }

struct InternTable {
  std::mutex mutex;
  std::map<Settings::Map, std::weak_ptr<const Settings>> entries;
  std::size_t sweep_at = 1024;
};

InternTable& table() {
  static InternTable instance;
  return instance;
}

// What is beyond ASCII stands in the client's encoding, which the server has not got yet when it reads the text, and in which
// a character may end in a byte that is a backslash elsewhere (SJIS, BIG5, GBK, ...): it is told in hexadecimal digits.
std::string value_sql(const std::string& value) {
  if (std::none_of(value.begin(), value.end(), [](char c) { return (c & 0x80) != 0; })) return quote_literal(value);
  std::string sql = "pg_catalog.convert_from(pg_catalog.decode('";
  for (const char c : value)
    for (const int digit : {(c >> 4) & 15, c & 15}) sql += "0123456789abcdef"[digit];
  return sql + "', 'hex'), pg_catalog.current_setting('client_encoding'))";
}

void append_set(std::string& sql, const std::string& name, const std::string& value) {
  sql += "SELECT pg_catalog.set_config(" + quote_literal(name) + ", " + value_sql(value) + ", false);";
}

void append_reset(std::string& sql, const std::string& name) {
  // A dotted name is a custom setting and must be quoted part by part.
  std::string quoted;
  std::size_t start = 0;
  while (true) {
    const auto dot = name.find('.', start);
    quoted += quote_identifier(std::string_view(name).substr(start, dot == std::string::npos ? dot : dot - start));
    if (dot == std::string::npos) break;
    quoted += '.';
    start = dot + 1;
  }
  sql += "RESET " + quoted + ";";
}

}  // namespace

Settings::Settings(Map values) : values_(std::move(values)) {
  // FNV-1a, 64 bit (http://www.isthe.com/chongo/tech/comp/fnv/): only has to tell environments of one process apart.
  std::uint64_t hash = 14695981039346656037ULL;
  auto mix = [&hash](std::string_view text) {
    for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ULL;
    hash = (hash ^ 0xff) * 1099511628211ULL;
  };
  bool any = false;
  for (const auto& [name, value] : values_) {
    if (harmless(name)) continue;
    mix(name);
    mix(value);
    any = true;
  }
  parse_environment_ = any ? hash : 0;
}

SettingsPtr Settings::intern(Map values) {
  auto& t = table();
  const std::lock_guard lock(t.mutex);
  auto& slot = t.entries[values];
  if (auto existing = slot.lock()) return existing;
  SettingsPtr made(new Settings(std::move(values)));
  slot = made;
  if (t.entries.size() > t.sweep_at) {
    std::erase_if(t.entries, [](const auto& entry) { return entry.second.expired(); });
    t.sweep_at = t.entries.size() * 2 + 1024;
  }
  return made;
}

const SettingsPtr& Settings::empty() {
  static const SettingsPtr none = intern({});
  return none;
}

const std::string* Settings::find(std::string_view name) const {
  auto i = values_.find(std::string(name));
  return i == values_.end() ? nullptr : &i->second;
}

std::string settings_difference_sql(const Settings& have, const Settings& want) {
  std::string sql;
  if (&have == &want) return sql;
  const bool role_differs = [&] {
    for (auto name : {"role", "session_authorization"}) {
      const auto* a = have.find(name);
      const auto* b = want.find(name);
      if ((a ? *a : "") != (b ? *b : "")) return true;
    }
    return false;
  }();
  const bool had_role = have.find("role") || have.find("session_authorization");
  const bool touch_role = had_role || role_differs;
  // What the client before left must not end this; what the next one wants is set when nothing of this comes behind it.
  if (const auto* timeout = have.find(kTimeout); timeout && *timeout != "0") sql += "SET LOCAL statement_timeout = 0;";
  if (had_role) sql += "RESET SESSION AUTHORIZATION;RESET ROLE;";
  for (const auto& [name, value] : have.values())
    if (!is_role(name) && !want.find(name)) append_reset(sql, name);
  const auto* encoding = want.find("client_encoding");
  if (encoding && (!have.find("client_encoding") || *have.find("client_encoding") != *encoding)) append_set(sql, "client_encoding", *encoding);
  for (const auto& [name, value] : want.values()) {
    if (is_role(name) || name == "client_encoding" || name == kTimeout) continue;
    const auto* old = have.find(name);
    if (!old || *old != value) append_set(sql, name, value);
  }
  if (touch_role) {
    if (const auto* authorization = want.find("session_authorization")) append_set(sql, "session_authorization", *authorization);
    if (const auto* role = want.find("role")) append_set(sql, "role", *role);
  }
  const auto* before = have.find(kTimeout);
  if (const auto* timeout = want.find(kTimeout); timeout && (!before || *before != *timeout)) append_set(sql, std::string(kTimeout), *timeout);
  return sql;
}

bool same_setting(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string quote_literal(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 3);
  if (text.find('\\') != std::string_view::npos) out += " E";
  out += '\'';
  for (char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  out += '\'';
  return out;
}

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out += '"';
}

}  // namespace pgweir::pool
