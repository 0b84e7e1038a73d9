#include "config/hba_read.h"

#include <charconv>
#include <optional>

#include "config/hba_tokens.h"
#include "config/name_pattern.h"
#include "config/names.h"
#include "config/suggest.h"

namespace pgweir::config {
namespace {

constexpr Name<HbaConnection> kConnections[] = {
    {"local", HbaConnection::Local},         {"host", HbaConnection::Host},
    {"hostssl", HbaConnection::HostSsl},     {"hostnossl", HbaConnection::HostNoSsl},
    {"hostgssenc", HbaConnection::HostGssEnc}, {"hostnogssenc", HbaConnection::HostNoGssEnc}};
constexpr Name<HbaMethod> kMethods[] = {
    {"trust", HbaMethod::Trust}, {"reject", HbaMethod::Reject},     {"scram-sha-256", HbaMethod::ScramSha256},
    {"md5", HbaMethod::Md5},     {"password", HbaMethod::Password}, {"cert", HbaMethod::Cert}};
constexpr std::string_view kForeignMethods[] = {"peer", "ident", "gss", "sspi", "pam", "bsd", "ldap", "radius", "oauth"};

template <typename Enum, std::size_t N>
std::optional<Enum> find_word(const Name<Enum> (&table)[N], std::string_view word) {
  for (const Name<Enum>& name : table) {
    if (name.word == word) return name.value;
  }
  return {};
}

template <typename Enum, std::size_t N>
std::string suggest_word(const Name<Enum> (&table)[N], const std::string& word) {
  std::vector<std::string> words;
  for (const Name<Enum>& name : table) words.emplace_back(name.word);
  return suggest(word, words);
}

// One line, field by field. A false return has made a finding.
class LineReader {
 public:
  LineReader(const HbaRow& row, Findings& findings) : row_(row), findings_(findings) {}

  bool read(HbaLine& out) {
    out.file = row_.file;
    out.line = row_.place.line;
    return read_connection(out) && read_names("database", true, out.databases) &&
           read_names("user", false, out.users) && (out.connection == HbaConnection::Local || read_address(out)) &&
           read_method(out) && read_options(out) && check_method(out);
  }

 private:
  bool wrong(const HbaToken& at, std::string message, std::string hint = {}) {
    findings_.error_in(at.file, at.place, std::move(message), std::move(hint));
    return false;
  }
  bool ends_early(const std::string& what) {
    findings_.error_in(row_.file, row_.place, "the line ends before the " + what);
    return false;
  }
  // The next field's only token; null and a finding when there is none or there are several.
  const HbaToken* single(const std::string& what) {
    if (next_ >= row_.fields.size()) {
      ends_early(what);
      return nullptr;
    }
    const HbaField& field = row_.fields[next_++];
    if (field.size() > 1) {
      wrong(field[1], "there is more than one " + what);
      return nullptr;
    }
    return &field.front();
  }

  bool read_connection(HbaLine& out) {
    const HbaToken* token = single("connection type");
    if (!token) return false;
    if (token->text == "include" || token->text == "include_if_exists" || token->text == "include_dir")
      return wrong(*token, "\"" + token->text + "\" is not supported", "write the lines into this file");
    const auto connection = find_word(kConnections, token->text);
    if (!connection) {
      return wrong(*token, "invalid connection type \"" + token->text + "\"", suggest_word(kConnections, token->text));
    }
    out.connection = *connection;
    return true;
  }

  bool read_names(const std::string& what, bool databases, std::vector<HbaName>& out) {
    if (next_ >= row_.fields.size()) return ends_early(what + " names");
    for (const HbaToken& token : row_.fields[next_++]) {
      HbaName& name = out.emplace_back();
      if (!read_name(token, databases, name)) return false;
    }
    return true;
  }

  bool read_name(const HbaToken& token, bool databases, HbaName& name) {
    const auto keyword = [&](std::string_view word) { return !token.quoted && token.text == word; };
    name.text = token.text;
    if (token.text.starts_with("/")) {
      auto pattern = std::make_shared<NamePattern>();
      name.text = token.text.substr(1);
      const std::string problem = pattern->compile(name.text);
      if (!problem.empty()) return wrong(token, "invalid regular expression \"" + name.text + "\": " + problem);
      name.kind = HbaName::Kind::Pattern;
      name.pattern = std::move(pattern);
      return true;
    }
    if (databases && (keyword("samerole") || keyword("samegroup")))
      return wrong(token, "\"" + token.text + "\" is not supported: the members of roles are not known here");
    if (!databases && !token.quoted && token.text.starts_with("+"))
      return wrong(token, "\"" + token.text + "\" is not supported: the members of roles are not known here",
                   "list the users, or name a file of them: @file");
    if (keyword("all")) name.kind = HbaName::Kind::All;
    if (databases && keyword("sameuser")) name.kind = HbaName::Kind::SameUser;
    if (databases && keyword("replication")) name.kind = HbaName::Kind::Replication;
    return true;
  }

  bool read_address(HbaLine& out) {
    const HbaToken* token = single("address");
    if (!token) return false;
    const auto keyword = [&](std::string_view word) { return !token->quoted && token->text == word; };
    if (keyword("all") || keyword("samehost") || keyword("samenet")) {
      out.from = keyword("all")        ? HbaLine::From::All
                 : keyword("samehost") ? HbaLine::From::SameHost
                                       : HbaLine::From::SameNet;
      return true;
    }
    out.from = HbaLine::From::Network;
    const std::size_t slash = token->text.find('/');
    const std::string host = token->text.substr(0, slash);
    const auto address = parse_ip(host);
    if (!address && (host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos))
      return wrong(*token, "invalid IP address \"" + token->text + "\"");
    if (!address)
      return wrong(*token, "the host name \"" + host + "\" is not supported: addresses must be numeric",
                   "write the address or network, as in 10.0.0.0/8");
    if (slash == std::string::npos) return read_mask(*address, out);
    unsigned bits = 0;
    const char* end = token->text.data() + token->text.size();
    const auto [stop, failed] = std::from_chars(token->text.data() + slash + 1, end, bits);
    if (failed != std::errc{} || stop != end || bits > 8 * address->size())
      return wrong(*token, "invalid CIDR mask in address \"" + token->text + "\"");
    out.network = ip_network(*address, bits);
    return true;
  }

  bool read_mask(const IpAddress& address, HbaLine& out) {
    if (next_ >= row_.fields.size()) return ends_early("netmask");
    const HbaToken* token = single("netmask");
    if (!token) return false;
    const auto mask = parse_ip(token->text);
    if (!mask) {
      return wrong(*token, "invalid IP mask \"" + token->text + "\"",
                   "write the network as 10.0.0.0/8, or a netmask behind the address");
    }
    if (mask->v6 != address.v6) return wrong(*token, "IP address and mask do not match");
    out.network = {address, mask->bytes};
    return true;
  }

  bool read_method(HbaLine& out) {
    method_ = single("authentication method");
    if (!method_) return false;
    if (const auto method = find_word(kMethods, method_->text)) {
      out.method = *method;
      return true;
    }
    for (const std::string_view foreign : kForeignMethods) {
      if (foreign == method_->text)
        return wrong(*method_, "the authentication method \"" + method_->text + "\" is not supported by pgweir",
                     suggest_word(kMethods, ""));
    }
    return wrong(*method_, "invalid authentication method \"" + method_->text + "\"",
                 suggest_word(kMethods, method_->text));
  }

  bool read_options(HbaLine& out) {
    for (; next_ < row_.fields.size(); ++next_) {
      for (const HbaToken& token : row_.fields[next_]) {
        const std::size_t equals = token.text.find('=');
        if (equals == std::string::npos)
          return wrong(token, "authentication option not in name=value format: " + token.text);
        if (!read_option(token, token.text.substr(0, equals), token.text.substr(equals + 1), out)) return false;
      }
    }
    return true;
  }

  bool read_option(const HbaToken& token, const std::string& name, const std::string& value, HbaLine& out) {
    if (name == "clientcert") {
      if (out.connection != HbaConnection::HostSsl)
        return wrong(token, "clientcert can only be configured for \"hostssl\" rows");
      const bool full = value == "verify-full";
      if (!full && value != "verify-ca") return wrong(token, "invalid value for clientcert: \"" + value + "\"");
      if (!full && out.method == HbaMethod::Cert)
        return wrong(token, "clientcert only accepts \"verify-full\" when using \"cert\" authentication");
      out.client_cert = full ? HbaClientCert::VerifyFull : HbaClientCert::VerifyCa;
      return true;
    }
    if (name == "clientname" && value == "CN") return true;
    return wrong(token, "the authentication option \"" + token.text + "\" is not supported by pgweir",
                 "known: clientcert, clientname=CN");
  }

  bool check_method(HbaLine& out) {
    if (out.method != HbaMethod::Cert) return true;
    if (out.connection != HbaConnection::HostSsl)
      return wrong(*method_, "cert authentication is only supported on hostssl connections");
    out.client_cert = HbaClientCert::VerifyFull;
    return true;
  }

  const HbaRow& row_;
  Findings& findings_;
  std::size_t next_ = 0;
  const HbaToken* method_ = nullptr;
};

}  // namespace

Hba parse_hba(std::string_view text, const std::string& path, Findings& findings) {
  Hba hba;
  const std::size_t before = findings.errors();
  for (const HbaRow& row : tokenize_hba(text, path, findings)) {
    HbaLine line;
    if (!row.sound || !LineReader(row, findings).read(line)) continue;
    if (line.connection == HbaConnection::HostGssEnc)
      findings.warning_in(row.file, row.place, "this line matches nobody: GSS encryption is not supported");
    hba.lines.push_back(std::move(line));
  }
  if (hba.lines.empty() && findings.errors() == before)
    findings.error_in(path, {}, "the file has no entries: nobody could log in");
  return hba;
}

Hba read_hba(const std::string& path, Place place, Findings& findings) {
  std::string text;
  if (const std::string problem = read_hba_text(path, text); !problem.empty()) {
    findings.error(place, "the file \"" + path + "\": " + problem);
    return {};
  }
  return parse_hba(text, path, findings);
}

}  // namespace pgweir::config
