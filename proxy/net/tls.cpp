#include "proxy/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <cstring>
#include <utility>

#include "proxy/net/tls_errors.h"

namespace pgweir::net {
namespace {

// The length-prefixed list of ALPN protocols; PostgreSQL registered this name (documentation, 55.2.11).
constexpr std::array<unsigned char, 11> kAlpn{10, 'p', 'o', 's', 't', 'g', 'r', 'e', 's', 'q', 'l'};

struct ContextDelete { void operator()(SSL_CTX* context) const { SSL_CTX_free(context); } };
using ContextPtr = std::unique_ptr<SSL_CTX, ContextDelete>;

StreamError tls_error(const std::string& what) { return {StreamError::Kind::Tls, 0, what + openssl_errors()}; }

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in, unsigned in_length,
                void*) {
  unsigned char* selected = nullptr;
  const int result = SSL_select_next_proto(&selected, out_length, kAlpn.data(), kAlpn.size(), in, in_length);
  *out = selected;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

ContextPtr make_context(const SSL_METHOD* method) {
  ERR_clear_error();
  ContextPtr context(SSL_CTX_new(method));
  if (context == nullptr) return context;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

// Empty text: done.
std::string load_certificate(SSL_CTX* context, const std::string& cert_file, const std::string& key_file) {
  if (SSL_CTX_use_certificate_chain_file(context, cert_file.c_str()) != 1) {
    return "cannot load certificate " + cert_file;
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return "cannot load private key " + key_file;
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return "private key " + key_file + " does not fit certificate " + cert_file;
  }
  return {};
}

std::string subject_text(X509* certificate) {
  std::unique_ptr<BIO, int (*)(BIO*)> memory(BIO_new(BIO_s_mem()), &BIO_free);
  X509_NAME_print_ex(memory.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string common_name(X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(const_cast<X509_NAME*>(subject), NID_commonName, -1);
  if (at < 0) return {};
  const ASN1_STRING* data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, data);
  if (size < 0) return {};
  std::string name(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  if (name.find('\0') != std::string::npos) return {};  // CVE-2009-4034
  return name;
}

// RFC 5929, 4.1: the hash of the signature algorithm, SHA-256 in place of MD5 and SHA-1.
std::string end_point_hash(const X509* certificate) {
  int digest_nid = NID_undef;
  if (X509_get_signature_info(const_cast<X509*>(certificate), &digest_nid, nullptr, nullptr, nullptr) != 1) return {};
  if (digest_nid == NID_md5 || digest_nid == NID_sha1) digest_nid = NID_sha256;
  const EVP_MD* digest = EVP_get_digestbynid(digest_nid);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  if (digest == nullptr || X509_digest(certificate, digest, hash.data(), &size) != 1) return {};
  return {reinterpret_cast<char*>(hash.data()), size};
}

}  // namespace

std::string openssl_errors() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    std::array<char, 256> line{};
    const char* reason = ERR_reason_error_string(code);
    if (reason == nullptr) {
      ERR_error_string_n(code, line.data(), line.size());
      reason = line.data();
    }
    text += text.empty() ? ": " : "; ";
    text += reason;
  }
  return text;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsServerOptions& options) {
  ContextPtr context = make_context(TLS_server_method());
  if (context == nullptr) return tls_error("cannot create a TLS context");
  if (auto problem = load_certificate(context.get(), options.cert_file, options.key_file); !problem.empty()) {
    return tls_error(problem);
  }
  SSL_CTX_set_alpn_select_cb(context.get(), &select_alpn, nullptr);
  if (options.client_cert != TlsServerOptions::ClientCert::None) {
    if (SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) != 1) {
      return tls_error("cannot load CA certificates " + options.ca_file);
    }
    SSL_CTX_set_client_CA_list(context.get(), SSL_load_client_CA_file(options.ca_file.c_str()));
    const bool require = options.client_cert == TlsServerOptions::ClientCert::Require;
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | (require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(context.release(), true, false));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsClientOptions& options) {
  ContextPtr context = make_context(TLS_client_method());
  if (context == nullptr) return tls_error("cannot create a TLS context");
  if (!options.cert_file.empty()) {
    if (auto problem = load_certificate(context.get(), options.cert_file, options.key_file); !problem.empty()) {
      return tls_error(problem);
    }
  }
  SSL_CTX_set_alpn_protos(context.get(), kAlpn.data(), kAlpn.size());
  if (options.verify != TlsClientOptions::Verify::None) {
    const bool loaded = options.ca_file.empty()
                            ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                            : SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) == 1;
    if (!loaded) return tls_error("cannot load CA certificates " + options.ca_file);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  const bool full = options.verify == TlsClientOptions::Verify::Full;
  return std::shared_ptr<const TlsContext>(new TlsContext(context.release(), false, full));
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

TlsInfo describe_tls(const ssl_st* ssl, bool server_side) {
  TlsInfo info;
  info.version = SSL_get_version(ssl);
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl)) {
    info.cipher = SSL_CIPHER_get_name(cipher);
    info.bits = SSL_CIPHER_get_bits(cipher, nullptr);
  }
  const unsigned char* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
  if (alpn_size > 0) info.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
  X509* peer = SSL_get0_peer_certificate(ssl);
  if (peer != nullptr) {
    info.peer_subject = subject_text(peer);
    if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK) {
      info.peer_cn = common_name(peer);
    }
  }
  const X509* servers = server_side ? SSL_get_certificate(ssl) : peer;
  if (servers != nullptr) info.server_end_point = end_point_hash(servers);
  return info;
}

}  // namespace pgweir::net
