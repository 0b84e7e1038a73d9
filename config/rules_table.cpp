#include <algorithm>
#include <set>

#include "config/identifier.h"
#include "config/names.h"
#include "config/rules.h"
#include "config/suggest.h"

namespace pgweir::config {
namespace {

// One table entry with what its rules need.
struct Entry {
  const RuleContext& context;
  const Cluster& cluster;
  const Table& table;
  std::size_t index;

  bool has(const char* key) const { return find(key) != nullptr; }
  const Node* find(const char* key) const {
    return context.document.find({"cluster", cluster.name, "table", index, key});
  }
  // The key's value, or the table's header where the key is absent.
  Place place(const char* key) const {
    return context.document.value_place({"cluster", cluster.name, "table", index, key});
  }
  std::string name() const {
    return table.name.empty() ? "this table" : "the table " + format_identifier(table.schema, table.name);
  }
  // A kind that could not be read judges nothing.
  bool kind_known() const {
    const Node* kind = find("kind");
    return !kind || (kind->is_string() && from_word<TableKind>(kind->text).has_value());
  }
  void error(const char* key, std::string message, std::string hint = {}) const {
    context.findings.error(place(key), std::move(message), std::move(hint));
  }
};

void for_each_table(const RuleContext& context, void (*check)(const Entry&)) {
  for (const Cluster& cluster : context.config.clusters) {
    for (std::size_t i = 0; i < cluster.tables.size(); ++i) {
      const Node* node = context.document.find({"cluster", cluster.name, "table", i});
      if (node && node->is_table()) check(Entry{context, cluster, cluster.tables[i], i});
    }
  }
}

void refuse_keys(const Entry& entry, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!entry.has(key)) continue;
    entry.error(key, "\"" + std::string(key) + "\" means nothing for a " + std::string(to_word(entry.table.kind)) +
                         " table");
  }
}

void require_key(const Entry& entry, const char* key) {
  if (entry.has(key)) return;
  entry.error(key, entry.name() + " is " + std::string(to_word(entry.table.kind)) + " and needs \"" + key + "\"");
}

template <typename Item>
std::vector<std::string> names_of(const std::vector<Item>& items) {
  std::vector<std::string> names;
  for (const Item& item : items) names.push_back(item.name);
  return names;
}

void require_known(const Entry& entry, const char* key, const std::string& value,
                   const std::vector<std::string>& names) {
  const Node* node = entry.find(key);
  if (!node || !node->is_string() || std::find(names.begin(), names.end(), value) != names.end()) return;
  entry.error(key, "the cluster \"" + entry.cluster.name + "\" has no " + key + " \"" + value + "\"",
              suggest(value, names));
}

void check_kind(const Entry& entry) {
  if (!entry.kind_known()) return;
  switch (entry.table.kind) {
    case TableKind::Sharded:
      require_key(entry, "placement");
      require_key(entry, "key");
      refuse_keys(entry, {"shard"});
      return require_known(entry, "placement", entry.table.placement, names_of(entry.cluster.placements));
    case TableKind::Reference: return refuse_keys(entry, {"placement", "key", "shard"});
    case TableKind::Local:
      require_key(entry, "shard");
      refuse_keys(entry, {"placement", "key"});
      return require_known(entry, "shard", entry.table.shard, names_of(entry.cluster.shards));
  }
}

void check_key(const Entry& entry) {
  const Node* key = entry.find("key");
  if (!key || !key->is_array() || !entry.kind_known() || entry.table.kind != TableKind::Sharded) return;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < entry.table.key.size(); ++i) {
    const std::string& column = entry.table.key[i];
    if (column.empty() || seen.insert(column).second) continue;
    entry.context.findings.error(key->items[i].place, "the key column \"" + column + "\" stands twice");
  }
  const std::size_t levels = level_types(entry.cluster, entry.table.placement).size();
  if (levels == 0 || levels == entry.table.key.size()) return;
  entry.error("key",
              entry.name() + " has " + std::to_string(entry.table.key.size()) + " key column(s), but the placement \"" +
                  entry.table.placement + "\" has " + std::to_string(levels) + " level(s)",
              "name one column for each level, outermost first");
}

void check_options(const Entry& entry) {
  const auto only = [&](const char* key, const std::string& word) {
    const Node* node = entry.find(key);
    if (!node || !node->is_string() || node->text == word) return;
    entry.error(key, "\"" + std::string(key) + "\" can only be \"" + word + "\"", "leave it out otherwise");
  };
  only("triggers", "shard");
  only("ids", "unique_id");
  if (entry.kind_known() && entry.table.kind != TableKind::Sharded) refuse_keys(entry, {"local_constraints", "ids"});
}

// `Item` has schema and name; `section` is its array in the file.
template <typename Item>
void check_names_differ(const RuleContext& context, const Cluster& cluster, const std::vector<Item>& items,
                        const char* section) {
  std::set<std::pair<std::string, std::string>> seen;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].name.empty() || seen.emplace(items[i].schema, items[i].name).second) continue;
    context.findings.error(context.document.value_place({"cluster", cluster.name, section, i, "name"}),
                           "the " + std::string(section) + " " + format_identifier(items[i].schema, items[i].name) +
                               " stands twice");
  }
}

}  // namespace

void rule_tables_differ(const RuleContext& context) {
  for (const Cluster& cluster : context.config.clusters) check_names_differ(context, cluster, cluster.tables, "table");
}

void rule_functions_differ(const RuleContext& context) {
  for (const Cluster& cluster : context.config.clusters) {
    check_names_differ(context, cluster, cluster.functions, "function");
  }
}

void rule_table_kinds(const RuleContext& context) { for_each_table(context, check_kind); }
void rule_table_keys(const RuleContext& context) { for_each_table(context, check_key); }
void rule_table_options(const RuleContext& context) { for_each_table(context, check_options); }

}  // namespace pgweir::config
