// One table of the file, read key by key into typed members. Each read leaves the member as it is when the key is
// absent or wrong, and a wrong one is a finding at its place. Unknown keys are not its business (see unknown_keys.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "config/endpoint.h"
#include "config/names.h"
#include "config/suggest.h"

namespace pgweir::config {

class Section {
 public:
  // Borrows all three. `label` names the section in messages: "[listen]".
  Section(const Node& table, std::string label, Findings& findings)
      : table_(table), label_(std::move(label)), findings_(findings) {}

  const Node* node(std::string_view key) const;
  bool has(std::string_view key) const { return node(key) != nullptr; }
  Place place() const { return table_.place; }
  Place value_place(std::string_view key) const;  // the section's own where the key is absent
  const std::string& label() const { return label_; }
  Findings& findings() const { return findings_; }

  // False and a finding when the key is absent.
  bool require(std::string_view key, std::string_view hint = {}) const;

  void read(std::string_view key, std::string& out) const;
  void read(std::string_view key, bool& out) const;
  void read(std::string_view key, unsigned& out, unsigned low, unsigned high) const;
  void read(std::string_view key, Duration& out) const;
  void read_bytes(std::string_view key, Bytes& out, Bytes low, Bytes high) const;
  void read(std::string_view key, Endpoint& out, const EndpointRules& rules) const;
  // An array of strings, or where `or_one` a single string as well. A wrong element becomes an empty string, so that
  // positions stay those of the file.
  void read(std::string_view key, std::vector<std::string>& out, bool or_one = false) const;
  void read(std::string_view key, std::vector<Endpoint>& out, const EndpointRules& rules, bool or_one = false) const;

  template <typename Enum>
    requires std::is_enum_v<Enum>
  void read(std::string_view key, Enum& out) const {
    std::string word;
    read(key, word);
    if (word.empty()) return reject_empty(key);
    if (const auto value = from_word<Enum>(word)) {
      out = *value;
      return;
    }
    std::vector<std::string> words;
    for (const Name<Enum>& name : names<Enum>()) words.emplace_back(name.word);
    reject_word(key, word, words);
  }

  template <typename T, typename... Limits>
  void read(std::string_view key, std::optional<T>& out, Limits... limits) const {
    if (!has(key)) return;
    T value{};
    const std::size_t before = findings_.errors();
    read(key, value, limits...);
    if (findings_.errors() == before) out = value;
  }

 private:
  // The value when it has this kind; a finding when it has another; null when it is not a value of the kind.
  const Node* expect(std::string_view key, Node::Kind kind, std::string_view hint = {}) const;
  std::string named(std::string_view key) const { return "\"" + std::string(key) + "\" in " + label_; }
  void reject_empty(std::string_view key) const;
  void reject_word(std::string_view key, const std::string& word, const std::vector<std::string>& words) const;
  std::vector<const Node*> elements(std::string_view key, bool or_one) const;

  const Node& table_;
  std::string label_;
  Findings& findings_;
};

}  // namespace pgweir::config
