// The startup packet's parameters, and the switches in `options`.
#include <algorithm>
#include <optional>

#include "protocol/byte_io.h"
#include "protocol/startup.h"

namespace pgweir::protocol {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

SqlError syntax_error(std::string message, std::string hint = {}) {
  return SqlError{"42601", std::move(message), {}, std::move(hint), {}, {}};
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && is_space(text[at])) ++at;
    if (at == text.size()) return words;
    std::string& word = words.emplace_back();
    for (; at < text.size() && !is_space(text[at]); ++at) {
      if (text[at] == '\\' && ++at == text.size()) break;
      word.push_back(text[at]);
    }
  }
}

// "name=value"; nullopt without a value.
std::optional<std::pair<std::string, std::string>> split_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  std::string name(word.substr(0, equals));
  std::replace(name.begin(), name.end(), '-', '_');
  return std::pair{std::move(name), std::string(word.substr(equals + 1))};
}

// The switches without a value that stand for a setting, as postgres(1) describes them.
const char* flag_setting(char letter) {
  switch (letter) {
    case 'F': return "fsync=false";
    case 'O': return "allow_system_table_mods=true";
    case 'P': return "ignore_system_indexes=true";
    case 'e': return "datestyle=euro";
    case 's': return "log_statement_stats=true";
    default: return nullptr;
  }
}

// PostgreSQL's parse_bool: a case-insensitive prefix of a word that is not ambiguous.
std::optional<bool> parse_bool(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto prefix_of = [&lower](std::string_view word, std::size_t least) {
    return lower.size() >= least && word.starts_with(lower);
  };
  if (prefix_of("true", 1) || prefix_of("yes", 1) || prefix_of("on", 2) || lower == "1") return true;
  if (prefix_of("false", 1) || prefix_of("no", 1) || prefix_of("off", 2) || lower == "0") return false;
  return std::nullopt;
}

std::optional<SqlError> read_replication(std::string_view value, Replication& replication) {
  if (value == "database") {
    replication = Replication::Database;
    return std::nullopt;
  }
  const auto on = parse_bool(value);
  if (!on)
    return SqlError{"22023", "invalid value for parameter \"replication\": \"" + std::string(value) + "\"", {},
                    "Valid values are: \"false\", 0, \"true\", 1, \"database\".", {}, {}};
  replication = *on ? Replication::Physical : Replication::None;
  return std::nullopt;
}

void negotiate_version(std::uint32_t requested, StartupRequest& request) {
  request.requested_version = requested;
  // 3.1 is reserved and was never spoken; above 3.2 we speak 3.2.
  request.version = requested >= kProtocol32 ? kProtocol32 : kProtocol30;
  request.negotiate = request.version != requested;
}

}  // namespace

Result<Settings> parse_startup_options(std::string_view options) {
  Settings settings;
  const std::vector<std::string> words = split_words(options);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool is_long = word.size() > 2 && word.starts_with("--");
    const bool has_value = word.starts_with("-c") || word.starts_with("-S");
    if (!is_long && !has_value) {
      const char* setting = word.size() == 2 && word[0] == '-' ? flag_setting(word[1]) : nullptr;
      if (setting == nullptr)
        return syntax_error("invalid command-line argument for server process: " + word,
                            "Try \"postgres --help\" for more information.");
      settings.push_back(*split_assignment(setting));
      continue;
    }
    std::string value = word.substr(2);
    if (!is_long && value.empty()) {
      if (++i == words.size())
        return syntax_error("invalid command-line argument for server process: " + word,
                            "Try \"postgres --help\" for more information.");
      value = words[i];
    }
    if (word.starts_with("-S")) value = "work_mem=" + value;
    auto assignment = split_assignment(value);
    if (!assignment) return syntax_error((is_long ? "--" : "-c ") + value + " requires a value");
    settings.push_back(std::move(*assignment));
  }
  return settings;
}

Result<StartupRequest> decode_startup_packet(std::uint32_t version, std::string_view body) {
  const SqlError layout{"08P01", "invalid startup packet layout: expected terminator as last byte", {}, {}, {}, {}};
  StartupRequest request;
  negotiate_version(version, request);
  Settings from_options, parameters;
  ByteReader reader(body);
  while (true) {
    const std::string_view name = reader.cstring();
    if (!reader.ok()) return layout;
    if (name.empty()) break;
    const std::string_view value = reader.cstring();
    if (!reader.ok()) return layout;
    if (name == "user") {
      request.user = value;
    } else if (name == "database") {
      request.database = value;
    } else if (name == "options") {
      auto parsed = parse_startup_options(value);
      if (!parsed) return parsed.error();
      from_options = std::move(*parsed);
    } else if (name == "replication") {
      if (auto error = read_replication(value, request.replication)) return *error;
    } else if (name.starts_with("_pq_.")) {
      request.unknown_protocol_options.emplace_back(name);
    } else {
      parameters.emplace_back(name, value);
    }
  }
  if (!reader.done()) return layout;
  if (request.user.empty())
    return SqlError{"28000", "no PostgreSQL user name specified in startup packet", {}, {}, {}, {}};
  if (request.database.empty()) request.database = request.user;
  request.settings = std::move(from_options);
  std::move(parameters.begin(), parameters.end(), std::back_inserter(request.settings));
  request.negotiate = request.negotiate || !request.unknown_protocol_options.empty();
  return request;
}

}  // namespace pgweir::protocol
