#include "config/section.h"

#include "config/units.h"

namespace pgweir::config {

const Node* Section::node(std::string_view key) const {
  const Member* member = table_.find(key);
  return member ? &member->value : nullptr;
}

Place Section::value_place(std::string_view key) const {
  const Node* value = node(key);
  return value ? value->place : table_.place;
}

bool Section::require(std::string_view key, std::string_view hint) const {
  if (has(key)) return true;
  // A section that is no table in the file has no place: unknown_keys.h tells.
  if (place().line == 0) return false;
  findings_.error(place(), named(key) + " is missing", std::string(hint));
  return false;
}

const Node* Section::expect(std::string_view key, Node::Kind kind, std::string_view hint) const {
  const Node* value = node(key);
  if (!value || value->kind == kind) return value;
  findings_.error(value->place, named(key) + " must be " + std::string(kind_name(kind)) + ", not " +
                                    std::string(kind_name(value->kind)),
                  std::string(hint));
  return nullptr;
}

void Section::reject_empty(std::string_view key) const {
  const Node* value = node(key);
  if (value && value->is_string()) findings_.error(value->place, named(key) + " is empty");
}

void Section::reject_word(std::string_view key, const std::string& word, const std::vector<std::string>& words) const {
  findings_.error(value_place(key), named(key) + " cannot be \"" + word + "\"", suggest(word, words));
}

void Section::read(std::string_view key, std::string& out) const {
  if (const Node* value = expect(key, Node::Kind::String)) out = value->text;
}

void Section::read(std::string_view key, bool& out) const {
  if (const Node* value = expect(key, Node::Kind::Boolean, "write true or false without quotes")) out = value->boolean;
}

void Section::read(std::string_view key, unsigned& out, unsigned low, unsigned high) const {
  const Node* value = expect(key, Node::Kind::Integer, "write the number without quotes");
  if (!value) return;
  if (value->integer < static_cast<std::int64_t>(low) || value->integer > static_cast<std::int64_t>(high)) {
    findings_.error(value->place, named(key) + " must be from " + std::to_string(low) + " to " + std::to_string(high) +
                                      ", not " + std::to_string(value->integer));
    return;
  }
  out = static_cast<unsigned>(value->integer);
}

void Section::read(std::string_view key, Duration& out) const {
  constexpr std::string_view kHint = "a duration is a string with a unit: \"500ms\", \"30s\", \"5m\", \"1h\", \"1d\"";
  const Node* value = expect(key, Node::Kind::String, kHint);
  if (!value) return;
  if (const auto duration = parse_duration(value->text)) {
    out = *duration;
  } else {
    findings_.error(value->place, named(key) + ": \"" + value->text + "\" is not a duration", std::string(kHint));
  }
}

void Section::read_bytes(std::string_view key, Bytes& out, Bytes low, Bytes high) const {
  constexpr std::string_view kHint = "a size is a string with a unit: \"512B\", \"16KiB\", \"64MiB\", \"1GiB\"";
  const Node* value = expect(key, Node::Kind::String, kHint);
  if (!value) return;
  const auto bytes = parse_bytes(value->text);
  if (!bytes) {
    findings_.error(value->place, named(key) + ": \"" + value->text + "\" is not a size", std::string(kHint));
  } else if (*bytes < low || *bytes > high) {
    findings_.error(value->place, named(key) + " must be from " + format_bytes(low) + " to " + format_bytes(high));
  } else {
    out = *bytes;
  }
}

void Section::read(std::string_view key, Endpoint& out, const EndpointRules& rules) const {
  const Node* value = expect(key, Node::Kind::String, "an address is a string: \"127.0.0.1:5432\"");
  if (!value) return;
  Endpoint endpoint;
  if (const std::string problem = parse_endpoint(value->text, rules, endpoint); !problem.empty()) {
    findings_.error(value->place, named(key) + ": \"" + value->text + "\": " + problem,
                    "\"host:port\", \"[v6]:port\" or \"unix:/directory:port\"");
    return;
  }
  out = endpoint;
}

std::vector<const Node*> Section::elements(std::string_view key, bool or_one) const {
  const Node* value = node(key);
  if (value && or_one && value->is_string()) return {value};
  std::vector<const Node*> found;
  value = expect(key, Node::Kind::Array, "write a list of strings: [\"a\", \"b\"]");
  if (!value) return found;
  for (const Node& item : value->items) {
    if (!item.is_string()) {
      findings_.error(item.place, "an element of " + named(key) + " must be a string, not " +
                                      std::string(kind_name(item.kind)));
    }
    found.push_back(&item);
  }
  return found;
}

void Section::read(std::string_view key, std::vector<std::string>& out, bool or_one) const {
  if (!has(key)) return;
  out.clear();
  for (const Node* item : elements(key, or_one)) out.push_back(item->is_string() ? item->text : std::string());
}

void Section::read(std::string_view key, std::vector<Endpoint>& out, const EndpointRules& rules, bool or_one) const {
  if (!has(key)) return;
  out.clear();
  for (const Node* item : elements(key, or_one)) {
    Endpoint endpoint;
    const std::string problem = item->is_string() ? parse_endpoint(item->text, rules, endpoint) : std::string();
    if (!problem.empty()) {
      findings_.error(item->place, named(key) + ": \"" + item->text + "\": " + problem,
                      "\"host:port\", \"[v6]:port\" or \"unix:/directory:port\"");
      endpoint = {};
    }
    out.push_back(endpoint);
  }
}

}  // namespace pgweir::config
