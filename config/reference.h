// The one list of every section and key of the configuration file. Unknown keys are found with it, and the tables of
// docs/configuration.md are its text (a unit test compares them), so that neither can drift from the loader.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pgweir::config {

struct SectionInfo {
  std::string_view name;    // "listen", "cluster.NAME.shard"; NAME stands for a name that the user chooses
  std::string_view header;  // as written in the file: "[listen]", "[[cluster.NAME.shard]]", "an element of ranges"
  bool repeated = false;    // an array of tables
  std::string_view keys_of = {};  // takes the keys of this other section and has none of its own
};

struct KeyInfo {
  std::string_view section;      // SectionInfo::name
  std::string_view key;
  std::string_view type;         // "integer 1-1000", "duration", "disable | allow | ...": for people
  std::string_view default_value;  // "" : none; "required"; else as it would stand in the file
  std::string_view description;  // one line of Markdown
};

std::span<const SectionInfo> reference_sections();
std::span<const KeyInfo> reference_keys();  // grouped by section, in the order of reference_sections()

// Null when there is none. find_key follows keys_of.
const SectionInfo* find_section(std::string_view name);
const KeyInfo* find_key(std::string_view section, std::string_view key);

// The section whose keys stand in `section`: itself but for keys_of.
std::string_view key_section(std::string_view section);

// The Markdown table of a section's own keys as docs/configuration.md shows it, ending in a newline.
std::string reference_markdown(std::string_view section);

}  // namespace pgweir::config
