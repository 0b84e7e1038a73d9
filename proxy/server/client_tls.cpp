#include "proxy/server/client_tls.h"

namespace pgweir::server {

net::Result<std::shared_ptr<const net::TlsContext>> client_tls(const config::ClientTls& settings) {
  if (settings.mode == config::TlsMode::Disable || settings.cert.empty())
    return std::shared_ptr<const net::TlsContext>{};
  net::TlsServerOptions options;
  options.cert_file = settings.cert;
  options.key_file = settings.key;
  options.ca_file = settings.ca;
  using ClientCert = net::TlsServerOptions::ClientCert;
  const bool verify = settings.mode == config::TlsMode::VerifyCa || settings.mode == config::TlsMode::VerifyFull;
  options.client_cert = verify ? ClientCert::Require : settings.ca.empty() ? ClientCert::None : ClientCert::Optional;
  return net::TlsContext::server(options);
}

}  // namespace pgweir::server
