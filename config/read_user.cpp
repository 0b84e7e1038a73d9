// Users and pools.
#include "config/read.h"

namespace pgweir::config {
namespace {

constexpr unsigned kMaxPool = 100'000;

void read_override(const Section& section, PoolOverride& pool) {
  section.read("pool_mode", pool.mode);
  section.read("pool_size", pool.size, 1u, kMaxPool);
  section.read("pool_min_size", pool.min_size, 0u, kMaxPool);
  section.read("pool_reserve_size", pool.reserve_size, 0u, kMaxPool);
  section.read("max_connections", pool.max_connections, 0u, kMaxPool);
  section.read("checkout_timeout", pool.checkout_timeout);
  section.read("query_timeout", pool.query_timeout);
  section.read("idle_in_transaction_timeout", pool.idle_in_transaction_timeout);
}

}  // namespace

void read_pool(const Section& section, Pool& pool) {
  section.read("mode", pool.mode);
  section.read("size", pool.size, 1, kMaxPool);
  section.read("min_size", pool.min_size, 0, kMaxPool);
  section.read("reserve_size", pool.reserve_size, 0, kMaxPool);
  section.read("reserve_delay", pool.reserve_delay);
  section.read("max_connections", pool.max_connections, 0, kMaxPool);
  section.read("checkout_timeout", pool.checkout_timeout);
  section.read("server_connect_timeout", pool.server_connect_timeout);
  section.read("server_idle_timeout", pool.server_idle_timeout);
  section.read("server_lifetime", pool.server_lifetime);
  section.read("checkout_notice", pool.checkout_notice);
  section.read("begin_defer_max", pool.begin_defer_max);
  section.read("query_timeout", pool.query_timeout);
  section.read("transaction_timeout", pool.transaction_timeout);
  section.read("idle_in_transaction_timeout", pool.idle_in_transaction_timeout);
  section.read("client_idle_timeout", pool.client_idle_timeout);
  section.read("max_prepared_statements", pool.max_prepared_statements, 0, kMaxPool);
  section.read("max_pinned", pool.max_pinned, 0, kMaxPool);
  section.read("cancel_on_disconnect", pool.cancel_on_disconnect);
  section.read("server_round_robin", pool.server_round_robin);
}

void read_users(const ReadContext& context, Config& config) {
  for (const Node* table : tables_of(context.document.find({"user"}))) {
    const Section section(*table, "[[user]]", context.findings);
    User& user = config.users.emplace_back();
    section.require("name");
    section.read("name", user.name);
    user.password = read_password(context, section, "password");
    user.server_user = user.name;
    section.read("server_user", user.server_user);
    user.server_password =
        section.has("server_password") ? read_password(context, section, "server_password") : user.password;
    read_override(section, user.pool);
    section.read("max_client_connections", user.max_client_connections, 0, 1'000'000);
  }
}

}  // namespace pgweir::config
