#include "proxy/admin/socket_table.h"

#include <algorithm>
#include <ctime>

namespace pgweir::admin {
namespace {

using pool::ServerFacts;
using runtime::ClientInfo;
using std::chrono::steady_clock;

constexpr ColumnType kInt4 = ColumnType::Int4;
constexpr ColumnType kInt8 = ColumnType::Int8;

std::string time_text(std::time_t when) {
  std::tm parts{};
  char text[40];
  if (::gmtime_r(&when, &parts) == nullptr) return {};
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts));
}

std::string time_text(steady_clock::time_point when) {
  if (when == steady_clock::time_point()) return {};
  const auto ago = std::chrono::duration_cast<std::chrono::seconds>(steady_clock::now() - when).count();
  return time_text(std::time(nullptr) - static_cast<std::time_t>(ago));
}

struct Address { std::string host; Value port; };

// "127.0.0.1:4711", "[::1]:4711"; anything else (a unix socket) has no port.
Address split_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size() ||
      text.find_first_not_of("0123456789", colon + 1) != std::string::npos)
    return {text, std::nullopt};
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {std::move(host), text.substr(colon + 1)};
}

std::string pointer(char kind, std::uint64_t id) { return id == 0 ? std::string() : kind + std::to_string(id); }

std::vector<Column> columns(bool buffers) {
  std::vector<Column> all{{"type"}, {"user"}, {"database"}, {"replication"}, {"state"}, {"addr"}, {"port", kInt4},
                          {"local_addr"}, {"local_port", kInt4}, {"connect_time"}, {"request_time"}, {"wait", kInt4},
                          {"wait_us", kInt4}, {"close_needed", kInt4}, {"ptr"}, {"link"}, {"remote_pid", kInt4}, {"tls"},
                          {"application_name"}, {"prepared_statements", kInt4}, {"id", kInt8}};
  if (buffers)
    for (const char* name : {"recv_pos", "pkt_pos", "pkt_remain", "send_pos", "send_remain", "pkt_avail", "send_avail"})
      all.push_back({name, kInt4});
  return all;
}

void add_buffers(std::vector<Value>& row, bool buffers) {
  for (int i = 0; buffers && i < 7; ++i) row.push_back(cell(0));
}

std::vector<Value> client_row(const ClientInfo& client, const std::string& prefix) {
  Address address = split_address(client.address);
  const auto micros = client.waited.count();
  return {cell("C"), cell(client.user), cell(client.database), cell(client.replication), cell(prefix + client.state),
          address.host, address.port, cell(""), cell(0),
          cell(time_text(std::time(nullptr) - static_cast<std::time_t>(client.connected_seconds))), cell(""),
          cell(micros / 1'000'000), cell(micros % 1'000'000), cell(0), cell(pointer('C', client.id)),
          cell(pointer('S', client.server_id)), cell(0), cell(client.tls ? "yes" : ""), cell(client.application_name),
          cell(client.prepared_statements), cell(client.id)};
}

const char* state_name(ServerFacts::State state) {
  switch (state) {
    case ServerFacts::State::Login: return "new";
    case ServerFacts::State::Idle: return "idle";
    default: return "active";
  }
}

std::vector<Value> server_row(const metrics::PoolView& pool, const pool::ServerRow& server, std::span<const ClientInfo> clients,
                              const std::string& prefix) {
  const auto linked = std::ranges::find(clients, server.id, &ClientInfo::server_id);
  const bool has_client = linked != clients.end();
  const config::Endpoint& endpoint = server.target->endpoint;
  std::string state = state_name(server.state);
  if (!prefix.empty() && state == "new") state = "login";
  return {cell("S"), cell(pool.user), cell(pool.cluster), cell(has_client ? linked->replication : "none"),
          cell(prefix + state), cell(endpoint.host), cell(endpoint.port), cell(""), cell(0),
          cell(time_text(server.connected_at)), cell(time_text(server.leased_at)), cell(0), cell(0),
          cell(server.close_needed ? 1 : 0), cell(pointer('S', server.id)),
          cell(has_client ? pointer('C', linked->id) : std::string()), cell(server.backend_pid), cell(""),
          cell(has_client ? linked->application_name : std::string()), cell(server.statements), cell(server.id)};
}

}  // namespace

Table clients_table(std::span<const ClientInfo> clients) {
  Table table{columns(false)};
  for (const Column& own : {Column{"worker", kInt4}, Column{"servers", kInt4}, Column{"server"}, Column{"pinned"}})
    table.columns.push_back(own);
  for (const ClientInfo& client : clients) {
    auto row = client_row(client, "");
    for (const Value& own : {cell(client.worker), cell(client.servers), cell(client.server), cell(client.pinned)})
      row.push_back(own);
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table servers_table(std::span<const metrics::PoolView> pools, std::span<const ClientInfo> clients) {
  Table table{columns(false)};
  for (const Column& own : {Column{"shard"}, Column{"role"}, Column{"server"}, Column{"server_user"}, Column{"listening"}})
    table.columns.push_back(own);
  for (const metrics::PoolView& pool : pools)
    for (const pool::ServerRow& server : pool.servers) {
      auto row = server_row(pool, server, clients, "");
      for (const Value& own : {cell(pool.shard), cell(pool.role()), cell(server.target->label), cell(server.target->user),
                               cell(server.state == ServerFacts::State::Listening ? "yes" : "no")})
        row.push_back(own);
      table.rows.push_back(std::move(row));
    }
  return table;
}

Table sockets_table(std::span<const metrics::PoolView> pools, std::span<const ClientInfo> clients, bool active) {
  Table table{columns(true)};
  for (const ClientInfo& client : clients) {
    if (active && client.state == "idle") continue;
    add_buffers(table.rows.emplace_back(client_row(client, "cl_")), true);
  }
  for (const metrics::PoolView& pool : pools)
    for (const pool::ServerRow& server : pool.servers) {
      if (active && server.state == ServerFacts::State::Idle) continue;
      add_buffers(table.rows.emplace_back(server_row(pool, server, clients, "sv_")), true);
    }
  return table;
}

}  // namespace pgweir::admin
