#include "config/reference.h"

namespace pgweir::config {

const SectionInfo* find_section(std::string_view name) {
  for (const SectionInfo& section : reference_sections()) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

std::string_view key_section(std::string_view section) {
  const SectionInfo* info = find_section(section);
  return info && !info->keys_of.empty() ? info->keys_of : section;
}

const KeyInfo* find_key(std::string_view section, std::string_view key) {
  section = key_section(section);
  for (const KeyInfo& info : reference_keys()) {
    if (info.section == section && info.key == key) return &info;
  }
  return nullptr;
}

std::string reference_markdown(std::string_view section) {
  std::string text = "| key | type | default | meaning |\n|---|---|---|---|\n";
  for (const KeyInfo& info : reference_keys()) {
    if (info.section != section) continue;
    text += "| `" + std::string(info.key) + "` | " + std::string(info.type) + " | ";
    if (info.default_value == "required") {
      text += "required";
    } else if (!info.default_value.empty()) {
      text += "`" + std::string(info.default_value) + "`";
    }
    text += " | " + std::string(info.description) + " |\n";
  }
  return text;
}

}  // namespace pgweir::config
