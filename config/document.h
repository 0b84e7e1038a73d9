// A TOML text as a tree in which every key and value knows its place. toml++ stays behind document.cpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "config/findings.h"

namespace pgweir::config {

struct Member;

struct Node {
  enum class Kind { Boolean, Integer, Float, String, DateTime, Array, Table };
  Kind kind = Kind::Table;
  Place place;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text;             // String; DateTime: its ISO form ("2025-01-01", "2025-01-01 10:00:00+00:00")
  std::vector<Node> items;      // Array
  std::vector<Member> members;  // Table, in the order of the file

  bool is_table() const { return kind == Kind::Table; }
  bool is_array() const { return kind == Kind::Array; }
  bool is_string() const { return kind == Kind::String; }
  // Null when there is none, or when this is no table.
  const Member* find(std::string_view key) const;
};

struct Member {
  std::string key;
  Place place;  // of the key
  Node value;
};

// "a string", "an array", ...: for messages.
std::string_view kind_name(Node::Kind kind);

// One step of a path: a key of a table, or a 0-based position in an array. Borrows the key's characters.
struct Step {
  Step(const char* step_key) : key(step_key) {}
  Step(std::string_view step_key) : key(step_key) {}
  Step(const std::string& step_key) : key(step_key) {}
  Step(std::size_t step_index) : index(step_index), is_index(true) {}
  std::string_view key;
  std::size_t index = 0;
  bool is_index = false;
};

struct Document {
  Node root;

  // Where the path's value stands; where it does not exist, where its nearest existing parent stands.
  Place value_place(std::initializer_list<Step> path) const;
  // The same for the last step's key instead of its value.
  Place key_place(std::initializer_list<Step> path) const;
  // Null when the path does not exist.
  const Node* find(std::initializer_list<Step> path) const;
};

// Parses; a syntax error becomes one finding and gives false.
[[nodiscard]] bool parse_document(std::string_view text, Document& document, Findings& findings);

}  // namespace pgweir::config
