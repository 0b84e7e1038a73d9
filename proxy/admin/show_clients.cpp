// SHOW CLIENTS: a row for each authenticated client of a cluster, with PgBouncer's columns where the data exist, and
// the worker, the reason of a pin, and the attached server ("eu1/primary") in link.
#include <ctime>

#include "proxy/admin/command.h"

namespace pgweir::admin {
namespace {

using runtime::ClientInfo;

std::string connect_time(std::int64_t seconds_ago) {
  const std::time_t when = std::time(nullptr) - static_cast<std::time_t>(seconds_ago);
  std::tm parts{};
  char text[40];
  if (::gmtime_r(&when, &parts) == nullptr) return {};
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts));
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

Table clients_table(const std::vector<ClientInfo>& clients) {
  Table table{{{"type"}, {"user"}, {"database"}, {"state"}, {"addr"}, {"port", ColumnType::Int4}, {"connect_time"},
               {"link"}, {"tls"}, {"application_name"}, {"id", ColumnType::Int8}, {"worker", ColumnType::Int4},
               {"servers", ColumnType::Int4}, {"pinned"}}};
  for (const ClientInfo& client : clients) {
    Address address = split_address(client.address);
    table.add("C", client.user, client.database, client.state, address.host, address.port,
              connect_time(client.connected_seconds), client.server, client.tls ? "yes" : "", client.application_name,
              client.id, client.worker, client.servers, client.pinned);
  }
  return table;
}

}  // namespace

void show_clients(const Invocation& invocation, Done done) {
  collect_clients(invocation, [done = std::move(done)](const auto& clients) { done(clients_table(clients)); });
}

}  // namespace pgweir::admin
