#include "routing/plan/refusal.h"
#include "routing/plan/router.h"
#include "routing/plan/temp_names.h"

namespace pgweir::routing {

Result<std::shared_ptr<const ClusterRouting>> ClusterRouting::make(std::shared_ptr<const config::Config> config,
                                                                   const config::Cluster& cluster,
                                                                   std::shared_ptr<const Catalog> catalog,
                                                                   std::uint64_t version) {
  auto routing = std::make_shared<ClusterRouting>();
  routing->config = std::move(config);
  routing->cluster = &cluster;
  routing->catalog = catalog ? std::move(catalog) : std::make_shared<const Catalog>();
  routing->version = version;
  routing->plain = cluster.shards.size() == 1 && cluster.tables.empty();
  std::unordered_map<std::string, std::shared_ptr<const Placement>> placements;
  for (const config::Table& table : cluster.tables) {
    TableEntry entry{&table, nullptr};
    if (table.kind == config::TableKind::Sharded) {
      auto& placement = placements[table.placement];
      if (!placement) {
        auto compiled = Placement::compile(cluster, table.placement);
        if (!compiled.ok()) return compiled.error();
        placement = std::move(*compiled);
      }
      if (placement->levels() != table.key.size()) {
        return refuse(reason::kKeyType,
                      "table " + table.schema + "." + table.name + " names " + std::to_string(table.key.size()) +
                          " key columns, its placement " + table.placement + " has " +
                          std::to_string(placement->levels()) + " levels",
                      "Name one column per level, outermost first.", "F0000");
      }
      entry.placement = placement;
    }
    routing->tables.emplace(table.schema + "." + table.name, std::move(entry));
  }
  routing->names_beyond_home = pgweir::routing::names_beyond_home(cluster, *routing->catalog);
  return std::shared_ptr<const ClusterRouting>(std::move(routing));
}

}  // namespace pgweir::routing
