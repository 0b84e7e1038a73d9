// Channel binding data for SCRAM-SHA-256-PLUS.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgweir::protocol {

// tls-server-end-point (RFC 5929, 4.1): the hash of the server's certificate (DER) by its signature's own hash
// function, where MD5 and SHA-1 are replaced by SHA-256. Empty when the certificate does not parse or its signature has
// no hash (Ed25519): then SCRAM-SHA-256-PLUS cannot be offered.
[[nodiscard]] std::optional<std::string> tls_server_end_point(std::string_view certificate_der);

}  // namespace pgweir::protocol
