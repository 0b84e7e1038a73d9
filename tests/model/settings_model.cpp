#include "tests/model/settings_model.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace pgweir::model {
namespace {

struct Known {
  const char* name;
  const char* value;
  bool milliseconds;
};
constexpr std::array<Known, 7> kKnown = {{{"application_name", "", false},
                                          {"DateStyle", "ISO, MDY", false},
                                          {"IntervalStyle", "postgres", false},
                                          {"lock_timeout", "0", true},
                                          {"statement_timeout", "0", true},
                                          {"TimeZone", "UTC", false},
                                          {"search_path", "\"$user\", public", false}}};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

const Known* find(std::string_view name) {
  const auto found =
      std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& known) { return lower(known.name) == lower(name); });
  return found == kKnown.end() ? nullptr : &*found;
}

ModelError invalid(std::string_view name, std::string_view value) {
  return {"22023", "invalid value for parameter \"" + std::string(name) + "\": \"" + std::string(value) + "\""};
}

// DateStyle is printed as "style, order" whatever was written.
std::optional<std::string> date_style(const std::string& now, std::string_view value) {
  std::string style = now.substr(0, now.find(',')), order = now.substr(now.find(',') + 2);
  for (std::size_t at = 0; at < value.size();) {
    const auto comma = std::min(value.find(',', at), value.size());
    std::string word(value.substr(at, comma - at));
    while (!word.empty() && word.front() == ' ') word.erase(0, 1);
    if (word == "ISO" || word == "SQL" || word == "German")
      style = word;
    else if (word == "DMY" || word == "MDY" || word == "YMD")
      order = word;
    else
      return std::nullopt;
    at = comma + 1;
  }
  return style + ", " + order;
}

}  // namespace

const std::vector<std::string>& SettingsModel::reported() {
  static const std::vector<std::string> names = {"application_name", "DateStyle", "IntervalStyle", "TimeZone"};
  return names;
}

const char* SettingsModel::canonical(std::string_view name) {
  const Known* known = find(name);
  return known == nullptr ? nullptr : known->name;
}

std::string SettingsModel::setting(const std::string& name) const {
  if (const auto local = local_.find(name); local != local_.end()) return local->second;
  if (const auto session = session_.find(name); session != session_.end()) return session->second;
  return find(name)->value;
}

std::optional<ModelError> SettingsModel::set(std::string_view name, std::string_view value, bool local) {
  const Known* known = find(name);
  if (known == nullptr)
    return ModelError{"42704", "unrecognized configuration parameter \"" + std::string(name) + "\""};
  std::string stored(value);
  if (known->milliseconds) {
    const auto digits = std::min(stored.find_first_not_of("0123456789"), stored.size());
    const std::string unit = stored.substr(digits);
    if (digits == 0 || digits > 6 || (!unit.empty() && unit != "ms" && unit != "s")) return invalid(known->name, value);
    stored = std::to_string(std::stoul(stored.substr(0, digits)) * (unit == "s" ? 1000 : 1));
  } else if (known->name == std::string_view("DateStyle")) {
    const auto style = date_style(setting("DateStyle"), value);
    if (!style) return invalid(known->name, value);
    stored = *style;
  } else if (known->name == std::string_view("IntervalStyle") && value != "postgres" && value != "iso_8601") {
    return invalid(known->name, value);
  }
  if (local) {
    local_[known->name] = stored;
  } else {
    session_[known->name] = stored;
    local_.erase(known->name);
  }
  return std::nullopt;
}

std::string SettingsModel::show(std::string_view name) const {
  const Known* known = find(name);
  const std::string value = setting(known->name);
  if (!known->milliseconds || value == "0") return value;
  const bool seconds = value.size() > 3 && value.ends_with("000");
  return seconds ? value.substr(0, value.size() - 3) + "s" : value + "ms";
}

std::map<std::string, std::string> SettingsModel::from_session() const {
  Map out = session_;
  for (const auto& [name, value] : local_) out[name] = value;
  return out;
}

}  // namespace pgweir::model
