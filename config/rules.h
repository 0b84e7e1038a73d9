// What must hold between the parts of a configuration: one function per rule, each reporting all it finds. A rule skips
// what an earlier finding left empty, so that one mistake is told once. Rules that only warn are in rules_risks.cpp.
#pragma once

#include "config/document.h"

namespace pgweir::config {

struct RuleContext {
  const Config& config;
  const Document& document;
  Findings& findings;
};

// All rules in order.
void check_rules(const RuleContext& context);

// rules_process.cpp
void rule_listen_addresses_differ(const RuleContext& context);
void rule_memory_holds_a_statement(const RuleContext& context);
void rule_peers_have_own_ids(const RuleContext& context);
void rule_tls_client_is_complete(const RuleContext& context);
void rule_tls_server_is_complete(const RuleContext& context);
void rule_files_are_readable(const RuleContext& context);
void rule_admin_names(const RuleContext& context);

// rules_auth.cpp
void rule_auth_is_complete(const RuleContext& context);
void rule_hba_fits_tls(const RuleContext& context);

// rules_user.cpp
void rule_user_names_differ(const RuleContext& context);
void rule_passwords_fit_the_method(const RuleContext& context);
void rule_pool_sizes(const RuleContext& context);

// rules_cluster.cpp
void rule_some_cluster(const RuleContext& context);
void rule_cluster_names(const RuleContext& context);
void rule_shards(const RuleContext& context);
void rule_servers_stand_once(const RuleContext& context);
void rule_named_shards_exist(const RuleContext& context);
void rule_recovery_login(const RuleContext& context);

// rules_placement.cpp
void rule_branches_exist(const RuleContext& context);
void rule_placements_nest(const RuleContext& context);  // no cycle, depth, one key type per level

// rules_table.cpp
void rule_tables_differ(const RuleContext& context);
void rule_table_kinds(const RuleContext& context);
void rule_table_keys(const RuleContext& context);
void rule_table_options(const RuleContext& context);
void rule_functions_differ(const RuleContext& context);

// rules_risks.cpp
void rule_risks(const RuleContext& context);

// rules_unused.cpp
void rule_settings_without_effect(const RuleContext& context);

// The key types of a placement's levels, outermost first; empty when it does not exist or runs in a cycle.
std::vector<KeyType> level_types(const Cluster& cluster, const std::string& placement);

}  // namespace pgweir::config
