// From the located tree to the typed one, section by section. What a value alone can show to be wrong is found here;
// what needs the rest of the configuration is found by the rules (rules.h). Vectors made from arrays of tables keep
// one element per table, also for a wrong one, so that positions are those of the file.
#pragma once

#include <filesystem>
#include <vector>

#include "config/section.h"

namespace pgweir::config {

struct ReadContext {
  const Document& document;
  std::filesystem::path folder;  // relative paths start here
  Findings& findings;
};

// Everything; calls the others.
void read_config(const ReadContext& context, Config& config);

void read_listen(const ReadContext& context, Config& config);  // and the peers
void read_tls(const ReadContext& context, Config& config);
void read_services(const ReadContext& context, Config& config);  // admin, metrics, log
void read_auth(const ReadContext& context, Config& config);
void read_users(const ReadContext& context, Config& config);
void read_pool(const Section& section, Pool& pool);
void read_clusters(const ReadContext& context, Config& config);  // after pool and users
void read_placement(const Section& section, Placement& placement);
void read_table(const Section& section, Table& table);
void read_function(const Section& section, Function& function);

// A shard's name, { shard = "..." } or { placement = "..." }; both members empty for anything else.
Branch branch_from(const Node& node);

// An empty table where there is none (or where it is no table: unknown_keys.h reports that).
const Node& table_or_empty(const Node* node);
// One element per element of the array; empty tables for those that are none.
std::vector<const Node*> tables_of(const Node* node);

// `out` stays as it is when the key is absent; a relative name is resolved. The file is not opened.
void read_file_name(const ReadContext& context, const Section& section, std::string_view key, std::string& out);
Secret read_password(const ReadContext& context, const Section& section, std::string_view key);
// A unix socket's relative directory becomes absolute, and its path must fit the kernel's limit.
void resolve_socket(const ReadContext& context, Place place, Endpoint& endpoint);
void read_server_address(const ReadContext& context, const Section& section, std::string_view key, Endpoint& out);

}  // namespace pgweir::config
