// How a client has to prove who it is, before anything is asked of it: by [auth], the lines of hba_file and the mode of
// [tls.client].
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "protocol/auth/client_authenticator.h"
#include "protocol/result.h"
#include "proxy/net/endpoint.h"
#include "proxy/net/tls.h"

namespace pgweir::session {

struct Newcomer {
  net::SocketAddress peer;
  std::string user, database;
  std::optional<net::TlsInfo> tls;  // absent without TLS
  bool replication = false;         // a physical one: `replication` of an hba_file means it
};

// The method, or the refusal (28000) in PostgreSQL's words. Thread-safe.
protocol::Result<protocol::AuthMethod> admit(const config::Config& config, const Newcomer& client);

}  // namespace pgweir::session
