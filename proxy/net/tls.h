// TLS settings shared by many streams, and what is known about an established TLS connection. OpenSSL underneath; TLS
// 1.2 or newer; no renegotiation, no compression, no session tickets. A TlsContext is immutable: use it from any
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proxy/net/error.h"

struct ssl_ctx_st;
struct ssl_st;

namespace pgweir::net {

struct TlsServerOptions {
  std::string cert_file, key_file;  // PEM; the certificate file may hold a chain
  std::string ca_file;              // PEM; asks clients for a certificate when set
  enum class ClientCert { None, Optional, Require } client_cert = ClientCert::None;  // a certificate given must verify
};

struct TlsClientOptions {
  enum class Verify { None, Ca, Full } verify = Verify::None;  // Full also compares the host name or address
  std::string ca_file;              // PEM; needed for Ca and Full, the system's store when empty
  std::string cert_file, key_file;  // PEM; a client certificate, may be empty
};

class TlsContext {
 public:
  // Reads the files now; errors name the file. ALPN "postgresql" is offered and, on the server, demanded of a client
  // that uses ALPN at all.
  static Result<std::shared_ptr<const TlsContext>> server(const TlsServerOptions& options);
  static Result<std::shared_ptr<const TlsContext>> client(const TlsClientOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  bool is_server() const { return server_; }
  bool verifies_host() const { return verifies_host_; }
  ssl_ctx_st* native() const { return context_; }

 private:
  TlsContext(ssl_ctx_st* context, bool server, bool verifies_host)
      : context_(context), server_(server), verifies_host_(verifies_host) {}
  ssl_ctx_st* context_;
  bool server_, verifies_host_;
};

struct TlsInfo {
  std::string version;       // "TLSv1.3"
  std::string cipher;        // "TLS_AES_256_GCM_SHA384"
  int bits = 0;              // of the cipher's key
  std::string alpn;          // "" or "postgresql"
  // common name of the peer's verified certificate; "" when none or when it has an embedded zero
  std::string peer_cn;
  std::string peer_subject;  // whole subject, RFC 2253; "" when none
  // RFC 5929 tls-server-end-point: the hash of the server's certificate (own on the server side, the peer's on the
  // client side). Empty when the certificate's signature algorithm has no hash of its own.
  std::string server_end_point;
};

TlsInfo describe_tls(const ssl_st* ssl, bool server_side);

}  // namespace pgweir::net
