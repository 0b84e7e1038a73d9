// docs/configuration.md against the reference table, and the reference table against what the loader does.
#include <map>

#include "config/describe.h"
#include "config/reference.h"
#include "config_support.h"
#include "docs_support.h"

namespace pgweir::config {
namespace {

TEST(ConfigurationPage, HoldsTheTableOfEverySection) {
  const std::string page = documentation();
  for (const SectionInfo& section : reference_sections()) {
    if (!section.keys_of.empty()) continue;
    const std::string expected =
        "<!-- keys: " + std::string(section.name) + " -->\n" + reference_markdown(section.name) + "\n";
    EXPECT_NE(page.find(expected), std::string::npos) << "docs/configuration.md must hold:\n" << expected;
  }
}

TEST(ConfigurationPage, HasAHeadingAndAnExampleForEverySection) {
  const std::string page = documentation();
  for (const SectionInfo& section : reference_sections()) {
    if (section.header.starts_with("[")) {
      EXPECT_NE(page.find("\n## " + std::string(section.header) + "\n"), std::string::npos) << section.header;
    }
  }
}

TEST(ConfigurationPage, ExamplesHaveNoUnknownKeysAndNoSyntaxErrors) {
  const std::vector<std::string> examples = documented_examples();
  ASSERT_GE(examples.size(), 18u);
  for (const std::string& example : examples) {
    for (const std::string& finding : findings_of(example)) {
      EXPECT_EQ(finding.find("unknown key"), std::string::npos) << finding << "\n" << example;
      EXPECT_EQ(finding.find("TOML"), std::string::npos) << finding << "\n" << example;
      // Parts of a file lack clusters, shards and files, but their values are right.
      EXPECT_EQ(finding.find("must be"), std::string::npos) << finding << "\n" << example;
      EXPECT_EQ(finding.find(" key: "), std::string::npos) << finding << "\n" << example;
    }
  }
}

TEST(Reference, HasKeysForEverySectionAndSectionsForEveryKey) {
  for (const SectionInfo& section : reference_sections()) {
    EXPECT_EQ(find_section(section.name), &section) << section.name << " stands twice";
    EXPECT_NE(reference_markdown(key_section(section.name)).find("| `"), std::string::npos) << section.name;
  }
  for (const KeyInfo& key : reference_keys()) {
    EXPECT_NE(find_section(key.section), nullptr) << key.section;
    EXPECT_EQ(find_key(key.section, key.key), &key) << key.section << "." << key.key << " stands twice";
    EXPECT_FALSE(key.type.empty());
    EXPECT_FALSE(key.description.empty());
  }
}

// Every default that the reference names is the one an almost empty file gets.
TEST(Reference, NamesTheDefaultsOfTheLoader) {
  const LoadResult result = load_text(kBase, "test.toml");
  ASSERT_TRUE(result.config) << all_of(result);
  std::map<std::string, std::string> settings;
  for (const Setting& setting : describe(*result.config)) settings[setting.key] = setting.value;
  const std::map<std::string, std::string> places = {{"user", "user.app"}, {"cluster.NAME", "cluster.c"},
                                                     {"cluster.NAME.shard", "cluster.c.shard.a"}};
  unsigned compared = 0;
  for (const KeyInfo& key : reference_keys()) {
    std::string section(key.section);
    if (const auto place = places.find(section); place != places.end()) section = place->second;
    const auto setting = settings.find(section + "." + std::string(key.key));
    if (setting == settings.end() || key.default_value.empty() || key.default_value == "required") continue;
    EXPECT_EQ(setting->second, key.default_value == "[]" ? "" : key.default_value) << setting->first;
    ++compared;
  }
  EXPECT_GT(compared, 30u);
}

}  // namespace
}  // namespace pgweir::config
