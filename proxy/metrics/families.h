// The one list of the families that the exporter serves: an entry here is a promise to dashboards. Samples name their
// family by FamilyId, so that names cannot drift. The text format is Prometheus's exposition format 0.0.4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pgweir::metrics {

enum class FamilyId : std::uint8_t {
  Info, Uptime, Clients, ClientsTotal, LoginsFailed, Servers, PoolSize, PoolWaiting, PoolOldestWait, CheckoutWait,
  Queries, Transactions, Bytes, Errors, Migrations, ServerConnects, ServerConnectFailures, HandOffs, StatementsPrepared,
  Distributed, Cancels, InjectedCommands, PinnedTotal, Pinned, PinsRefused, ServerAfterTransaction, SessionServers, BufferBytes,
  BufferLimit, MemoryRefusals, Listening, ListeningLost,
  Notifications, ClusterAssignments, ClusterTransactions, ClusterQueries, ClusterBytes, ClusterTransactionSeconds,
  ClusterQuerySeconds, ClusterWaitSeconds, ClusterClientParses, ClusterServerParses, ClusterBinds, ClusterErrors, EndpointUp, ResidentMemory, OpenFds, CpuSeconds, kCount
};
inline constexpr std::size_t kFamilyCount = static_cast<std::size_t>(FamilyId::kCount);

enum class FamilyType : std::uint8_t { Counter, Gauge, Histogram };

struct Family {
  FamilyId id;
  FamilyType type;
  std::string_view name, help;
};

// Labels "pool": cluster, shard, role (primary, replica), endpoint (host:port), user (the client's login name).
inline constexpr std::array<Family, kFamilyCount> kFamilies = {{
    {FamilyId::Info, FamilyType::Gauge, "pgweir_info", "Always 1; the label version tells what runs."},
    {FamilyId::Uptime, FamilyType::Gauge, "pgweir_uptime_seconds", "Seconds since the proxy started."},
    {FamilyId::Clients, FamilyType::Gauge, "pgweir_clients",
     "Client connections by state: login (not authenticated yet), waiting (for a server connection), connected (all "
     "others)."},
    {FamilyId::ClientsTotal, FamilyType::Counter, "pgweir_clients_total", "Client connections accepted."},
    {FamilyId::LoginsFailed, FamilyType::Counter, "pgweir_logins_failed_total", "Client logins that failed."},
    {FamilyId::Servers, FamilyType::Gauge, "pgweir_servers",
     "Server connections by pool and state: active (leased or on the way to a client), idle, connecting."},
    {FamilyId::PoolSize, FamilyType::Gauge, "pgweir_pool_size", "Configured size of a pool."},
    {FamilyId::PoolWaiting, FamilyType::Gauge, "pgweir_pool_waiting", "Clients waiting for a connection of a pool."},
    {FamilyId::PoolOldestWait, FamilyType::Gauge, "pgweir_pool_oldest_wait_seconds",
     "How long the first in a pool's queue has waited."},
    {FamilyId::CheckoutWait, FamilyType::Histogram, "pgweir_checkout_wait_seconds",
     "Time from the request for server connections until they were there."},
    {FamilyId::Queries, FamilyType::Counter, "pgweir_queries_total", "Statements by kind of route."},
    {FamilyId::Transactions, FamilyType::Counter, "pgweir_transactions_total",
     "Transactions ended, statements outside transaction blocks included."},
    {FamilyId::Bytes, FamilyType::Counter, "pgweir_bytes_total",
     "Protocol bytes by side (client, server) and direction (received, sent), without TLS."},
    {FamilyId::Errors, FamilyType::Counter, "pgweir_errors_total", "Errors sent to clients by SQLSTATE class."},
    {FamilyId::Migrations, FamilyType::Counter, "pgweir_migrations_total",
     "Server connections that moved to another worker, by pool."},
    {FamilyId::ServerConnects, FamilyType::Counter, "pgweir_server_connects_total",
     "Server connections opened, by pool."},
    {FamilyId::ServerConnectFailures, FamilyType::Counter, "pgweir_server_connect_failures_total",
     "Server connections that could not be opened, by pool."},
    {FamilyId::HandOffs, FamilyType::Counter, "pgweir_hand_offs_total",
     "Freed server connections that went straight to a waiting client, by pool."},
    {FamilyId::StatementsPrepared, FamilyType::Counter, "pgweir_statements_prepared_total",
     "Named statements that clients prepared."},
    {FamilyId::Distributed, FamilyType::Counter, "pgweir_distributed_total",
     "Transactions on several shards by outcome (committed, aborted)."},
    {FamilyId::Cancels, FamilyType::Counter, "pgweir_cancels_total",
     "Cancel requests by step (received from clients, forwarded to servers)."},
    {FamilyId::InjectedCommands, FamilyType::Counter, "pgweir_injected_commands_total",
     "Commands of the proxy's own on server connections (settings, preparing, cleaning)."},
    {FamilyId::PinnedTotal, FamilyType::Counter, "pgweir_pinned_total",
     "Server connections that were kept for a client beyond a transaction, by pool and reason."},
    {FamilyId::Pinned, FamilyType::Gauge, "pgweir_pinned",
     "Server connections kept for a client, or that a running statement may make so, by pool and reason."},
    {FamilyId::PinsRefused, FamilyType::Counter, "pgweir_pins_refused_total",
     "Statements refused (53300) because pool.max_pinned connections were kept, by pool."},
    {FamilyId::ServerAfterTransaction, FamilyType::Counter, "pgweir_server_after_transaction_total",
     "Transactions that had servers, by what became of these at their end (released, kept)."},
    {FamilyId::SessionServers, FamilyType::Histogram, "pgweir_session_servers",
     "How many different server connections clients have run on, at their end; counted up to 32."},
    {FamilyId::BufferBytes, FamilyType::Gauge, "pgweir_buffer_bytes",
     "Memory in buffers that counts against listen.memory_budget."},
    {FamilyId::BufferLimit, FamilyType::Gauge, "pgweir_buffer_limit_bytes", "listen.memory_budget."},
    {FamilyId::MemoryRefusals, FamilyType::Counter, "pgweir_memory_refusals_total",
     "Requests refused (53200) because the memory budget was exhausted."},
    {FamilyId::Listening, FamilyType::Gauge, "pgweir_listening_connections",
     "Server connections that listen for the clients of a pool."},
    {FamilyId::ListeningLost, FamilyType::Counter, "pgweir_listening_connections_lost_total",
     "Listening connections that were lost; their clients were disconnected."},
    {FamilyId::Notifications, FamilyType::Counter, "pgweir_notifications_total", "Notifications sent to clients."},
    {FamilyId::ClusterAssignments, FamilyType::Counter, "pgweir_cluster_server_assignments_total",
     "Requests for server connections that were served, by cluster."},
    {FamilyId::ClusterTransactions, FamilyType::Counter, "pgweir_cluster_transactions_total", "Transactions ended, by cluster."},
    {FamilyId::ClusterQueries, FamilyType::Counter, "pgweir_cluster_queries_total", "Statements, by cluster."},
    {FamilyId::ClusterBytes, FamilyType::Counter, "pgweir_cluster_bytes_total",
     "Protocol bytes of clients by cluster and direction (received, sent), without TLS."},
    {FamilyId::ClusterTransactionSeconds, FamilyType::Counter, "pgweir_cluster_transaction_seconds_total",
     "Time in transactions, by cluster."},
    {FamilyId::ClusterQuerySeconds, FamilyType::Counter, "pgweir_cluster_query_seconds_total",
     "Time from a request to its last answer, by cluster."},
    {FamilyId::ClusterWaitSeconds, FamilyType::Counter, "pgweir_cluster_wait_seconds_total",
     "Time that clients waited for server connections, by cluster."},
    {FamilyId::ClusterClientParses, FamilyType::Counter, "pgweir_cluster_client_parses_total",
     "Statements that clients prepared, by cluster."},
    {FamilyId::ClusterServerParses, FamilyType::Counter, "pgweir_cluster_server_parses_total",
     "Statements prepared on servers, by cluster."},
    {FamilyId::ClusterBinds, FamilyType::Counter, "pgweir_cluster_binds_total", "Bind messages of clients, by cluster."},
    {FamilyId::ClusterErrors, FamilyType::Counter, "pgweir_cluster_errors_total", "Errors sent to clients, by cluster."},
    {FamilyId::EndpointUp, FamilyType::Gauge, "pgweir_endpoint_up",
     "1 when the server answers in the role it is configured for, else 0."},
    {FamilyId::ResidentMemory, FamilyType::Gauge, "process_resident_memory_bytes", "Resident memory in bytes."},
    {FamilyId::OpenFds, FamilyType::Gauge, "process_open_fds", "Open file descriptors."},
    {FamilyId::CpuSeconds, FamilyType::Counter, "process_cpu_seconds_total", "User and system CPU time in seconds."},
}};

constexpr const Family& family(FamilyId id) { return kFamilies[static_cast<std::size_t>(id)]; }

namespace detail {
constexpr bool families_in_order() {
  for (std::size_t i = 0; i < kFamilyCount; ++i) {
    if (static_cast<std::size_t>(kFamilies[i].id) != i) return false;
  }
  return true;
}
static_assert(families_in_order(), "kFamilies must follow FamilyId");
}  // namespace detail

}  // namespace pgweir::metrics
