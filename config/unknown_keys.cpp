#include "config/unknown_keys.h"

#include <string>
#include <vector>

#include "config/reference.h"
#include "config/suggest.h"

namespace pgweir::config {
namespace {

std::string join(const std::string& section, std::string_view key) {
  return section.empty() ? std::string(key) : section + "." + std::string(key);
}

// A name of the reference that is a section, or only leads to sections ("tls", "cluster", "cluster.NAME.placement").
bool leads_somewhere(const std::string& name) {
  for (const SectionInfo& section : reference_sections()) {
    if (section.name == name || section.name.starts_with(name + ".")) return true;
  }
  return false;
}

// What may stand inside `section`: its keys and the next words of deeper sections.
std::vector<std::string> known_inside(const std::string& section) {
  std::vector<std::string> known;
  for (const KeyInfo& key : reference_keys()) {
    if (key.section == key_section(section)) known.emplace_back(key.key);
  }
  const std::string prefix = section.empty() ? "" : section + ".";
  for (const SectionInfo& inner : reference_sections()) {
    if (!inner.name.starts_with(prefix) || inner.name.size() == prefix.size()) continue;
    std::string_view word = inner.name.substr(prefix.size());
    word = word.substr(0, word.find('.'));
    bool listed = word == "NAME";
    for (const std::string& other : known) listed = listed || other == word;
    if (!listed) known.emplace_back(word);
  }
  return known;
}

// How the file writes the section: its header with the names that this file gives.
std::string shown(const std::string& section, const std::string& path) {
  if (path.empty()) return "the file";
  const SectionInfo* info = find_section(section);
  if (info && !info->header.starts_with('[')) return std::string(info->header);
  return info && info->repeated ? "[[" + path + "]]" : "[" + path + "]";
}

// Walks the file and the reference together: `section` is the reference's name, `path` the file's.
class KeyCheck {
 public:
  explicit KeyCheck(Findings& findings) : findings_(findings) {}

  void check_section(const std::string& section, const std::string& path, const Node& table) {
    const bool takes_names = leads_somewhere(join(section, "NAME"));
    for (const Member& member : table.members) {
      const std::string inner = join(section, takes_names ? std::string_view("NAME") : member.key);
      const bool dotted = member.key.find('.') != std::string::npos;  // "tls.client" in quotes is no path
      if (takes_names || (!dotted && leads_somewhere(inner))) {
        check_inner(inner, join(path, member.key), member);
      } else if (!find_key(section, member.key)) {
        report_unknown(section, path, member);
      }
    }
  }

 private:
  void check_inner(const std::string& section, const std::string& path, const Member& member) {
    const SectionInfo* info = find_section(section);
    const bool repeated = info && info->repeated;
    const std::string header = shown(section, path);
    if (repeated && member.value.is_array()) {
      for (const Node& item : member.value.items) {
        if (item.is_table()) {
          check_section(section, path, item);
        } else {
          findings_.error(item.place, "an element of \"" + member.key + "\" must be a table");
        }
      }
    } else if (!repeated && member.value.is_table()) {
      check_section(section, path, member.value);
    } else if (repeated) {
      findings_.error(member.place, "\"" + member.key + "\" must be a list of tables",
                      header.starts_with('[') ? "write " + header : "write [{ ... }, { ... }]");
    } else {
      findings_.error(member.place, "\"" + member.key + "\" must be a table",
                      "write " + header + " and its keys below");
    }
  }

  void report_unknown(const std::string& section, const std::string& path, const Member& member) {
    std::string hint = suggest(member.key, known_inside(section));
    // A key that stands one table too high or too low is a common slip: tell where it belongs.
    if (!hint.starts_with("did you mean")) {
      for (const KeyInfo& key : reference_keys()) {
        if (key.key != member.key) continue;
        hint = "\"" + member.key + "\" belongs in " + std::string(find_section(key.section)->header);
        break;
      }
    }
    findings_.error(member.place, "unknown key \"" + member.key + "\" in " + shown(section, path), hint);
  }

  Findings& findings_;
};

}  // namespace

void check_keys(const Document& document, Findings& findings) {
  KeyCheck(findings).check_section("", "", document.root);
}

}  // namespace pgweir::config
