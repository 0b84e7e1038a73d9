// Certificates for tests, made with OpenSSL and written as PEM files into a folder of their own that goes with the
// object.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace pgweir::net {

class Certificates {
 public:
  Certificates() {
    std::string pattern = ::testing::TempDir() + "pgweir-tls-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    EVP_PKEY* ca_key = EVP_EC_gen("P-256");
    X509* ca = make("Test CA", ca_key, nullptr, ca_key, "");
    write("ca", ca, ca_key);
    issue("server", "server.test", "DNS:server.test,IP:127.0.0.1", ca, ca_key);
    issue("client", "alice", "", ca, ca_key);
    EVP_PKEY* other_key = EVP_EC_gen("P-256");
    X509* other = make("Other CA", other_key, nullptr, other_key, "");
    write("other", other, other_key);
    X509_free(ca), X509_free(other);
    EVP_PKEY_free(ca_key), EVP_PKEY_free(other_key);
  }
  ~Certificates() { std::filesystem::remove_all(folder_); }
  std::string cert(const std::string& name) const { return folder_ + "/" + name + ".crt"; }
  std::string key(const std::string& name) const { return folder_ + "/" + name + ".key"; }

 private:
  static X509* make(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key,
                    const std::string& alternatives) {
    static long serial = 1;
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    const auto* bytes = reinterpret_cast<const unsigned char*>(name.c_str());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, bytes, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer == nullptr ? subject : X509_get_subject_name(issuer));
    if (issuer == nullptr) extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
    if (!alternatives.empty()) extend(certificate, NID_subject_alt_name, alternatives.c_str());
    X509_sign(certificate, issuer_key, EVP_sha256());
    return certificate;
  }
  static void extend(X509* certificate, int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  void issue(const std::string& file, const std::string& name, const std::string& alternatives, X509* ca,
             EVP_PKEY* ca_key) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = make(name, key, ca, ca_key, alternatives);
    write(file, certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  void write(const std::string& name, X509* certificate, EVP_PKEY* private_key) {
    FILE* file = std::fopen(cert(name).c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key(name).c_str(), "w");
    PEM_write_PrivateKey(file, private_key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }
  std::string folder_;
};

inline const Certificates& certificates() {
  static const Certificates made;
  return made;
}

}  // namespace pgweir::net
