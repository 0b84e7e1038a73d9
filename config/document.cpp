#include "config/document.h"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <tuple>

namespace pgweir::config {
namespace {

Place to_place(const toml::source_region& region) {
  return {static_cast<unsigned>(region.begin.line), static_cast<unsigned>(region.begin.column)};
}

template <typename Value>
std::string printed(const Value& value) {
  std::ostringstream out;
  out << value.get();
  std::string text = out.str();
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text;
}

Node to_node(const toml::node& source);

void fill_table(const toml::table& source, Node& node) {
  for (const auto& [key, value] : source) {
    node.members.push_back({std::string(key.str()), to_place(key.source()), to_node(value)});
  }
  // toml++ keeps its tables sorted by key; readers of messages want the file's order.
  std::stable_sort(node.members.begin(), node.members.end(), [](const Member& a, const Member& b) {
    return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
  });
}

Node to_node(const toml::node& source) {
  Node node;
  node.place = to_place(source.source());
  if (const auto* table = source.as_table()) {
    node.kind = Node::Kind::Table;
    fill_table(*table, node);
  } else if (const auto* array = source.as_array()) {
    node.kind = Node::Kind::Array;
    for (const toml::node& item : *array) node.items.push_back(to_node(item));
  } else if (const auto* text = source.as_string()) {
    node.kind = Node::Kind::String;
    node.text = text->get();
  } else if (const auto* integer = source.as_integer()) {
    node.kind = Node::Kind::Integer;
    node.integer = integer->get();
  } else if (const auto* boolean = source.as_boolean()) {
    node.kind = Node::Kind::Boolean;
    node.boolean = boolean->get();
  } else if (source.is_floating_point()) {
    node.kind = Node::Kind::Float;
  } else {
    node.kind = Node::Kind::DateTime;
    if (const auto* date = source.as_date()) node.text = printed(*date);
    if (const auto* time = source.as_time()) node.text = printed(*time);
    if (const auto* moment = source.as_date_time()) node.text = printed(*moment);
  }
  return node;
}

const Node* step_into(const Node& node, const Step& step) {
  if (step.is_index) return node.is_array() && step.index < node.items.size() ? &node.items[step.index] : nullptr;
  const Member* member = node.find(step.key);
  return member ? &member->value : nullptr;
}

}  // namespace

const Member* Node::find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member;
  }
  return nullptr;
}

std::string_view kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::Boolean: return "a boolean";
    case Node::Kind::Integer: return "an integer";
    case Node::Kind::Float: return "a fraction";
    case Node::Kind::String: return "a string";
    case Node::Kind::DateTime: return "a date or time";
    case Node::Kind::Array: return "an array";
    case Node::Kind::Table: return "a table";
  }
  return "?";
}

const Node* Document::find(std::initializer_list<Step> path) const {
  const Node* node = &root;
  for (const Step& step : path) {
    node = step_into(*node, step);
    if (!node) return nullptr;
  }
  return node;
}

Place Document::value_place(std::initializer_list<Step> path) const {
  const Node* node = &root;
  for (const Step& step : path) {
    const Node* next = step_into(*node, step);
    if (!next) break;
    node = next;
  }
  return node->place;
}

Place Document::key_place(std::initializer_list<Step> path) const {
  const Node* node = &root;
  Place place = root.place;
  for (const Step& step : path) {
    const Node* next = step_into(*node, step);
    if (!next) break;
    const Member* member = step.is_index ? nullptr : node->find(step.key);
    place = member ? member->place : next->place;
    node = next;
  }
  return place;
}

bool parse_document(std::string_view text, Document& document, Findings& findings) {
  try {
    const toml::table table = toml::parse(text, std::string_view(findings.file()));
    document.root = to_node(table);
    return true;
  } catch (const toml::parse_error& error) {
    findings.error(to_place(error.source()), "TOML syntax: " + std::string(error.description()));
  }
  return false;
}

}  // namespace pgweir::config
