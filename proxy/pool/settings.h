// The settings a session has changed: name -> value as a server printed it, interned so that equal maps are one object
// and comparing two sessions costs one pointer comparison. Immutable; thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace pgweir::pool {

class Settings {
 public:
  using Map = std::map<std::string, std::string>;

  // The one object for `values`; takes a process-wide lock (changing settings is rare, comparing them is not).
  static std::shared_ptr<const Settings> intern(Map values);
  static const std::shared_ptr<const Settings>& empty();

  const Map& values() const { return values_; }
  // Value or nullptr; names are compared as stored (lower case, as PostgreSQL prints them).
  const std::string* find(std::string_view name) const;
  // Stable within the process: stands for the parse environment in server-side statement names. Settings that cannot
  // change how a statement is parsed or planned into other results (application_name, timeouts, ...) do not count.
  std::uint64_t parse_environment() const { return parse_environment_; }

 private:
  explicit Settings(Map values);
  Map values_;
  std::uint64_t parse_environment_ = 0;
};

using SettingsPtr = std::shared_ptr<const Settings>;

// One SQL text that turns a session whose settings are `have` into one whose settings are `want`; empty when equal.
// Role and session authorization are reset first and set last, because other settings may need the login role's rights. It is
// to be sent as one Query, whose transaction it needs, and can end with 57014 only where `have` has a statement_timeout.
std::string settings_difference_sql(const Settings& have, const Settings& want);

// Names of settings are compared without regard to the case of ASCII letters.
bool same_setting(std::string_view a, std::string_view b);

// 'text' with quotes and backslashes made safe under either value of standard_conforming_strings.
std::string quote_literal(std::string_view text);
// "name" with quotes doubled.
std::string quote_identifier(std::string_view name);

}  // namespace pgweir::pool
