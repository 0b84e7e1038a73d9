// Who may come in from where and how: the lines of a pg_hba.conf as values, and the decision over them. The format is
// PostgreSQL's ("The pg_hba.conf File"); what needs more than a file to decide (groups, host names, Kerberos, LDAP,
// user maps, ...) is refused when the file is read. Immutable once read; thread-safe to decide from any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/ip_address.h"

namespace pgweir::config {

class NamePattern;  // name_pattern.h

struct HbaName {
  enum class Kind { All, SameUser, Replication, Exact, Pattern };
  Kind kind = Kind::Exact;
  std::string text;  // Exact: the name; Pattern: the expression without its slash
  std::shared_ptr<const NamePattern> pattern;
  bool operator==(const HbaName& other) const { return kind == other.kind && text == other.text; }
};

enum class HbaConnection { Local, Host, HostSsl, HostNoSsl, HostGssEnc, HostNoGssEnc };
enum class HbaMethod { Trust, Reject, Md5, ScramSha256, Password, Cert };
// Asked of the client beside the method (option clientcert); VerifyFull: its common name is the user.
enum class HbaClientCert { None, VerifyCa, VerifyFull };

struct HbaLine {
  std::string file;  // where it stands
  unsigned line = 0;
  HbaConnection connection = HbaConnection::Host;
  std::vector<HbaName> databases, users;
  enum class From { All, SameHost, SameNet, Network } from = From::All;
  IpNetwork network;  // From::Network
  HbaMethod method = HbaMethod::Reject;
  HbaClientCert client_cert = HbaClientCert::None;
  bool operator==(const HbaLine&) const = default;
};

struct Hba {
  std::vector<HbaLine> lines;  // in order; the first that matches decides
  bool uses_own_networks() const;
  bool operator==(const Hba&) const = default;
};

struct HbaRequest {
  bool local = false;  // over a unix socket; `address` is then unused
  bool tls = false;
  bool replication = false;  // a physical one: only the keyword "replication" matches it
  IpAddress address;
  std::string_view user, database;
  std::span<const IpNetwork> own_networks;  // of this machine's interfaces; needed where uses_own_networks()
};

// Names longer than this are names of nothing in PostgreSQL; no line matches them. Bounds the work of patterns.
inline constexpr std::size_t kMaxHbaName = 63;

// The first line that matches, or null.
const HbaLine* match_hba(const Hba& hba, const HbaRequest& request);

}  // namespace pgweir::config
