#include "config/rules.h"

namespace pgweir::config {

void check_rules(const RuleContext& context) {
  using Rule = void (*)(const RuleContext&);
  constexpr Rule kRules[] = {
      rule_listen_addresses_differ, rule_memory_holds_a_statement, rule_peers_have_own_ids,
      rule_tls_client_is_complete,  rule_tls_server_is_complete,   rule_files_are_readable,
      rule_auth_is_complete,        rule_hba_fits_tls,             rule_admin_names,              rule_user_names_differ,
      rule_passwords_fit_the_method, rule_pool_sizes,              rule_some_cluster,
      rule_cluster_names,           rule_shards,                   rule_servers_stand_once,
      rule_named_shards_exist,      rule_recovery_login,           rule_branches_exist,
      rule_placements_nest,         rule_tables_differ,            rule_table_kinds,
      rule_table_keys,              rule_table_options,            rule_functions_differ,
      rule_risks,                   rule_settings_without_effect};
  for (const Rule rule : kRules) rule(context);
}

}  // namespace pgweir::config
