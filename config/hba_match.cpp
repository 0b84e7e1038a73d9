#include <algorithm>

#include "config/hba.h"
#include "config/name_pattern.h"

namespace pgweir::config {
namespace {

bool connection_matches(const HbaLine& line, const HbaRequest& request) {
  switch (line.connection) {
    case HbaConnection::Local: return request.local;
    case HbaConnection::HostSsl: return !request.local && request.tls;
    case HbaConnection::HostNoSsl: return !request.local && !request.tls;
    case HbaConnection::HostGssEnc: return false;  // GSS encryption is refused in the startup
    case HbaConnection::Host:
    case HbaConnection::HostNoGssEnc: break;
  }
  return !request.local;
}

bool address_matches(const HbaLine& line, const HbaRequest& request) {
  if (request.local || line.from == HbaLine::From::All) return true;
  const IpAddress address = unmapped(request.address);
  if (line.from == HbaLine::From::Network) return line.network.contains(address);
  return std::any_of(request.own_networks.begin(), request.own_networks.end(), [&](const IpNetwork& own) {
    return line.from == HbaLine::From::SameHost ? own.address == address : own.contains(address);
  });
}

bool names(const HbaName& name, std::string_view wanted) {
  if (name.kind == HbaName::Kind::Pattern) return name.pattern->found_in(wanted);
  return name.kind == HbaName::Kind::Exact && name.text == wanted;
}

bool user_matches(const HbaName& name, const HbaRequest& request) {
  return name.kind == HbaName::Kind::All || names(name, request.user);
}

bool database_matches(const HbaName& name, const HbaRequest& request) {
  if (request.replication || name.kind == HbaName::Kind::Replication)
    return request.replication && name.kind == HbaName::Kind::Replication;
  if (name.kind == HbaName::Kind::SameUser) return request.user == request.database;
  return name.kind == HbaName::Kind::All || names(name, request.database);
}

}  // namespace

bool Hba::uses_own_networks() const {
  return std::any_of(lines.begin(), lines.end(), [](const HbaLine& line) {
    return line.from == HbaLine::From::SameHost || line.from == HbaLine::From::SameNet;
  });
}

const HbaLine* match_hba(const Hba& hba, const HbaRequest& request) {
  if (request.user.size() > kMaxHbaName || request.database.size() > kMaxHbaName) return nullptr;
  for (const HbaLine& line : hba.lines) {
    const auto any = [&](const std::vector<HbaName>& list, auto matches) {
      return std::any_of(list.begin(), list.end(), [&](const HbaName& name) { return matches(name, request); });
    };
    if (connection_matches(line, request) && address_matches(line, request) && any(line.users, user_matches) &&
        any(line.databases, database_matches))
      return &line;
  }
  return nullptr;
}

}  // namespace pgweir::config
