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
    if (key.section == section) known.emplace_back(key.key);
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

std::string shown(const std::string& section) {
  const SectionInfo* info = find_section(section);
  if (section.empty()) return "the file";
  return info ? std::string(info->header) : "[" + section + "]";
}

void report_unknown(const std::string& section, const Member& member, Findings& findings) {
  std::string hint = suggest(member.key, known_inside(section));
  // A key that stands one table too high or too low is a common slip: tell where it belongs.
  if (!hint.starts_with("did you mean")) {
    for (const KeyInfo& key : reference_keys()) {
      if (key.key != member.key) continue;
      hint = "\"" + member.key + "\" belongs in " + shown(std::string(key.section));
      break;
    }
  }
  findings.error(member.place, "unknown key \"" + member.key + "\" in " + shown(section), hint);
}

void check_section(const std::string& section, const Node& table, Findings& findings);

void check_inner(const std::string& section, const Member& member, bool named, Findings& findings) {
  const SectionInfo* info = find_section(section);
  const bool repeated = info && info->repeated;
  const Node& value = member.value;
  if (repeated && value.is_array()) {
    for (const Node& item : value.items) {
      if (item.is_table()) {
        check_section(section, item, findings);
      } else {
        findings.error(item.place, "an element of \"" + member.key + "\" must be a table");
      }
    }
  } else if (!repeated && value.is_table()) {
    check_section(section, value, findings);
  } else if (repeated) {
    findings.error(member.place, "\"" + member.key + "\" must be a list of tables",
                   "write " + std::string(info->header));
  } else {
    const std::string what = named ? "\"" + member.key + "\" must be a table" : shown(section) + " must be a table";
    findings.error(member.place, what, "write " + shown(section) + " and its keys below it");
  }
}

void check_section(const std::string& section, const Node& table, Findings& findings) {
  const bool takes_names = leads_somewhere(join(section, "NAME"));
  for (const Member& member : table.members) {
    const std::string inner = join(section, member.key);
    const bool dotted = member.key.find('.') != std::string::npos;  // "tls.client" in quotes is no path
    if (takes_names) {
      check_inner(join(section, "NAME"), member, true, findings);
    } else if (!dotted && leads_somewhere(inner)) {
      check_inner(inner, member, false, findings);
    } else if (!find_key(section, member.key)) {
      report_unknown(section, member, findings);
    }
  }
}

}  // namespace

void check_keys(const Document& document, Findings& findings) { check_section("", document.root, findings); }

}  // namespace pgweir::config
