// The TLS settings that applications meet, from [tls.client].
#pragma once

#include <memory>

#include "config/config.h"
#include "proxy/net/tls.h"

namespace pgweir::server {

// Reads the files now. Null: TLS is off (mode "disable", or no certificate is configured). Any thread.
net::Result<std::shared_ptr<const net::TlsContext>> client_tls(const config::ClientTls& settings);

}  // namespace pgweir::server
